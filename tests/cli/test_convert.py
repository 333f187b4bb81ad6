"""`maixforge convert` and `maixforge check` for pictures with boxes."""

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from host.cli import main
from host.datasets import formats


def maixforge(*words, code=0) -> str:
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.stdout if "--json" in words else done.output


@pytest.fixture
def pets(tmp_path) -> Path:
    """Pictures with boxes as labelImg leaves them: six with a cat, one with nothing."""
    folder = tmp_path / "pets"
    folder.mkdir()
    for number in range(1, 8):
        Image.effect_noise((90 + number, 60), 50 + number).save(folder / f"{number}.png")
        box = "<xmin>5</xmin><ymin>6</ymin><xmax>40</xmax><ymax>50</ymax>"
        one = f"<object><name>cat</name><bndbox>{box}</bndbox></object>"
        size = f"<size><width>{90 + number}</width><height>60</height></size>"
        text = f"<annotation>{size}{one if number < 7 else ''}</annotation>"
        (folder / f"{number}.xml").write_text(text)
    return folder


@pytest.mark.parametrize("kind", ["voc", "yolo", "coco"])
def test_convert(pets, tmp_path, kind):
    answer = json.loads(maixforge("convert", pets, tmp_path / "out", "--to", kind, "--json"))
    assert answer["counts"] == {"cat": 6}
    assert (answer["pictures"], answer["format"]) == (7, kind)
    found = formats.load(tmp_path / "out")
    assert [len(sample.boxes) for sample in found.samples] == [1, 1, 1, 1, 1, 1, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pets"]


def test_convert_a_zip_and_say_so_in_chinese(pets, tmp_path):
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in sorted(pets.iterdir()):
            archive.write(path, path.name)
    said = maixforge(
        "--lang", "zh", "convert", tmp_path / "pets.zip", tmp_path / "new" / "out", "--to", "yolo"
    )
    assert "已写入" in said and "7 张图片" in said
    assert (tmp_path / "new" / "out" / "data.yaml").is_file()


def test_a_zip_of_records(tmp_path, root, monkeypatch):
    """Their pictures pass through a temporary folder, of which nothing stays."""
    monkeypatch.syspath_prepend(root / "tests" / "datasets")
    from boxed_pictures import boxes_of, example, record
    from test_vott import jpeg

    made = [
        example(image__encoded=[jpeg(seed)], **boxes_of(("cat", 0.1, 0.1, 0.6, 0.7)))
        for seed in range(6)
    ]
    with zipfile.ZipFile(tmp_path / "cards.zip", "w") as archive:
        for number, data in enumerate(made):
            archive.writestr(f"export/{number}.tfrecord", record(data))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    assert "cat        6" in maixforge("check", tmp_path / "cards.zip")
    maixforge("convert", tmp_path / "cards.zip", tmp_path / "out", "--to", "coco")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert formats.load(tmp_path / "out").counts() == {"cat": 6}


def test_convert_overwrites_nothing(pets, tmp_path):
    (tmp_path / "out").mkdir()
    assert "[convert_exists]" in maixforge("convert", pets, tmp_path / "out", "--to", "voc", code=1)
    assert list((tmp_path / "out").iterdir()) == []


def test_convert_loses_nothing(pets, tmp_path):
    """A label that labels.txt does not have would be left out: refused."""
    (pets / "labels.txt").write_text("dog\n")
    said = maixforge("convert", pets, tmp_path / "out", "--to", "voc", code=1)
    assert "[label_unknown]" in said
    assert not (tmp_path / "out").exists()


def test_convert_refuses_class_folders(tmp_path):
    (tmp_path / "in" / "cat").mkdir(parents=True)
    Image.new("RGB", (50, 50)).save(tmp_path / "in" / "cat" / "1.png")
    said = maixforge("convert", tmp_path / "in", tmp_path / "out", "--to", "coco", code=1)
    assert "[convert_classes]" in said
    assert not (tmp_path / "out").exists()


def test_convert_names_a_damaged_picture(pets, tmp_path):
    (pets / "3.png").write_bytes(b"\x89PNG no")
    answer = json.loads(maixforge("convert", pets, tmp_path / "out", "--to", "yolo", "--json"))
    assert answer["pictures"] == 6
    assert [one["path"] for one in answer["findings"] if one["severity"] == "warning"] == ["3.png"]


@pytest.mark.parametrize("words", [["--to", "csv"], []])
def test_convert_wrong_usage(pets, tmp_path, words):
    maixforge("convert", pets, tmp_path / "out", *words, code=2)


def test_check_shows_boxes(pets):
    said = maixforge("check", pets)
    assert "class  boxes" in said and "cat        6" in said
    assert "7 pictures, 1 of them without boxes" in said
    assert "This can be trained." in said
    answer = json.loads(maixforge("check", pets, "--json"))
    assert (answer["task"], answer["pictures"], answer["counts"]) == ("detect", 7, {"cat": 6})
