"""Checking, splitting and preparing pictures with boxes."""

from __future__ import annotations

import json
import shutil
import zipfile

import pytest
from boxed_pictures import box, boxes, load, told, voc, write_picture, write_text
from labelled_folders import codes

from host.datasets.checks import check
from host.datasets.dataset import Dataset, Sample
from host.datasets.intake import receive
from host.datasets.limits import Rules
from host.datasets.prepare import prepare
from host.datasets.split import VALID_FEW, split
from host.errors import UserError

FEW = Rules(boxes_min=2, boxes_advised=4, boxes_max=10)


def one(seed: int, *objects: str, split: str = "", group: int = -1) -> Sample:
    found = tuple(box("cdb".index(label[0]), 1, 1, 30, 30) for label in objects)
    return Sample(f"{seed}.jpg", 128, 96, boxes=found, split=split, group=group)


def many(tmp_path, samples, labels=("cat", "dog", "bird")) -> Dataset:
    return Dataset("detect", tmp_path, labels, tuple(samples))


def write(folder, **counts: int):
    """A picture with one box for each; the keys are labels, `none` has no boxes."""
    seed = 0
    for label, count in counts.items():
        for _ in range(count):
            seed += 1
            write_picture(folder / f"{seed}.jpg", seed)
            objects = [] if label == "none" else [(label, 5, 5, 50, 60)]
            write_text(folder / f"{seed}.xml", voc(*objects))
    return folder


def checked(folder, rules=FEW) -> Dataset:
    return check(load(folder), rules)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"cat": 4}, {}),
        ({"cat": 3}, {"boxes_few": "warning"}),
        ({"cat": 1}, {"boxes_too_few": "error"}),
        ({"cat": 11}, {"boxes_many": "warning"}),
        ({"none": 3}, {"boxes_none": "error", "pictures_without_boxes": "note"}),
        ({"cat": 4, "none": 2}, {"pictures_without_boxes": "note"}),
        ({"cat": 4, "Cat": 4}, {"label_twice": "error"}),
        ({"cat": 4, "\u732b": 4}, {"label_not_ascii": "error"}),
        ({"cat": 4, "aux": 4}, {"label_reserved": "error"}),
        ({f"c{n}": 1 for n in range(16)}, {"labels_many": "error"}),
    ],
)
def test_counts(tmp_path, counts, expected):
    assert told(checked(write(tmp_path, **counts))) == expected


def test_default_rules():
    """The advice is maix_train's; the floor lets a first try through."""
    rules = Rules()
    assert (rules.boxes_min, rules.boxes_advised, rules.boxes_max) == (5, 100, 2000)


def test_labels_without_boxes_are_dropped(tmp_path):
    write(tmp_path / "images", cat=4, bird=4)
    write_text(tmp_path / "labels.txt", "ant\nbird\nbee\ncat\n")
    dataset = checked(tmp_path)
    assert dataset.labels == ("bird", "cat")
    assert dataset.counts() == {"bird": 4, "cat": 4}
    assert {boxes(dataset, sample)[0][0] for sample in dataset.samples} == {"bird", "cat"}
    (finding,) = dataset.findings
    assert (finding.code, finding.params["names"]) == ("labels_without_boxes", "ant, bee")


def test_boxes_for_testing_do_not_count(tmp_path):
    write(tmp_path / "test", cat=9)
    write(tmp_path / "train", cat=1)
    shutil.move(tmp_path / "train" / "1.jpg", tmp_path / "train" / "x.jpg")
    shutil.move(tmp_path / "train" / "1.xml", tmp_path / "train" / "x.xml")
    write_picture(tmp_path / "train" / "x.jpg", 99)
    assert told(checked(tmp_path)) == {"boxes_too_few": "error"}


def test_the_same_picture_with_the_same_boxes(tmp_path):
    write(tmp_path, cat=5)
    shutil.copy(tmp_path / "1.jpg", tmp_path / "copy.jpg")
    shutil.copy(tmp_path / "1.xml", tmp_path / "copy.xml")
    dataset = checked(tmp_path)
    assert (len(dataset.samples), codes(dataset.findings)) == (5, ["duplicates_dropped"])


@pytest.mark.parametrize("objects", [[("cat", 9, 9, 70, 70)], []])
def test_the_same_picture_with_other_boxes(tmp_path, objects):
    write(tmp_path, cat=5)
    shutil.copy(tmp_path / "1.jpg", tmp_path / "copy.jpg")
    write_text(tmp_path / "copy.xml", voc(*objects))
    dataset = checked(tmp_path)
    assert told(dataset)["picture_with_other_boxes"] == "warning"
    groups = {sample.path: sample.group for sample in dataset.samples}
    assert groups["1.jpg"] == groups["copy.jpg"] >= 0


def test_near_duplicates_of_all_labels_are_grouped(tmp_path):
    write(tmp_path, cat=5)
    write_picture(tmp_path / "again.jpg", 1, quality=30)
    write_text(tmp_path / "again.xml", voc(("dog", 5, 5, 50, 60), ("dog", 60, 5, 90, 60)))
    dataset = checked(tmp_path)
    groups = {sample.path: sample.group for sample in dataset.samples}
    assert groups["1.jpg"] == groups["again.jpg"] >= 0
    assert "near_duplicates" in codes(dataset.findings)


def test_most_pictures_alike(tmp_path):
    write(tmp_path, cat=12)
    for number in range(2, 12):
        write_picture(tmp_path / f"{number}.jpg", 1, quality=60 + number)
    assert told(checked(tmp_path, Rules(boxes_min=1, boxes_advised=1)))["pictures_too_alike"]


def test_no_picture_for_the_labels(tmp_path):
    write_text(tmp_path / "1.xml", voc(("cat", 1, 1, 9, 9)))
    assert told(checked(tmp_path)) == {
        "no_labelled_pictures": "error", "labelled_picture_missing": "warning"
    }  # fmt: skip


def test_a_damaged_picture_takes_its_boxes_with_it(tmp_path):
    write(tmp_path, cat=5)
    whole = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(whole[: len(whole) // 2])
    dataset = checked(tmp_path)
    assert dataset.counts() == {"cat": 4}
    assert told(dataset) == {"picture_truncated": "warning"}


# Splits


def test_split_by_the_rarest_label(tmp_path):
    samples = [one(n, "cat") for n in range(50)]
    samples += [one(50 + n, "cat", "dog") for n in range(10)]
    samples += [one(60 + n) for n in range(20)]
    found = split(many(tmp_path, samples, ("cat", "dog")), 0.2)
    valid = found.of_split("valid")
    assert len(valid) == 16
    assert sum(len(sample.boxes) == 2 for sample in valid) == 2
    assert sum(not sample.boxes for sample in valid) == 4
    assert len(found.of_split("train")) == 64
    assert found.findings == ()


def test_split_is_seeded(tmp_path):
    dataset = many(tmp_path, [one(n, "cat") for n in range(40)], ("cat",))
    assert split(dataset, seed=1) == split(dataset, seed=1)
    assert split(dataset, seed=1) != split(dataset, seed=2)


def test_groups_stay_together_whatever_their_labels(tmp_path):
    samples = [one(n, *(["cat"], ["dog"], [])[n % 3], group=n // 3) for n in range(90)]
    for seed in range(10):
        found = split(many(tmp_path, samples, ("cat", "dog")), seed=seed)
        sides = {}
        for sample in found.samples:
            sides.setdefault(sample.group, set()).add(sample.split)
        assert all(len(side) == 1 for side in sides.values())
        assert 10 <= len(found.of_split("valid")) <= 26


def test_a_split_that_the_data_bring_is_kept(tmp_path):
    samples = [one(n, "cat", split="train") for n in range(40)]
    samples += [one(40 + n, "cat", split="valid") for n in range(VALID_FEW)]
    samples += [one(50, "cat", split="test"), one(51, "dog", split="train"), one(52)]
    found = split(many(tmp_path, samples, ("cat", "dog")))
    assert [s.split for s in found.samples] == [
        *["train"] * 40, *["valid"] * VALID_FEW, "test", "train", "train"
    ]  # fmt: skip
    assert [(f.code, f.path, f.severity) for f in found.findings] == [
        ("class_without_validation", "dog", "warning")
    ]


def test_training_pictures_validate_where_nothing_does(tmp_path):
    samples = [one(n, "cat", split="train") for n in range(20)]
    found = split(many(tmp_path, samples, ("cat",)))
    assert len(found.of_split("valid")) == 4


def test_near_duplicates_on_both_sides_train(tmp_path):
    samples = [one(n, "cat", split="train") for n in range(10)]
    samples[0] = one(0, "cat", split="train", group=7)
    samples += [one(20 + n, "cat", split="valid") for n in range(6)]
    samples.append(one(40, "cat", split="valid", group=7))
    found = split(many(tmp_path, samples, ("cat",)))
    assert found.samples[-1].split == "train"
    assert codes(found.findings) == ["validation_moved"]


# Prepare


@pytest.mark.parametrize("size", [32, 224])
def test_prepare(tmp_path, size):
    """The boxes of 128x96 pictures, kept or scaled with them."""
    write(tmp_path / "in" / "train", cat=20, none=4)
    write(tmp_path / "in" / "valid", cat=20)
    for path in (tmp_path / "in" / "valid").glob("*.jpg"):
        write_picture(path, 100 + int(path.stem))
    made = prepare(tmp_path / "in", tmp_path / "out.zip", size)
    assert (made.task, made.counts) == ("detect", {"cat": 40})
    again = prepare(tmp_path / "in", tmp_path / "again.zip", size)
    assert made.path.read_bytes() == again.path.read_bytes()
    dataset = check(load(receive(tmp_path / "out.zip", tmp_path / "job")))
    assert dataset.errors() == ()
    scale = min(1, 2 * size / 128)
    for sample in dataset.samples:
        assert (sample.width, sample.height) == (128 * scale, 96 * scale)
        assert sample.split in ("train", "valid")
        expected = (4 * scale, 4 * scale, 50 * scale, 60 * scale)
        for _, *edges in boxes(dataset, sample):
            assert edges == pytest.approx(expected, abs=0.5)
    assert sum(not sample.boxes for sample in dataset.samples) == 4


def test_prepare_refuses_errors(tmp_path):
    write(tmp_path / "in", cat=3)
    with pytest.raises(UserError) as refusal:
        prepare(tmp_path / "in", tmp_path / "out.zip")
    assert refusal.value.code == "boxes_too_few"
    assert not (tmp_path / "out.zip").exists()


def test_a_zip_of_every_kind_is_received(tmp_path):
    """A zip is unpacked into the job; pictures of records lie beside it."""
    write(tmp_path / "in", cat=3)
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for path in sorted((tmp_path / "in").iterdir()):
            archive.write(path, f"pets/{path.name}")
    dataset = load(receive(tmp_path / "data.zip", tmp_path / "job"))
    assert [sample.path for sample in dataset.samples] == [f"pets/{n}.jpg" for n in (1, 2, 3)]
    assert json.dumps(dataset.counts()) == '{"cat": 3}'
