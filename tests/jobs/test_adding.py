"""Pictures added to a job: on the disk before the journal, with numbers that stay."""

import io
import json
import os
import shutil
import signal
from dataclasses import replace

import pytest
from host_help import box_zip, dataset_zip, picture
from PIL import Image

from host.config import Settings
from host.datasets import checks
from host.datasets.limits import LIMITS
from host.errors import UserError
from host.jobs import added, adding, edits, gallery, receive, steps, submit
from host.jobs.edits import Edit
from host.jobs.progress import Progress
from host.jobs.spec import JobSpec
from host.jobs.store import Store


@pytest.fixture
def small(settings):
    return replace(settings, images_min=4)


@pytest.fixture
def begin(store, small):
    """Make a job of the bytes of a zip."""

    def make(data):
        with submit.arriving(store) as (job_id, folder):
            (folder / submit.UPLOAD).write_bytes(data)
            return submit.check(store, small, job_id, "shapes").id

    return make


@pytest.fixture
def job_id(begin):
    return begin(dataset_zip((6, 6, 6)))


@pytest.fixture
def add(store, small):
    def send(job_id, *pictures, label="", using=None):
        return adding.add_pictures(store, using or small, job_id, pictures, label)

    return send


def new(number, label="circle", kind="JPEG", **options):
    """A picture that is not in the job, as a (name, bytes) pair."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture(label, 500 + number))).save(buffer, kind, **options)
    return f"{number}.{kind.lower()}", buffer.getvalue()


def refused(act, *arguments, **named):
    with pytest.raises(UserError) as caught:
        act(*arguments, **named)
    return caught.value


def labels(shown):
    return {one.number: one.label for one in shown.pictures}


def files(store, job_id):
    folder = store.folder(job_id) / added.FOLDER
    return sorted(one.name for one in folder.iterdir()) if folder.exists() else []


def test_pictures_come_into_a_class_old_or_new(store, job_id, add):
    first = add(job_id, new(1), new(2, kind="PNG"), label="circle")
    assert (first.numbers, first.known) == ((18, 19), 0)
    second = add(job_id, new(3, kind="BMP"), label="star")
    assert second.numbers == (20,)
    assert store.get(job_id).dataset["counts"] == {
        "circle": 8, "square": 6, "triangle": 6, "star": 1,
    }  # fmt: skip
    assert [name.rpartition(".")[2] for name in files(store, job_id)].count("png") == 1
    assert {18: "circle", 19: "circle", 20: "star"}.items() <= labels(second.after).items()
    assert gallery.preview(
        store.folder(job_id), second.after.received.dataset, 20, "small"
    ).startswith(b"\xff\xd8")


def test_numbers_stay_whatever_is_undone(store, small, job_id, add):
    folder = store.folder(job_id)
    add(job_id, new(1), label="circle")
    received = submit.shown(store, small, job_id).received.dataset
    edits.add(folder, received, "undo")
    assert 18 not in labels(submit.shown(store, small, job_id))
    assert add(job_id, new(2), label="circle").numbers == (19,)
    again = add(job_id, new(1), label="square")
    assert again.numbers == (18,)
    assert {18: "square", 19: "circle"}.items() <= labels(again.after).items()


def test_a_picture_that_is_there_is_not_added_twice(store, job_id, add):
    add(job_id, new(1), label="circle")
    lines = (store.folder(job_id) / edits.NAME).read_bytes()
    same = add(job_id, new(1), label="circle")
    assert (same.numbers, same.known) == ((18,), 1)
    assert (store.folder(job_id) / edits.NAME).read_bytes() == lines
    assert labels(add(job_id, new(1), label="square").after)[18] == "square"
    assert len(files(store, job_id)) == 1


def test_added_pictures_are_edited_like_others(store, small, job_id, add):
    folder = store.folder(job_id)
    shown = add(job_id, new(1), new(2), label="circle").after
    path = shown.picture(18).sample.path
    for step in (
        Edit("move", (path,), "square"),
        Edit("rename", label="square", to="box"),
        Edit("delete", (shown.picture(19).sample.path,)),
    ):
        edits.add(folder, shown.received.dataset, step)
    edited = submit.shown(store, small, job_id)
    assert labels(edited)[18] == "box"
    assert 19 not in labels(edited)


def test_a_detector_gets_negatives_that_boxes_can_be_drawn_on(store, small, begin, add):
    job_id = begin(box_zip(24))
    shown = add(job_id, new(1)).after
    one = shown.picture(24)
    assert (one.sample.boxes, one.sample.width, one.sample.height) == ((), 64, 64)
    nut = ("circle", 1.0, 2.0, 30.0, 40.0)
    drawn = Edit("boxes", (one.sample.path,), boxes=(nut,))
    edits.add(store.folder(job_id), shown.received.dataset, drawn)
    assert len(submit.shown(store, small, job_id).picture(24).sample.boxes) == 1
    assert add(job_id, new(1)).after.picture(24).sample.boxes  # sent again: they stay
    assert refused(add, job_id, new(2), label="circle").code == "edit_unfit"


def test_a_photo_on_its_side_stands_upright(store, job_id, add):
    image = Image.open(io.BytesIO(picture("circle", 900))).resize((80, 50))
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    image.save(buffer, "JPEG", exif=exif)
    one = add(job_id, ("x.jpg", buffer.getvalue()), label="circle").after.picture(18)
    assert (one.sample.width, one.sample.height, one.problem) == (50, 80, None)


def test_the_training_gets_what_the_page_shows(store, small, job_id, add):
    """And it finds it in a folder whose received pictures are unpacked anew."""
    folder = store.folder(job_id)
    add(job_id, new(1), new(2), label="star")
    shown = add(job_id, new(3), new(4), label="star").after
    spec = JobSpec(submit.UPLOAD, rules={"images_min": 4})
    limits, rules = submit.limits_of(small), submit.rules_of(small)
    looked = receive.look(folder / spec.source, folder, limits, rules, None, edits.read(folder))
    assert looked == shown.checked
    trained, _ = receive.receive(folder, spec, Progress(lambda *_: None))
    assert sorted(trained.counts().items()) == [
        ("circle", 6), ("square", 6), ("star", 4), ("triangle", 6),
    ]  # fmt: skip
    assert all(trained.file(one).is_file() for one in trained.samples)


def test_the_fingerprint_knows_the_pictures_and_no_stray_file(store, job_id, add):
    folder, spec = store.folder(job_id), JobSpec(submit.UPLOAD)
    add(job_id, new(1), label="circle")
    before = steps.fingerprint(folder, spec)
    (folder / added.FOLDER / f"{'0' * 32}.jpg").write_bytes(b"of an addition that was cut off")
    assert steps.fingerprint(folder, spec) == before
    [file] = [one for one in (folder / added.FOLDER).iterdir() if not one.name.startswith("0" * 32)]
    file.write_bytes(b"damaged")
    assert steps.fingerprint(folder, spec) != before


def test_a_file_without_a_line_counts_for_nothing_and_may_be_half(store, small, job_id, add):
    """The host was killed between the file and the journal, or while it wrote the file."""
    name, data = new(1)
    folder = store.folder(job_id)
    file = added.file_of(folder, added.path_of(data))
    file.parent.mkdir()
    file.write_bytes(data[:100])
    (folder / edits.NAME).write_bytes(b'{"edit": "add", "pictures": ["')
    assert len(submit.shown(store, small, job_id).pictures) == 18
    assert add(job_id, (name, data), label="circle").numbers == (18,)
    assert file.read_bytes() == data


def test_what_was_found_out_survives_a_restart_and_its_loss(store, small, job_id, add):
    shown = add(job_id, new(1), label="circle").after
    kept = store.folder(job_id) / gallery.LOOKED_ADDED
    [one] = kept.iterdir()
    for content in (one.read_bytes(), b"", b'{"for"'):
        one.write_bytes(content)
        gallery._added.cache_clear()
        gallery._gallery.cache_clear()
        again = submit.shown(store, small, job_id)
        assert (again.pictures, again.checked) == (shown.pictures, shown.checked)
    file = added.file_of(store.folder(job_id), shown.picture(18).sample.path)
    file.unlink()
    one.unlink()
    gallery._added.cache_clear()
    gallery._gallery.cache_clear()
    assert submit.shown(store, small, job_id).picture(18).problem.code == "picture_file_missing"


def test_what_is_no_picture_is_refused_by_its_name_and_nothing_is_added(store, job_id, add):
    hostile = [
        ("text.jpg", b"buy milk" * 20),
        ("../../etc/empty.png", b""),
        ("cut\x00.jpg", picture("circle", 1)[:300]),
        ("C:\\pictures\\zip.jpg", dataset_zip((1,))),
        ("tiny.png", tiny()),
    ]
    error = refused(add, job_id, new(1), *hostile, new(2), label="circle")
    assert all(name in str(error) for name in ("text.jpg", "empty.png", "zip.jpg", "8x8"))
    assert {one.path: one.code for one in error.findings} == {
        "text.jpg": "picture_not_a_picture",
        "empty.png": "picture_empty",
        "cut\\x00.jpg": "picture_truncated",
        "zip.jpg": "picture_not_a_picture",
        "tiny.png": "picture_too_small",
    }
    assert files(store, job_id) == []
    assert not (store.folder(job_id) / edits.NAME).exists()


def tiny():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("", "added_class_missing"),
        ("../x", "label_characters"),
        ("猫", "label_not_ascii"),
        ("Circle", "label_twice"),
        ("x" * 33, "label_too_long"),
    ],
)
def test_a_class_that_the_board_could_not_write_is_refused(store, job_id, add, label, code):
    assert refused(add, job_id, new(1), label=label).code == code
    assert not (store.folder(job_id) / edits.NAME).exists()
    assert files(store, job_id) == []
    assert len(add(job_id, new(2), label="circle").after.pictures) == 19


def test_limits_hold_for_each_picture_and_for_all(store, small: Settings, job_id, add):
    size = (store.folder(job_id) / submit.UPLOAD).stat().st_size
    large = io.BytesIO()
    Image.effect_noise((80, 80), 90).save(large, "BMP")
    pair = new(1), ("large.bmp", large.getvalue())
    for limits, code in (
        ({"member_bytes": 5000}, "added_file_too_large"),
        ({"members": 19}, "added_too_many"),
        ({"upload_bytes": size + 5000}, "added_too_large"),
        ({"pixels": 5000}, "picture_too_large"),
    ):
        error = refused(add, job_id, *pair, label="circle", using=replace(small, **limits))
        assert error.code == code
        assert str(error)
        assert files(store, job_id) == []
    assert refused(add, job_id, label="circle").code == "added_nothing"


def test_a_full_disk_leaves_nothing(store, job_id, add, monkeypatch):
    write, calls = added.atomic_write, []

    def full(path, data):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(added, "atomic_write", full)
    with pytest.raises(OSError, match="No space"):
        add(job_id, new(1), new(2), label="circle")
    assert files(store, job_id) == []
    assert add(job_id, new(1), new(2), label="circle").numbers == (18, 19)


def test_a_job_that_waits_takes_none(store, job_id, add):
    store.update(job_id, state="queued")
    assert refused(add, job_id, new(1), label="circle").code == "job_state_wrong"
    assert refused(add, "nobody", new(1), label="circle").code == "job_missing"


def test_a_job_that_is_sent_while_pictures_come_takes_none(store, small, job_id):
    def pictures():
        yield new(1)
        store.update(job_id, state="queued")

    error = refused(adding.add_pictures, store, small, job_id, pictures(), "circle")
    assert error.code == "job_state_wrong"
    assert files(store, job_id) == []
    assert not (store.folder(job_id) / gallery.LOOKED_ADDED).exists()
    assert not (store.folder(job_id) / edits.NAME).exists()


def test_the_row_knows_an_edit_that_came_while_another_was_checked(
    store, small, job_id, add, monkeypatch
):
    """The later one was written to the row first; the earlier one must not take that back."""
    folder, update = store.folder(job_id), store.update
    received = submit.shown(store, small, job_id).received.dataset

    def late(*arguments, **values):
        monkeypatch.undo()
        edits.add(folder, received, Edit("move", ("square/000.jpg",), "circle"))
        submit.check_again(store, small, job_id)
        update(*arguments, **values)

    monkeypatch.setattr(store, "update", late)
    after = add(job_id, new(1), label="circle").after
    assert store.get(job_id).dataset["counts"] == {"circle": 8, "square": 5, "triangle": 6}
    assert after.checked.counts() == store.get(job_id).dataset["counts"]


@pytest.mark.parametrize(
    "path", ["../added/x.jpg", "../../secret.jpg", "added/0.jpg", "circle/000.jpg", "/etc/passwd"]
)
def test_no_journal_can_add_a_foreign_file(path):
    value = json.dumps({"edit": "add", "pictures": [path], "label": "circle"})
    assert refused(edits.parse, json.loads(value)).code == "edit_unreadable"


def test_what_is_seen_in_the_bytes_is_seen_in_the_file(store, small, job_id, add):
    name, data = new(1)
    shown = add(job_id, (name, data), label="circle").after
    sample = shown.received.dataset.samples[18]
    path = shown.received.dataset.file(sample)
    assert path.read_bytes() == data
    seen = checks.look_at(path, sample, submit.rules_of(small), LIMITS)
    kept = shown.received.seen[18]
    assert (kept.sample, kept.digest) == (seen.sample, seen.digest)
    assert kept.fingerprint.tolist() == seen.fingerprint.tolist()


def killed_adding(small, job_id, pictures, point):
    """Add pictures in a process that kills itself at its `point`th sync or rename, before or after
    it by turns; return whether it was killed."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    passed = 0

    def dying(act):
        def wrapped(*arguments, **named):
            nonlocal passed
            passed += 1
            if passed == point:
                os.kill(os.getpid(), signal.SIGKILL)
            value = act(*arguments, **named)
            passed += 1
            if passed == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return value

        return wrapped

    os.fsync, os.replace, os.rename = map(dying, (os.fsync, os.replace, os.rename))
    try:
        adding.add_pictures(Store(small.data), small, job_id, pictures, "star")
    finally:
        os._exit(0)


def test_killed_at_any_moment_it_has_all_of_the_pictures_or_none(store, small, job_id, add):
    folder = store.folder(job_id)
    pair = [new(1), new(2)]
    points = 0
    while killed_adding(small, job_id, pair, points + 1):
        points += 1
        shown = submit.shown(store, small, job_id)
        assert len(shown.pictures) in (18, 20)
        assert all(added.is_whole(added.file_of(folder, one)) for one in shown.history.added)
        again = add(job_id, *pair, label="star")
        assert (again.numbers, len(again.after.pictures)) == ((18, 19), 20)
        assert store.get(job_id).dataset["counts"]["star"] == 2
        shutil.rmtree(folder / added.FOLDER)
        (folder / edits.NAME).unlink()
    assert points >= 12
