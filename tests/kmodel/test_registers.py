"""The KPU's 12-word descriptor: fields, limits, and the blocks of real files made again."""

import struct
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_layers import STRIDE, descriptor
from real_names import REAL

from host.kmodel import read
from host.kmodel.emit import conv_registers
from host.kmodel.fold import FloatLayer
from host.kmodel.registers import FIELDS, Registers


def in_bits(bits, signed):
    least = -(1 << bits - 1) if signed else 0
    return st.integers(least, least + (1 << bits) - 1)


any_registers = st.builds(
    Registers, **{name: in_bits(bits, signed) for name, (_, _, bits, signed) in FIELDS.items()}
)


@given(any_registers)
def test_any_descriptor_survives_a_round_trip(registers):
    block = registers.pack()
    assert len(block) == 96
    assert Registers.unpack(block) == registers


def test_fields_do_not_overlap_and_every_field_has_its_bits():
    assert {field.name for field in fields(Registers)} == set(FIELDS)
    owned = [0] * 12
    for word, low, bits, _ in FIELDS.values():
        mask = ((1 << bits) - 1) << low
        assert not owned[word] & mask
        owned[word] |= mask


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_values_that_do_not_fit_are_refused(name):
    *_, bits, signed = FIELDS[name]
    top = 1 << (bits - 1 if signed else bits)
    with pytest.raises(ValueError, match=name):
        replace(descriptor((3, 8, 8), 8), **{name: top}).pack()
    with pytest.raises(ValueError, match=name):
        replace(descriptor((3, 8, 8), 8), **{name: -top - 1}).pack()


def test_bits_that_no_field_owns_are_refused():
    block = bytearray(descriptor((3, 8, 8), 8).pack())
    block[6 * 8] = 1  # kernel_offset
    with pytest.raises(ValueError, match="unknown bits"):
        Registers.unpack(bytes(block))


def test_known_words_of_a_layer():
    """3x3, 8 to 12 channels, 20x16 pixels, by hand from the register map."""
    words = struct.unpack("<12Q", descriptor((8, 16, 20), 12, source=64, pad_value=7).pack())
    assert words[1] == 64
    assert words[2] == 7 | 11 << 32 | 11 << 48
    assert words[3] == 19 | 15 << 10 | 19 << 32 | 15 << 42
    assert words[4] == 1 | 1 << 10 | 15 << 16 | 7 << 24
    assert words[5] == 1 | (12 * 8 * 9) << 15
    assert words[7] == 16 | 1 << 16 | 2 << 28 | 1 << 31
    assert words[11] == (16 * 20 - 1) << 16 | (12 * 16 * 20 - 1) << 32


def lowered(registers):
    """What the compiler would have to know of a layer to make these registers."""
    per_output = 1 if registers.depthwise else registers.in_shape[0]
    outputs, size = registers.out_shape[0], registers.kernel_size
    return FloatLayer(
        name="layer",
        depthwise=bool(registers.depthwise),
        kernel=size,
        weights=np.zeros((outputs, per_output, size**2), np.float32),
        bias=np.zeros(outputs, np.float32),
        activation="linear",
        slope=0.0,
        pool=registers.pool,
        in_shape=registers.in_shape,
        out_shape=registers.out_shape,
    )


def made_again(registers):
    return conv_registers(
        lowered(registers),
        (registers.src_line, registers.dst_line),
        zero_x=registers.pad_value,
        zero_w=-registers.arg_x >> registers.shr_x,
    )


@pytest.mark.parametrize("name", REAL)
def test_the_blocks_of_real_layers_follow_from_their_shapes(real_kmodels, name):
    for layer in read(real_kmodels[name]).convs:
        registers = layer.registers
        again = made_again(registers)
        if registers.arg_w == 0:  # nncase 0.1 writes no shift for a zero point of 0
            again = replace(again, shr_w=registers.shr_w)
        assert again.pack() == registers.pack()


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 1024), st.integers(4, 64), st.integers(4, 400)),
    st.integers(1, 1024),
    st.sampled_from([1, 3]),
    st.booleans(),
    st.sampled_from(sorted(STRIDE)),
)
def test_the_compilers_registers_equal_the_facts(shape, outputs, kernel, depthwise, pool):
    if depthwise:
        outputs, pool = shape[0], 0
    if kernel == 3 and -(-outputs // (30720 // (9 * shape[0]))) > 64:
        return  # more loads than the chip can do
    shape = (shape[0], max(shape[1], 4 * STRIDE[pool]), max(shape[2], 4 * STRIDE[pool]))
    options = {"kernel": kernel, "depthwise": depthwise, "pool": pool, "source": 5, "target": 9}
    wanted = descriptor(shape, outputs, **options)
    assert conv_registers(lowered(wanted), (5, 9), zero_x=0, zero_w=0) == wanted
