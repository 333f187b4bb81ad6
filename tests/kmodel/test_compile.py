"""Compiled networks, run from their bytes, agree with float64 within the quantization step."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from small_networks import Builder, photos, random_network, run64

from host.errors import UserError
from host.kmodel import Options, compile, info, read, simulate, verify, write
from host.kmodel.v3 import LayerType

EXACT_RANGES = Options(range_search=False)
"""The extremes of the calibration pictures: then nothing on those pictures is clipped."""


def small_classifier(seed):
    build = Builder(seed).rescale(1 / 127.5, -1.0).conv(8, stride=2).norm().act("relu6")
    build.depthwise().norm().act("relu6").conv(16, 1).norm().act("relu6")
    return build.head(3).graph(24, 24)


def errors(graph, images, options=EXACT_RANGES):
    """Return the differences to float64, in steps of the last map's bytes, as (n, h, w, c)."""
    compiled = compile(graph, images, options)
    wanted = run64(graph, images)
    count, height, width, channels = wanted.shape
    got = simulate(compiled.data, images)[0].reshape(count, channels, height, width)
    step = (compiled.layers[-1].high - compiled.layers[-1].low) / 255
    return (got.transpose(0, 2, 3, 1) - wanted) / step


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_agree_with_float64(seed):
    graph = random_network(seed)
    found = errors(graph, photos(seed, graph.input_shape, 3))
    assert rms(found) < 1.5
    assert abs(found.mean()) < 0.1
    assert np.abs(found).max() < 12


LAYERS = {
    "conv 3x3": lambda b: b.conv(24),
    "conv 1x1": lambda b: b.conv(24, kernel=1),
    "conv stride 2": lambda b: b.conv(24, stride=2),
    "conv 1x1 stride 2": lambda b: b.conv(24, kernel=1, stride=2),
    "relu": lambda b: b.conv(24).act("relu"),
    "relu6": lambda b: b.conv(24).norm().act("relu6"),
    "leaky": lambda b: b.conv(24).norm().act("leaky", 0.1),
    "steep leaky": lambda b: b.conv(24).norm().act("leaky", 0.3),
    "flat leaky": lambda b: b.conv(24).norm().act("leaky", 0.01),
    "max pool": lambda b: b.conv(24).act("relu").pool(),
    "max pool 4": lambda b: b.conv(24).act("leaky").pool(window=4),
    "max pool by one": lambda b: b.conv(24).act("leaky").pool(stride=1),
    "mean pool": lambda b: b.conv(24).act("relu").pool("mean"),
    "mean pool 4": lambda b: b.conv(24).act("leaky").pool("mean", 4),
    "activation behind max pool": lambda b: b.conv(24).pool().act("relu"),
    "stride and pool": lambda b: b.conv(24, stride=2).act("relu").pool(),
    "depthwise": lambda b: b.depthwise().norm().act("relu6"),
    "depthwise 1x1": lambda b: b.depthwise(kernel=1).act("leaky"),
    "depthwise stride 2": lambda b: b.depthwise(stride=2).norm().act("relu6").conv(16, 1),
    "depthwise stride 2 at the end": lambda b: b.depthwise(stride=2).norm().act("relu6"),
    "depthwise stride 2, then 3x3": lambda b: b.depthwise(stride=2).act("relu").conv(8),
    "depthwise and pool": lambda b: b.depthwise().act("relu").pool(),
    "two strides": lambda b: b.depthwise(stride=2).act("relu").depthwise(stride=2).act("relu"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_each_operation_alone(name):
    """One or two layers on 0..1 pixels: the error is that of rounding the result."""
    build = Builder(len(name)).rescale(1 / 255, 0.0)
    graph = LAYERS[name](build).graph(32, 48)
    found = errors(graph, photos(1, graph.input_shape, 4))
    steps = 1.0 if "mean" in name else 0.75  # means are truncated: half a step more
    assert rms(found) < steps
    assert np.abs(found).max() < 5


def test_borders_are_padded_with_zero():
    """Pixels -1..1: outside the picture is 0, the middle grey, up to half a level."""
    graph = Builder(3).rescale(1 / 127.5, -1.0).conv(16).graph(16, 16)
    found = errors(graph, photos(2, graph.input_shape, 8))
    border = np.concatenate([found[:, [0, -1]].ravel(), found[:, :, [0, -1]].ravel()])
    assert rms(border) < 0.75
    assert rms(found[:, 1:-1, 1:-1]) < 0.6


@pytest.mark.parametrize("dense_on_kpu", [True, False])
@pytest.mark.parametrize("seed", [20, 23])
def test_classifiers_agree_with_float64(seed, dense_on_kpu):
    graph = random_network(seed, head=True)
    calibration, images = (photos(part, graph.input_shape, 12) for part in (seed, seed + 100))
    compiled = compile(graph, calibration, Options(dense_on_kpu=dense_on_kpu))
    kinds = [layer.type for layer in read(compiled.data).layers]
    assert (LayerType.FULLY_CONNECTED in kinds) != dense_on_kpu
    wanted, got = run64(graph, images), simulate(compiled.data, images)[0]
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).mean() < 0.02
    assert (got.argmax(1) == wanted.argmax(1)).mean() >= 0.9


def test_a_network_may_end_with_scores_or_with_means():
    images = photos(5, (32, 32, 3), 8)
    for build in (
        Builder(5).rescale(1 / 255, 0.0).conv(16).act("relu").head(4, softmax=False),
        Builder(5).rescale(1 / 255, 0.0).conv(16).act("relu").add("global_mean"),
    ):
        graph = build.graph()
        compiled = compile(graph, images)
        wanted = run64(graph, images)
        assert info(compiled.data).outputs == (4 * wanted.shape[1],)
        got = simulate(compiled.data, images)[0]
        assert np.abs(got - wanted).max() < 0.05 * np.ptp(wanted)


def test_same_input_same_bytes():
    graph = small_classifier(7)
    images = photos(7, graph.input_shape, 10)
    first = compile(graph, images)
    assert compile(small_classifier(7), images.copy()).data == first.data
    other = compile(graph, photos(8, graph.input_shape, 10))
    assert other.data != first.data


def test_every_option_gives_a_sound_file():
    graph = random_network(9, head=True)
    images = photos(9, graph.input_shape, 4)
    sizes = set()
    for name in ("zero_search", "range_search", "dense_on_kpu"):
        compiled = compile(graph, images, replace(Options(), **{name: False}))
        verify(read(compiled.data))
        sizes.add(compiled.data)
    assert len({compile(graph, images).data, *sizes}) == 4
    assert compile(graph, images, Options(bias_images=0)).data != compile(graph, images).data


def test_bias_correction_takes_the_mean_error_away():
    graph = random_network(10)
    images = photos(10, graph.input_shape, 12)
    with_it = errors(graph, images)
    without = errors(graph, images, replace(EXACT_RANGES, bias_images=0))
    channel = (0, 1, 2)
    assert rms(with_it.mean(channel)) < rms(without.mean(channel))


def test_the_report_says_what_the_file_holds():
    graph = random_network(11, head=True)
    seen = []
    compiled = compile(
        graph, photos(11, graph.input_shape, 10), progress=lambda phase, part: seen.append(part)
    )
    model = read(compiled.data)
    found = info(compiled.data)
    assert write(model) == compiled.data
    assert model.trailing_padding
    assert (found.height, found.width, found.channels) == graph.input_shape
    assert compiled.main_memory == found.main_memory
    assert compiled.ram_bytes == found.ram_bytes
    assert len(compiled.layers) == len(model.convs)
    for report, conv in zip(compiled.layers, model.convs, strict=True):
        assert report.in_shape == conv.registers.in_shape
        assert report.out_shape == conv.registers.out_shape
        assert report.weights == conv.weights.size
        assert report.low <= 0 <= report.high
    assert 0 < sum(report.ms for report in compiled.layers) < compiled.ms
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_layers_ping_pong_in_kpu_ram():
    """Each layer reads where the one before it wrote; the picture lies at the very end."""
    graph = random_network(12)
    convs = read(compile(graph, photos(12, graph.input_shape, 4)).data).convs
    first = convs[0].registers
    _height, _width, channels = graph.input_shape
    assert first.src_line + first.in_group_lines * channels == 32768
    for before, after in itertools.pairwise(convs):
        assert before.registers.dst_line == after.registers.src_line
        assert before.flags == 0
    assert convs[-1].flags == 1


def test_dead_and_constant_channels():
    """Weights that are all 0 and ranges of one value do not break the search."""
    build = Builder(13).rescale(1 / 255, 0.0).conv(8).act("relu").conv(8).act("relu")
    for node in build.nodes:
        if "w" in node.arrays:
            node.arrays["w"][..., :4] = 0
            node.arrays["b"][:2] = -1
    graph = build.graph(16, 16)
    assert rms(errors(graph, photos(13, graph.input_shape, 4))) < 1.5
    for node in build.nodes:
        for array in node.arrays.values():
            array[:] = 0
    images = photos(13, graph.input_shape, 4)
    assert not simulate(compile(graph, images).data, images)[0].any()


def test_grey_pictures():
    graph = Builder(14, channels=1).rescale(1 / 255, 0.0).conv(8).act("relu").graph(28, 28)
    images = photos(14, (28, 28, 1), 8)
    assert rms(errors(graph, images)) < 0.75
    assert info(compile(graph, images).data).channels == 1


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 32, 31, 3), np.uint8),
        np.zeros((4, 32, 32, 3), np.float32),
        np.zeros((0, 32, 32, 3), np.uint8),
        np.zeros((32, 32, 3), np.uint8),
    ],
)
def test_calibration_pictures_of_the_wrong_kind(images):
    graph = Builder(15).conv(8).graph(32, 32)
    with pytest.raises(UserError) as error:
        compile(graph, images)
    assert error.value.code == "kmodel_picture_size"
    assert "32x32x3" in str(error.value)
