"""The file: what is written is read again, real files byte for byte; wrong ones are named."""

import struct
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from real_names import REAL
from small_files import classifier, one_of_each

from host.errors import UserError
from host.kmodel import ConvLayer, info, read, write
from host.kmodel.v3 import MAX_FILE, Activation, LayerType


def same(a, b):
    """Compare two parsed models field by field (arrays have no truth value)."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            same(left, right)
    elif hasattr(a, "__dataclass_fields__"):
        for field in fields(a):
            same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, float):
        assert struct.pack("<f", a) == struct.pack("<f", b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for name in a:
            same(a[name], type(a[name])(b[name]))
    else:
        assert a == b


@pytest.mark.parametrize("name", REAL)
def test_real_files_taken_apart_and_put_together_are_the_same_bytes(real_kmodels, name):
    data = real_kmodels[name]
    model = read(data)
    assert model.trailing_padding
    assert write(model) == data


@pytest.mark.parametrize("make", [classifier, one_of_each])
def test_what_is_written_is_read_again(make):
    model = make()
    data = write(model)
    same(read(data), model)
    assert write(read(data)) == data


def test_blocks_lie_where_the_loader_wants_them():
    data = write(classifier())
    count = struct.unpack_from("<I", data, 12)[0]
    position = 28 + 8 + 8 * count
    assert position % 8 == 4
    for index in range(count):
        kind, size = struct.unpack_from("<2I", data, 28 + 8 + 8 * index)
        if kind == LayerType.K210_CONV:
            layer, weights, bn, act = struct.unpack_from("<4I", data, position + 8)
            assert (layer % 8, weights % 128, bn % 128, act % 256) == (0, 0, 0, 0)
            words = struct.unpack_from("<12Q", data, layer)
            assert [words[word] >> 32 for word in (4, 5, 7)] == [0, 0, 0]  # the loader's to fill
        position += size
        assert position % 8 == 0
    assert position == len(data)


def test_the_last_padding_may_be_missing():
    """Some builds of nncase 0.1 leave it out; it is always written again."""
    model = one_of_each()  # ends with K210_UPLOAD: 24 bytes; make the end uneven
    last = next(layer for layer in model.layers if layer.type is LayerType.QUANTIZED_CONCAT)
    odd = type(model)((*model.layers, last), model.outputs, model.main_memory)
    data = write(odd)
    used = 3 * 4 + 2 * 8
    start = struct.unpack_from("<2I", data, 28 + 8 * 2 + 8 * (len(odd.layers) - 1))[1]
    missing = start - used - (-(len(data) - start) % 8)
    assert 0 < missing < 8
    cut = data[:-missing]
    assert not read(cut).trailing_padding
    assert write(read(cut)) == data
    with pytest.raises(UserError, match="kmodel_damaged"):
        read(data[: -missing - 1])


def sixteen(least, most):
    return arrays(np.int64, 16, elements=st.integers(least, most))


def signed(bits):
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


@given(
    sixteen(-(1 << 35), (1 << 35) - 1),
    sixteen(-(1 << 15), (1 << 15) - 1),
    sixteen(0, 255),
    sixteen(0, 255),
)
def test_any_activation_table_survives(start, mul, shift, add):
    table = Activation(start, mul, shift, add)
    block = table.pack()
    assert len(block) == 144
    same(Activation.unpack(block), table)


@given(signed(24), st.integers(0, 15), signed(32))
def test_any_batch_norm_survives(mul, shift, add):
    model = classifier()
    conv = model.layers[0]
    assert isinstance(conv, ConvLayer)
    values = (np.full(5, value, np.int64) for value in (mul, shift, add))
    changed = ConvLayer(
        conv.flags, conv.main_output, conv.registers, conv.weights, *values, conv.activation
    )
    packed = type(model)((changed, *model.layers[1:]), model.outputs, model.main_memory)
    same(read(write(packed)), packed)


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"LDMK\4\0\0\0", "kmodel V4 (nncase 0.2)"),
        (b"LDMK\5\0\0\0", "kmodel V5 (nncase 1 or later)"),
        (b"LDMS" + bytes(28), "encrypted smodel"),
        (b"LDME" + bytes(28), "encrypted emodel"),
        (b"\x13\x27\0\0" + bytes(28), "encrypted V3 smodel"),
        (b"KMXBOX1\0" + bytes(28), "encrypted KMX1, sealed by MaixForge"),
        (b"LDMK\7\0\0\0", "kmodel V7 (nncase 1 or later)"),
        (b"LDMK", "first bytes 4c 44 4d 4b"),
        (b"LDMK\3\0\0\0", "first bytes 4c 44 4d 4b 03"),
        (b"PK\3\4" + bytes(28), "kfpkg or zip"),
        (b"\x1c\0\0\0TFL3" + bytes(28), "TFLite"),
        (b"", "0 B"),
        (b"\4\0\0\0" + bytes(28), "first bytes 04 00 00 00"),
    ],
)
def test_other_kinds_of_file_are_named(head, text):
    with pytest.raises(UserError) as error:
        read(head)
    assert error.value.code == "kmodel_wrong_version"
    assert text in str(error.value)


def test_a_file_that_no_firmware_loads():
    with pytest.raises(UserError) as error:
        read(b"\3\0\0\0" + bytes(MAX_FILE - 3))
    assert error.value.code == "kmodel_too_large"


@pytest.mark.parametrize(
    ("offset", "value", "text"),
    [
        (8, 1, "arch = 1"),
        (12, 0xFFFFFFFF, "layers = 4294967295"),
        (12, 1000, " B"),
        (24, 0xFFFFFFFF, "header"),
        (24, 1000, "layer table"),
        (36, 7, "type = 7"),  # float MAX_POOL2D asserts on the chip
        (36, 99, "type = 99"),
    ],
)
def test_wrong_headers(offset, value, text):
    data = bytearray(write(classifier()))
    struct.pack_into("<I", data, offset, value)
    with pytest.raises(UserError, match="kmodel_damaged") as error:
        read(bytes(data))
    assert text in str(error.value)


def test_a_body_that_is_longer_than_the_file():
    """The chip's flash loader adds up body sizes: too large a size reads beyond the file."""
    data = bytearray(write(classifier()))
    last = 28 + 8 + 8 * 5 + 4
    size = struct.unpack_from("<I", data, last)[0]
    struct.pack_into("<I", data, last, size + 8)
    with pytest.raises(UserError, match="kmodel_damaged"):
        read(bytes(data))


def test_info_of_a_small_model():
    data = write(classifier())
    found = info(data)
    assert (found.width, found.height, found.channels) == (8, 8, 3)
    assert (found.file_bytes, found.main_memory, found.layers) == (len(data), 1280, 6)
    assert found.ram_bytes == len(data) + 1280 + 255 + 192
    assert found.outputs == (12,)


@pytest.mark.parametrize(
    ("name", "size", "outputs"),
    [
        ("face", (320, 240, 3), (36000,)),
        ("fruit", (224, 224, 3), (7840,)),
        ("mask", (320, 240, 3), (11200,)),
        ("mnist", (28, 28, 1), (40,)),
    ],
)
def test_info_of_real_files(real_kmodels, name, size, outputs):
    found = info(real_kmodels[name])
    assert (found.width, found.height, found.channels) == size
    assert found.outputs == outputs
