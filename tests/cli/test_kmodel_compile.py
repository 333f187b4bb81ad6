"""`maixforge kmodel compile`: other people's networks, from a terminal."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from host.errors import UserError
from host.jobs.convert import read_network
from host.kmodel import simulate

SIDE = 32


def maixforge(*words, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "host.cli", *map(str, words)],
        capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "LANG": "C"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def compiled(model, photos, out, *more):
    """The answer of the command, and the file that it wrote."""
    done = maixforge(
        "kmodel", "compile", model, "--calibration", photos, "-o", out, *more, "--json"
    )
    return json.loads(done.stdout), out.read_bytes()


def refused(model, photos, out, *more):
    done = maixforge("kmodel", "compile", model, "--calibration", photos, "-o", out, *more, code=1)
    assert not out.exists()
    return done.stderr


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    rng = np.random.default_rng(1)
    for number in range(24):
        coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC)
        picture.save(folder / ("more" if number % 2 else "") / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def network(keras):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    return keras.Sequential([
        keras.Input((SIDE, SIDE, 3)),
        layers.ZeroPadding2D(1),
        layers.Conv2D(8, 3, 2, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.Conv2D(12, 1, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(4, activation="softmax"),
    ])  # fmt: skip


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    """The same network as a .keras, .h5 and .tflite file."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("networks")
    network.save(folder / "m.keras")
    network.save(folder / "m.h5")
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    (folder / "m.tflite").write_bytes(converter.convert())
    return folder


@pytest.fixture(scope="module")
def from_keras_file(saved, photos, tmp_path_factory):
    return compiled(saved / "m.keras", photos, tmp_path_factory.mktemp("out") / "m.kmodel")


def test_the_answer_says_what_was_made(from_keras_file):
    answer, data = from_keras_file
    assert answer["bytes"] == len(data)
    assert data[:4] == b"\x03\0\0\0"
    assert answer["input"] == [SIDE, SIDE, 3]
    assert (answer["scale"], answer["offset"]) == (pytest.approx(1 / 255), 0)
    assert answer["pictures"] == 24
    assert answer["findings"] == []
    (one,) = answer["agreement"]
    assert one["error"] < 0.05
    assert one["decibels"] > 20
    assert answer["ram_bytes"] > answer["main_memory"] > 0 and answer["ms"] > 0


def test_h5_gives_the_same_bytes(from_keras_file, saved, photos, tmp_path):
    _, data = compiled(saved / "m.h5", photos, tmp_path / "deep" / "m.kmodel")
    assert data == from_keras_file[1]


def test_tflite_gives_the_same_answers(from_keras_file, saved, photos, tmp_path):
    answer, data = compiled(saved / "m.tflite", photos, tmp_path / "m.kmodel")
    assert answer["layers"] == from_keras_file[0]["layers"]
    pictures = np.random.default_rng(2).integers(0, 256, (6, SIDE, SIDE, 3), np.uint8)
    ours, theirs = simulate(data, pictures)[0], simulate(from_keras_file[1], pictures)[0]
    assert np.abs(ours - theirs).max() < 0.05


def test_the_meaning_of_pixels(saved, photos, tmp_path):
    options = ("--scale", 1 / 127.5, "--offset", -1)
    answer, _ = compiled(saved / "m.tflite", photos, tmp_path / "m.kmodel", *options)
    assert (answer["scale"], answer["offset"]) == (pytest.approx(1 / 127.5), -1)


def test_more_time_makes_finer_maps(saved, photos, tmp_path):
    plain, _ = compiled(saved / "m.tflite", photos, tmp_path / "m.kmodel", "--copies-ms", 0)
    finer, _ = compiled(saved / "m.tflite", photos, tmp_path / "n.kmodel", "--copies-ms", 5)
    assert plain["bytes"] < finer["bytes"] and plain["ms"] < finer["ms"] < plain["ms"] + 5


def test_onnx(photos, tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    w = np.random.default_rng(4).normal(size=(8, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        ],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset), tmp_path / "m.onnx")
    answer, _ = compiled(tmp_path / "m.onnx", photos, tmp_path / "m.kmodel")
    assert answer["agreement"][0]["error"] < 0.03


def test_people_read_a_table(saved, photos, tmp_path):
    words = ("compile", saved / "m.tflite", "--calibration", photos, "-o", tmp_path / "m.kmodel")
    text = maixforge("kmodel", *words).stderr
    for part in ("32x32x3", "0.00392157 * byte + 0", "same answer", "Written:"):
        assert part in text


def test_unreadable_pictures_are_named_and_left_out(saved, photos, tmp_path):
    folder = tmp_path / "some"
    folder.mkdir()
    for number in (0, 2):
        (folder / f"{number}.png").write_bytes((photos / f"{number}.png").read_bytes())
    (folder / "broken.png").write_bytes(b"no picture")
    answer, _ = compiled(saved / "m.tflite", folder, tmp_path / "m.kmodel")
    assert answer["pictures"] == 2
    assert [one["severity"] for one in answer["findings"]] == ["warning", "warning"]
    assert answer["findings"][0]["path"] == "broken.png"
    assert answer["findings"][1]["code"] == "calibration_small"
    for number in (0, 2):
        (folder / f"{number}.png").unlink()
    (tmp_path / "m.kmodel").unlink()
    assert "broken.png" in refused(saved / "m.tflite", folder, tmp_path / "m.kmodel")
    (folder / "broken.png").unlink()
    assert "calibration_empty" in refused(saved / "m.tflite", folder, tmp_path / "m.kmodel")


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".onnx", ".tflite", ".pb"])
def test_a_file_that_is_no_network(suffix, keras, tmp_path):
    if suffix == ".onnx":
        pytest.importorskip("onnx")
    path = tmp_path / f"m{suffix}"
    path.write_bytes(b"no network at all")
    with pytest.raises(UserError) as error:
        read_network(path)
    assert error.value.code == "kmodel_model_unreadable"


@pytest.mark.parametrize("shapes", [[(None, None, 3)], [(SIDE, SIDE, 4)], [(9,)], [(8, 8, 3)] * 2])
def test_a_keras_network_must_read_one_picture(shapes, keras, tmp_path):
    inputs = [keras.Input(shape) for shape in shapes]
    joined = keras.layers.Add()(inputs) if len(inputs) > 1 else inputs[0]
    keras.Model(inputs, keras.layers.ReLU()(joined)).save(tmp_path / "m.keras")
    with pytest.raises(UserError) as error:
        read_network(tmp_path / "m.keras")
    assert error.value.code == "kmodel_network_input"


def test_code_inside_a_file_is_not_run(keras, photos, tmp_path):
    layers = [keras.Input((SIDE, SIDE, 3)), keras.layers.Lambda(lambda x: x * 2)]
    keras.Sequential(layers).save(tmp_path / "m.keras")
    text = refused(tmp_path / "m.keras", photos, tmp_path / "m.kmodel")
    assert "kmodel_model_unreadable" in text
    assert "Lambda" in text or "lambda" in text


def test_a_refusal_leaves_an_older_kmodel_alone(keras, photos, tmp_path):
    keras.Sequential([
        keras.Input((SIDE, SIDE, 3)), keras.layers.Conv2D(8, 3, 2, padding="same"),
    ]).save(tmp_path / "m.keras")  # fmt: skip
    out = tmp_path / "old.kmodel"
    out.write_bytes(b"old")
    words = ("compile", tmp_path / "m.keras", "--calibration", photos, "-o", out)
    assert "kmodel_same_stride" in maixforge("kmodel", *words, code=1).stderr
    assert out.read_bytes() == b"old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m.keras", "old.kmodel"]


def test_wrong_usage(saved, photos, tmp_path):
    maixforge("kmodel", "compile", saved / "m.keras", "-o", tmp_path / "m.kmodel", code=2)
    words = ("compile", tmp_path / "none.keras", "--calibration", photos, "-o", tmp_path / "m")
    maixforge("kmodel", *words, code=2)
