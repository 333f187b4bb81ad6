"""A detector that has really learnt: the figures, the card on the virtual board, equal bytes."""

import zipfile

import detecting
import numpy as np
import pytest
from PIL import Image
from test_detect_job import LABELS, TINY, job, sample_boxes

from host.emulator import board as virtual
from samples.scatter import render

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def done(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("job") / "job"
    data = root / "samples" / "sample_boxes" / "maixforge" / "scattered"
    return folder, job(folder, data, preset="fast", size=224, overrides={"stride": 16})


def test_it_finds_most_parts_and_loses_little_by_int8(done):
    _, result = done
    assert result["float"]["map50"] > 0.65
    assert result["int8"]["map50"] > result["float"]["map50"] - 0.03


@pytest.mark.parametrize("board", [virtual.BIT, virtual.CUBE], ids=lambda board: board.name)
def test_its_card_draws_what_the_host_decodes(done, tmp_path, board):
    """boot.py as it is in the zip; pictures of another seed, never trained on."""
    folder, result = done
    with zipfile.ZipFile(folder / "sd.zip") as archive:
        card = {name: archive.read(name) for name in archive.namelist()}
    new = render(tmp_path / "new", seed=7, pictures=6)
    found = 0
    for path in sorted((new / "images").iterdir()):
        scene = Image.open(path).convert("RGB").resize((320, 240))
        shown = virtual.run(
            card["boot.py"], card=card, kpu="card", camera=[scene], board=board, until_ms=1500
        )
        frame = detecting.seen(scene, (224, 224))
        wanted = detecting.boxes(
            card["m.kmodel"], frame, (224, 224), (14, 14), result["anchors"],
            result["threshold"], result["nms"],
        )  # fmt: skip
        if len(wanted) > 10:
            assert shown.last.says("Too many objects")
            continue
        detecting.same(detecting.printed(shown.json_lines()[-1]), wanted)
        detecting.same_screen(shown, frame, wanted, board, LABELS)
        found += len(wanted)
    assert found >= 6


def test_the_same_seed_gives_the_same_card(root, tmp_path):
    data = sample_boxes(root, tmp_path / "data", range(1, 25))
    results = [job(tmp_path / name, data, overrides=TINY) for name in ("a", "b")]
    cards = [(tmp_path / name / "sd.zip").read_bytes() for name in ("a", "b")]
    assert cards[0] == cards[1]
    assert results[0]["report"]["int8"] == results[1]["report"]["int8"]
    other = job(tmp_path / "c", data, overrides=TINY, seed=1)
    assert (tmp_path / "c" / "sd.zip").read_bytes() != cards[0]
    assert not np.array_equal(other["anchors"], results[0]["anchors"])
