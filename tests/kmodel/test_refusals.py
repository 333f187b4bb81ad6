"""What the chip cannot do is refused by name, with what to do instead."""

import numpy as np
import pytest
from small_networks import Builder, photos

from host.errors import UserError
from host.kmodel import Node, compile


def refused(build, size=(32, 32), options=None, channels=3):
    graph = build.graph(*size) if isinstance(build, Builder) else build
    with pytest.raises(UserError) as error:
        compile(graph, np.zeros((2, *size, channels), np.uint8), options)
    return error.value


def node(build, op, **attrs):
    """Append a convolution whose attributes a Builder would not choose."""
    shape = (3, 3, build.channels, 1 if op == "depthwise" else 8)
    arrays = {"w": np.ones(shape, np.float32), "b": np.zeros(8, np.float32)}
    attrs = {"kernel": 3, "stride": 1, "padding": "same"} | attrs
    build.nodes.append(Node("wrong", op, attrs, arrays))
    build.channels = 8
    return build


def test_same_padding_with_stride_2_names_the_fix():
    error = refused(node(Builder(0), "conv", stride=2))
    assert error.code == "kmodel_same_stride"
    assert "wrong" in str(error)
    assert "ZeroPadding2D(1)" in str(error)
    assert "valid" in str(error)


def test_same_padding_with_stride_2_of_a_depthwise_layer():
    error = refused(node(Builder(0).conv(8), "depthwise", stride=2))
    assert error.code == "kmodel_same_stride"


def mobilenet(blocks=5):
    build = Builder(1).rescale(1 / 127.5, -1.0).conv(8, stride=2).act("relu6")
    for _ in range(blocks - 1):
        build.depthwise(stride=2).act("relu6").conv(8, 1).act("relu6")
    return build


def test_a_mobilenet_of_96_pixels_ends_too_small():
    error = refused(mobilenet(), (96, 96))
    assert error.code == "kmodel_operation_unsupported"
    assert "3x3" in str(error)
    assert "4x4" in str(error)
    assert compile(mobilenet().graph(128, 128), photos(0, (128, 128, 3), 2)).data


def test_maps_that_overflow_the_kpu_ram():
    """A row of 320 pixels takes 5 lines: two maps of 24 channels do not fit."""
    build = Builder(2).conv(24).conv(24, 1)
    build.nodes[-1] = Node(
        "too_big", *[getattr(build.nodes[-1], n) for n in ("op", "attrs", "arrays")]
    )
    error = refused(build, (240, 320))
    assert error.code == "kmodel_kpu_ram"
    assert "too_big" in str(error)
    assert str(2 * 24 * 240 * 5) in str(error)
    assert "32768" in str(error)


@pytest.mark.parametrize(
    ("build", "size", "text"),
    [
        (Builder(4).conv(8, 1, stride=2), (33, 32), "32x33"),
        (node(Builder(4), "conv", padding="valid"), (32, 32), "without padding"),
        (node(Builder(4).add("pad"), "conv"), (32, 32), "padding twice"),
        (Builder(4).add("pad").conv(8, 1), (32, 32), "before a 1x1"),
        (Builder(4).conv(8).add("pad").act("relu"), (32, 32), "not before a convolution"),
        (Builder(4).conv(8).add("pad"), (32, 32), "at its end"),
        (Builder(4).conv(8).rescale(2.0, 0.0), (32, 32), "first layer"),
        (Builder(4).act("relu").conv(8), (32, 32), "of the picture"),
        (Builder(4).norm().conv(8), (32, 32), "of the picture"),
        (Builder(4).pool().conv(8), (32, 32), "of the picture"),
        (Builder(4).conv(8).add("dense", w=np.ones((8, 2)), b=np.ones(2)), (32, 32), "Flatten"),
        (Builder(4).conv(8).add("add").reading("conv_0", ""), (32, 32), "the picture itself"),
        (Builder(4).conv(8).conv(4).add("add").reading("conv_0", "conv_1"), (32, 32), "one shape"),
        (
            Builder(4).conv(8).conv(4, stride=2).add("concat").reading("conv_0", "conv_2"),
            (32, 32),
            "one height",
        ),
        (Builder(4).conv(8).conv(4).reading("nowhere"), (32, 32), "nowhere"),
        (Builder(4).conv(8).add("global_mean").conv(4), (32, 32), "behind a vector"),
        (Builder(4).conv(8).add("flatten").act("relu"), (32, 40), "flattened"),
        (Builder(4).conv(8).add("softmax"), (32, 32), "feature map"),
        (Builder(4).conv(1025, 1), (32, 32), "1025"),
        (Builder(4).conv(8), (300, 32), "32x300"),
        (Builder(4).conv(8), (32, 516), "516x32"),
        (Builder(4).conv(8), (3, 32), "32x3"),
        (Builder(4).conv(8).pool(window=4), (12, 12), "3x3"),
        (Builder(4).rescale(-1 / 255, 1.0).conv(8), (32, 32), "range that contains 0"),
        (Builder(4).rescale(1 / 255, 0.5).conv(8), (32, 32), "range that contains 0"),
    ],
)
def test_networks_that_the_chip_cannot_run(build, size, text):
    error = refused(build, size)
    assert error.code == "kmodel_operation_unsupported"
    assert text in str(error)


def test_a_network_without_a_convolution():
    graph = Builder(5).conv(8).head(3).graph(16, 16)
    nodes = [one for one in graph.nodes if one.op != "conv"]
    assert "no convolution" in str(refused(type(graph)(tuple(nodes[:1]), (16, 16, 3)), (16, 16)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers(value):
    build = Builder(6).conv(8).act("relu")
    build.nodes[0].arrays["w"][0, 0, 0, 0] = value
    error = refused(build)
    assert error.code == "kmodel_range"
    assert "conv_0" in str(error)


def test_numbers_beyond_the_kpus_bits():
    build = Builder(7).conv(8).act("relu6")
    build.nodes[0].arrays["b"][:] = 1e9
    assert refused(build).code == "kmodel_range"
