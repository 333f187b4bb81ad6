"""Layers that read what nobody wrote, or a tensor that another layer partly overwrote."""

from dataclasses import replace

import numpy as np
import pytest
from random_layers import random_layer
from small_files import classifier, cpu, one_of_each

from host.errors import UserError
from host.kmodel import Kmodel, Simulator, verify, write
from host.kmodel.v3 import LayerType

L = LayerType


def problem(model):
    with pytest.raises(UserError) as error:
        verify(model)
    finding = error.value.findings[0]
    for part in ("what", "needed", "fix"):
        assert finding.text(part)
    return finding.code, finding.text("what"), finding.text("found")


def with_layers(*layers, outputs=((0, 256),), memory=4096):
    """A model whose first layer leaves 256 bytes at 0, and then these layers."""
    first = random_layer(np.random.default_rng(0), (3, 8, 8), 4, flags=1)
    return Kmodel((replace(first, main_output=0), *layers), outputs, memory)


def dequantize(at=0, to=1024, count=256):
    return cpu(L.DEQUANTIZE, input=at, output=to, count=count, scale=1.0)


def changed(index, **fields):
    model = classifier()
    layers = list(model.layers)
    layers[index] = replace(layers[index], values={**layers[index].values, **fields})
    return replace(model, layers=tuple(layers))


def test_sound_models_pass(real_kmodels):
    from host.kmodel import read

    verify(classifier())
    verify(one_of_each())
    for data in real_kmodels.values():
        verify(read(data))


def test_a_layer_reads_what_nobody_wrote():
    code, what, found = problem(with_layers(dequantize(at=8)))
    assert code == "kmodel_unwritten"
    assert "layer 1 (DEQUANTIZE)" in what
    assert found == "256 to 264 (bytes of main memory), which nothing has written"


def test_a_hole_in_the_middle():
    model = with_layers(
        dequantize(count=2), dequantize(to=1040, count=2), cpu(L.SOFTMAX, input=1024, channels=6)
    )
    assert problem(model)[2].startswith("1032 to 1040")


def test_an_output_that_nobody_wrote():
    code, what, found = problem(with_layers(outputs=((512, 4),)))
    assert code == "kmodel_unwritten"
    assert "outputs" in what
    assert found.startswith("512 to 516")


def test_two_results_side_by_side_can_be_read_as_one():
    model = with_layers(
        dequantize(count=2),
        dequantize(to=1032, count=2),
        cpu(L.SOFTMAX, input=1024, output=2048, channels=4),
    )
    verify(model)


def test_a_tensor_that_a_later_layer_overwrote():
    model = with_layers(
        dequantize(to=1024, count=64),
        cpu(L.SOFTMAX, input=1024, output=1152, channels=4),  # into the middle of it
        cpu(L.LOGISTIC, input=1024, output=2048, channels=64),
    )
    code, what, found = problem(model)
    assert code == "kmodel_torn"
    assert "layer 3 (LOGISTIC)" in what
    assert "the result of layer 1 (DEQUANTIZE)" in found
    assert "layer 2 (SOFTMAX) overwrote" in found


def test_overwriting_after_the_last_reader_is_fine():
    model = with_layers(
        dequantize(to=1024, count=64),
        cpu(L.LOGISTIC, input=1024, output=2048, channels=64),
        cpu(L.SOFTMAX, input=2048, output=1152, channels=4),
    )
    verify(model)


def test_floats_and_bytes_are_not_confused():
    model = with_layers(cpu(L.SOFTMAX, input=0, output=1024, channels=4))
    code, what, found = problem(model)
    assert code == "kmodel_mixed"
    assert "layer 1 (SOFTMAX)" in what
    assert found == "bytes, left by layer 0 (K210_CONV)"
    with pytest.raises(UserError) as error:
        verify(model)
    finding = error.value.findings[0]
    assert finding.text("needed") == "floats"
    assert finding.text("what", "zh") != what
    assert finding.text("needed", "zh") != "floats"
    assert "K210_CONV" in finding.text("found", "zh")
    assert "layer" not in finding.text("what", "zh") + finding.text("found", "zh")


def test_an_output_that_was_overwritten():
    model = with_layers(cpu(L.REQUANTIZE, np.zeros(256, "u1"), output=100, count=8))
    code, what, found = problem(model)
    assert code == "kmodel_torn"
    assert "outputs" in what
    assert "layer 1 (REQUANTIZE) overwrote" in found


@pytest.mark.parametrize(
    ("layer", "safe"),
    [
        (dequantize(to=0, count=8), False),
        (dequantize(to=8, count=8), True),
        (cpu(L.REQUANTIZE, np.zeros(256, "u1"), input=0, output=0, count=256), True),
        (cpu(L.REQUANTIZE, np.zeros(256, "u1"), input=0, output=1, count=200), False),
        (cpu(L.QUANTIZED_ADD, a=0, b=8, output=0, count=8), True),
        (cpu(L.QUANTIZED_ADD, a=4, b=16, output=8, count=8), False),
        (cpu(L.QUANTIZED_TENSORFLOW_FLATTEN, output=0, width=8, height=8, channels=4), False),
    ],
)
def test_a_result_in_the_place_of_its_own_input(layer, safe):
    model = with_layers(layer, outputs=((layer["output"], 8),))
    if safe:
        verify(model)
    else:
        code, _, found = problem(model)
        assert code == "kmodel_overwrites_input"
        assert "overwrites its" in found


def test_dma_and_quantized_add_write_whole_words():
    """Five bytes are written as eight."""
    model = with_layers(cpu(L.QUANTIZED_ADD, a=0, b=8, output=4091, count=5))
    code, _, found = problem(model)
    assert code == "kmodel_unsafe"
    assert "4091 to 4099 of 4096 bytes" in found


def test_kpu_ram_that_nobody_wrote():
    model = classifier()
    second = model.layers[1]
    moved = replace(second, registers=replace(second.registers, src_line=4))
    code, what, found = problem(replace(model, layers=(model.layers[0], moved, *model.layers[2:])))
    assert code == "kmodel_unwritten"
    assert "layer 1 (K210_CONV)" in what
    assert found == "16 to 20 (lines of KPU RAM), which nothing has written"


def test_a_map_in_kpu_ram_that_an_upload_overwrote():
    model = classifier()
    upload = cpu(L.K210_UPLOAD, input=0, kpu_output=8, width=4, height=4, channels=4)
    again = replace(model.layers[1], main_output=512)
    layers = (*model.layers[:2], upload, again)
    code, what, found = problem(Kmodel(layers, ((512, 256),), 1024))
    assert code == "kmodel_torn"
    assert "layer 3 (K210_CONV)" in what
    assert "layer 2 (K210_UPLOAD) overwrote" in found


def test_the_simulator_refuses_too():
    with pytest.raises(UserError, match="kmodel_"):
        Simulator(write(changed(3, input=260)))
