"""From the collector's screen to a detector: its own card is checked and trained on as it is."""

import io
import json

import pytest
from click.testing import CliRunner
from collecting import ONE
from hands import Hands
from PIL import Image
from test_collect_detect import one_box
from test_collect_detect_readers import write

from host.cli import main
from host.deploy.board import render
from host.emulator import board as virtual
from host.jobs import pipeline
from host.jobs.spec import JobSpec
from samples.scatter import picture

PICTURES = 8
TINY = {
    "backbone": "mobilenet_1.0_cut6", "neck": 32, "head_epochs": 1, "tune_epochs": 0, "batch": 2,
    "mosaic": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    """A folder as on the card: eight pictures, a box on each."""
    hands = Hands(ONE)
    for _ in range(PICTURES):
        one_box(hands).hold(1000).wait(600)
    scenes = [Image.open(io.BytesIO(picture(n, 9)[0])).resize((320, 240)) for n in range(1, 9)]
    result = virtual.run(
        render("collect_detect", {}), card={"classes.txt": b"# name: desk\npart\n"},
        keys=hands.keys, camera=scenes, camera_ms=hands.now // PICTURES, until_ms=hands.now + 800,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("card")
    write(folder, result.files)
    return folder / "maixforge" / "desk"


def test_check_accepts_it(dump):
    done = CliRunner().invoke(main, ["check", str(dump), "--json"])
    found = json.loads(done.stdout)
    drawn = sum(path.read_text().count("<object>") for path in dump.glob("xml/*.xml"))
    assert drawn >= PICTURES
    assert (done.exit_code, found["task"], found["counts"]) == (0, "detect", {"part": drawn})
    assert not [one for one in found["findings"] if one["severity"] == "error"]


def test_it_trains(dump, tmp_path):
    spec = JobSpec(str(dump), name="desk", size=128, overrides=TINY)
    result = pipeline.run(tmp_path, spec, lambda _: None)
    assert (result["task"], result["labels"]) == ("detect", ["part"])
    assert (tmp_path / "sd.zip").stat().st_size > 100_000
