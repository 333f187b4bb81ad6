"""The journal of edits: what it does to a data set, what it refuses, what a power cut leaves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from host_help import dataset_zip
from hypothesis import given, settings
from hypothesis import strategies as st

from host.datasets.dataset import Box, Dataset, Sample
from host.errors import UserError
from host.jobs import edits, receive
from host.jobs.edits import Edit, History
from host.jobs.progress import Progress
from host.jobs.spec import JobSpec

LABELS = ("cat", "dog")


def classes(count=6):
    samples = [Sample(f"{LABELS[n % 2]}/{n}.jpg", label=n % 2) for n in range(count)]
    return Dataset("classify", Path("x"), LABELS, tuple(samples))


def boxed():
    nut = Box(0, 10, 10, 40, 40)
    samples = (
        Sample("1.jpg", 100, 80, boxes=(nut, Box(1, 50, 20, 90, 70))),
        Sample("2.jpg", 100, 80, boxes=(nut,)),
        Sample("3.jpg", 100, 80),
    )
    return Dataset("detect", Path("x"), ("nut", "bolt"), samples)


def labelled(dataset):
    return {one.path: dataset.labels[one.label] for one in dataset.samples}


def boxes_of(dataset, path):
    [sample] = [one for one in dataset.samples if one.path == path]
    return [
        (dataset.labels[one.label], one.left, one.top, one.right, one.bottom)
        for one in sample.boxes
    ]


def labels_after(dataset, edit):
    return edits.apply(dataset, [edit]).labels


def box(**other):
    return {"label": "nut", "left": 1, "top": 2, "right": 30, "bottom": 40, **other}


def refused(act, *arguments):
    with pytest.raises(UserError) as caught:
        act(*arguments)
    return caught.value.code


def test_a_picture_moves_and_the_received_data_stay(tmp_path):
    received = classes()
    history = edits.add(tmp_path, received, Edit("move", ("cat/0.jpg", "cat/2.jpg"), "dog"))
    edited = edits.apply(received, history.done)
    assert labelled(edited) | {"cat/0.jpg": "dog", "cat/2.jpg": "dog"} == labelled(edited)
    assert [one.path for one in edited.samples] == [one.path for one in received.samples]
    assert received == classes()


def test_a_new_class_comes_last_and_an_emptied_one_goes():
    everything = tuple(one.path for one in classes().samples)
    assert edits.apply(classes(), [Edit("move", everything[:1], "bird")]).labels == (
        *LABELS,
        "bird",
    )
    assert edits.apply(classes(), [Edit("move", everything, "bird")]).labels == ("bird",)
    assert edits.apply(classes(), [Edit("delete", everything[::2])]).labels == ("dog",)


def test_a_label_that_had_no_use_before_stays():
    received = replace(boxed(), labels=("nut", "bolt", "washer"))
    assert edits.apply(received, [Edit("delete", ("1.jpg",))]).labels == ("nut", "washer")
    renamed = edits.apply(received, [Edit("rename", label="washer", to="ring")])
    assert renamed.labels == ("nut", "bolt", "ring")
    assert (
        edits.apply(received, [Edit("rename", label="washer", to="nut")]).labels == LABELS_OF_BOXED
    )


LABELS_OF_BOXED = ("nut", "bolt")


def test_boxes_are_replaced_and_a_picture_may_have_none():
    new = (("nut", 1.0, 2.0, 30.0, 40.5), ("ring", 5.0, 5.0, 100.0, 80.0))
    edited = edits.apply(boxed(), [Edit("boxes", ("2.jpg",), boxes=new)])
    assert boxes_of(edited, "2.jpg") == list(new)
    assert edited.labels == ("nut", "bolt", "ring")
    negative = edits.apply(boxed(), [Edit("boxes", ("2.jpg",))])
    assert boxes_of(negative, "2.jpg") == []
    assert len(negative.samples) == 3


def test_renaming_to_a_label_that_exists_makes_them_one():
    edited = edits.apply(boxed(), [Edit("rename", label="bolt", to="nut")])
    assert edited.labels == ("nut",)
    assert [box[0] for box in boxes_of(edited, "1.jpg")] == ["nut", "nut"]
    assert edits.apply(classes(), [Edit("rename", label="cat", to="lion")]).labels == (
        "lion",
        "dog",
    )


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (Edit("move", ("cat/9.jpg",), "dog"), "picture_missing"),
        (Edit("delete", ("../cat/0.jpg",)), "picture_missing"),
        (Edit("move", ("cat/0.jpg",), "a/b"), "label_characters"),
        (Edit("move", ("cat/0.jpg",), "圆"), "label_not_ascii"),
        (Edit("move", ("cat/0.jpg",), "Dog"), "label_twice"),
        (Edit("rename", label="cat", to="aux"), "label_reserved"),
        (Edit("rename", label="bird", to="cat"), "edit_label_unknown"),
        (Edit("boxes", ("cat/0.jpg",)), "edit_unfit"),
        ("undo", "edit_nothing"),
        ("redo", "edit_nothing"),
    ],
)
def test_what_cannot_be_is_refused_and_not_written(tmp_path, step, code):
    assert refused(edits.add, tmp_path, classes(), step) == code
    assert not (tmp_path / edits.NAME).exists()


@pytest.mark.parametrize(
    "edges",
    [(-1, 0, 10, 10), (0, 0, 101, 10), (0, 0, 10, 81), (5, 5, 6.9, 20), (9, 9, 3, 3)],
)
def test_a_box_outside_its_picture_is_refused(tmp_path, edges):
    step = Edit("boxes", ("1.jpg",), boxes=(("nut", *edges),))
    assert refused(edits.add, tmp_path, boxed(), step) == "edit_box_outside"
    assert refused(edits.add, tmp_path, boxed(), Edit("move", ("1.jpg",), "x")) == "edit_unfit"


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"edit": "paint"},
        {"edit": "undo", "pictures": ["cat/0.jpg"]},
        {"edit": "move", "pictures": [], "label": "cat"},
        {"edit": "move", "pictures": ["a", "a"], "label": "cat"},
        {"edit": "move", "pictures": "cat/0.jpg", "label": "cat"},
        {"edit": "move", "pictures": ["a"], "label": "cat", "more": 1},
        {"edit": "move", "pictures": ["a"], "label": ""},
        {"edit": "rename", "label": "cat", "to": ""},
        {"edit": "delete", "pictures": [1]},
        {"edit": "boxes", "pictures": ["a", "b"], "boxes": []},
        {"edit": "boxes", "pictures": ["a"], "boxes": [{"label": "nut"}]},
        {"edit": "boxes", "pictures": ["a"], "boxes": [box(label="")]},
        {"edit": "boxes", "pictures": ["a"], "boxes": [["nut", 1, 2, 3, 4]]},
        {"edit": "boxes", "pictures": ["a"], "boxes": [box(left=True)]},
        {"edit": "boxes", "pictures": ["a"], "boxes": [box(top="1")]},
        {"edit": "boxes", "pictures": ["a"], "boxes": [box(right=10**400)]},
        {"edit": "boxes", "pictures": ["a"], "boxes": [box()] * (edits.BOXES + 1)},
    ],
)
def test_what_is_no_edit_is_named(value):
    assert refused(edits.parse, value) == "edit_unreadable"


def test_no_number_is_outside(tmp_path):
    for edge in (float("nan"), float("inf")):
        boxes = [box(right=edge)]
        step = edits.parse({"edit": "boxes", "pictures": ["1.jpg"], "boxes": boxes})
        assert refused(edits.add, tmp_path, boxed(), step) == "edit_box_outside"


def test_a_damaged_line_is_told_by_its_number(tmp_path):
    edits.add(tmp_path, classes(), Edit("delete", ("cat/0.jpg",)))
    with (tmp_path / edits.NAME).open("ab") as file:
        file.write(b'{"edit": "what"}\n')
    with pytest.raises(UserError) as caught:
        edits.read(tmp_path)
    assert (caught.value.code, caught.value.findings[0].params["line"]) == ("edits_unreadable", 2)


def test_a_full_journal_takes_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(edits, "JOURNAL_BYTES", 60)
    edits.add(tmp_path, classes(), Edit("delete", ("cat/0.jpg",)))
    assert refused(edits.add, tmp_path, classes(), Edit("delete", ("cat/2.jpg",))) == "edits_full"
    assert len(edits.read(tmp_path).done) == 1


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    edits.add(tmp_path, classes(), Edit("delete", ("cat/0.jpg",)))
    before = (tmp_path / edits.NAME).read_bytes()

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(edits.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        edits.add(tmp_path, classes(), Edit("delete", ("cat/2.jpg",)))
    assert (tmp_path / edits.NAME).read_bytes() == before


PATHS = [one.path for one in classes().samples]
names = st.sampled_from(["cat", "dog", "bird", "fish"])
some = st.lists(st.sampled_from(PATHS), min_size=1, max_size=4, unique=True).map(tuple)
class_edits = st.one_of(
    st.builds(lambda pictures, label: Edit("move", pictures, label), some, names),
    st.builds(lambda pictures: Edit("delete", pictures), some),
    st.builds(lambda label, to: Edit("rename", label=label, to=to), names, names),
)
edge = st.integers(0, 40)
a_box = st.builds(
    lambda label, x, y: (label, float(x), float(y), x + 30.0, y + 30.5), names, edge, edge
)
box_edits = st.one_of(
    st.builds(
        lambda path, boxes: Edit("boxes", (path,), boxes=tuple(boxes)),
        st.sampled_from(["1.jpg", "2.jpg", "3.jpg"]),
        st.lists(a_box, max_size=3),
    ),
    st.builds(lambda path: Edit("delete", (path,)), st.sampled_from(["1.jpg", "2.jpg"])),
    st.builds(lambda label, to: Edit("rename", label=label, to=to), names, names),
)
cases = st.one_of(
    st.tuples(
        st.just(classes()), st.lists(st.one_of(class_edits, st.just("undo"), st.just("redo")))
    ),
    st.tuples(st.just(boxed()), st.lists(st.one_of(box_edits, st.just("undo"), st.just("redo")))),
)


def take(folder, received, steps):
    """Make those of `steps` that are taken; return the data set after each."""
    states = [received]
    for step in steps:
        try:
            history = edits.add(folder, received, step)
        except UserError:
            continue
        states.append(edits.apply(received, history.done))
    return states


@settings(max_examples=60, deadline=None)
@given(case=cases)
def test_undo_goes_back_all_the_way_and_redo_forth(tmp_path_factory, case):
    received, steps = case
    folder = tmp_path_factory.mktemp("edits")
    end = take(folder, received, steps)[-1]
    history = edits.read(folder)
    states = [edits.apply(received, history.done[:n]) for n in range(len(history.done) + 1)]
    assert states[-1] == end
    for state in reversed(states[:-1]):
        assert edits.apply(received, edits.add(folder, received, "undo").done) == state
    assert edits.apply(received, edits.read(folder).done) == received
    for state in states[1:]:
        assert edits.apply(received, edits.add(folder, received, "redo").done) == state


@settings(max_examples=60, deadline=None)
@given(step=st.one_of(class_edits, box_edits))
def test_an_edit_survives_its_json(step):
    assert edits.parse(json.loads(json.dumps(step.as_dict()))) == step


def test_power_cut_at_every_byte_of_the_journal(tmp_path):
    """Whatever was cut off, the lines before are in force and the next edit is taken."""
    received = classes()
    steps = [
        Edit("move", ("cat/0.jpg",), "dog"),
        Edit("delete", ("dog/1.jpg",)),
        "undo",
        Edit("rename", label="dog", to="wolf"),
    ]
    states = take(tmp_path, received, steps)
    whole = (tmp_path / edits.NAME).read_bytes()
    assert len(states) == 5
    for length in range(len(whole) + 1):
        (tmp_path / edits.NAME).write_bytes(whole[:length])
        state = states[whole[:length].count(b"\n")]
        history = edits.read(tmp_path)
        assert edits.apply(received, history.done) == state
        last = Edit("delete", ("cat/4.jpg",))
        assert edits.add(tmp_path, received, last) == History((*history.done, last))
        assert edits.read(tmp_path).done == (*history.done, last)


def test_the_edited_data_are_what_is_checked_and_trained(tmp_path):
    from host.trainer.checkpoint import fingerprint
    from host.trainer.options import TrainOptions

    (tmp_path / "upload.zip").write_bytes(dataset_zip((41, 41, 41)))
    spec = JobSpec("upload.zip")

    def received():
        return receive.receive(tmp_path, spec, Progress(lambda event: None))[0]

    before = received()
    edits.add(tmp_path, before, Edit("move", ("circle/000.jpg",), "square"))
    edits.add(tmp_path, before, Edit("delete", ("triangle/000.jpg",)))
    after = received()
    assert after.counts() == {"circle": 40, "square": 42, "triangle": 40}
    assert {one.split for one in after.samples} == {"train", "valid"}
    options = TrainOptions()
    assert fingerprint(after, options) != fingerprint(before, options)
    edits.add(tmp_path, before, Edit("delete", ("triangle/001.jpg",)))
    assert refused(received) == "class_too_small"
    for _ in range(3):
        edits.add(tmp_path, before, "undo")
    assert fingerprint(received(), options) == fingerprint(before, options)
