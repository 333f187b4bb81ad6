"""The chip's float32 instructions against exact fractions, and the order of a dense layer's sum."""

from fractions import Fraction

import numpy as np
import pytest

from host.kmodel import float32


def exactly(value):
    """Return the float32 next to a fraction; of two equally near the one with an even last bit."""
    near = np.float32(float(value))
    around = [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
    return min(around, key=lambda one: (abs(Fraction(float(one)) - value), one.view(np.int32) & 1))


def slow_fma(a, b, c):
    return exactly(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)))


def test_fused_multiply_add_rounds_once():
    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(size=3000).astype("f4") for _ in "abc")
    c *= np.float32(2.0) ** rng.integers(-40, 40, 3000)
    wanted = [slow_fma(*row) for row in zip(a, b, c, strict=True)]
    assert float32.fma(a, b, c).tolist() == [float(one) for one in wanted]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_that_float64_would_put_on_a_tie(sign):
    """1 + 2**-24 is a tie of float32, and float64 does not see the 2**-60 beside it."""
    a, b = np.array([2.0**-30], "f4"), np.array([sign * 2.0**-30], "f4")
    c = np.array([1 + 2.0**-23], "f4")
    near = float32.fma(np.array([1.0], "f4"), np.array([2.0**-24], "f4"), c)
    assert near[0] == 1 + 2.0**-22  # the tie goes to even
    odd = np.array([1 + 2.0**-12], "f4")  # its square is 1 + 2**-11 + 2**-24
    got = float32.fma(odd, odd, sign * np.array([2.0**-70], "f4"))
    assert got[0] == (1 + 2.0**-11 + 2.0**-23 if sign > 0 else 1 + 2.0**-11)
    assert float32.fma(a, b, c)[0] == c[0]


def test_numbers_that_are_none_stay_so():
    inf, nan = np.float32(np.inf), np.float32(np.nan)
    with np.errstate(all="ignore"):
        got = float32.fma(np.array([inf, inf, 0, 1e38], "f4"), np.array([1, 0, nan, 1e38], "f4"),
                          np.array([-1, 1, 1, 1], "f4"))  # fmt: skip
    assert got[0] == inf
    assert np.isnan(got[1:3]).all()
    assert got[3] == inf


@pytest.mark.parametrize("inputs", [7, 8, 16, 12])
def test_the_order_of_a_dense_layer(inputs):
    """The machine code of MaixPy's library, instruction by instruction."""
    rng = np.random.default_rng(inputs)
    x = rng.normal(size=(2, inputs)).astype("f4")
    w, bias = rng.normal(size=(3, inputs)).astype("f4"), rng.normal(size=3).astype("f4")
    got = float32.dense(x, w, bias)
    for n in range(2):
        for o in range(3):
            sum_ = np.float32(0)
            i = 0
            while i < inputs:
                if inputs % 8 == 0 and i % 8 == 0:
                    sum_ += slow_fma(x[n, i], w[o, i], x[n, i + 1] * w[o, i + 1])
                    i += 2
                else:
                    sum_ = slow_fma(x[n, i], w[o, i], sum_)
                    i += 1
            assert got[n, o] == sum_ + bias[o]


def test_a_dense_layer_is_not_what_a_matrix_product_gives():
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(4, 512)).astype("f4"), rng.normal(size=(50, 512)).astype("f4")
    got = float32.dense(x, w, np.zeros(50, "f4"))
    np.testing.assert_allclose(got, x.astype("f8") @ w.T, rtol=1e-4, atol=1e-4)
    assert (got != x @ w.T).any()


def test_squares_are_fused():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2, 40)).astype("f4")
    for row, got in zip(x, float32.sum_of_squares(x)[:, 0], strict=True):
        sum_ = np.float32(0)
        for value in row:
            sum_ = slow_fma(value, value, sum_)
        assert got == sum_


def test_exponentials_are_the_nearest_floats():
    x = np.linspace(-80, 80, 500).astype("f4")
    np.testing.assert_array_equal(float32.exp(x), np.exp(x.astype("f8")).astype("f4"))
