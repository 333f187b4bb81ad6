"""The simulator: memories, CPU layers with the runtime's float32 quirks, refusals."""

from dataclasses import replace
from fractions import Fraction

import kpu_reference
import numpy as np
import pytest
from random_layers import random_layer
from small_files import classifier, cpu

from host.errors import UserError
from host.kmodel import Kmodel, Simulator, simulate, write
from host.kmodel.cpu_layers import CPU_LAYERS, Memory, carry_shift
from host.kmodel.kpu import ConvPlan
from host.kmodel.simulate import run_conv
from host.kmodel.v3 import LayerType

F4 = np.float32


def run_cpu(kind, values, results, *, table=None, dtype=F4, at=1024, **fields):
    """Run one CPU layer on `values` at offset 0 and return `results` values of its result."""
    memory = Memory(1, 1 << 14)
    memory.put(0, np.atleast_1d(values)[None])
    CPU_LAYERS[kind](memory, cpu(kind, table, output=at, **fields))
    return memory.get(at, results * np.dtype(dtype).itemsize, dtype)[0]


def test_a_whole_classifier_equals_its_parts():
    model = classifier(3)
    images = np.random.default_rng(4).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    maps = kpu_reference.run(model.layers[0], images.transpose(0, 3, 1, 2))
    maps = kpu_reference.run(model.layers[1], maps)
    means = (maps.astype(np.float64) * 0.02 - 0.6).mean((2, 3))
    table = model.layers[4].table.astype(np.float64)
    logits = means @ table[:12].reshape(3, 4).T + table[12:]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    wanted = powers / powers.sum(1, keepdims=True)
    got = simulate(write(model), images)
    assert len(got) == 1
    assert got[0].dtype == np.float32
    np.testing.assert_allclose(got[0], wanted, rtol=1e-4)
    assert np.ptp(got[0], axis=0).max() > 1e-3  # the pictures matter


def test_many_pictures_equal_one_by_one():
    simulator = Simulator(write(classifier(5)))
    images = np.random.default_rng(6).integers(0, 256, (11, 8, 8, 3), dtype=np.uint8)
    together = simulator.run(images)[0]
    alone = np.concatenate([simulator.run(images[i : i + 1])[0] for i in range(11)])
    np.testing.assert_allclose(together, alone, rtol=1e-6)  # BLAS adds in another order


def test_no_pictures_give_no_rows():
    assert simulate(write(classifier()), np.zeros((0, 8, 8, 3), np.uint8))[0].shape == (0, 3)


def test_bytes_come_out_where_the_last_layer_gives_bytes():
    layer = random_layer(np.random.default_rng(7), (3, 8, 8), 4, activation="leaky")
    images = np.random.default_rng(8).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    got = simulate(write(Kmodel((layer,), ((0, 256),), 256)), images)[0]
    assert got.dtype == np.uint8
    wanted = kpu_reference.run(layer, images.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(got, wanted.reshape(2, -1))


def test_the_next_layer_reads_what_lies_in_kpu_ram():
    """A source line that is wrong by one gives another answer, as on the chip."""
    model = classifier(9)
    memory = Memory(2, model.main_memory)
    memory.kpu[:] = np.random.default_rng(10).integers(0, 256, memory.kpu.shape, dtype=np.uint8)
    second, results = model.layers[1], []
    for line in (0, 1):
        layer = replace(second, registers=replace(second.registers, src_line=line))
        run_conv(memory, layer, ConvPlan(layer))
        results.append(memory.get(0, 256).copy())
    assert (results[0] != results[1]).any()


def test_half_up_changes_ties():
    layer = random_layer(np.random.default_rng(11), (3, 8, 8), 4, activation="ties")
    data = write(Kmodel((layer,), ((0, 256),), 256))
    images = np.random.default_rng(12).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    assert (Simulator(data).run(images)[0] != Simulator(data, half_up=True).run(images)[0]).any()


# --- CPU layers ----------------------------------------------------------------------------------


def test_fully_connected_ignores_its_activation():
    table = np.array([1, 2, -3, 0.5, 0.25, -10], F4)  # 2x2 weights, 2 biases
    for activation in (0, 1, 2):
        fields = {"in_channels": 2, "out_channels": 2, "activation": activation}
        got = run_cpu(LayerType.FULLY_CONNECTED, np.array([4, 6], F4), 2, table=table, **fields)
        assert got.tolist() == [16.25, -19.0]


def test_softmax_shifts_positive_scores_only():
    big = run_cpu(LayerType.SOFTMAX, np.array([200, 201], F4), 2, channels=2)
    np.testing.assert_allclose(big, [0.26894, 0.73106], rtol=1e-4)
    small = run_cpu(LayerType.SOFTMAX, np.array([-30, -31], F4), 2, channels=2)
    np.testing.assert_allclose(small, [0.73106, 0.26894], rtol=1e-4)
    with np.errstate(over="ignore", divide="ignore"):
        lost = run_cpu(LayerType.SOFTMAX, np.array([-100, -100], F4), 2, channels=2)
    assert not np.isfinite(lost).any()  # a shifted softmax would say one half


def test_global_average_adds_one_after_the_other():
    values = np.array([1e8, 1, -1e8, 1, 3, 3, 3, 4], F4)
    fields = {"kernel_size": 4, "channels": 2}
    got = run_cpu(LayerType.GLOBAL_AVERAGE_POOL2D, values, 2, **fields)
    assert got.tolist() == [0.25, 3.25]


def test_global_average_multiplies_by_the_reciprocal():
    rng = np.random.default_rng(13)
    differs = 0
    for size in (3, 7, 49):
        values = rng.normal(size=(50, size)).astype(F4)
        fields = {"kernel_size": size, "channels": 50}
        got = run_cpu(LayerType.GLOBAL_AVERAGE_POOL2D, values.ravel(), 50, at=0, **fields)
        total = [np.add.accumulate(row, dtype=F4)[-1] for row in values]
        wanted = np.array([one * (F4(1) / F4(size)) for one in total], F4)
        np.testing.assert_array_equal(got, wanted)
        differs += (wanted != np.array(total, F4) / F4(size)).sum()
    assert differs


def test_dequantize_rounds_once():
    scale, bias = F4(0.0277), F4(-3.1)
    count = np.arange(256, dtype=np.uint8)
    fields = {"count": 256, "scale": float(scale), "bias": float(bias)}
    got = run_cpu(LayerType.DEQUANTIZE, count, 256, **fields)
    exact = [int(q) * Fraction(float(scale)) + Fraction(float(bias)) for q in count]
    for value, wanted in zip(got, exact, strict=True):
        error = abs(Fraction(float(value)) - wanted)
        for neighbour in (np.nextafter(value, F4(9)), np.nextafter(value, F4(-9))):
            assert error <= abs(Fraction(float(neighbour)) - wanted)
    assert (got != count * scale + bias).any()  # rounding twice is another thing


def test_quantize_clamps():
    values = np.array([-9, -1, 0, 0.26, 1, 200], F4)
    got = run_cpu(LayerType.QUANTIZE, values, 6, dtype=np.uint8, count=6, scale=0.5, bias=-1.0)
    assert got.tolist() == [0, 0, 2, 2, 4, 255]


def test_quantize_cuts():
    """As MaixPy's library does; see test_maixpy_layers.py."""
    values = np.array([0.99, 1.5, 2, -0.5, np.nan], F4)
    got = run_cpu(LayerType.QUANTIZE, values, 5, dtype=np.uint8, count=5, scale=1.0, bias=0.0)
    assert got.tolist() == [0, 1, 2, 0, 255]


def test_requantize_and_channelwise_dequantize():
    table = np.arange(255, -1, -1, dtype=np.uint8)
    values = np.array([0, 1, 250], np.uint8)
    got = run_cpu(LayerType.REQUANTIZE, values, 3, table=table, dtype=np.uint8, count=3)
    assert got.tolist() == [255, 254, 5]
    scales = np.array([[0.5, -1], [2, 3]], F4)
    fields = {"channels": 2, "channel_size": 2}
    values = np.array([2, 4, 1, 9], np.uint8)
    got = run_cpu(LayerType.CHANNELWISE_DEQUANTIZE, values, 4, table=scales, **fields)
    assert got.tolist() == [0, 1, 5, 21]


def test_add_logistic_and_l2():
    got = run_cpu(LayerType.ADD, np.array([1, 2, 10, 20], F4), 2, a=0, b=8, count=2)
    assert got.tolist() == [11, 22]
    got = run_cpu(LayerType.LOGISTIC, np.array([0, 3], F4), 2, channels=2)
    np.testing.assert_allclose(got, [0.5, 0.95257413], rtol=1e-6)
    got = run_cpu(LayerType.L2_NORMALIZATION, np.array([3, 4], F4), 2, channels=2)
    np.testing.assert_allclose(got, [0.6, 0.8], rtol=1e-6)


def test_concat_and_flatten():
    parts = np.array([[8, 4], [0, 8]], "<u4")
    got = run_cpu(LayerType.CONCAT, np.array([1, 2, 3], F4), 3, table=parts, inputs=2)
    assert got.tolist() == [3, 1, 2]
    fields = {"width": 3, "height": 2, "channels": 2}
    got = run_cpu(LayerType.TENSORFLOW_FLATTEN, np.arange(12, dtype=F4), 12, **fields)
    assert got.tolist() == [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]
    planes = np.arange(12, dtype=np.uint8)
    kind = LayerType.QUANTIZED_TENSORFLOW_FLATTEN
    got = run_cpu(kind, planes, 12, dtype=np.uint8, **fields)
    assert got.tolist() == [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]


def test_resize_takes_the_nearest_above_left():
    fields = {"in_w": 2, "in_h": 2, "out_w": 4, "out_h": 3, "channels": 1}
    got = run_cpu(LayerType.RESIZE_NEAREST_NEIGHBOR, np.array([1, 2, 3, 4], F4), 12, **fields)
    assert got.reshape(3, 4).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4]]


def test_max_pool_with_padding():
    fields = {"in_w": 3, "in_h": 3, "in_c": 1, "out_w": 2, "out_h": 2, "out_c": 1}
    fields |= {"kernel_w": 2, "kernel_h": 2, "stride_w": 2, "stride_h": 2, "pad_w": 1, "pad_h": 1}
    values = np.arange(1, 10, dtype=np.uint8)
    got = run_cpu(LayerType.QUANTIZED_MAX_POOL2D, values, 4, dtype=np.uint8, **fields)
    assert got.tolist() == [1, 3, 7, 9]


def test_max_pool_windows_that_lie_outside():
    """A window in the padding alone gives 0; the runtime starts its maximum there."""
    fields = {"in_w": 2, "in_h": 2, "in_c": 1, "out_w": 3, "out_h": 3, "out_c": 1}
    fields |= {"kernel_w": 1, "kernel_h": 1, "stride_w": 2, "stride_h": 2, "pad_w": 2, "pad_h": 2}
    values = np.arange(5, 9, dtype=np.uint8)
    got = run_cpu(LayerType.QUANTIZED_MAX_POOL2D, values, 9, dtype=np.uint8, **fields)
    assert got.tolist() == [0, 0, 0, 0, 5, 0, 0, 0, 0]


@pytest.mark.parametrize(("stride", "pad", "kernel"), [(1, 1, 3), (2, 0, 2), (2, 1, 3), (3, 2, 4)])
def test_average_pool_counts_what_is_inside(stride, pad, kernel):
    """Pixel by pixel as the runtime's loops go, the padding not counted."""
    rng = np.random.default_rng(kernel)
    height, width, out_h, out_w = 7, 5, 3, 2
    maps = (rng.normal(size=(2, height, width)) * 1000).astype(F4)
    wanted = []
    for channel, y, x in np.ndindex(2, out_h, out_w):
        total, count = F4(0), F4(0)
        for row, column in np.ndindex(kernel, kernel):
            at = y * stride - pad + row, x * stride - pad + column
            if 0 <= at[0] < height and 0 <= at[1] < width:
                total, count = F4(total + maps[channel][at]), F4(count + 1)
        wanted.append(total / count)
    sides = {"in_w": width, "in_h": height, "in_c": 2, "out_w": out_w, "out_h": out_h, "out_c": 2}
    fields = dict.fromkeys(["kernel_w", "kernel_h"], kernel)
    fields |= dict.fromkeys(["stride_w", "stride_h"], stride)
    fields |= dict.fromkeys(["pad_w", "pad_h"], pad)
    for activation in (0, 1):  # a field that the runtime does not look at
        got = run_cpu(LayerType.AVERAGE_POOL2D, maps, 12, **sides, **fields, activation=activation)
        np.testing.assert_array_equal(got, np.array(wanted, F4))


def quantized_sum(a, b, **fields):
    """One QUANTIZED_ADD in Python's integers, as kpu.c reads."""
    left, right = (
        (a + fields["a_offset"]) * fields["a_mul"],
        (b + fields["b_offset"]) * fields["b_mul"],
    )
    if fields["a_shift"] == fields["b_shift"]:
        total = left + right >> fields["a_shift"]
    else:
        total = (left >> fields["a_shift"]) + (right >> fields["b_shift"])
    total, shift = total * fields["out_mul"], fields["out_shift"]
    if shift:
        total >>= shift - 1
        if total & 1:
            total = (total >> 1) + (-1 if total < 0 else 1)
        else:
            total >>= 1
    return min(255, max(0, total + fields["out_offset"]))


@pytest.mark.parametrize("seed", range(40))
def test_quantized_add(seed):
    rng = np.random.default_rng(seed)
    numbers = {"offset": (-255, 256), "mul": (-(1 << 16), 1 << 16), "shift": (0, 12)}
    fields = {
        f"{who}_{name}": int(rng.integers(*limits))
        for who in ("a", "b", "out")
        for name, limits in numbers.items()
    }
    fields["out_mul"], fields["out_shift"] = int(rng.integers(-300, 300)), int(rng.integers(0, 30))
    if seed % 2:
        fields["b_shift"] = fields["a_shift"]
    values = rng.integers(0, 256, (2, 100), dtype=np.uint8)
    places = {"a": 0, "b": 100, "count": 100}
    got = run_cpu(LayerType.QUANTIZED_ADD, values.ravel(), 100, dtype=np.uint8, **places, **fields)
    wanted = [quantized_sum(int(a), int(b), **fields) for a, b in zip(*values, strict=True)]
    assert got.tolist() == wanted


def test_carry_shift_of_negative_values():
    """Halves go up; a negative value with its half bit set loses one more: kpu_carry_shift."""
    assert carry_shift(np.array([1, 3, 5, 2, -1, -3, -2, -4]), 1).tolist() == [
        1, 2, 3, 1, -2, -3, -1, -2
    ]  # fmt: skip
    assert carry_shift(np.array([7, -7]), 0).tolist() == [7, -7]


def test_resize_multiplies_in_float32():
    """Cut from a product in float64 some of these rows would be others."""
    differs = 0
    for inside, outside in [(3, 7), (2, 50), (20, 60), (2, 98)]:
        fields = {"in_w": 1, "in_h": inside, "out_w": 1, "out_h": outside, "channels": 1}
        values = np.arange(inside, dtype=F4)
        got = run_cpu(LayerType.RESIZE_NEAREST_NEIGHBOR, values, outside, **fields)
        scale = F4(inside) / F4(outside)
        assert got.tolist() == [min(int(F4(i) * scale), inside - 1) for i in range(outside)]
        differs += sum(got[i] != min(int(i * float(scale)), inside - 1) for i in range(outside))
    assert differs


def test_a_dense_layer_on_the_kpu_passes_through_pixel_zero():
    """ADD_PADDING, a 1x1 convolution on 4x4, REMOVE_PADDING."""
    rng = np.random.default_rng(14)
    dense = random_layer(rng, (6, 4, 4), 3, kernel=1, source=100, target=0, activation="leaky")
    memory = Memory(1, 256)
    memory.put(0, np.arange(50, 56, dtype=np.uint8)[None])
    CPU_LAYERS[LayerType.K210_ADD_PADDING](
        memory, cpu(LayerType.K210_ADD_PADDING, kpu_output=100, channels=6)
    )
    maps = np.zeros((1, 6, 4, 4), np.uint8)
    maps[0, :, 0, 0] = np.arange(50, 56)
    assert (memory.kpu.reshape(-1, 64)[100:108, 1:4] == 0).all()
    for channel in range(6):
        assert memory.kpu[0, 100 * 64 + channel // 4 * 256 + channel % 4 * 16] == 50 + channel
    wanted = kpu_reference.run(dense, maps)
    memory.put(64, wanted)
    CPU_LAYERS[LayerType.K210_REMOVE_PADDING](
        memory, cpu(LayerType.K210_REMOVE_PADDING, input=64, output=8, channels=3)
    )
    assert memory.get(8, 3)[0].tolist() == wanted[0, :, 0, 0].tolist()


def test_upload_brings_a_map_into_kpu_ram():
    memory = Memory(1, 256)
    values = np.arange(40, dtype=np.uint8)
    memory.put(0, values[None])
    fields = {"width": 4, "height": 5, "channels": 2}
    CPU_LAYERS[LayerType.K210_UPLOAD](memory, cpu(LayerType.K210_UPLOAD, kpu_output=7, **fields))
    assert memory.kpu[0, 7 * 64 : 7 * 64 + 4].tolist() == [0, 1, 2, 3]
    assert memory.kpu[0, 8 * 64 + 16 : 8 * 64 + 20].tolist() == [24, 25, 26, 27]


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 8, 9, 3), np.uint8),
        np.zeros((1, 8, 8, 1), np.uint8),
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
    ],
)
def test_pictures_of_the_wrong_kind(images):
    with pytest.raises(UserError) as error:
        simulate(write(classifier()), images)
    assert error.value.code == "kmodel_picture_size"
    assert "8x8x3" in str(error.value)


def test_every_cpu_layer_can_be_simulated():
    assert CPU_LAYERS.keys() == set(LayerType) - {LayerType.K210_CONV}


def test_a_model_that_does_not_begin_with_a_picture():
    model = classifier()
    simulator = Simulator(write(replace(model, layers=model.layers[3:])))
    with pytest.raises(UserError) as error:
        simulator.run(np.zeros((1, 8, 8, 3), np.uint8))
    assert error.value.code == "kmodel_no_picture_input"
