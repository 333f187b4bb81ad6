"""Fitted activation tables: how far they are from the function, and that the KPU runs them."""

import math

import numpy as np
import pytest
from random_layers import descriptor
from small_networks import Builder, photos, run64

from host.errors import UserError
from host.kmodel import Options, compile, read, simulate
from host.kmodel.activation import EXACT, NAMES, function, never_falls, table_for
from host.kmodel.kpu import ConvPlan, activate
from host.kmodel.piecewise import FAR, fit, fit_error
from host.kmodel.quantize import Range
from host.kmodel.v3 import Activation, ConvLayer

SPANS = [(-1.0, 0.5), (-2.0, 2.0), (-4.0, 6.0), (-8.0, 8.0), (-30.0, 20.0)]
LARGEST = {  # errors in bytes: rounding alone makes 0.5 at most and 0.25 on the average
    "sigmoid": 1.0,
    "hard_sigmoid": 0.6,
    "hard_tanh": 1.05,
    "tanh": 1.5,
    "silu": 1.2,
    "gelu": 1.15,
    "gelu_tanh": 1.15,
    "mish": 1.5,
    "hard_swish": 1.55,
    "elu": 0.75,
    "celu": 0.75,
    "selu": 1.0,
    "softplus": 0.85,
    "log_sigmoid": 1.1,
    "exp": 0.95,
    "abs": 2.0,
    "softsign": 2.4,
}

OPERATIONS = {  # what networks compute in pieces, alone; the largest error between -2 and 3
    "above": 0.6, "below": 0.6, "cos": 3.1, "erf": 1.5, "hard_shrink": 30.0, "log": 95.0,
    "neg": 1.1, "power": 3.0, "sin": 12.1, "soft_shrink": 1.5, "sparse_plus": 1.0,
    "sparse_sigmoid": 0.8, "sqrt": 9.0, "square": 2.5, "squareplus": 1.0, "tanh_shrink": 1.5,
    "threshold": 1.0,
}  # fmt: skip


def range_of(name, low, high):
    values = function(name)(np.linspace(low, high, 10_001))
    return Range.of(float(values.min()), float(values.max()))


def fitted(name, low, high, result, number=0.0):
    table, scale = table_for(name, number, low, high, result)
    assert scale is not None
    return table, scale


@pytest.mark.parametrize("name", LARGEST)
@pytest.mark.parametrize("span", SPANS)
def test_fitted_functions(name, span):
    result = range_of(name, *span)
    low, high = span
    table, scale = fitted(name, low, high, result)
    largest, mean = fit_error(table, scale, function(name), low, high, result)
    assert largest <= LARGEST[name]
    assert mean < (0.6 if name == "abs" else 0.5)
    assert (np.diff(table.start) > 0).all()
    assert np.abs(table.mul).max() < 1 << 15
    assert ((table.add >= 0) & (table.add <= 255)).all()
    assert max(map(abs, span)) * scale < 1 << 25


@pytest.mark.parametrize("name", OPERATIONS)
def test_fitted_operations(name):
    number = {"above": -0.5, "below": 1.5, "power": 3.0}.get(name, 0.0)
    plain = function(name, number)
    values = plain(np.linspace(-2, 3, 10_001))
    result = Range.of(float(values.min()), float(values.max()))
    table, scale = fitted(name, -2.0, 3.0, result, number)
    largest, mean = fit_error(table, scale, plain, -2.0, 3.0, result)
    assert largest <= OPERATIONS[name]
    assert mean < 0.9


def test_every_function_has_a_bound():
    others = {"swish", "hard_silu", "exponential", "leaky_relu"}
    assert set(NAMES) == {*LARGEST, *EXACT, *OPERATIONS, *others}


@pytest.mark.parametrize("name", sorted(LARGEST))
def test_beyond_what_was_seen_the_byte_goes_on_sensibly(name):
    """Far outside the byte is where the function is, as far as one constant can be on the left."""
    span = (-5.0, 5.0)
    result = range_of(name, *span)
    table, scale = fitted(name, *span, result)
    far = np.array([-1000.0, -50.0, -9.0, 9.0, 50.0, 1000.0])
    got = activate(np.rint(far * scale).astype(np.int64), table).astype(float)
    wanted = np.clip(function(name)(far) / result.step + result.zero, 0, 255)
    assert np.abs(got - wanted)[3:].max() <= 1.01
    if name != "abs":  # a constant cannot fall
        assert np.abs(got - wanted)[:3].max() <= (14 if name == "softsign" else 3)


def test_ranges_that_clip():
    """A range smaller than the values: the byte stays at 255 where the function goes on."""
    result = Range.of(-0.2, 2.0)
    table, scale = fitted("silu", -6.0, 9.0, result)
    largest, _ = fit_error(table, scale, function("silu"), -6.0, 9.0, result)
    assert largest <= 1.4
    assert activate(np.array([round(9 * scale), 1 << 34]), table).tolist() == [255, 255]


def test_rare_and_useless_ranges():
    for low, high in [(0.0, 0.0), (3.0, 3.0), (-1e-12, 1e-12), (-1e6, 1e6), (1e-7, 2e-7)]:
        for name in ("silu", "sigmoid", "exp"):
            result = range_of(name, low, high)
            table, scale = fitted(name, low, high, result)
            assert np.isfinite(scale)
            assert scale > 0
            assert (np.diff(table.start) > 0).all()
            v = np.rint(np.array([low, high]) * scale).astype(np.int64)
            wanted = np.clip(function(name)(v / scale) / result.step + result.zero, 0, 255)
            assert np.abs(activate(v, table) - wanted).max() < 1.2


def test_any_function_of_ones_own():
    """Numbers that no name stands for; a density says where precision matters."""

    def bump(x):
        return np.exp(-((x - 1) ** 2) * 4)

    result = Range.of(0, 1)
    table, scale = fit(bump, -3, 5, result)
    assert fit_error(table, scale, bump, -3, 5, result)[0] < 8
    weights = np.zeros(80)
    weights[:38] = 1  # the rising side only, 0.8 and below
    better, scale = fit(bump, -3, 5, result, weights)
    plain = fit_error(table, scale, bump, -3, 0.8, result)[1]
    assert fit_error(better, scale, bump, -3, 0.8, result)[1] < plain
    constant, _ = fit(lambda x: np.full_like(x, 0.5), -1, 1, result)
    assert (constant.start < FAR).sum() <= 2
    assert set(activate(np.array([-(1 << 34), 0, 1 << 34]), constant).tolist()) <= {127, 128}


@pytest.mark.parametrize("zero", [0, 37])
@pytest.mark.parametrize(("name", "number"), [("relu", 0.0), ("relu6", 0.0), ("relu_max", 2.5)])
def test_relu_with_any_maximum_is_exact(name, number, zero):
    """Also where the bytes reach below 0 and beyond the maximum, as maps that are joined do."""
    result = Range(8 / 255, zero)
    table, scale = table_for(name, number, -9, 9, result)
    assert scale is None
    x = np.arange(-9, 9, 0.001)
    v = np.floor(1024 * (x / result.step + zero)).astype(np.int64)
    wanted = np.clip(function(name, number)(x) / result.step + zero, 0, 255)
    assert np.abs(activate(v, table) - wanted).max() <= 0.51
    assert activate(np.array([-(1 << 34)]), table)[0] == zero


def test_one_table_serves_linear_relu_and_relu6():
    """The bytes that nncase 0.1 writes too, when the range is that of the function."""
    tables = [table_for(name, 0.0, -1, 1, Range.of(0, 6))[0] for name in ("linear", "relu6")]
    tables.append(table_for("relu", 0.0, -1, 1, Range.of(0, 3))[0])
    assert len({table.pack() for table in tables}) == 1


@pytest.mark.parametrize("slope", [-0.2, 0.0, 1e-6, 20.0])
def test_leaky_slopes_that_two_lines_cannot_say(slope):
    result = range_of("linear", -2, 2) if slope >= 0 else Range.of(0, 2)
    table, scale = fitted("leaky", -2, 2, result, slope)
    assert fit_error(table, scale, function("leaky", slope), -2, 2, result)[0] <= 2.1


def test_functions_against_keras():
    keras = pytest.importorskip("keras")
    x = np.linspace(-12, 12, 4001).astype(np.float32)
    numbers = {"relu_max", "leaky", "leaky_relu", "gelu_tanh", "abs", "below", "above", "power"}
    for name in set(NAMES) - numbers - {"neg", "square", "sqrt", "log", "sin", "cos", "erf"}:
        plain = keras.activations.get("exponential" if name == "exp" else name)
        wanted = np.asarray(plain(x, 0.0, 0.0) if name == "threshold" else plain(x))
        got = function(name)(x)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-6, err_msg=name)
    wanted = keras.activations.gelu(x, approximate=True)
    np.testing.assert_allclose(function("gelu_tanh")(x), wanted, rtol=1e-5, atol=2e-6)


def test_functions_against_plain_formulas():
    x = np.linspace(-6, 6, 301)
    exact = [0.5 * one * (1 + math.erf(one / math.sqrt(2))) for one in x]
    np.testing.assert_allclose(function("gelu")(x), exact, atol=1e-6)
    np.testing.assert_allclose(function("mish")(x), x * np.tanh(np.log1p(np.exp(x))), atol=1e-9)
    np.testing.assert_array_equal(function("relu_max", 2.0)(x), np.clip(x, 0, 2))
    np.testing.assert_allclose(function("hard_sigmoid", 0.2)(x), np.clip(0.2 * x + 0.5, 0, 1))
    np.testing.assert_allclose(function("elu", 0.5)(x), np.where(x < 0, 0.5 * np.expm1(x), x))
    for name in NAMES:
        made = function(name, 0.3)(np.array([-1e30, -200.0, 0.0, 200.0]))
        assert not np.isnan(made).any(), name
        steps = np.diff(function(name, 0.3)(x))
        rises = bool((steps > -1e-9).all())
        assert never_falls(name, 0.3) == rises or (rises and name in ("power", "threshold")), name


def test_unknown_activations_are_named():
    with pytest.raises(UserError, match="wobble"):
        function("wobble")


def fitted_layer(table: Activation, scale: float) -> ConvLayer:
    """Return a 1x1 layer whose two channels sweep v = -7..7 * scale over the pixel bytes."""
    step = max(1, round(7 * scale / 128 * 64 / 16))
    return ConvLayer(
        flags=1,
        main_output=0,
        registers=descriptor((1, 16, 16), 16, kernel=1),
        weights=np.full(16, 16, np.uint8),
        bn_mul=np.full(16, step, np.int64),
        bn_shift=np.full(16, 6, np.int64),
        bn_add=-(128 * 16 * step >> 6) + np.arange(16, dtype=np.int64) * step // 64,
        activation=table,
    )


def test_fitted_tables_in_kendrytes_simulator(nncase):
    """Every fitted table gives the very bytes of nncase's simulator, the falling ones as well."""
    layers, falling = [], 0
    for name in LARGEST:
        for low, high in ((-7.0, 7.0), (-2.0, 3.0)):
            table, scale = fitted(name, low, high, range_of(name, low, high))
            falling += bool((table.mul < 0).any())
            layers.append(fitted_layer(table, scale))
    pictures = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    results = nncase(layers, [pictures] * len(layers))
    levels = 0
    for layer, (theirs, _words) in zip(layers, results, strict=True):
        ours = ConvPlan(layer).run(pictures)
        np.testing.assert_array_equal(ours, theirs)
        levels += len(np.unique(ours))
    assert falling > 2
    assert levels > 100 * len(layers)


@pytest.mark.parametrize(
    ("kind", "number"),
    [(name, 0.0) for name in LARGEST if name not in ("exp", "abs")]
    + [("relu_max", 1.5), ("elu", 0.4), ("hard_sigmoid", 0.2)],
)
def test_compiled_networks_agree_with_float64(kind, number):
    """A convolution, the activation, and another layer behind it."""
    build = Builder(len(kind)).rescale(1 / 127.5, -1.0).conv(24).norm().act(kind, number)
    graph = build.conv(16, 1).graph(24, 24)
    images = photos(3, graph.input_shape, 4)
    compiled = compile(graph, images, Options(range_search=False))
    wanted = run64(graph, images).transpose(0, 3, 1, 2)
    got = simulate(compiled.data, images)[0].reshape(wanted.shape)
    noise = np.sqrt(np.mean((got - wanted) ** 2)) / wanted.std()
    assert noise < 0.022  # a linear one has 0.017


def test_a_function_that_falls_is_not_exchanged_with_a_maximum():
    """max(f(x)) is not f(max(x)) there: the activation takes a layer of its own."""
    for kind, layers in (("silu", 2), ("sigmoid", 1)):
        graph = Builder(4).rescale(1 / 127.5, -1.0).conv(16).pool().act(kind).graph(16, 16)
        images = photos(5, graph.input_shape, 4)
        compiled = compile(graph, images, Options(range_search=False))
        assert len(read(compiled.data).convs) == layers
        wanted = run64(graph, images).transpose(0, 3, 1, 2)
        got = simulate(compiled.data, images)[0].reshape(wanted.shape)
        assert np.abs(got - wanted).max() < 0.02 * np.ptp(wanted)


def test_the_errors_that_the_page_gives(root):
    """docs/kmodel.md, "Other activations": largest and mean error of each function and span."""
    page = (root / "docs" / "kmodel.md").read_text(encoding="utf-8")
    rows = page.split("### Other activations")[1].split("###")[0]
    cells = [line.strip("|").split("|") for line in rows.splitlines() if line.startswith("|")]
    spans = [tuple(map(float, cell.split(" to "))) for cell in cells[0][1:]]
    assert len(cells) > 10
    for name, *values in cells[2:]:
        kind = name.split()[0]
        for (low, high), value in zip(spans, values, strict=True):
            result = range_of(kind, low, high)
            table, scale = fitted(kind, low, high, result)
            found = fit_error(table, scale, function(kind), low, high, result)
            np.testing.assert_allclose(
                found,
                [float(part) for part in value.split(",")],
                atol=0.03,
                err_msg=f"{kind} {low}",
            )
