"""`maixforge kmodel info`, `diff` and `plot`, as a user meets them."""

import json
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import colour_detector
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
    assert "measured" in text and "our estimate" in text


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
    failed = answer("info", other, code=1)
    assert (failed["error"], failed["findings"][0]["path"]) == ("kmodel_damaged", "file.kmodel")
    other.write_bytes(b"LDMK")  # cut before its version
    assert answer("info", other, code=1)["error"] == "kmodel_wrong_version"
    other.write_bytes(b"\3\0\0\0" + bytes(7 << 20))
    assert answer("info", other, code=1)["error"] == "kmodel_too_large"
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
    text = maixforge(*words).stderr
    assert "0 | 0  conv 3x3 stride 2x2 3x32x32 -> 32x16x16: weights: 20 of 864 differ, by " in text


def test_diff_of_other_networks(made, real_kmodels, tmp_path):
    mnist, broken = tmp_path / "mnist.kmodel", tmp_path / "broken.kmodel"
    mnist.write_bytes(real_kmodels["mnist"])
    found = answer("diff", mnist, made / "m.kmodel")
    assert {(one["a"] is None, one["b"] is None) for one in found["layers"]} == {
        (True, False), (False, True),
    }  # fmt: skip
    text = maixforge("diff", mnist, made / "m.kmodel").stderr
    assert "0 | -  conv 3x3 max 2x2 1x28x28 -> 16x14x14: only in A" in text
    assert "outputs, place and bytes: " in text and "((" not in text
    broken.write_bytes(real_kmodels["mnist"][:-500])
    failed = answer("diff", mnist, broken, code=1)
    assert failed["findings"][0]["path"] == "broken.kmodel"


def test_simulate_a_folder(made):
    answers = answer("simulate", made / "m.kmodel", made / "pictures")["images"]
    assert len(answers) == 12
    assert {len(one["output"]) for one in answers} == {3}


def test_a_map_is_no_class(made, real_kmodels, tmp_path):
    """The face detector's answer is a map: shown as one, or as boxes."""
    face, picture = tmp_path / "face.kmodel", made / "pictures" / "0.png"
    face.write_bytes(real_kmodels["face"])
    (found,) = answer("simulate", face, picture)["images"]
    assert found["map"] == [30, 15, 20]
    assert "label" not in found
    text = maixforge("simulate", face, picture).stderr
    assert "a map of 30x15x20 values" in text and "--anchors" in text
    (found,) = answer("simulate", face, picture, "--anchors", "1 " * 10)["images"]
    assert "boxes" in found
    failed = answer("simulate", made / "m.kmodel", picture, "--anchors", "1 " * 10, code=1)
    assert failed["error"] == "kmodel_no_boxes"


def test_boxes_are_drawn_where_they_are(tmp_path):
    """Of a 320x240 picture a 224x224 model sees the middle; it is drawn three times as large."""
    model, pictures, out = tmp_path / "m.kmodel", tmp_path / "pictures", tmp_path / "drawn"
    model.write_bytes(colour_detector.network())
    for place in (pictures, pictures / "more"):
        place.mkdir()
        colour_detector.scene(2).save(place / "one.png")
    anchors = " ".join(map(str, colour_detector.ANCHORS))
    options = ("--anchors", anchors, "--threshold", 0.6, "--draw", out)
    found = answer("simulate", model, pictures, *options)["images"]
    assert sorted(path.name for path in out.iterdir()) == ["one-1.png", "one.png"]
    with Image.open(out / "one.png") as image:
        assert image.size == (672, 672)
        drawn = np.asarray(image.convert("RGB"))
    sides = ("left", "top", "right", "bottom")
    inside = [box for box in found[0]["boxes"] if all(4 < box[side] < 220 for side in sides)]
    best = inside[0]
    left, top, right, bottom = (round(box * 671 / 224) for box in map(best.get, sides))
    for row, column in (((top + bottom) // 2, right), (bottom, (left + right) // 2)):
        near = drawn[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3)
        assert (near == [(44, 138, 75), (200, 55, 45)][best["index"]]).all(1).any()


def test_labels_of_another_model(made, tmp_path):
    labels, picture = tmp_path / "names.txt", made / "pictures" / "0.png"
    for text, code in ((b"one\ntwo\n", "labels_do_not_fit"), (b"\xff\xfe", "labels_not_text")):
        labels.write_bytes(text)
        failed = answer("simulate", made / "m.kmodel", picture, "--labels", labels, code=1)
        assert (failed["error"], failed["findings"][0]["path"]) == (code, "names.txt")


def test_paths_that_the_system_refuses(made, tmp_path):
    model = made / "m.kmodel"
    for words, path in (
        (("info", tmp_path), tmp_path),
        (("plot", model, "-o", tmp_path / "none" / "x.png"), tmp_path / "none" / "x.png"),
        (("plot", model, "-o", tmp_path), tmp_path),
    ):
        failed = answer(*words, code=1)
        assert (failed["error"], failed["findings"][0]["path"]) == ("path_unusable", str(path))


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
