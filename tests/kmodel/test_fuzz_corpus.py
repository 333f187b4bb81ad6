"""Every file that a fuzz run kept, and one file of each class of damage: always a named finding."""

import struct
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hostile import CODES, try_all
from random_layers import random_layer
from small_files import classifier, cpu, one_of_each

from host.errors import UserError
from host.kmodel import Kmodel, read, verify, write
from host.kmodel.v3 import LayerType as L

CORPUS = Path(__file__).parent / "fuzz" / "corpus"


def test_every_file_of_the_corpus_gives_what_its_name_says():
    outcomes, size = Counter(), 0
    for file in sorted(CORPUS.glob("*.kmodel")):
        data = file.read_bytes()
        wanted = file.name.split("-")[0].replace("seed", "fine")
        assert (try_all(data) or "fine") == wanted, file.name
        outcomes[wanted] += 1
        size += len(data)
    assert size < 1_000_000
    assert outcomes["fine"] > 10
    assert len(outcomes) > 6
    assert outcomes.keys() <= CODES | {"fine"}


def word(at, value):
    data = bytearray(write(classifier()))
    struct.pack_into("<I", data, at, value)
    return bytes(data)


def first_conv_field(number, value):
    """Overwrite a number of the first convolution's body: flags, main_out, then four offsets."""
    model = classifier()
    return word(28 + 8 * len(model.outputs) + 8 * len(model.layers) + 4 * number, value)


def field(kind, **values):
    """one_of_each with other fields in its layer of a type."""
    model = one_of_each()
    layers = tuple(
        replace(layer, values={**layer.values, **values}) if layer.type is kind else layer
        for layer in model.layers
    )
    return write(replace(model, layers=layers))


def register(**values):
    model = classifier()
    first = model.layers[0]
    first = replace(first, registers=replace(first.registers, **values))
    return write(replace(model, layers=(first, *model.layers[1:])))


WHOLE = write(classifier())
CLASSES = {
    "empty": (b"", "kmodel_wrong_version"),
    "wrong version": (word(0, 4), "kmodel_wrong_version"),
    "kmodel V5": (b"LDMK\5\0\0\0" + bytes(100), "kmodel_wrong_version"),
    "truncated header": (WHOLE[:20], "kmodel_damaged"),
    "truncated table": (WHOLE[:50], "kmodel_damaged"),
    "truncated layer": (WHOLE[:-100], "kmodel_damaged"),
    "wrong size of a body": (word(40, 64), "kmodel_damaged"),
    "odd size of a body": (word(40, struct.unpack_from("<I", WHOLE, 40)[0] + 4), "kmodel_damaged"),
    "unknown layer": (word(36, 7), "kmodel_damaged"),
    "a billion layers": (word(12, 10**9), "kmodel_damaged"),
    "a billion outputs": (word(24, 10**9), "kmodel_damaged"),
    "weights of another layer": (first_conv_field(3, 1024), "kmodel_damaged"),
    "weights behind the file": (first_conv_field(3, 1 << 30), "kmodel_damaged"),
    "weights that are not aligned": (first_conv_field(3, 300), "kmodel_damaged"),
    "main memory of 4 GB": (word(20, 0xFFFFFFFF), "kmodel_value"),
    "16-bit weights": (word(4, 0), "kmodel_16_bit"),
    "no layers": (write(Kmodel((), ((0, 4),), 64)), "kmodel_value"),
    "a billion elements": (field(L.DEQUANTIZE, count=10**9), "kmodel_value"),
    "elements beyond memory": (field(L.DEQUANTIZE, count=8000), "kmodel_unsafe"),
    "an address beyond memory": (field(L.SOFTMAX, input=1 << 20), "kmodel_unsafe"),
    "an address that is not aligned": (field(L.SOFTMAX, input=257), "kmodel_value"),
    "a map beyond KPU RAM": (field(L.K210_UPLOAD, kpu_output=32766), "kmodel_unsafe"),
    "other registers than shapes": (register(in_row_lines=2), "kmodel_value"),
    "source and target overlap": (register(dst_line=32752), "kmodel_overwrites_input"),
    "a result over its input": (field(L.DEQUANTIZE, output=0), "kmodel_overwrites_input"),
    "reads what nobody wrote": (field(L.REQUANTIZE, input=8000), "kmodel_unwritten"),
    "bytes for floats": (field(L.SOFTMAX, input=0), "kmodel_mixed"),
    "a pool with fewer inputs": (field(L.QUANTIZED_MAX_POOL2D, out_c=4), "kmodel_value"),
    "a pool with a huge kernel": (field(L.AVERAGE_POOL2D, kernel_w=30000), "kmodel_value"),
    "a pool that is all padding": (field(L.AVERAGE_POOL2D, pad_h=2), "kmodel_value"),
    "a pool that ends outside": (field(L.QUANTIZED_MAX_POOL2D, stride_h=9), "kmodel_value"),
    "a shift of -1": (field(L.QUANTIZED_ADD, a_shift=-1), "kmodel_value"),
    "a shift of 64": (field(L.QUANTIZED_ADD, out_shift=64), "kmodel_value"),
    "sums beyond 64 bits": (
        field(L.QUANTIZED_ADD, a_mul=2**31 - 1, b_mul=-(2**31), out_mul=2**31 - 1),
        "kmodel_value",
    ),
    "a scale that is no number": (field(L.QUANTIZE, scale=float("nan")), "kmodel_value"),
    "a torn result": (field(L.SOFTMAX, output=272), "kmodel_torn"),
}


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_of_damage_has_its_finding(name):
    data, code = CLASSES[name]
    assert try_all(data) == code


def slow_layers():
    """Two hundred layers of half a second each."""
    kind, fields = L.RESIZE_NEAREST_NEIGHBOR, {"in_w": 1, "in_h": 1, "channels": 1}
    layer = cpu(kind, input=0, output=1024, out_w=1000, out_h=1200, **fields)
    first = random_layer(np.random.default_rng(0), (3, 8, 8), 4, flags=0)
    whole = cpu(L.DEQUANTIZE, input=0, output=1024, count=1, scale=1.0)
    return Kmodel((first, whole, *[layer] * 800), ((1024, 4),), 6 << 20)


def tangled_layers():
    """A thousand layers that read each other's results in 256 parts."""
    first = random_layer(np.random.default_rng(0), (3, 8, 8), 4, flags=1)
    small = [
        cpu(L.REQUANTIZE, np.zeros(256, "u1"), input=0, output=1024 + 2 * i, count=1)
        for i in range(500)
    ]
    parts = np.array([[1024, 1000]] * 256, "<u4")
    join = cpu(L.QUANTIZED_CONCAT, parts, output=4096, inputs=256)
    fill = cpu(L.QUANTIZED_RESIZE_NEAREST_NEIGHBOR, output=1024, in_w=1, in_h=1, channels=1,
               out_w=100, out_h=10)  # fmt: skip
    return Kmodel((first, fill, *small, *[join] * 500), ((4096, 4),), 1 << 20)


@pytest.mark.parametrize(
    ("made", "code"),
    [(slow_layers, "kmodel_too_slow"), (tangled_layers, "kmodel_torn"), (None, "kmodel_value")],
)
def test_files_that_would_take_minutes_are_refused_at_once(made, code):
    """Little time is not asserted, but without the bounds these would run for minutes."""
    model = made() if made else tangled_layers()
    if made is None:  # results of two bytes each: whole, but far too many
        layers = list(model.layers)
        for i in range(2, 502):
            layers[i] = replace(layers[i], values={**layers[i].values, "count": 2})
        model = replace(model, layers=tuple(layers))
    data = write(model)
    assert len(data) < 2_000_000
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as error:
            verify(read(data))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.value.code == code
    assert peak < 100 << 20
