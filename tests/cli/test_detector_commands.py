"""Commands around detectors: the order, the summary, the package."""

import json
import zipfile

import colour_detector
import detecting
import pytest
from click.testing import CliRunner

from host.cli import main
from host.jobs import pipeline

RESULT = {
    "task": "detect", "labels": ["cat"], "float": {"map50": 0.912, "map": 0.5},
    "int8": {"map50": 0.861, "map": 0.47}, "threshold": 0.35, "nms": 0.4,
    "test": {"float": {"map50": 0.8, "map": 0.4}, "int8": {"map50": 0.79, "map": 0.4}},
    "kmodel": "m.kmodel", "sd_zip": "sd.zip", "kfpkg": "model.kfpkg", "kmodel_bytes": 1_000_000,
    "ram_bytes": 1_100_000, "ms": 50.2, "seconds": 61.0,
}  # fmt: skip


def maixforge(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def orders(monkeypatch):
    """The specs that `train` hands to the pipeline, which trains nothing."""
    given = []
    monkeypatch.setattr(pipeline, "run", lambda _folder, spec, _tell: given.append(spec) or RESULT)
    return given


def test_the_summary_of_a_detector(orders, tmp_path):
    done = maixforge("train", tmp_path, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for text in ("0.912 | 0.861", "0.500 | 0.470", "0.800 | 0.790", "0.35, 0.4", "1,100,000"):
        assert text in done.stderr
    assert "5.1 points of mAP50" in done.stderr


@pytest.mark.parametrize(
    ("words", "size", "fit"),
    [((), 224, ""), (("--size", "240", "--fit", "crop"), 240, "crop"),
     (("--size", "320x240"), (320, 240), "")],
)  # fmt: skip
def test_sizes_and_fit_of_an_order(orders, tmp_path, words, size, fit):
    assert maixforge("train", tmp_path, "-o", tmp_path / "out", *words).exit_code == 0
    assert (orders[0].size, orders[0].fit) == (size, fit)
    written = json.loads((tmp_path / "out" / "spec.json").read_text())
    assert written["size"] == (list(size) if isinstance(size, tuple) else size)


@pytest.mark.parametrize("size", ["big", "1x2x3", "320x", "-5"])
def test_a_size_that_is_none(tmp_path, size):
    done = maixforge("train", tmp_path, "-o", tmp_path / "out", f"--size={size}")
    assert done.exit_code == 2 and "320x240" in done.stderr


def test_package_of_a_detector(tmp_path):
    (tmp_path / "m.kmodel").write_bytes(colour_detector.network())
    (tmp_path / "labels.txt").write_text("red\ngreen\n")
    anchors = ", ".join(map(str, colour_detector.ANCHORS))
    words = ("package", tmp_path / "m.kmodel", "-o", tmp_path / "out", "--labels",
             tmp_path / "labels.txt", "--nms", "0.25", "--threshold", "0.6")  # fmt: skip
    done = maixforge(*words, "--anchors", anchors)
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(tmp_path / "out" / "sd.zip") as archive:
        settings = detecting.settings_of(archive.read("boot.py"))
    assert settings["anchors"] == list(colour_detector.ANCHORS)
    assert (settings["nms"], settings["threshold"]) == (0.25, 0.6)
    for wrong in ("", "1,2,3", "1 2 3 4 5 6 7 8 9 inf"):
        assert maixforge(*words, "--anchors", wrong).exit_code == 1
