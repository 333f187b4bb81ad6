"""The command line as a user meets it: real processes, exit codes, one JSON object on stdout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TINY = ["--preset", "fast", "--size", "128", "--backbone", "mobilenet_1.0_cut6",
        "--set", "views=1", "--set", "head_epochs=20", "--set", "tune_blocks=1",
        "--set", "tune_epochs=1"]  # fmt: skip


def maixforge(*words, code=0, cwd=None, **environment):
    environment = {**os.environ, "LANG": "C", **environment}
    done = subprocess.run(
        [sys.executable, "-m", "host.cli", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=cwd, env=environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def answer(*words, code=0, **more):
    done = maixforge(*words, "--json", code=code, **more)
    return json.loads(done.stdout)


def picture(rng, hue, size=140):
    """Return a noisy picture whose main colour tells its class."""
    pixels = rng.normal(110, 30, (size, size, 3))
    pixels[..., hue] += 90
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "colours"
    rng = np.random.default_rng(5)
    for hue, label in enumerate(("red", "green", "blue")):
        (folder / label).mkdir(parents=True)
        for number in range(42):
            picture(rng, hue).save(folder / label / f"{number}.jpg", quality=90)
    return folder


@pytest.fixture(scope="module")
def held_back(tmp_path_factory):
    folder = tmp_path_factory.mktemp("test") / "more"
    rng = np.random.default_rng(6)
    for hue, label in enumerate(("red", "green")):
        (folder / label).mkdir(parents=True)
        for number in range(5):
            picture(rng, hue).save(folder / label / f"{number}.jpg", quality=90)
    return folder


@pytest.fixture(scope="module")
def trained(data, held_back, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "out"
    return out, answer("train", data, "-o", out, "--test", held_back, *TINY)


def test_train_answers_with_one_object(trained):
    out, result = trained
    assert result["task"] == "classify"
    assert result["labels"] == ["blue", "green", "red"]
    assert result["float"]["accuracy"] > 0.9
    assert result["int8"]["accuracy"] > 0.9
    assert result["test"]["float"] > 0.6 and result["test"]["int8"] > 0.6  # ten pictures
    assert result["kmodel_bytes"] == (out / "m.kmodel").stat().st_size
    assert result["ram_bytes"] > result["kmodel_bytes"]
    assert result["ms"] > 0 and result["seconds"] > 0
    assert (out / "report" / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "report" / "layers.png").read_bytes().startswith(b"\x89PNG")
    layers = result["report"]["layers"]
    assert [one["name"] for one in layers[:2]] == ["conv1", "conv_dw_1"]
    assert all(one["sqnr_db"] > 10 for one in layers if one["sqnr_db"] is not None)
    assert abs(sum(one["ms"] for one in layers) - result["ms"]) < 0.2
    with zipfile.ZipFile(result["sd_zip"]) as card:
        assert {"boot.py", "m.kmodel", "labels.txt", "start.jpg", "README.txt"} <= set(
            card.namelist()
        )
        assert card.read("labels.txt") == b"blue\ngreen\nred\n"
        assert card.read("m.kmodel") == (out / "m.kmodel").read_bytes()
    with zipfile.ZipFile(result["kfpkg"]) as flash:
        assert json.loads(flash.read("flash-list.json"))["files"][0]["address"] == 0x300000


@pytest.mark.slow
def test_same_seed_same_bytes(trained, data, held_back, tmp_path):
    out, _ = trained
    again = answer("train", data, "-o", tmp_path / "again", *TINY)
    for name in ("kmodel", "sd_zip", "kfpkg"):
        path = Path(again[name])
        assert path.read_bytes() == (out / path.name).read_bytes(), name


def test_simulate_gives_label_and_score(trained, tmp_path):
    out, _ = trained
    path = tmp_path / "new.jpg"
    picture(np.random.default_rng(9), 2, 300).save(path)
    found = answer("kmodel", "simulate", out / "m.kmodel", path, "--labels",
                   labels_file(tmp_path))["images"][0]  # fmt: skip
    assert found["label"] == "blue" and found["score"] > 0.5
    assert len(found["output"]) == 3
    assert sum(found["output"]) == pytest.approx(1, abs=1e-5)


def labels_file(folder):
    (folder / "labels.txt").write_text("blue\ngreen\nred\n")
    return folder / "labels.txt"


def test_package_command(trained, tmp_path):
    out, _ = trained
    made = answer("package", out / "m.kmodel", "-o", tmp_path / "pack", "--labels",
                  labels_file(tmp_path), "--name", "Colours", "--board", "m5stickv")  # fmt: skip
    with zipfile.ZipFile(made["sd_zip"]) as card:
        assert b"m5stickv" in card.read("boot.py")


def test_labels_that_do_not_fit_are_refused(trained, tmp_path):
    out, _ = trained
    (tmp_path / "two.txt").write_text("a\nb\n")
    failed = answer("package", out / "m.kmodel", "-o", tmp_path / "pack", "--labels",
                    tmp_path / "two.txt", code=1)  # fmt: skip
    assert failed["error"] == "labels_do_not_fit"
    assert not (tmp_path / "pack" / "sd.zip").exists()


def test_a_model_too_large_for_the_firmware_is_refused_before_training(data, tmp_path):
    out = tmp_path / "out"
    failed = answer("train", data, "-o", out, "--firmware", "full", code=1)
    assert failed["error"].startswith("model_too_large")
    assert "mobilenet_1.0_cut11" in failed["findings"][0]["fix"]
    assert not (out / "training").exists() and not (out / "m.kmodel").exists()


def test_check(data):
    found = answer("check", data)
    assert found["task"] == "classify"
    assert found["counts"] == {"blue": 42, "green": 42, "red": 42}
    assert set(found) == {"task", "labels", "counts", "pictures", "findings"}


def test_check_says_what_is_wrong(data, tmp_path):
    few = tmp_path / "few"
    (few / "red").mkdir(parents=True)
    for number in range(39):
        (few / "red" / f"{number}.jpg").write_bytes((data / "red" / f"{number}.jpg").read_bytes())
    found = answer("check", few, code=1)
    codes = {one["code"] for one in found["findings"]}
    assert codes == {"classes_too_few", "class_too_small"}
    for one in found["findings"]:
        assert {"code", "path", "found", "needed", "fix"} <= set(one)


def test_prepare_makes_a_zip_that_check_accepts(data, tmp_path):
    out = tmp_path / "data.zip"
    made = answer("prepare", data, "-o", out, "--size", "128", "--fit", "letterbox")
    assert made["counts"] == {"blue": 42, "green": 42, "red": 42}
    with zipfile.ZipFile(out) as archive:
        first = archive.open(archive.namelist()[0])
        assert Image.open(first).size == (128, 128)
    assert not [one for one in answer("check", out)["findings"] if one["severity"] == "error"]


def test_a_damaged_kmodel_is_named(tmp_path):
    path = tmp_path / "m.kmodel"
    path.write_bytes(b"\x03\0\0\0" + b"\xff" * 40)
    Image.new("RGB", (10, 10)).save(tmp_path / "x.png")
    failed = answer("kmodel", "simulate", path, tmp_path / "x.png", code=1)
    assert failed["error"] == "kmodel_damaged"


def test_a_used_output_folder_is_left_alone(data, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    failed = answer("train", data, "-o", tmp_path, code=1)
    assert failed["error"] == "output_folder_used"
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


def test_held_back_data_with_a_new_class_is_refused(data, held_back, tmp_path):
    extra = tmp_path / "test" / "yellow"
    extra.mkdir(parents=True)
    picture(np.random.default_rng(1), 0).save(extra / "1.jpg")
    failed = answer("train", data, "-o", tmp_path / "o", "--test", extra.parent, code=1)
    assert failed["error"] == "test_label_unknown"


@pytest.mark.parametrize(
    "words",
    [
        ("train",),
        ("check",),
        ("nonsense",),
        ("train", ".", "-o", "x", "--preset", "slow"),
        ("kmodel", "simulate", "no-such-file", "."),
    ],
)
def test_wrong_usage_is_exit_code_2(words):
    assert maixforge(*words, code=2).stdout == ""


@pytest.mark.parametrize(
    ("knob", "code"),
    [
        ("views=many", "train_option_invalid"),
        ("no_such_knob=1", "train_option_unknown"),
        ("views", "train_option_invalid"),
    ],
)
def test_a_wrong_knob_is_named(data, tmp_path, knob, code):
    failed = answer("train", data, "-o", tmp_path / "o", "--set", knob, code=1)
    assert (failed["error"], failed["findings"][0]["path"]) == (code, knob.partition("=")[0])


def test_messages_in_chinese(tmp_path):
    done = maixforge("--lang", "zh", "check", tmp_path / "missing", code=1)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in done.stderr)


def test_jobs_of_an_empty_host(tmp_path):
    assert answer("jobs", MAIXFORGE_DATA=str(tmp_path / "data")) == {"jobs": []}
