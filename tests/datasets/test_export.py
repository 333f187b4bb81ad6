"""What is written is read back the same, by us and by readers that others wrote."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from pathlib import Path

import globox
import pytest
from boxed_pictures import box, load, write_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from host.datasets.dataset import Dataset, Sample
from host.datasets.formats.export import save
from host.errors import UserError

KINDS = ("voc", "yolo", "coco")
NAMES = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\:"), min_size=1, max_size=12
).filter(lambda name: name.strip(".") and name[0] not in ".@$~")
"""Names of files, without what computers leave about."""
LABELS = st.lists(
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12),
    min_size=1, max_size=4, unique=True,
)  # fmt: skip


@st.composite
def _boxes(draw, labels: int, size: tuple[int, int], whole: bool):
    numbers = st.integers if whole else lambda low, high: st.floats(low, high, allow_nan=False)
    made = {}
    for _ in range(draw(st.integers(0, 3))):
        left, top = draw(numbers(0, size[0] - 3)), draw(numbers(0, size[1] - 3))
        right = draw(numbers(left + 3, size[0]))
        bottom = draw(numbers(top + 3, size[1]))
        # Of boxes that are the same in whole pixels one is kept: not the matter here.
        made[round(left) // 8, round(top) // 8] = box(
            draw(st.integers(0, labels - 1)), left, top, right, bottom
        )
    return tuple(made.values())


@st.composite
def _datasets(draw, whole: bool = False):
    labels = draw(LABELS)
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=lambda name: name.casefold()))
    splits = draw(st.sampled_from([("",), ("train", "valid"), ("train", "valid", "test", "")]))
    samples = []
    for name in names:
        size = draw(st.sampled_from([(64, 48), (40, 70)]))
        found = draw(_boxes(len(labels), size, whole))
        split = draw(st.sampled_from(splits))
        samples.append(Sample(f"{name}.png", *size, boxes=found, split=split))
    return Dataset("detect", Path(), tuple(labels), tuple(samples))


def seen(dataset: Dataset, digits: int | None) -> dict:
    """What must be the same, by the names of the pictures; boxes in their order."""
    return {
        sample.path.rpartition("/")[2]: (
            sample.split,
            sample.width,
            sample.height,
            [(dataset.labels[one.label], *edges(one, digits)) for one in sample.boxes],
        )
        for sample in dataset.samples
    }


def edges(one, digits: int | None) -> list[float]:
    return [round(edge, digits) for edge in (one.left, one.top, one.right, one.bottom)]


def round_trip(dataset: Dataset, kind: str) -> Dataset:
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "in"), Path(folder, "out")
        for sample in dataset.samples:
            root.mkdir(exist_ok=True)
            Image.new("1", (sample.width, sample.height)).save(root / sample.path)
        save(Dataset("detect", root, dataset.labels, dataset.samples), out, kind)
        found = load(out)
        for sample in found.samples:
            name = sample.path.rpartition("/")[2]
            assert found.file(sample).read_bytes() == (root / name).read_bytes()
        return found


@pytest.mark.parametrize("kind", ["yolo", "coco"])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_round_trip(kind, data):
    dataset = data.draw(_datasets())
    found = round_trip(dataset, kind)
    assert found.labels == dataset.labels
    assert {one.code for one in found.findings} <= {"pictures_without_boxes"}
    expected = seen(dataset, 9)
    for name, (split, width, height, boxes) in seen(found, 9).items():
        assert (split, width, height) == expected[name][:3]
        assert [one[0] for one in boxes] == [one[0] for one in expected[name][3]]
        for one, other in zip(boxes, expected[name][3], strict=True):
            assert one[1:] == pytest.approx(other[1:], abs=2e-4)
    assert len(found.samples) == len(dataset.samples)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(dataset=_datasets(whole=True))
def test_round_trip_voc(dataset):
    found = round_trip(dataset, "voc")
    assert found.labels == dataset.labels
    assert seen(found, None) == seen(dataset, None)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(dataset=_datasets())
def test_round_trip_voc_moves_boxes_by_half_a_pixel(dataset):
    expected = seen(dataset, 9)
    for name, (split, _, _, boxes) in seen(round_trip(dataset, "voc"), None).items():
        assert split == expected[name][0]
        for one, other in zip(boxes, expected[name][3], strict=True):
            assert one == (other[0], *(pytest.approx(edge, abs=0.5) for edge in other[1:]))


# Readers of others


@pytest.fixture
def pets(tmp_path) -> Dataset:
    """Three pictures, one of them without boxes, split."""
    root = tmp_path / "pets"
    samples = []
    for number, split in ((1, "train"), (2, "valid"), (3, "test")):
        write_picture(root / f"{number}.jpg", number, (120, 90))
        found = (box(0, 10, 20, 60, 80), box(1, 0, 0, 120, 90))[: number % 3]
        samples.append(Sample(f"{number}.jpg", 120, 90, boxes=found, split=split))
    return Dataset("detect", root, ("cat", "dog & co"), tuple(samples))


CORNERS = {
    "1.jpg": [("cat", 10, 20, 60, 80)],
    "2.jpg": [("cat", 10, 20, 60, 80), ("dog & co", 0, 0, 120, 90)],
    "3.jpg": [],
}


def corners(found: globox.AnnotationSet, names: dict | None = None) -> dict:
    return {
        Path(one.image_id).name: sorted(
            ((names or {}).get(b.label, b.label), *map(round, (b.xmin, b.ymin, b.xmax, b.ymax)))
            for b in one.boxes
        )
        for one in found
    }


def test_globox_reads_our_voc(pets, tmp_path):
    """It takes xmin and ymin as they stand, so they are larger by the one that VOC counts from."""
    save(pets, tmp_path / "voc", "voc")
    found = globox.AnnotationSet.from_pascal_voc(tmp_path / "voc" / "Annotations")
    moved = {
        name: [
            (label, left + 1, top + 1, right, bottom) for label, left, top, right, bottom in rows
        ]
        for name, rows in CORNERS.items()
    }
    assert corners(found) == moved


def test_globox_reads_our_yolo(pets, tmp_path):
    save(pets, tmp_path / "yolo", "yolo")
    found = {}
    for split in ("train", "val", "test"):
        found |= corners(
            globox.AnnotationSet.from_yolo_v5(
                tmp_path / "yolo" / "labels" / split,
                image_folder=tmp_path / "yolo" / "images" / split,
            ),
            {"0": "cat", "1": "dog & co"},
        )
    assert found == CORNERS


def test_globox_and_pycocotools_read_our_coco(pets, tmp_path):
    save(pets, tmp_path / "coco", "coco")
    by_globox, by_coco = {}, {}
    for split in ("train", "val", "test"):
        path = tmp_path / "coco" / "annotations" / f"instances_{split}.json"
        by_globox |= corners(globox.AnnotationSet.from_coco(path))
        with contextlib.redirect_stdout(io.StringIO()):
            read = COCO(str(path))
        names = {one["id"]: one["name"] for one in read.loadCats(read.getCatIds())}
        for image in read.loadImgs(read.getImgIds()):
            annotations = read.loadAnns(read.getAnnIds(image["id"]))
            by_coco[image["file_name"]] = [
                (names[one["category_id"]], x, y, x + w, y + h)
                for one in annotations
                for x, y, w, h in [one["bbox"]]
            ]
            assert all(one["area"] == one["bbox"][2] * one["bbox"][3] for one in annotations)
    assert by_globox == CORNERS
    assert by_coco == CORNERS


# Files


def test_layouts(pets, tmp_path):
    for kind in KINDS:
        save(pets, tmp_path / kind, kind)
    written = {
        kind: sorted(
            path.relative_to(tmp_path / kind).as_posix()
            for path in (tmp_path / kind).rglob("*")
            if path.is_file()
        )
        for kind in KINDS
    }
    assert written["voc"] == [
        "Annotations/1.xml", "Annotations/2.xml", "Annotations/3.xml",
        "ImageSets/Main/test.txt", "ImageSets/Main/train.txt", "ImageSets/Main/val.txt",
        "JPEGImages/1.jpg", "JPEGImages/2.jpg", "JPEGImages/3.jpg", "labels.txt",
    ]  # fmt: skip
    assert written["yolo"] == [
        "data.yaml", "images/test/3.jpg", "images/train/1.jpg", "images/val/2.jpg",
        "labels/test/3.txt", "labels/train/1.txt", "labels/val/2.txt",
    ]  # fmt: skip
    assert written["coco"] == [
        "annotations/instances_test.json", "annotations/instances_train.json",
        "annotations/instances_val.json", "images/1.jpg", "images/2.jpg", "images/3.jpg",
    ]  # fmt: skip
    assert (tmp_path / "yolo" / "data.yaml").read_text() == (
        "path: .\ntrain: images/train\nval: images/val\ntest: images/test\n"
        "names:\n  0: cat\n  1: dog & co\n"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_same_data_same_bytes(pets, tmp_path, kind):
    for name in ("one", "two"):
        save(pets, tmp_path / name, kind)
    files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    for path in files:
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes()
    assert len(files) > 5


@pytest.mark.parametrize("kind", KINDS)
def test_two_pictures_of_one_name(tmp_path, kind):
    samples = []
    for number, path in enumerate(("a/1.jpg", "b/1.jpg", "b/1.png", "B_1.jpg"), start=1):
        write_picture(tmp_path / "in" / path, number, (64, 64))
        samples.append(Sample(path, 64, 64, boxes=(box(0, 1, 1, 9 * number, 9),)))
    save(Dataset("detect", tmp_path / "in", ("cat",), tuple(samples)), tmp_path / "out", kind)
    found = load(tmp_path / "out")
    widths = {one.path.rpartition("/")[2]: round(one.boxes[0].right) for one in found.samples}
    assert widths == {"1.jpg": 9, "b_1.jpg": 18, "b_1-2.png": 27, "B_1-3.jpg": 36}


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_that_cannot_be_opened_are_left_out(pets, tmp_path, kind):
    broken = Sample("broken.jpg")
    (pets.root / "broken.jpg").write_bytes(b"")
    more = pets.with_samples((*pets.samples, broken))
    assert save(more, tmp_path / "out", kind) == ("broken.jpg",)
    assert len(load(tmp_path / "out").samples) == 3


def test_progress(pets, tmp_path):
    steps = []
    save(pets, tmp_path / "out", "coco", lambda *counts: steps.append(counts))
    assert steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("kind", KINDS)
def test_whole_or_not_at_all(pets, tmp_path, kind):
    (pets.root / "2.jpg").unlink()
    with pytest.raises(OSError):
        save(pets, tmp_path / "new" / "out", kind)
    assert list((tmp_path / "new").iterdir()) == []


def test_nothing_is_overwritten(pets, tmp_path):
    for name in ("folder", "file", "link"):
        target = tmp_path / name
        {
            "folder": target.mkdir,
            "file": target.touch,
            "link": lambda: (tmp_path / "link").symlink_to(tmp_path / "nowhere"),
        }[name]()
        with pytest.raises(UserError) as refusal:
            save(pets, target, "voc")
        assert refusal.value.code == "convert_exists"
    with pytest.raises(UserError) as refusal:
        save(pets, pets.root / "out", "voc")
    assert refusal.value.code == "convert_inside"
    shutil.rmtree(pets.root)


def test_class_folders_are_refused(tmp_path):
    write_picture(tmp_path / "in" / "cat" / "1.jpg")
    with pytest.raises(UserError) as refusal:
        save(load(tmp_path / "in"), tmp_path / "out", "yolo")
    assert refusal.value.code == "convert_classes"
    assert not (tmp_path / "out").exists()
