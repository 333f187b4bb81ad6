"""The benchmark of quantization runs on every kind of network, with tiny inputs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import networks, quantize
from host.errors import UserError
from host.kmodel import canmv
from host.trainer.options import options_for

COLOURS = {"Apple": (200, 40, 40), "Pear": (60, 190, 60)}


def picture(label, number):
    """A square of the class's colour, of another size and place on another ground each time."""
    rng = np.random.default_rng([len(label), number])
    pixels = rng.integers(0, 90, 3) + rng.integers(0, 30, (150, 150, 3))
    left, top, side = (int(v) for v in rng.integers([10, 10, 60], [40, 40, 100]))
    pixels[top : top + side, left : left + side] = COLOURS[label] + rng.integers(0, 30, 3)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def sources(tmp_path):
    """A zip with a folder for each class, a Grocery Store data set, and three photos."""
    names = "digits.zip", "grocery", "imagenet", "google.tar.gz"
    found = networks.Sources(*(tmp_path / name for name in names))
    dataset = found.grocery / "dataset"
    with zipfile.ZipFile(found.digits, "w") as archive:
        for label in COLOURS:
            (dataset / label).mkdir(parents=True)
            for number in range(12):
                path = dataset / label / f"{number:02}.png"
                picture(label, number).save(path)
                archive.write(path, f"{label}/{number:02}.png")
    header = "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int)"
    rows = [header, "Pink-Lady,0,Apple,0", "Anjou,1,Pear,1", "Conference,2,Pear,1"]
    (dataset / "classes.csv").write_text("\n".join(rows) + "\n")
    for file, numbers in {"train": range(8), "val": [8], "test": range(9, 12)}.items():
        rows = [f"Apple/{n:02}.png, 0, 0\nPear/{n:02}.png, {1 + n % 2}, 1\n" for n in numbers]
        (dataset / f"{file}.txt").write_text("".join(rows))
    found.imagenet.mkdir()
    for number, size in enumerate([(300, 260), (260, 300), (256, 256)]):
        photo = Image.new("RGB", size, (number * 80, 0, 0))
        photo.save(found.imagenet / f"n0000000{number}_thing.JPEG")
    return found


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Networks of a few seconds, and trainings and weights in a folder of the test's own."""

    def quick(preset, **overrides):
        few = {"size": 128, "views": 1, "head_epochs": 6, "tune_blocks": 0}
        return options_for(preset, **{**few, **overrides, "backbone": "mobilenet_1.0_cut6"})

    monkeypatch.setattr(networks, "options_for", quick)
    monkeypatch.setattr(networks, "BUILD", tmp_path / "build")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def columns(text, name):
    """The cells of a line of the table."""
    (found,) = (row for row in text.splitlines() if row.startswith(f"| {name} |"))
    return [cell.strip() for cell in found.strip("|").split("|")]


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_digits_from_the_zip_to_the_table(sources, capsys):
    case = networks.case_of("digits", sources)
    assert case.calibration.shape[1:] == case.test.shape[1:] == (128, 128, 3)
    assert len(case.truth) == len(case.test)
    assert set(case.truth) == {0, 1}
    quantize.report("digits", case, quantize.RULES, 0)
    printed = capsys.readouterr().out
    assert columns(printed, "float")[2:4] == ["1.000", "1.0000 / 1.0000"]
    ours = columns(printed, "ours")
    assert float(ours[3].split("/")[0]) > 0.98
    assert int(ours[4].replace(",", "")) > 10_000


@pytest.mark.usefixtures("small")
def test_nncase_is_judged_on_some_of_the_same_pictures(sources, capsys, monkeypatch):
    try:
        named = os.environ.get("TEST_NNCASE_PYTHON")
        canmv.find_python(Path(named) if named else None)
    except UserError:
        pytest.skip("no interpreter with nncase: make nncase, or TEST_NNCASE_PYTHON names one")
    monkeypatch.setattr(networks, "CALIBRATION", 4)
    case = networks.case_of("grocery-1.0", sources)
    row = quantize.vendor(case, 4)
    assert row.places.tolist() == [0, 2, 3, 5]
    wanted = case.model.predict(case.test, verbose=0)[row.places]
    np.testing.assert_allclose(row.scores, wanted, atol=0.25)
    monkeypatch.setattr(quantize, "vendor", lambda case, count: row)
    quantize.report("grocery", case, {"ours": quantize.OURS}, 4)
    printed = capsys.readouterr().out
    assert columns(printed, "float, the same 4")[2] == "1.000"
    ours = columns(printed, "ours, the same 4")
    theirs = columns(printed, "nncase 1.9, 4 pictures")
    sizes = [int(cells[4].replace(",", "")) for cells in (ours, theirs)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.1)  # ours has copies


def test_coarse_classes_and_their_lists(sources, monkeypatch):
    monkeypatch.setitem(networks.LIMITS, "train", 3)
    found = networks.grocery(sources.grocery)
    assert found.labels == ("Apple", "Pear")
    assert [s.path for s in found.of_split("train")][:3] == [
        "Apple/00.png", "Apple/04.png", "Apple/07.png"
    ]  # fmt: skip
    assert [(s.path, s.label) for s in found.of_split("valid")] == [
        ("Apple/08.png", 0), ("Pear/08.png", 1)
    ]  # fmt: skip
    assert len(found.of_split("test")) == 6
    assert networks.grocery_options("0.25").backbone == "mobilenet_0.25_cut13"
    assert networks.grocery_options("1.0").backbone == "mobilenet_1.0_cut12"


def test_photos_keep_the_number_of_their_class(sources, monkeypatch):
    monkeypatch.setattr(networks, "CALIBRATION", 1)
    monkeypatch.setattr(networks, "mobilenet", lambda width, weights: (width, weights.name))
    case = networks.case_of("imagenet-0.25", sources)
    assert case.model == (0.25, "mobilenet_2_5_224_tf.h5")
    assert case.calibration.shape == (1, 224, 224, 3)
    # The red of a photo says which it is.
    np.testing.assert_allclose(case.test[:, 100, 100, 0], case.truth * 80, atol=2)
    assert len(case.truth) == 2


def test_the_padding_is_the_same_on_all_sides(tmp_path):
    keras = pytest.importorskip("keras")
    source = keras.applications.MobileNet(alpha=0.25, weights=None)
    source.save_weights(tmp_path / "any.weights.h5")
    model = networks.mobilenet(0.25, tmp_path / "any.weights.h5")
    assert model.output_shape == (None, 1000)
    pads = [one.padding for one in model.layers if isinstance(one, keras.layers.ZeroPadding2D)]
    assert pads == [((1, 1), (1, 1))] * 5
    for name in ("conv1", "conv_dw_6", "conv_pw_13_bn"):
        pairs = zip(source.get_layer(name).weights, model.get_layer(name).weights, strict=True)
        assert all(np.array_equal(*pair) for pair in pairs)


def test_the_full_network_of_the_archive(sources, monkeypatch):
    """Every layer gets its own weights, and class 0 is the first behind the background."""
    rng = np.random.default_rng(0)
    model = networks.backbone.build(networks.backbone.Backbone(1.0, 13), (224, 224), 1001)
    constants = {}
    for layer, source, kernel in networks.import_mobilenet.layers(13):
        names = [kernel, *(f"BatchNorm/{one}" for one in networks.import_mobilenet.BATCH_NORM)]
        variables = model.get_layer(layer).weights + model.get_layer(f"{layer}_bn").weights
        for name, variable in zip(names, variables, strict=True):
            values = rng.random(variable.shape, np.float32)
            constants[f"MobilenetV1/{source}/{name}"] = values
            variable.assign(values)
        constants[f"MobilenetV1/MobilenetV1/{source}/BatchNorm/batchnorm/add/y"] = 1e-3
    kernel, bias = rng.random((1024, 1001), np.float32), rng.random(1001, np.float32)
    constants["MobilenetV1/Logits/Conv2d_1c_1x1/weights"] = kernel[None, None]
    constants["MobilenetV1/Logits/Conv2d_1c_1x1/biases"] = bias
    monkeypatch.setattr(networks.import_mobilenet, "read_graph", lambda path: constants)
    monkeypatch.setattr(networks, "CALIBRATION", 1)
    found = networks.case_of("imagenet-1.0", sources).model
    assert found.output_shape == (None, 1000)
    *wanted, head, offset = (one.numpy() for one in model.weights)
    *same, found_head, found_offset = (one.numpy() for one in found.weights)
    assert all(np.array_equal(*pair) for pair in zip(wanted, same, strict=True))
    assert np.array_equal(found_head, kernel[:, 1:]) and head.shape == kernel.shape
    assert np.array_equal(found_offset, bias[1:]) and offset.shape == bias.shape


def test_seconds_of_this_process_and_its_children():
    start = quantize.Seconds.now()
    subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)
    spent = quantize.Seconds.now().since(start)
    assert spent.processor > 0.05
    assert spent.wall > 0.05


def test_cosines_compare_logits():
    logits = np.array([[0.0, 3.0, -40.0], [1.0, 0.0, -1.0]])

    def softmax(values):
        return np.exp(values) / np.exp(values).sum(1, keepdims=True)

    same = quantize.cosines(softmax(logits), softmax(logits))
    np.testing.assert_allclose(same, 1)
    turned = quantize.cosines(softmax(logits), softmax(-logits))
    np.testing.assert_allclose(turned, -1)


def test_what_is_missing_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    command = ["quantize", "--networks", "digits,grocery-1.0,imagenet-0.25"]
    for option in ("digits", "grocery", "imagenet", "archive"):
        command += [f"--{option}", str(tmp_path / option)]
    monkeypatch.setattr(sys, "argv", command)
    quantize.main()
    printed = capsys.readouterr().out
    assert printed.count("left out") == 3
    assert str(tmp_path / "grocery" / "dataset" / "classes.csv") in printed
    (tmp_path / "imagenet").mkdir()
    monkeypatch.setattr(sys, "argv", [*command, "--networks", "imagenet-0.25"])
    quantize.main()
    assert "mobilenet_2_5_224_tf.h5" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [*command, "--networks", "imagenet-1.0"])
    quantize.main()
    assert str(tmp_path / "archive") in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [*command, "--networks", "nothing"])
    with pytest.raises(SystemExit):
        quantize.main()
