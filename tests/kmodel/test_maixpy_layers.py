"""Every layer that the CPU runs gives the simulator's very floats on real MaixPy firmware.

As test_maixpy_firmware.py: MAIXFORGE_MAIXPY_BIN names a MaixPy v1 .bin (0.6.2_52 was used). The
KPU runtime that is linked into the firmware reads each kmodel and computes; a convolution on the
virtual KPU makes what the layers read.
"""

import os
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="no unicorn on this platform")
from random_layers import lines, random_layer
from small_files import READS_FLOATS, cpu

from host.config import MAIXPY_BIN
from host.emulator import board as virtual
from host.kmodel import Kmodel, simulate, write
from host.kmodel.spans import JOINS
from host.kmodel.v3 import LayerType as L
from tests.emulator.k210.rig import Rig, read_firmware

FIRMWARE = os.environ.get(MAIXPY_BIN, "")
pytestmark = [
    pytest.mark.skipif(not FIRMWARE, reason=f"{MAIXPY_BIN} names no MaixPy .bin"),
    pytest.mark.skipif(not virtual.available(), reason="no MicroPython to format a card with"),
    pytest.mark.timeout(900),
]
BYTES, FLOATS, OUT, END = 0, 1024, 8192, 16384
"""Where the convolution's 1024 bytes lie, their floats, the result, and what is returned."""
MEMORY = 1 << 15
LAST_BIT = {L.SOFTMAX, L.LOGISTIC}
"""The firmware's expf may be off by its last bit."""

BOOT = b"""
import image, KPU as kpu, struct, ubinascii, uos, gc
img = image.Image(size=(8, 8))
for y in range(8):
    for x in range(8):
        bits = (x * 5 + y * 3 + x * y) & 7
        img.set_pixel(x, y, (255 * (bits & 1), 255 * (bits >> 1 & 1), 255 * (bits >> 2)))
img.pix_to_ai()
for name in sorted(uos.listdir('/sd')):
    if name.endswith('.kmodel'):
        task = kpu.load('/sd/' + name)
        values = kpu.forward(task, img)[:]
        for at in range(0, len(values), 64):
            part = values[at:at + 64]
            print('@', name, ubinascii.hexlify(struct.pack('<%df' % len(part), *part)).decode())
        kpu.deinit(task)
        gc.collect()
print('all ' + 'done')
"""


def picture():
    y, x = np.mgrid[:8, :8]
    bits = x * 5 + y * 3 + x * y & 7
    return np.stack([bits & 1, bits >> 1 & 1, bits >> 2], -1).astype(np.uint8)[None] * 255


def pool(kernel, stride, pad, out):
    sides = {"kernel": kernel, "stride": stride, "pad": pad, "in": 8, "out": out}
    fields = {f"{name}_{side}": value for name, value in sides.items() for side in "wh"}
    return {**fields, "in_c": 4, "out_c": 4}


def cases():
    """Yield name, layer type, its fields, its table, and how many values it gives."""
    rng = np.random.default_rng(5)
    add = {"a_offset": -7, "a_mul": 1900, "a_shift": 5, "b_offset": 11, "b_mul": 777, "b_shift": 3}
    add |= {"out_offset": -40, "out_mul": 1 << 14, "out_shift": 21, "a": BYTES, "b": BYTES + 256}
    plane = {"width": 8, "height": 8, "channels": 4}
    resize = {"in_w": 8, "in_h": 8, "out_w": 11, "out_h": 5, "channels": 4}
    yield "add", L.ADD, {"a": FLOATS, "b": FLOATS + 1024, "count": 200}, None, 200
    yield "quantized_add", L.QUANTIZED_ADD, {**add, "count": 200}, None, 200
    yield "equal_shifts", L.QUANTIZED_ADD, {**add, "b_shift": 5, "count": 200}, None, 200
    yield "mean", L.GLOBAL_AVERAGE_POOL2D, {"kernel_size": 60, "channels": 17}, None, 17
    for name, fields, out in (("pool", pool(2, 2, 0, 4), 4), ("pad", pool(3, 2, 1, 4), 4)):
        yield f"max_{name}", L.QUANTIZED_MAX_POOL2D, fields, None, 4 * out * out
        yield f"average_{name}", L.AVERAGE_POOL2D, fields, None, 4 * out * out
    yield "quantize", L.QUANTIZE, {"count": 300, "scale": 0.043, "bias": -3.07}, None, 300
    yield "dequantize", L.DEQUANTIZE, {"count": 300, "scale": 0.0173, "bias": -1.23}, None, 300
    yield "requantize", L.REQUANTIZE, {"count": 300}, rng.permutation(256).astype("u1"), 300
    yield "l2", L.L2_NORMALIZATION, {"channels": 100}, None, 100
    yield "softmax", L.SOFTMAX, {"channels": 50}, None, 50
    yield "logistic", L.LOGISTIC, {"channels": 100}, None, 100
    parts = np.array([[40, 64], [0, 16], [400, 120]], "<u4")
    yield "concat", L.CONCAT, {"inputs": 3}, parts + np.array([FLOATS, 0], "<u4"), 50
    yield "quantized_concat", L.QUANTIZED_CONCAT, {"inputs": 3}, parts, 200
    for inputs in (64, 63):
        dense = {"in_channels": inputs, "out_channels": 10, "activation": 1}
        weights = rng.normal(size=inputs * 10 + 10).astype("<f4")
        yield f"dense_{inputs}", L.FULLY_CONNECTED, dense, weights, 10
    yield "flatten", L.TENSORFLOW_FLATTEN, plane, None, 256
    yield "quantized_flatten", L.QUANTIZED_TENSORFLOW_FLATTEN, plane, None, 256
    yield "resize", L.RESIZE_NEAREST_NEIGHBOR, resize, None, 220
    yield "quantized_resize", L.QUANTIZED_RESIZE_NEAREST_NEIGHBOR, resize, None, 220
    scales = rng.normal(size=(4, 2)).astype("<f4")
    channels = {"channels": 4, "channel_size": 64}
    yield "channelwise", L.CHANNELWISE_DEQUANTIZE, channels, scales, 256


GIVES_FLOATS = READS_FLOATS - {L.QUANTIZE} | {L.DEQUANTIZE, L.CHANNELWISE_DEQUANTIZE}


def first_layers():
    """A picture becomes 16 maps of 8x8 bytes, and these become floats."""
    conv = random_layer(np.random.default_rng(233), (3, 8, 8), 16, activation="relu")
    floats = cpu(L.DEQUANTIZE, input=BYTES, output=FLOATS, count=1024, scale=0.0371, bias=-4.1)
    return [conv, floats]


def ending(floats, count):
    """Return what brings a result to the board's script unchanged."""
    if floats:  # the mean of one
        return cpu(L.GLOBAL_AVERAGE_POOL2D, input=OUT, output=END, kernel_size=1, channels=count)
    return cpu(L.DEQUANTIZE, input=OUT, output=END, count=count, scale=1.0)


def model(layers, count):
    return write(Kmodel((*first_layers(), *layers), ((END, 4 * count),), MEMORY))


def models():
    """Return name -> (layer type, kmodel)."""
    made = {}
    for name, kind, fields, table, count in cases():
        source = FLOATS if kind in READS_FLOATS else BYTES
        if "a" not in fields and kind not in JOINS:
            fields["input"] = source
        layer = cpu(kind, table, output=OUT, **fields)
        made[name] = kind, model([layer, ending(kind in GIVES_FLOATS, count)], count)
    rng, line = np.random.default_rng(4), 20000
    there = {"source": line, "target": 0, "activation": "leaky"}
    conv = random_layer(rng, (16, 4, 4), 8, kernel=1, **there)
    padded = [
        cpu(L.K210_ADD_PADDING, input=BYTES, kpu_output=line, channels=16),
        replace(conv, main_output=END),
        cpu(L.K210_REMOVE_PADDING, input=END, output=OUT, channels=8),
    ]
    made["padding"] = L.K210_ADD_PADDING, model([*padded, ending(False, 8)], 8)
    assert lines(16, 8, 8) < 32768 - line
    conv = random_layer(rng, (16, 8, 8), 4, **there)
    layers = [replace(conv, main_output=OUT), ending(False, 256)]
    upload = cpu(L.K210_UPLOAD, input=BYTES, kpu_output=line, width=8, height=8, channels=16)
    made["upload"] = L.K210_UPLOAD, model([upload, *layers], 256)
    return made


@pytest.fixture(scope="module")
def answers():
    """Return name -> float32 values that the firmware gave."""
    files = {f"{name}.kmodel": data for name, (_, data) in models().items()}
    card = virtual.run(b"pass\n", card={**files, "boot.py": BOOT}).card_image
    rig = Rig(read_firmware(FIRMWARE), card, None)
    rig.wait_for("all done", seconds=600)
    said = {name.removesuffix(".kmodel"): "" for name in files}
    for line in rig.text.split("\r\n"):
        if line.startswith("@ "):
            _, name, part = line.split()
            said[name.removesuffix(".kmodel")] += part
    return {name: np.frombuffer(bytes.fromhex(part), "<f4") for name, part in said.items()}


@pytest.mark.parametrize("name", models())
def test_layer(answers, name):
    kind, data = models()[name]
    (wanted,) = simulate(data, picture())
    found = answers[name]
    assert found.shape == wanted[0].shape
    assert len(np.unique(found)) > min(20, len(found) // 3)
    apart = np.abs(found.view(np.int32).astype(np.int64) - wanted[0].view(np.int32))
    assert apart.max() <= (1 if kind in LAST_BIT else 0)


def test_every_layer_type_is_here():
    kinds = {kind for kind, _ in models().values()}
    assert kinds | {L.K210_CONV, L.K210_REMOVE_PADDING} == set(L)
