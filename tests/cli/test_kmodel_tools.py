"""`maixforge kmodel info`, `diff` and `plot`, as a user meets them."""

import json
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.kmodel import compile, from_keras, read, write


def maixforge(*words, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "host.cli", "kmodel", *map(str, words)],
        capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "LANG": "C"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def answer(*words, code=0):
    return json.loads(maixforge(*words, "--json", code=code).stdout)


def network():
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.ZeroPadding2D(1),
            layers.Conv2D(8, 3, 2, activation="relu", name="first"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu6", name="deep"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, name="scores"),
            layers.Softmax(),
        ]
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with pictures, a compiled network and its float model."""
    from host.trainer.model import FloatModel, ModelCard

    folder = tmp_path_factory.mktemp("made")
    (folder / "pictures").mkdir()
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 8, 8, 3), np.uint8)
    pictures = coarse.repeat(4, 1).repeat(4, 2)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / "pictures" / f"{number}.png")
    net = network()
    data = compile(from_keras(net), pictures).data
    (folder / "m.kmodel").write_bytes(data)
    card = ModelCard(("a", "b", "c"), (32, 32), "crop", scale=1 / 255, offset=0.0, seed=0)
    FloatModel(net, card).save(folder / "float")
    model = read(data)
    weights = model.convs[0].weights.copy()
    weights[:20] = 255 - weights[:20]
    changed = replace(model, layers=(replace(model.convs[0], weights=weights), *model.layers[1:]))
    (folder / "other.kmodel").write_bytes(write(changed))
    return folder


def test_info_of_a_kmodel(made):
    found = answer("info", made / "m.kmodel")
    size = (made / "m.kmodel").stat().st_size
    assert (found["kind"], found["file_bytes"]) == ("kmodel V3", size)
    assert [one["kind"] for one in found["layers"][:3]] == ["conv 3x3", "depthwise 3x3", "conv 1x1"]
    assert found["layers"][0]["out_shape"] == [32, 16, 16]  # 8 channels in four copies
    assert found["ram_bytes"] == size + found["main_memory"] + 447
    assert all(one["fits"] for one in found["firmware"])
    assert found["ms"] == pytest.approx(sum(one["ms"] for one in found["layers"]), abs=0.01)
    text = maixforge("info", made / "m.kmodel").stderr
    assert "depthwise 3x3" in text
    assert "32x16x16" in text
    assert "MaixPy full" in text


def test_info_tells_other_files_apart(made, tmp_path):
    other = tmp_path / "file.kmodel"
    kinds = {
        b"LDMK" + struct.pack("<I", 4): "kmodel V4",
        b"LDMK" + struct.pack("<I", 5): "kmodel V5",
        b"LDMS": "encrypted smodel",
    }
    for head, kind in kinds.items():
        other.write_bytes(head + bytes(100))
        assert answer("info", other)["kind"].startswith(kind)
    other.write_bytes((made / "m.kmodel").read_bytes()[:-300])
    assert answer("info", other, code=1)["error"] == "kmodel_damaged"
    other.write_bytes(b"hello")
    assert answer("info", other, code=1)["error"] == "kmodel_wrong_version"


def test_diff(made):
    same = answer("diff", made / "m.kmodel", made / "m.kmodel")
    assert same["same_bytes"]
    assert same["layers"] == []
    words = ("diff", made / "m.kmodel", made / "other.kmodel", "--images", made / "pictures")
    found = answer(*words)
    (layer,) = found["layers"]
    assert layer["a"] == layer["b"] == 0
    assert [one["what"] for one in layer["changes"]] == ["weights"]
    assert found["outputs"][0]["largest"] > 0
    assert "weights" in maixforge(*words).stderr


def test_plot(made, tmp_path):
    short, full = tmp_path / "short.png", tmp_path / "full.png"
    assert answer("plot", made / "m.kmodel", "-o", short) == {"png": str(short)}
    sources = ("--model", made / "float", "--calibration", made / "pictures")
    maixforge("plot", made / "m.kmodel", "-o", full, *sources)
    with Image.open(short) as one, Image.open(full) as other:
        assert other.height > one.height + 100  # the panel of errors


def test_plot_needs_both_and_the_right_network(made, tmp_path):
    out = tmp_path / "x.png"
    maixforge("plot", made / "m.kmodel", "-o", out, "--model", made / "float", code=2)
    (tmp_path / "empty").mkdir()
    sources = ("--model", made / "float", "--calibration", tmp_path / "empty")
    failed = answer("plot", made / "m.kmodel", "-o", out, *sources, code=1)
    assert failed["error"] == "pictures_missing"
    assert not Path(out).exists()
