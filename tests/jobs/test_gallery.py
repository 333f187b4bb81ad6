"""What the Data page knows of each picture, and how fast it knows it again."""

import io
import zipfile

import pytest
from host_help import box_zip, dataset_zip, picture
from PIL import Image

from host.datasets import checks, formats
from host.datasets.limits import LIMITS, RULES, Rules
from host.errors import UserError
from host.jobs import edits, gallery
from host.jobs.edits import Edit


def again(data, quality=90):
    """The same picture saved once more."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


ODD = (
    ("circle/same.jpg", picture("circle", 3)),
    ("circle/near.jpg", again(picture("circle", 5))),
    ("square/torn.jpg", picture("circle", 7)),
    ("square/cut.jpg", picture("square", 1)[:300]),
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "upload.zip").write_bytes(dataset_zip((42, 42, 42), extra=ODD))
    return tmp_path


def shown(folder, rules=RULES):
    return gallery.show(folder / "upload.zip", folder, LIMITS, rules)


def marks(seen):
    return {one.sample.path: one.mark for one in seen.pictures if one.mark}


def test_each_odd_picture_has_its_mark(folder):
    found = marks(shown(folder))
    assert found["circle/same.jpg"] == "same"
    assert (found["circle/near.jpg"], found["circle/005.jpg"]) == ("near", "near")
    assert (found["square/torn.jpg"], found["circle/007.jpg"]) == ("torn", "torn")
    assert found["square/cut.jpg"] == "broken"
    near = {one.group for one in shown(folder).marked("near") if "00" in one.sample.path[-7:]}
    assert -1 not in near


def test_the_check_after_an_edit_is_the_check_of_the_edited_data(folder):
    received = shown(folder).received.dataset
    edits.add(folder, received, Edit("delete", ("square/torn.jpg", "square/cut.jpg")))
    edits.add(folder, received, Edit("move", ("circle/same.jpg",), "triangle"))
    loaded = formats.load(folder / "data", LIMITS, folder)
    whole = checks.check(edits.apply(loaded, edits.read(folder).done), RULES)
    assert shown(folder).checked == whole
    assert marks(shown(folder))["circle/same.jpg"] == "torn"


def test_what_an_edit_changed_is_known_by_its_marks_too(folder):
    before = shown(folder)
    known = {one.sample.path: one.number for one in before.pictures}
    near = [one for one in before.marked("near") if one.group == known["circle/005.jpg"]]
    assert {one.sample.path for one in near} == {"circle/005.jpg", "circle/near.jpg"}
    edits.add(folder, before.received.dataset, Edit("delete", ("circle/near.jpg",)))
    assert gallery.changed(before, shown(folder)) == sorted(one.number for one in near)
    assert gallery.changed(before, before) == []


def test_boxes_are_edited_in_what_is_checked(tmp_path):
    (tmp_path / "upload.zip").write_bytes(box_zip(24))
    first = shown(tmp_path).pictures[0]
    assert len(first.sample.boxes) == 2
    edits.add(tmp_path, shown(tmp_path).received.dataset, Edit("boxes", (first.sample.path,)))
    assert shown(tmp_path).checked.counts() == {"circle": 23, "square": 23}
    assert not shown(tmp_path).picture(first.number).sample.boxes


def test_pictures_are_decoded_once(folder, monkeypatch):
    before = shown(folder)
    monkeypatch.setattr(checks, "decode", None)
    gallery._read.cache_clear()
    gallery._gallery.cache_clear()
    assert shown(folder).checked == before.checked
    assert [one.mark for one in shown(folder).pictures] == [one.mark for one in before.pictures]


def test_other_settings_look_anew(folder):
    assert not any(one.problem for one in shown(folder).pictures if "circle" in one.sample.path)
    strict = shown(folder, Rules(side_min=65))
    assert {one.mark for one in strict.pictures} == {"broken"}


def test_what_was_unpacked_comes_back(folder):
    shown(folder)
    (folder / "data").rename(folder / "gone")
    assert shown(folder).received.dataset.root.is_dir()


def test_numbers_stay_when_pictures_go(folder):
    before = {one.sample.path: one.number for one in shown(folder).pictures}
    edits.add(folder, shown(folder).received.dataset, Edit("delete", ("circle/000.jpg",)))
    after = {one.sample.path: one.number for one in shown(folder).pictures}
    assert after == {path: number for path, number in before.items() if path in after}
    with pytest.raises(UserError):
        shown(folder).picture(before["circle/000.jpg"])


def test_a_preview_is_ours_and_made_once(folder):
    received = shown(folder).received.dataset
    small = gallery.preview(folder, received, 0, "small")
    image = Image.open(io.BytesIO(small))
    assert (image.format, image.size) == ("JPEG", (64, 64))
    assert small != received.file(received.samples[0]).read_bytes()
    received.file(received.samples[0]).unlink()
    assert gallery.preview(folder, received, 0, "small") == small
    broken = next(n for n, one in enumerate(received.samples) if one.path == "square/cut.jpg")
    for number, size in ((0, "../x"), (-1, "small"), (10**6, "small"), (broken, "small")):
        with pytest.raises(UserError):
            gallery.preview(folder, received, number, size)


def test_a_large_picture_is_made_smaller(tmp_path):
    large = io.BytesIO()
    Image.new("RGB", (3000, 1500), "teal").save(large, "PNG")
    extra = [("circle/large.png", large.getvalue())]
    (tmp_path / "upload.zip").write_bytes(dataset_zip((2, 2), extra=extra))
    received = shown(tmp_path).received.dataset
    number = [one.path for one in received.samples].index("circle/large.png")
    for size, shape in (("small", (192, 96)), ("large", (1280, 640))):
        data = gallery.preview(tmp_path, received, number, size)
        assert Image.open(io.BytesIO(data)).size == shape


def test_the_uploaded_zip_stays_as_it_was(folder):
    before = (folder / "upload.zip").read_bytes()
    edits.add(folder, shown(folder).received.dataset, Edit("delete", ("circle/000.jpg",)))
    shown(folder)
    assert (folder / "upload.zip").read_bytes() == before
    assert zipfile.ZipFile(folder / "upload.zip").testzip() is None
