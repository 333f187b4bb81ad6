"""The choice of a layer's integers."""

import numpy as np
import pytest

from host.errors import UserError
from host.kmodel.activation import table_for
from host.kmodel.fold import FloatLayer
from host.kmodel.kpu import activate
from host.kmodel.quantize import (
    Range,
    choose_range,
    quantize_layer,
    quantize_weights,
)


def layer(weights, bias=None, activation="linear", slope=0.0):
    outputs, channels, taps = weights.shape
    return FloatLayer(
        name="layer",
        depthwise=False,
        kernel=3 if taps == 9 else 1,
        weights=weights.astype(np.float32),
        bias=np.zeros(outputs, np.float32) if bias is None else bias,
        activation=activation,
        slope=slope,
        pool=0,
        in_shape=(channels, 8, 8),
        out_shape=(outputs, 8, 8),
    )


@pytest.mark.parametrize(("low", "high"), [(0, 6), (-3, 5), (-8, 0), (2, 5), (-5, -1), (0, 0)])
def test_a_range_holds_zero_exactly(low, high):
    made = Range.of(low, high)
    assert 0 <= made.zero <= 255
    assert made.quantize(np.array([0.0]))[0] == made.zero
    values = np.linspace(min(low, 0), max(high, 0), 99)
    back = made.dequantize(made.quantize(values))
    assert np.abs(back - values).max() <= made.step * 1.001  # half a step, and the zero's rounding


@pytest.mark.parametrize("tail", [1.0, 3.0])
def test_the_chosen_range_has_nearly_the_least_error(tail):
    rng = np.random.default_rng(0)
    values = (rng.exponential(1.0, 50_000) ** tail).astype(np.float32)
    values /= values.max()

    def error(high):
        made = Range.of(0, high)
        return np.square(made.dequantize(made.quantize(values)) - values).mean()

    chosen = choose_range(values, 0, 1)
    least = min(error(high) for high in np.linspace(0.35, 1, 200))
    assert error(chosen.step * 255) <= 1.1 * least
    assert chosen.step * 255 <= 1


def test_rare_extremes_are_clipped():
    values = np.random.default_rng(0).normal(size=50_000).astype(np.float32)
    chosen = choose_range(values, float(values.min()), float(values.max()))
    assert chosen.step * 255 < np.ptp(values)


@pytest.mark.parametrize("search", [True, False])
def test_weights_come_back(search):
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(7, 5, 9)) * np.exp(rng.normal(size=(7, 1, 1)))
    integers, zero, stretch = quantize_weights(weights.astype(np.float32), search=search)
    back = (integers.astype(float) - zero) / stretch[:, None, None]
    worst = np.abs(back - weights).max((1, 2)) * stretch
    assert worst.max() <= 0.51  # half a level: no weight is clipped
    for channel in integers:
        assert channel.min() <= 1 or channel.max() >= 254  # each channel is stretched


def test_the_search_beats_the_extremes():
    """One channel with a far weight on one side costs the others nothing."""
    rng = np.random.default_rng(2)
    weights = rng.normal(size=(16, 8, 9))
    weights[0, 0, 0] = 60
    errors = []
    for search in (False, True):
        integers, zero, stretch = quantize_weights(weights.astype(np.float32), search=search)
        back = (integers.astype(float) - zero) / stretch[:, None, None]
        errors.append(np.square(back - weights)[1:].mean())
    assert errors[1] < errors[0] / 4


def test_batch_norm_makes_the_float_of_the_sums():
    rng = np.random.default_rng(3)
    source, result = Range.of(-1, 1), Range.of(0, 6)
    made = quantize_layer(layer(rng.normal(size=(6, 4, 1))), source, result)
    factor = made.bn_mul / 2.0**made.bn_shift
    wanted = 1024 * source.step / (result.step * made.stretch)
    np.testing.assert_allclose(factor, wanted, rtol=1e-5)
    assert (np.abs(made.bn_mul) < 1 << 22).all()
    assert ((made.bn_shift >= 0) & (made.bn_shift <= 15)).all()


def test_linear_table_is_the_identity():
    table, scale = table_for("linear", 0, -1, 1, Range(0.1, 0))
    assert scale is None
    values = np.arange(256) * 1024
    assert activate(values, table).tolist() == list(range(256))
    assert activate(np.array([-1, -(1 << 34), (1 << 34)]), table).tolist() == [0, 0, 255]


@pytest.mark.parametrize("slope", [0.01, 0.1, 0.2, 0.3, 0.9])
@pytest.mark.parametrize("zero", [0, 1, 40, 128, 255])
def test_leaky_tables(slope, zero):
    table, scale = table_for("leaky", slope, -1, 1, Range(0.1, zero))
    assert scale is None
    assert (np.diff(table.start) > 0).all() or zero == 0
    values = np.arange(-2000, 300, 0.25)
    positive = np.where(values > zero, values, zero + (values - zero) * slope)
    got = activate((values * 1024).astype(np.int64), table)
    assert np.abs(got - positive.clip(0, 255)).max() <= 0.51


def test_numbers_too_large_are_refused():
    rng = np.random.default_rng(4)
    huge = layer(rng.normal(size=(2, 2, 1)), bias=np.array([1e12, 0]))
    with pytest.raises(UserError, match="kmodel_range"):
        quantize_layer(huge, Range.of(0, 1), Range.of(0, 1))
    with pytest.raises(UserError, match="kmodel_range"):
        quantize_layer(layer(np.full((2, 2, 1), 1e9)), Range.of(0, 1), Range.of(0, 1e-3))
