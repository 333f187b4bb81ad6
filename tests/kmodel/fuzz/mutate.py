"""Damage a kmodel where it hurts: in the fields of its header, its layer table and its bodies."""

import random
import struct
from dataclasses import replace

from host.errors import UserError
from host.kmodel.limits import descriptor
from host.kmodel.registers import FIELDS
from host.kmodel.v3 import ConvLayer, LayerType, read, write

NUMBERS = [0, 1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 63, 64, 255, 256, 1023, 1024, 4096, 32767, 32768]
NUMBERS += [65535, 1 << 20, (6 << 20) - 1, 6 << 20, 1 << 31, (1 << 31) - 1, (1 << 32) - 8]
NUMBERS += [(1 << 32) - 1, 0x7F800000, 0x7FC00000, 0x3F800000]  # inf, nan and 1 as floats
CUT, WORD, TYPE, REGISTER, FIELD, LAYERS, HEADER = range(7)


def mutate(data, seed, most):
    """Return `data`, changed in one to three places; at most `most` bytes."""
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        how = rng.choices(range(7), (1, 4, 1, 5, 6, 4, 2))[0]
        try:
            data = [_cut, _word, _type, _register, _field, _layers, _header][how](data, rng)
        except (UserError, struct.error, ValueError, IndexError, OverflowError, KeyError):
            data = _word(data, rng)
    return data[:most]


def _number(rng, old):
    return rng.choice([rng.choice(NUMBERS), old + rng.choice([-8, -4, -1, 1, 4, 8]), old * 2,
                       old ^ 1 << rng.randrange(32)]) & 0xFFFFFFFF  # fmt: skip


def _cut(data, rng):
    return data[: rng.randrange(len(data) + 1)]


def _word(data, rng):
    if len(data) < 8:
        return data + b"\3\0\0\0\1\0\0\0"
    changed = bytearray(data)
    reach = rng.choice([28, 200, len(data)])  # the header more often than the weights
    at = rng.randrange(min(reach, len(data) - 4)) // 4 * 4
    struct.pack_into("<I", changed, at, _number(rng, *struct.unpack_from("<I", data, at)))
    return bytes(changed)


def _type(data, rng):
    """Make another type of a layer; its body stays."""
    count, outputs = struct.unpack_from("<I", data, 12)[0], struct.unpack_from("<I", data, 24)[0]
    changed = bytearray(data)
    at = 28 + 8 * outputs + 8 * rng.randrange(count)
    struct.pack_into("<I", changed, at, rng.choice(list(LayerType)))
    return bytes(changed)


def _register(data, rng):
    """Change a register of a convolution and, mostly, make the others agree with it."""
    model = read(data)
    at = rng.choice([i for i, layer in enumerate(model.layers) if isinstance(layer, ConvLayer)])
    layer = model.layers[at]
    name = rng.choice(list(FIELDS))
    _, _, bits, signed = FIELDS[name]
    least = -(1 << bits - 1) if signed else 0
    value = rng.choice([rng.randrange(least, least + (1 << bits)), least, least + (1 << bits) - 1,
                        getattr(layer.registers, name) + rng.choice([-1, 1])])  # fmt: skip
    registers = replace(layer.registers, **{name: value})
    if rng.random() < 0.8:
        registers = replace(registers, **descriptor(registers))
    if registers.weight_count > 1 << 14:
        raise ValueError
    outputs = registers.out_channels_minus1 + 1
    rows = {part: getattr(layer, part).repeat(outputs)[:outputs]
            for part in ("bn_mul", "bn_shift", "bn_add")}  # fmt: skip
    weights = layer.weights.repeat(registers.weight_count)[: registers.weight_count]
    return _with(model, at, replace(layer, registers=registers, weights=weights, **rows))


def _field(data, rng):
    """Change a field of a CPU layer, or where a convolution writes."""
    model = read(data)
    at = rng.randrange(len(model.layers))
    layer = model.layers[at]
    if isinstance(layer, ConvLayer):
        changes = {"main_output": _number(rng, layer.main_output), "flags": rng.randrange(4)}
        name = rng.choice(list(changes))
        return _with(model, at, replace(layer, **{name: changes[name]}))
    name = rng.choice(list(layer.values))
    value = _number(rng, int(layer[name]))
    if name in ("scale", "bias"):
        value = struct.unpack("<f", struct.pack("<I", value))[0]
    elif rng.random() < 0.3:  # a value that another layer has
        other = rng.choice([one for one in model.layers if not isinstance(one, ConvLayer)])
        value = rng.choice([v for v in other.values.values() if isinstance(v, int)])
    if isinstance(layer.values[name], int) and name.endswith(("_shift", "_offset", "_mul")):
        value = value - (1 << 32) if value >> 31 else value
    return _with(model, at, replace(layer, values={**layer.values, name: value}))


def _layers(data, rng):
    """Leave a layer out, repeat it, or let two change places."""
    model = read(data)
    layers = list(model.layers)
    a, b = rng.randrange(len(layers)), rng.randrange(len(layers))
    how = rng.randrange(3)
    if how == 0:
        del layers[a]
    elif how == 1:
        layers[b:b] = [layers[a]] * rng.choice([1, 1, 1, 5])
    else:
        layers[a], layers[b] = layers[b], layers[a]
    return write(replace(model, layers=tuple(layers)))


def _header(data, rng):
    model = read(data)
    how = rng.randrange(3)
    if how == 0:
        return write(replace(model, main_memory=_number(rng, model.main_memory)))
    output = _number(rng, rng.choice(model.outputs)[0]), _number(rng, 4)
    if how == 1:
        return write(replace(model, outputs=(*model.outputs, output)))
    return write(replace(model, outputs=(output,)))


def _with(model, at, layer):
    return write(replace(model, layers=(*model.layers[:at], layer, *model.layers[at + 1 :])))
