"""The layer table, memory over time, kinds of file, and what differs between two files."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from small_files import classifier, cpu, one_of_each
from small_networks import photos

from host.errors import UserError
from host.kmodel import read, write
from host.kmodel.describe import kind_of, layer_table, memory_blocks, peak_bytes, pool_name
from host.kmodel.diff import ArrayChange, OutputChange, diff
from host.kmodel.v3 import Kmodel, LayerType


@pytest.fixture(scope="module")
def model():
    return classifier()


@pytest.fixture(scope="module")
def data(model):
    return write(model)


def test_table_of_a_classifier(model):
    rows = layer_table(model)
    assert [row.kind for row in rows] == [
        "conv 3x3", "conv 1x1", "dequantize", "global average pool", "fully connected", "softmax",
    ]  # fmt: skip
    assert [row.in_shape for row in rows[:2]] == [(3, 8, 8), (5, 8, 8)]
    assert [row.out_shape for row in rows] == [(5, 8, 8), (4, 8, 8), (256,), (4,), (3,), (3,)]
    assert [row.macs for row in rows] == [9 * 3 * 5 * 64, 5 * 4 * 64, 0, 0, 12, 0]
    assert [row.weight_bytes for row in rows] == [135, 20, 0, 0, 60, 0]
    assert rows[0].lines == (8, 16)  # 4 channels of 8 pixels share a line
    assert all(row.ms > 0 for row in rows)


def test_table_of_every_layer_type():
    rows = {row.kind: row for row in layer_table(one_of_each())}
    assert len(rows) == len(LayerType)
    assert rows["upload"].out_shape == (2, 3, 4)
    assert rows["tensorflow flatten"].out_shape == (24,)
    assert (rows["add padding"].out_shape, rows["add padding"].lines) == ((3, 4, 4), (0, 4))
    assert rows["resize nearest neighbor"].out_shape == (2, 6, 2 * 2)
    assert rows["concat"].in_shape == (12,)


def test_the_face_detector(real_kmodels):
    rows = layer_table(read(real_kmodels["face"]))
    assert (rows[0].kind, rows[0].pool, rows[0].out_shape) == (
        "conv 3x3",
        "max 2x2",
        (16, 120, 160),
    )
    assert rows[1].kind == "depthwise 3x3"
    assert rows[1].macs == 9 * 16 * 120 * 160
    assert sum(row.macs for row in rows) == pytest.approx(210e6, rel=0.05)


def test_pools_have_names():
    names = [pool_name(code) for code in (0, 1, 4, 5, 9)]
    assert names == ["", "max 2x2", "mean 4x4", "stride 2x2", "max 2x2 stride 1"]


def test_memory_over_time(model):
    blocks = memory_blocks(model)
    lives = {(one.memory, one.label): (one.start, one.end, one.first, one.last) for one in blocks}
    source, result = (model.convs[0].registers.src_line, model.convs[0].registers.dst_line)
    assert lives["kpu", "picture"] == (64 * source, 64 * (source + 8), 0, 0)
    assert lives["kpu", "layer 0"][0] == 64 * result
    assert lives["main", "layer 1"] == (0, 256, 1, 2)
    assert lives["main", "layer 2"] == (256, 256 + 1024, 2, 3)
    assert lives["main", "layer 5"] == (32, 44, 5, 5)
    assert peak_bytes(blocks, "main") == 256 + 1024


def test_an_output_lives_to_the_end():
    layers = (
        classifier().layers[0],
        cpu(LayerType.DEQUANTIZE, input=0, output=64, count=4, scale=1.0, bias=0.0),
        cpu(LayerType.SOFTMAX, input=128, output=160, channels=4),
    )
    blocks = memory_blocks(Kmodel(layers, ((64, 16),), 256))
    assert next(one for one in blocks if one.label == "layer 1").last == 2


def test_blocks_that_live_together_do_not_overlap(real_kmodels):
    for data in real_kmodels.values():
        blocks = memory_blocks(read(data))
        for number, one in enumerate(blocks):
            for other in blocks[number + 1 :]:
                together = one.memory == other.memory and max(one.first, other.first) <= min(
                    one.last, other.last
                )
                apart = one.end <= other.start or other.end <= one.start
                assert apart or not together, (one, other)


def test_kinds_of_files(data):
    assert kind_of(data) == "kmodel V3"
    assert kind_of(data[:-40]) == "broken kmodel V3"
    assert kind_of(data[:24] + b"\xff" * 4 + data[28:]) == "broken kmodel V3"
    assert kind_of(b"LDMK" + struct.pack("<I", 4)).startswith("kmodel V4")
    assert kind_of(b"LDMK" + struct.pack("<I", 5)).startswith("kmodel V5")
    assert kind_of(b"LDMS" + bytes(60)) == "encrypted smodel"
    assert kind_of(b"TFL3")[:11] == "first bytes"
    assert kind_of(b"") == "0 B"


def test_a_file_equals_itself(data):
    found = diff(data, data, photos(0, (8, 8, 3), 3))
    assert found.same_bytes
    assert not found.header
    assert not found.layers
    assert [(one.largest, one.mean, one.same_answer) for one in found.outputs] == [(0.0, 0.0, 1.0)]


def test_one_weight_differs(model, data):
    weights = model.convs[0].weights.copy()
    weights[7] ^= 64
    changed = replace(model, layers=(replace(model.convs[0], weights=weights), *model.layers[1:]))
    found = diff(data, write(changed), photos(0, (8, 8, 3), 8))
    assert not found.same_bytes
    assert [(one.a, one.b, one.kind) for one in found.layers] == [(0, 0, "conv 3x3")]
    (change,) = found.layers[0].changes
    assert change == ArrayChange("weights", 1, 135, 64.0)
    assert found.outputs[0].largest


def test_a_layer_is_gone(model, data):
    shorter = replace(model, layers=model.layers[:-1], outputs=((16, 12),), main_memory=1284)
    found = diff(data, write(shorter))
    assert {one.what for one in found.header} == {
        "file bytes", "layers", "main memory", "outputs",
    }  # fmt: skip
    assert [(one.a, one.b, one.kind) for one in found.layers] == [(5, None, "softmax")]
    assert found.outputs == ()
    assert (found.layers[0].shapes, found.layers[0].changes) == (((3,), (3,)), ())


def test_answers_of_different_length_are_not_compared(model, data):
    shorter = replace(model, layers=model.layers[:-1], outputs=((16, 8),))
    found = diff(data, write(shorter), photos(0, (8, 8, 3), 2))
    assert found.outputs == (OutputChange((3, 2)),)
    json.dumps(found.as_dict(), allow_nan=False)


def test_fields_and_tables_differ(model, data):
    dense = model.layers[4]
    table = dense.table * np.float32(2)
    layers = [*model.layers]
    layers[4] = replace(dense, table=table)
    layers[2] = replace(layers[2], values={**layers[2].values, "scale": 0.5})
    found = diff(data, write(replace(model, layers=tuple(layers))))
    whats = {one.a: [change.what for change in one.changes] for one in found.layers}
    assert whats == {2: ["scale"], 4: ["table"]}


def test_only_kmodels_of_version_3_are_compared(data):
    with pytest.raises(UserError) as raised:
        diff(data, b"LDMK" + struct.pack("<I", 4))
    assert raised.value.code == "kmodel_wrong_version"
