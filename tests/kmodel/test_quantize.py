"""The choice of a layer's integers."""

from dataclasses import replace

import numpy as np
import pytest

from host.errors import UserError
from host.kmodel.activation import table_for
from host.kmodel.calibrate import Statistics
from host.kmodel.equalize import gain_power, with_gains
from host.kmodel.fold import FloatLayer
from host.kmodel.kpu import activate
from host.kmodel.quantize import (
    Range,
    choose_range,
    quantize_layer,
    quantize_weights,
    sample,
)
from host.kmodel.rounding import compensate, covariance, round_weights


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


@pytest.mark.parametrize("width", [5, 7, 10, 14, 15])
@pytest.mark.parametrize("column", [0, 3, 4])
def test_what_is_large_in_one_column_only_counts_wherever_it_is(width, column):
    """An object is in one place, and its values are the ones that count."""
    rng = np.random.default_rng(1)
    statistics = Statistics()
    for _ in range(6):
        values = rng.uniform(0, 1, (8, 256, width, width)).astype(np.float32)
        values[:, ::16, 2, column] = 6
        statistics.add(values)
    chosen = statistics.range(search=True)
    assert chosen.dequantize(np.array([255]))[0] > 5


def test_a_sample_is_of_all_places_and_always_the_same():
    values = np.arange(7 * 7 * 300)
    drawn = sample(values, 4000)
    assert drawn.dtype == np.float32 and len(drawn) == 4000
    assert set(drawn.astype(int) % 7) == set(range(7))
    np.testing.assert_array_equal(drawn, sample(values, 4000))
    np.testing.assert_array_equal(sample(values[:10], 4000), values[:10])


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
    wanted = 1024 / (result.step * made.stretch)  # the stretch knows the source's step
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


def correlated(seed, rows, inputs):
    """Bytes whose columns go together, as those of neighbouring channels do."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(rows, 4)) @ rng.normal(size=(4, inputs))
    return (128 + 20 * mixed + rng.normal(size=(rows, inputs)) * 3).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("depthwise", [False, True])
def test_adapted_rounding_has_less_error_on_the_sums(depthwise):
    rng = np.random.default_rng(5)
    channels, outputs = (12, 12) if depthwise else (72, 24)
    made = layer(rng.normal(size=(outputs, 1 if depthwise else channels, 9 if depthwise else 1)))
    made = replace(made, depthwise=depthwise, in_shape=(channels, 8, 8))
    bytes_in = correlated(6, 3 * 64, channels).reshape(3, 8, 8, channels).transpose(0, 3, 1, 2)
    bytes_in[:, :, 1::2, 1:] = bytes_in[:, :, ::2, :-1]  # neighbours are alike
    nearest = quantize_layer(made, Range.of(-1, 1), Range.of(0, 6))
    adapted = round_weights(made, nearest, bytes_in)
    assert adapted.weight_zero == nearest.weight_zero

    def error(quantized):
        moments = covariance(made, bytes_in, quantized.source.zero)
        back = (quantized.weights - float(quantized.weight_zero)) / quantized.stretch[:, None, None]
        off = (back - made.weights * quantized.source.step).reshape(outputs, -1)
        return np.einsum("oi,...ij,oj->...", off, moments, off).sum()

    assert error(adapted) < error(nearest) * (0.75 if depthwise else 0.5)


def test_compensation_without_correlation_is_nearest_rounding():
    targets = np.random.default_rng(7).uniform(-90, 90, (9, 30))
    rounded = compensate(targets, np.diag(np.linspace(1, 2, 30)), 100)
    np.testing.assert_array_equal(rounded, np.rint(targets) + 100)


def test_gains_fill_the_range_of_each_channel():
    base = Range.of(0, 6)
    made = with_gains(base, np.zeros(4), np.array([6.0, 3.0, 1.5, 0.0]), 1.0)
    assert made.gains == pytest.approx((1, 2, 4, 16))
    assert with_gains(base, np.zeros(1), np.array([1.5]), 0.5).gains == pytest.approx((2,))
    assert with_gains(base, np.zeros(1), np.array([1.5]), 0.0) == base
    both = with_gains(Range.of(-2, 2), np.array([-1.0, -0.1]), np.array([0.1, 0.5]), 1.0)
    assert both.gains == pytest.approx((2, 4), rel=0.02)


def test_only_layers_of_the_kpu_read_gains():
    plain, depthwise = layer(np.ones((2, 2, 1))), replace(layer(np.ones((2, 1, 9))), depthwise=True)
    relu = layer(np.ones((2, 2, 1)), activation="relu")
    assert gain_power(relu, [depthwise]) == 1
    assert gain_power(relu, [depthwise, plain]) == gain_power(relu, [plain]) == 0.5
    assert gain_power(relu, []) == gain_power(relu, [plain, "add"]) == 0
    assert gain_power(layer(np.ones((2, 2, 1)), activation="sigmoid"), [plain]) == 0


@pytest.mark.parametrize("depthwise", [False, True])
def test_a_reader_undoes_gains(depthwise):
    """The same values with and without gains give the same sums, up to weight rounding."""
    rng = np.random.default_rng(8)
    made = layer(rng.normal(size=(6, 1 if depthwise else 6, 9 if depthwise else 1)))
    made = replace(made, depthwise=depthwise)
    gains = tuple(np.linspace(1, 3, 6))
    for source in (Range(0.02, 0), Range(0.02, 0, gains)):
        quantized = quantize_layer(made, source, Range.of(0, 6))
        back = (quantized.weights - float(quantized.weight_zero)) / quantized.stretch[:, None, None]
        steps = np.broadcast_to(source.steps, 6)
        back /= steps[:, None, None] if depthwise else steps[None, :, None]
        np.testing.assert_allclose(back, made.weights, atol=0.03)


def test_a_silent_channel_has_no_say_in_the_zero_point():
    weights = np.abs(np.random.default_rng(9).normal(size=(5, 4, 1))).astype(np.float32)
    zero = quantize_weights(weights)[1]
    weights = np.concatenate([weights, np.zeros((1, 4, 1), np.float32)])
    assert quantize_weights(weights)[1] == zero == 8
