"""The estimate of times against what others have measured on boards and published."""

import math
from dataclasses import replace

import numpy as np
import pytest
from small_files import classifier, cpu, one_of_each

from host.kmodel import read
from host.kmodel.cost import (
    CLOCK_HZ,
    conv_cycles,
    conv_seconds,
    cpu_seconds,
    estimate_ms,
    layer_seconds,
)
from host.kmodel.v3 import LayerType

# Sipeed, bbs.sipeed.com/t/topic/691: 3x3, 128 to 128 channels, 16-bit weights, KPU at 300 MHz.
SIPEED = {
    (4, 4): 0.339,
    (4, 16): 0.339,
    (16, 16): 0.417,
    (16, 32): 0.692,
    (32, 32): 1.138,
    (32, 64): 2.125,
    (64, 64): 3.891,
    (64, 128): 7.709,
    (128, 128): 14.778,
    (256, 256): 57.756,
}
# kendryte/nncase issue 77: MaixPy's face detector layer by layer, ms.
FACE = [
    0.206, 0.039, 0.514, 0.029, 0.680, 0.053, 1.328, 0.020, 0.704, 0.034, 1.385, 0.016, 0.781,
    0.025, 1.522, 0.026, 1.521, 0.026, 1.521, 0.026, 1.521, 0.025, 0.326, 0.404,
]  # fmt: skip
# kendryte/nncase issue 96: channels, outputs, size of a 3x3 layer, ms.
TEST_NETWORK = [
    (3, 16, (240, 320), 0.2105),
    (16, 16, (120, 160), 0.268),
    (16, 16, (60, 80), 0.0985),
]


@pytest.mark.parametrize("size", SIPEED, ids=str)
def test_sipeeds_table(size):
    cycles = conv_cycles(128, 128, size, kernel_bytes=18, depthwise=False)
    assert cycles / 300e3 == pytest.approx(SIPEED[size], rel=0.06)


@pytest.mark.parametrize(("channels", "outputs", "size", "ms"), TEST_NETWORK)
def test_layers_of_issue_96(channels, outputs, size, ms):
    cycles = conv_cycles(channels, outputs, size, kernel_bytes=9, depthwise=False)
    assert cycles / 400e3 == pytest.approx(ms, rel=0.05)


def test_the_face_detector_layer_by_layer(real_kmodels):
    layers = read(real_kmodels["face"]).layers
    ours = [1e3 * layer_seconds(layer) for layer in layers]
    errors = [math.log(mine / theirs) for mine, theirs in zip(ours, FACE, strict=True)]
    assert max(map(abs, errors)) < 0.14
    assert np.sqrt(np.mean(np.square(errors))) < 0.07
    assert sum(ours) == pytest.approx(12.732, rel=0.02)


def mobilenet_ms(width, size):
    """The KPU's part of a MobileNetV1 without its head."""
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]
    height, across = size
    channels = int(32 * width)
    cycles = conv_cycles(3, channels, size, kernel_bytes=9, depthwise=False)
    height, across = height // 2, across // 2
    for outputs, stride in [*blocks, (1024, 2), (1024, 1)]:
        wide = int(outputs * width)
        here = (height, across)
        cycles += conv_cycles(channels, channels, here, kernel_bytes=9, depthwise=True)
        cycles += conv_cycles(channels, wide, here, kernel_bytes=1, depthwise=False)
        channels, height, across = wide, height // stride, across // stride
    return 1e3 * cycles / CLOCK_HZ


def test_mobilenet_as_sipeeds_forum_times_it():
    count = 768 * 49
    dense = conv_cycles(768, 1000, (4, 4), kernel_bytes=1, depthwise=False) / CLOCK_HZ
    head = [
        cpu(LayerType.DEQUANTIZE, count=count),
        cpu(LayerType.GLOBAL_AVERAGE_POOL2D, kernel_size=49, channels=768),
        cpu(LayerType.QUANTIZE, count=768),
        cpu(LayerType.DEQUANTIZE, count=1000),
        cpu(LayerType.SOFTMAX, channels=1000),
    ]
    tail = 1e3 * (dense + count * 15e-9 + sum(map(cpu_seconds, head)))
    total = mobilenet_ms(0.75, (224, 224)) + tail
    assert total == pytest.approx(40, rel=0.05)  # topic 1811
    assert total == pytest.approx(37, rel=0.13)  # topic 1790


def test_twenty_classes_at_the_frame_rate_that_was_seen():
    assert mobilenet_ms(0.75, (224, 320)) == pytest.approx(1000 / 19.5, rel=0.05)


def test_more_work_takes_longer():
    base = conv_cycles(64, 64, (28, 28), kernel_bytes=1, depthwise=False)
    assert conv_cycles(64, 128, (28, 28), kernel_bytes=1, depthwise=False) > 1.9 * base
    assert conv_cycles(64, 64, (28, 28), kernel_bytes=9, depthwise=False) > base
    assert conv_cycles(64, 64, (28, 28), kernel_bytes=9, depthwise=True) < base / 5
    # 20 columns fill half a line like 32, 33 a whole one.
    sides = [conv_cycles(64, 64, (28, side), kernel_bytes=1, depthwise=False) for side in (20, 33)]
    assert sides[1] > 1.7 * sides[0]


def test_a_result_in_main_memory_is_copied():
    layer = classifier().convs[1]
    copied = conv_seconds(replace(layer, flags=1)) - conv_seconds(replace(layer, flags=0))
    assert copied == pytest.approx(4 * 64 * 15e-9)


def test_every_layer_costs_something():
    model = one_of_each()
    assert all(layer_seconds(layer) > 0 for layer in model.layers)
    assert estimate_ms(model) == pytest.approx(1e3 * sum(map(layer_seconds, model.layers)))
