"""The chip's loader checks nothing: what would crash a board is found here."""

from dataclasses import replace

import numpy as np
import pytest
from random_layers import random_layer
from small_files import classifier, cpu, one_of_each

from host.errors import UserError
from host.kmodel import Kmodel, verify
from host.kmodel.v3 import LayerType
from host.kmodel.verify import check_addresses

CODES = {"kmodel_unsafe", "kmodel_value", "kmodel_16_bit", "kmodel_overwrites_input"}


def unsafe(model):
    with pytest.raises(UserError) as error:
        verify(model)
    assert error.value.code in CODES
    return str(error.value)


def with_registers(**changes):
    model = classifier()
    conv = model.layers[0]
    return replace(
        model,
        layers=(replace(conv, registers=replace(conv.registers, **changes)), *model.layers[1:]),
    )


def with_fields(index, **changes):
    model = classifier()
    layers = list(model.layers)
    layers[index] = replace(layers[index], values={**layers[index].values, **changes})
    return replace(model, layers=tuple(layers))


def test_a_sound_model_passes():
    verify(classifier())


def test_headers():
    model = classifier()
    assert "layers = 0" in unsafe(replace(model, layers=()))
    assert "16-bit" in unsafe(replace(model, flags=0))
    assert "header" in unsafe(replace(model, main_memory=0xFFFFFFFF))
    assert "outputs" in unsafe(replace(model, outputs=((1276, 8),)))
    assert "outputs" in unsafe(replace(model, outputs=((0, 0),)))
    assert "outputs" in unsafe(replace(model, outputs=((0, 7),)))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kernel": 2}, "kernel = 2"),
        ({"pool": 10}, "pool = 10"),
        ({"pool": 1}, "pool = 1, out"),
        ({"src_line": 32761}, "KPU RAM"),
        ({"src_line": 0}, "overwrites its input"),
        ({"dst_line": 32750}, "overwrites its input"),
        ({"in_height_minus1": 2}, "height, width >= 4"),
        ({"depthwise": 1}, "depthwise, out_c = 5"),
        ({"full_add": 1}, "full_add = 1"),
        ({"bypass_conv": 1}, "bypass_conv = 1"),
        ({"pad_type": 1}, "pad_type = 1"),
        ({"first_stride": 1}, "first_stride = 1"),
        ({"load_para": 0}, "load_para = 0"),
        ({"load_act": 0}, "load_act = 0"),
        ({"loads_minus1": 1}, "loads_minus1 = 1"),
        ({"bytes_per_load": 64}, "bytes_per_load = 64"),
        ({"channels_per_load_minus1": 0}, "channels_per_load_minus1 = 0"),
        ({"in_row_lines": 2}, "in_row_lines = 2"),
        ({"in_group_lines": 4}, "in_group_lines = 4"),
        ({"out_line_channels": 1}, "out_line_channels = 1"),
        ({"out_values_minus1": 5}, "out_values_minus1 = 5"),
        ({"out_pixels_minus1": 5}, "out_pixels_minus1 = 5"),
    ],
)
def test_descriptors(changes, text):
    assert text in unsafe(with_registers(**changes))


def test_tables_must_ascend():
    model = classifier()
    conv = model.layers[0]
    start = conv.activation.start.copy()
    start[5] = start[6] + 1
    broken = replace(conv, activation=replace(conv.activation, start=start))
    assert "start[6] < start[5]" in unsafe(replace(model, layers=(broken, *model.layers[1:])))


@pytest.mark.parametrize(
    ("index", "changes"),
    [
        (2, {"output": 260}),
        (2, {"input": 1 << 31}),
        (2, {"count": 0}),
        (2, {"count": 0xFFFFFFFF}),
        (3, {"kernel_size": 100_000}),
        (3, {"channels": 0}),
        (4, {"output": 1272}),
        (5, {"channels": 400}),
    ],
)
def test_cpu_layers_stay_in_main_memory(index, changes):
    assert f"layer {index}" in unsafe(with_fields(index, **changes))


def test_a_conv_that_writes_behind_main_memory():
    model = classifier()
    conv = replace(model.layers[1], main_output=1280 - 255)
    layers = (model.layers[0], conv, *model.layers[2:])
    assert "layer 1" in unsafe(replace(model, layers=layers))


@pytest.mark.parametrize("kind", [kind for kind in LayerType if kind is not LayerType.K210_CONV])
def test_every_cpu_layer_is_checked_against_main_memory(kind):
    """Each type passes in 8192 bytes, and fails where its last byte does not fit."""
    layer = next(layer for layer in one_of_each().layers if layer.type is kind)
    first = random_layer(np.random.default_rng(0), (3, 8, 8), 4, flags=0)
    model = Kmodel((first, layer), ((0, 4),), 8192)
    check_addresses(model)
    assert "layer 1" in unsafe(replace(model, main_memory=2))


def test_uploads_stay_in_kpu_ram():
    first = random_layer(np.random.default_rng(0), (3, 8, 8), 4, flags=0)
    for kind, fields in (
        (LayerType.K210_UPLOAD, {"width": 8, "height": 8, "channels": 8}),
        (LayerType.K210_ADD_PADDING, {"channels": 16}),
    ):
        model = Kmodel((first, cpu(kind, kpu_output=32768 - 16, **fields)), ((0, 4),), 4096)
        check_addresses(model)
        late = cpu(kind, kpu_output=32768 - 15, **fields)
        assert "KPU RAM" in unsafe(replace(model, layers=(first, late)))
