"""Copies of the first maps' channels: the same network, with less noise, where they fit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from small_networks import Builder, photos, random_network, run64

from host.kmodel import Options, compile, read, simulate, verify
from host.kmodel.copies import choose_copies, kpu_cycles, with_copies
from host.kmodel.cost import CLOCK_HZ
from host.kmodel.equalize import with_shifts
from host.kmodel.fold import run_float
from host.kmodel.lowering import lower
from host.kmodel.quantize import Range, shifted_sums
from host.kmodel.sqnr import layer_errors

NONE = Options(copies_time=0.0)
MANY = Options(copies_time=10.0)


def mobile(seed=0, size=32):
    """The beginning of a MobileNet."""
    build = Builder(seed).rescale(1 / 255, 0.0).conv(8, stride=2).norm().act("relu6")
    build.depthwise().norm().act("relu6").conv(16, 1).norm().act("relu6")
    build.depthwise(2).norm().act("relu6").conv(24, 1).norm().act("relu6")
    return build.head(5, softmax=False).graph(size, size)


def noise(graph, options, count=24):
    images = photos(1, graph.input_shape, count)
    wanted = run64(graph, images)
    made = compile(graph, images, options)
    verify(read(made.data))
    return float(np.mean((simulate(made.data, images)[0] - wanted) ** 2)), made


def test_the_first_group_is_a_convolution_and_its_depthwise_layer():
    lowered = lower(mobile())
    names = {lowered.steps[n].op.name: count for n, count in choose_copies(lowered, 10.0).items()}
    assert set(names.values()) == {4}
    # The CPU reads the dense layer's map, so that one is left out.
    kinds = ["conv", "depthwise", "conv", "depthwise", "conv"]
    assert [name.split("_")[0] for name in names] == kinds


@pytest.mark.parametrize("most", [0.0, 0.02, 0.1, 0.5])
def test_time_is_kept(most):
    lowered = lower(mobile(size=128))
    copied = with_copies(lowered, choose_copies(lowered, most))
    assert kpu_cycles(copied) <= (1 + most) * kpu_cycles(lowered)


def test_milliseconds_are_kept():
    lowered = lower(mobile(size=128))

    def cost(most, ms):
        copied = with_copies(lowered, choose_copies(lowered, most, ms))
        return (kpu_cycles(copied) - kpu_cycles(lowered)) / CLOCK_HZ * 1000

    whole = cost(math.inf, math.inf)
    assert cost(0.0, math.inf) == cost(math.inf, 0.0) == 0
    assert 0 < cost(math.inf, 0.7 * whole) <= 0.7 * whole


def test_no_time_no_copies():
    assert choose_copies(lower(mobile()), 0.0) == {}
    assert all(layer.copies == 1 for layer in noise(mobile(), NONE)[1].layers)


@pytest.mark.parametrize("seed", range(4))
def test_the_network_stays_the_same(seed):
    """In float, layer after layer, a copied network gives copies of what the other gives."""
    lowered = lower(random_network(seed))
    copies = choose_copies(lowered, 10.0)
    x = y = np.random.default_rng(seed).random((2, *lowered.input_shape), np.float32)
    for number, (one, two) in enumerate(
        zip(lowered.layers, with_copies(lowered, copies).layers, strict=True)
    ):
        if one.pool not in (0, 5):
            break  # run_float stops before a pool
        x, y = run_float(one, x)[1], run_float(two, y)[1]
        assert np.allclose(np.tile(x, (1, copies.get(number, 1), 1, 1)), y, atol=1e-4)


def test_less_noise():
    """Copies of nearly all maps take away a third of the error's power; the last map's stays."""
    plain, _ = noise(mobile(), NONE)
    copied, made = noise(mobile(), MANY)
    assert copied < 0.7 * plain
    assert [layer.copies for layer in made.layers[:4]] == [4, 4, 4, 4]
    assert made.layers[0].out_shape[0] == 32 and len(made.layers[0].gains or ()) == 32


def test_copies_without_correction():
    """The offsets are taken into account, not left to the bias correction."""
    rough = replace(MANY, bias_images=0)
    plain, _ = noise(mobile(3), replace(rough, copies_time=0.0))
    assert noise(mobile(3), rough)[0] < 1.2 * plain


def test_shifts_are_subtracted_from_sums():
    meaning = with_shifts(Range(0.5, 0, (2.0, 1.0)), 2, 2)
    assert meaning.shifts == (-0.25, -0.25, 0.25, 0.25) and meaning.gains == (2.0, 1.0) * 2
    weights = np.ones((1, 4, 1), np.float32) * np.array([[[1], [2], [4], [8]]], np.float32)
    wanted = 0.25 * 0.25 * (4 - 1) + 0.25 * 0.5 * (8 - 2)
    assert shifted_sums(weights, meaning, depthwise=False) == pytest.approx([wanted])
    lone = np.full((4, 1, 9), 2, np.float32)
    assert shifted_sums(lone, meaning, depthwise=True) == pytest.approx(
        [-18 / 16, -18 / 8, 18 / 16, 18 / 8]
    )


def test_maps_that_the_cpu_reads_have_none():
    build = Builder(5).rescale(1 / 255, 0.0).conv(8).act("relu")
    begin = build.last
    build.conv(8).act("relu").join("add", begin).conv(8).act("relu")
    assert choose_copies(lower(build.graph(16, 16)), 10.0) == {}


def test_kpu_ram_is_kept():
    """96 channels of 64x112 pixels take 12,288 of 32,768 lines; twice two such maps do not fit."""
    build = Builder(6).rescale(1 / 255, 0.0).conv(96, stride=2).act("relu6")
    build.depthwise().act("relu6").conv(8, 1).act("relu6").conv(8, stride=2).act("relu6")
    lowered = lower(build.graph(128, 224))
    assert choose_copies(lowered, 10.0) == {}


def test_error_of_copied_layers():
    graph = mobile()
    images = photos(2, graph.input_shape, 8)
    made, plain = compile(graph, images, MANY), compile(graph, images, NONE)
    for reports in ((), made.layers):
        errors = layer_errors(graph, made.data, images, reports)
        before = layer_errors(graph, plain.data, images, plain.layers)
        assert len(errors) == len(before)
        assert errors[0].sqnr_db > before[0].sqnr_db + 3
    assert compile(graph, images, MANY).data == made.data
