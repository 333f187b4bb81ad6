"""The mode wheel: what each key does in each mode."""

import importlib
import sys
from types import ModuleType

import pytest

from host.deploy.board import BOARD_DIR


def pieces() -> tuple[ModuleType, ModuleType]:
    sys.path.insert(0, str(BOARD_DIR))
    try:
        return importlib.import_module("kit.boxes"), importlib.import_module("kit.wheel")
    finally:
        sys.path.remove(str(BOARD_DIR))


boxes, wheel = pieces()
NAMES = {1: {"enter": "ENTER"}, 2: {"enter": "A", "next": "B"}}
NAMES[3] = {"enter": "ENTER", "next": "NEXT", "back": "BACK"}


def made(keys: int, labels=("cat", "dog")):
    box = boxes.Boxes(224, 224, 8)
    box.add("cat")
    turned = wheel.Wheel(box, list(labels), keys)
    turned.set(0)
    return turned


def hold(turned, ms: int, role: str = "enter") -> list[str]:
    """Hold a key as the collector sees it, every 30 ms; return what it led to."""
    turned.press(role)
    done = [turned.held(at) for at in range(0, ms + 1, 30)]
    if not turned.used:
        turned.tap(role)
    turned.released()
    return [what for what in done if what]


def mode(turned) -> str:
    return wheel.MODES[turned.mode]


def edges(turned) -> tuple[int, ...]:
    return tuple(turned.boxes.box()[:4])


def test_one_key_draws_a_box_edge_by_edge():
    one = made(1)
    for expected in ("LEFT", "TOP", "RIGHT", "BOTTOM"):
        assert mode(one) == expected
        hold(one, 1000)
        hold(one, 100)
    left, top, right, bottom = edges(one)
    assert left == top == 223 - right == 223 - bottom == boxes.travel(990 - wheel.HOLD_MS)
    assert mode(one) == "CLASS"


def test_each_hold_of_the_only_key_goes_the_other_way():
    one = made(1)
    hold(one, 1200)
    far = edges(one)[0]
    hold(one, 600)
    back = edges(one)[0]
    hold(one, 330)
    assert far > back > 0 and edges(one)[0] == back + 1


def test_an_edge_that_cannot_go_on_turns_round():
    one = made(1)
    hold(one, 400)
    hold(one, 3000)  # back to the picture's edge, and no further
    assert edges(one)[0] == 0
    hold(one, 400)
    assert edges(one)[0] > 0
    hold(one, 600)
    hold(one, 9000)  # up to the least size
    assert edges(one)[0] == 223 - 7
    assert one.help(NAMES[1])[0] == "hold: <<<"


def test_a_tap_is_shorter_than_a_hold():
    one = made(1)
    hold(one, 270)
    assert mode(one) == "TOP" and edges(one) == (0, 0, 223, 223)
    hold(one, 300)
    assert mode(one) == "TOP" and edges(one) == (0, 1, 223, 223)


def test_the_wheel_goes_round_and_says_what_comes_next():
    one = made(1)
    seen = []
    for _ in wheel.MODES:
        after = one.after()
        hold(one, 100)
        assert mode(one) == after
        seen.append(after)
    assert seen == [*wheel.MODES[1:], wheel.MODES[0]]


@pytest.mark.parametrize("name", ["SAVE", "ADD", "MORE"])
def test_a_hold_does_what_the_mode_says_once(name):
    one = made(1)
    one.set(wheel.MODES.index(name))
    assert hold(one, 690) == []
    one.set(wheel.MODES.index(name))
    assert hold(one, 3000) == [name]


def test_holding_goes_through_the_classes():
    one = made(1, labels=("cat", "dog", "bird"))
    one.set(wheel.CLASS)
    hold(one, 400)
    assert one.boxes.box()[4] == "dog"
    hold(one, 1000)
    assert one.boxes.box()[4] == "cat"


def test_modes_without_use_are_passed_over():
    one = made(1, labels=("cat",))
    one.set(3)
    one.turn(1)
    assert mode(one) == "SAVE"
    one.boxes.clear()
    one.turn(1)
    assert mode(one) == "ADD"
    one.turn(1)
    assert mode(one) == "MORE"
    one.turn(1)
    assert mode(one) == "SAVE"


def test_two_keys_hold_both_ways_and_turn_both_ways():
    two = made(2)
    hold(two, 1000)
    far = edges(two)[0]
    hold(two, 330, "next")
    assert edges(two)[0] == far - 1
    hold(two, 330)
    assert edges(two)[0] == far
    hold(two, 100, "next")
    assert mode(two) == "MORE"
    hold(two, 100)
    assert mode(two) == "LEFT"


def test_three_keys_move_by_pixels():
    three = made(3)
    hold(three, 100, "next")
    hold(three, 100, "next")
    hold(three, 100, "back")
    assert edges(three) == (1, 0, 223, 223)
    hold(three, 100)
    hold(three, 800, "next")
    assert edges(three)[1] == boxes.travel(780 - wheel.HOLD_MS)
    hold(three, 100)
    hold(three, 100, "back")
    assert edges(three)[2] == 222
    three.set(wheel.CLASS)
    hold(three, 100, "back")
    assert three.boxes.box()[4] == "dog"


def test_the_whole_box_moves():
    three = made(3)
    three.boxes.stretch(10, 20, 29, 39)
    three.set(wheel.MODES.index("MOVE X"))
    hold(three, 100, "next")
    three.set(wheel.MODES.index("MOVE Y"))
    hold(three, 100, "back")
    assert edges(three) == (11, 19, 30, 38)


def test_every_change_can_be_undone():
    three = made(3)
    before = edges(three)
    for ms, role in ((900, "enter"), (100, "next"), (900, "next")):
        hold(three, ms, role)
    three.set(wheel.CLASS)
    hold(three, 100, "next")
    for _ in range(4):
        assert three.boxes.undo()
    assert edges(three) == before and three.boxes.box()[4] == "cat"
    assert not three.boxes.undo()


@pytest.mark.parametrize("keys", [1, 2, 3])
def test_help_names_every_mode_and_fits_a_narrow_column(keys):
    turned = made(keys)
    for number in range(len(wheel.MODES)):
        turned.set(number)
        rows = turned.help(NAMES[keys])
        assert rows and all(0 < len(row) <= 12 for row in rows), rows
