"""Findings of a data set: all at once, readable, and with the right weight."""

from __future__ import annotations

import shutil

import pytest
from labelled_folders import FEW, codes, picture, write_class, write_classes
from PIL import Image

from host.datasets.checks import check
from host.datasets.formats import load
from host.datasets.limits import Limits, Rules
from host.errors import UserError, describe


@pytest.fixture
def folder(tmp_path):
    """A data set of three classes with nothing to complain about under the rules `FEW`."""
    return write_classes(tmp_path / "data", {"cat": 5, "cow": 5, "dog": 5})


def checked(folder, rules=FEW, **options):
    dataset = check(load(folder), rules, **options)
    for finding in dataset.findings:
        assert describe(finding).encode()
    return dataset


def finding(dataset, code):
    (found,) = [finding for finding in dataset.findings if finding.code == code]
    return found


def test_nothing_to_say(folder):
    seen = []
    dataset = checked(folder, progress=lambda *counts: seen.append(counts))
    assert dataset.findings == ()
    assert dataset.counts() == {"cat": 5, "cow": 5, "dog": 5}
    assert {(sample.width, sample.height, sample.group) for sample in dataset.samples} == {
        (96, 96, -1)
    }
    assert seen == [(done, 15) for done in range(1, 16)]


def test_stopping_a_check(folder):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checked(folder, progress=stop)


@pytest.mark.parametrize(
    ("counts", "rules", "expected"),
    [
        ({"cat": 4}, FEW, [("classes_too_few", "error", "")]),
        ({"cat": 4, "dog": 4}, FEW, [("classes_few", "warning", "")]),
        ({"a": 4, "b": 3, "c": 4}, FEW, [("class_too_small", "error", "b")]),
        ({"a": 2, "b": 3, "c": 4}, FEW, [("class_too_small", "error", "a"),
                                          ("class_too_small", "error", "b")]),
        ({"a": 4, "b": 7, "c": 6}, Rules(images_min=4, images_max=6),
         [("class_too_large", "error", "b")]),
        (dict.fromkeys("abcd", 1), Rules(classes_max=3), [("classes_too_many", "error", "")]),
    ],
)  # fmt: skip
def test_counts(tmp_path, counts, rules, expected):
    dataset = checked(write_classes(tmp_path / "data", counts), rules)
    assert [(f.code, f.severity, f.path) for f in dataset.findings] == expected


def test_default_rules_are_those_of_the_guide():
    rules = Rules()
    assert (rules.classes_min, rules.classes_advised, rules.classes_max) == (2, 3, 15)
    assert (rules.images_min, rules.images_max) == (40, 2000)


def test_no_pictures(tmp_path):
    (tmp_path / "readme.txt").touch()
    assert codes(checked(tmp_path).findings) == ["no_pictures", "other_files"]


def test_test_pictures_do_not_count(folder):
    write_class(folder / "test" / "cat", 5, seed=9)
    shutil.rmtree(folder / "cat")
    write_class(folder / "cat", 3)
    dataset = checked(folder)
    assert finding(dataset, "class_too_small").text("found") == "3"


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("苹果", "label_not_ascii"),
        ("café", "label_not_ascii"),
        ("it's", "label_characters"),
        ('the "cat"', "label_characters"),
        ("`id`", "label_characters"),
        ("a\\b", "label_characters"),
        ("a:b", "label_characters"),
        ("a\nb", "label_characters"),
        ("a\x7fb", "label_characters"),
        (" cat", "label_characters"),
        ("cat ", "label_characters"),
        ("cat.", "label_characters"),
        ("a*", "label_characters"),
        ("<b>", "label_characters"),
        ("aux", "label_reserved"),
        ("COM1", "label_reserved"),
        ("nul.x", "label_reserved"),
        ("x" * 33, "label_too_long"),
        ("DOG", "label_twice"),
    ],
)
def test_bad_labels(folder, label, code):
    write_class(folder / label, 5, seed=8)
    found = finding(checked(folder), code)
    assert found.severity == "error"
    assert code == "label_twice" or found.params["count"] == 1
    assert "\n" not in found.path


@pytest.mark.parametrize("label", ["x", "0", "class 1", "a-b_c", "left+right", "x" * 32, "console"])
def test_good_labels(folder, label):
    write_class(folder / label, 5, seed=8)
    assert checked(folder).findings == ()


BAD_PICTURES = {
    "text": (b"not a picture", "picture_not_a_picture", "error"),
    "HEIC": (b"\0\0\0\x18ftypheic" + b"\0" * 99, "picture_format", "error"),
    "empty": (b"", "picture_empty", "warning"),
    "half": (None, "picture_truncated", "warning"),
    "damaged": (b"\xff\xd8\xff\xe0", "picture_unreadable", "warning"),
}


@pytest.mark.parametrize(("content", "code", "severity"), BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_unusable_pictures_are_dropped(folder, content, code, severity):
    path = folder / "cat" / "2.jpg"
    path.write_bytes(path.read_bytes()[:900] if content is None else content)
    dataset = checked(folder)
    found = finding(dataset, code)
    assert (found.severity, found.path) == (severity, "cat/2.jpg")
    assert found.text("found").startswith("1: cat/2.jpg")
    assert dataset.counts() == {"cat": 4, "cow": 5, "dog": 5}
    assert codes(dataset.findings) == [code]


def test_counts_are_taken_after_dropping(folder):
    for number in (1, 2):
        (folder / "cow" / f"{number}.jpg").write_bytes(b"")
    dataset = checked(folder)
    assert codes(dataset.findings) == ["class_too_small", "picture_empty"]
    assert finding(dataset, "picture_empty").text("found") == "2: cow/1.jpg, cow/2.jpg"


def test_hundreds_of_bad_pictures_are_one_finding(folder):
    for number in range(100, 400):
        (folder / "cow" / f"{number}.jpg").write_bytes(b"text")
    (found,) = checked(folder).findings
    assert found.text("found") == (
        "300: " + ", ".join(f"cow/{number}.jpg" for number in range(100, 110)) + ", …"
    )


def test_too_small_and_too_large(folder):
    picture(70, (31, 90)).save(folder / "cat" / "6.png")
    picture(71, (120, 100)).save(folder / "cat" / "7.png")
    dataset = checked(folder, limits=Limits(pixels=11_999))
    assert finding(dataset, "picture_too_small").text("found") == "1: cat/6.png 31x90"
    large = finding(dataset, "picture_too_large")
    assert (large.severity, large.text("found")) == ("error", "1: cat/7.png 120x100")
    assert large.text("needed") == "at most 11999 pixels"


def test_pixels_of_all_pictures_together(folder):
    """Tiny files can hold millions of flat pixels; the work stops at a limit."""
    assert checked(folder, limits=Limits(total_pixels=15 * 96 * 96)).findings == ()
    with pytest.raises(UserError, match="pictures_too_many_pixels"):
        checked(folder, limits=Limits(total_pixels=15 * 96 * 96 - 1))


def test_animated_rotated_and_special_kinds_are_named(folder):
    frames = [picture(80).convert("P"), picture(81).convert("P")]
    frames[0].save(folder / "cat" / "6.gif", save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in (6, 7):
        picture(80 + number, (90, 60)).save(folder / "dog" / f"{number}.jpg", exif=exif)
    picture(90).convert("CMYK").save(folder / "cow" / "6.jpg")
    dataset = checked(folder)
    assert codes(dataset.findings)[0] == "pictures_animated"
    assert [finding.severity for finding in dataset.findings] == ["warning"] + ["note"] * 3
    assert finding(dataset, "pictures_rotated").text("found") == "2: dog/6.jpg, dog/7.jpg"
    sizes = {(s.width, s.height) for s in dataset.samples if s.path.startswith("dog/")}
    assert sizes == {(96, 96), (60, 90)}


def test_copies_in_a_class_are_dropped(folder):
    shutil.copy(folder / "cat" / "1.jpg", folder / "cat" / "copy.jpg")
    picture(1).save(folder / "cow" / "1a.png")
    picture(1).save(folder / "cow" / "1b.bmp")  # the same pixels in another file format
    dataset = checked(folder)
    assert dataset.counts() == {"cat": 5, "cow": 6, "dog": 5}
    assert dataset.errors() == ()
    text = finding(dataset, "duplicates_dropped").text("found")
    assert text == "2: cat/copy.jpg = cat/1.jpg, cow/1b.bmp = cow/1a.png"


def test_of_copies_the_one_for_training_stays(folder):
    for name in ("valid/a/1.jpg", "train/a/1.jpg", "valid/b/2.jpg", "train/b/1.jpg"):
        path = folder / "split" / name
        path.parent.mkdir(parents=True)
        picture(50 if "/a/" in name else 60).save(path)
    dataset = checked(folder / "split")
    assert [sample.path for sample in dataset.samples] == ["train/a/1.jpg", "train/b/1.jpg"]


def test_picture_in_two_classes(folder):
    shutil.copy(folder / "cat" / "1.jpg", folder / "dog" / "9.jpg")
    shutil.copy(folder / "cat" / "1.jpg", folder / "dog" / "10.jpg")
    dataset = checked(folder)
    found = finding(dataset, "picture_in_two_classes")
    assert (found.severity, found.text("found")) == ("error", "1: cat/1.jpg = dog/9.jpg")
    assert finding(dataset, "duplicates_dropped").text("found") == "1: dog/10.jpg = dog/9.jpg"
    assert dataset.counts() == {"cat": 5, "cow": 5, "dog": 6}


def test_near_duplicates_share_a_group(folder):
    picture(1).save(folder / "cat" / "again.jpg", quality=60)
    picture(1).resize((64, 64)).save(folder / "cat" / "smaller.png")
    dataset = checked(folder)
    groups = {sample.path: sample.group for sample in dataset.samples}
    together = {"cat/1.jpg", "cat/again.jpg", "cat/smaller.png"}
    assert len({groups[path] for path in together}) == 1
    assert {path for path, group in groups.items() if group >= 0} == together
    assert finding(dataset, "near_duplicates").text("found") == "3 in 1 groups"


def test_groups_of_two_classes_differ(folder):
    picture(1).save(folder / "cat" / "again.jpg", quality=60)
    picture(10_001).save(folder / "cow" / "again.jpg", quality=60)
    dataset = checked(folder)
    assert len({sample.group for sample in dataset.samples}) == 3  # two groups and none


def test_a_class_of_one_scene(folder):
    """Twenty frames of a still camera are one group; the class would have no validation."""
    for number in range(20):
        frame = picture(7).copy()
        frame.putpixel((number, 3), (255, 0, 0))
        frame.save(folder / "cat" / f"frame{number}.jpg")
    dataset = checked(folder)
    found = finding(dataset, "class_too_alike")
    assert (found.severity, found.path, found.text("found")) == ("warning", "cat", "20 of 25")


def test_errors_come_first(folder):
    (folder / "notes.txt").touch()
    (folder / "cat" / "6.jpg").write_bytes(b"")
    (folder / "dog" / "6.jpg").write_bytes(b"text")
    write_class(folder / "it's", 1, seed=8)
    assert codes(checked(folder).findings) == [
        "class_too_small", "label_characters", "picture_not_a_picture", "picture_empty",
        "other_files",
    ]  # fmt: skip


def test_findings_speak_for_themselves(folder):
    (folder / "cat" / "6.jpg").write_bytes(b"text")
    assert checked(folder).findings[0].as_dict() == {
        "code": "picture_not_a_picture",
        "severity": "error",
        "what": "Some files are named like pictures but are none.",
        "path": "cat/6.jpg",
        "found": "1: cat/6.jpg",
        "needed": "JPEG, PNG, BMP, GIF or WebP pictures",
        "fix": "Delete them, or save them as pictures. A new name does not change what a file is.",
    }
