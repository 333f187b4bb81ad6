"""Pieces of board/kit that need no board: what a key does, which names a card can have."""

import importlib
import sys
import time
from itertools import pairwise
from types import ModuleType

import pytest

from host.deploy.board import BOARD_DIR

WRAP = 1 << 30


@pytest.fixture
def kit(monkeypatch):
    """Import a piece of the kit under CPython, with MicroPython's modules as far as it needs."""
    monkeypatch.syspath_prepend(str(BOARD_DIR))
    monkeypatch.setattr(
        time, "ticks_diff", lambda a, b: (a - b + WRAP // 2) % WRAP - WRAP // 2, raising=False
    )
    monkeypatch.setitem(sys.modules, "uos", ModuleType("uos"))
    yield lambda name: importlib.import_module(f"kit.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == "kit"]:
        del sys.modules[name]


def events(button, changes: list[tuple[int, bool]], until: int, every: int = 1, start: int = 0):
    """Poll a button every `every` ms; `changes` are (ms, down)."""
    found, down = [], button.down
    for ms in range(0, until, every):
        for at, level in changes:
            down = level if at == ms else down
        event = button.update(down, (start + ms) % WRAP)
        if event:
            found.append((ms, event))
    return found


@pytest.mark.parametrize("start", [0, WRAP - 1000])
@pytest.mark.parametrize(
    ("held", "end"),
    [
        (21, "short"), (699, "short"), (700, "long"), (2000, "long"), (2001, "longer"),
        (9000, "longer"),
    ],
)  # fmt: skip
def test_how_long_a_key_was_held_decides(kit, held, end, start):
    button = kit("keys").Button(False, False)
    found = events(button, [(100, True), (100 + held, False)], 10_000, start=start)
    assert [event for _, event in found] == ["press", end]
    assert found[0][0] == 120
    # A release counts after it stood still; "longer" comes while the key is still down.
    assert found[1][0] == (2100 if end == "longer" else 100 + held + 20)


def test_shorter_than_the_bounce_is_nothing(kit):
    button = kit("keys").Button(False, False)
    assert events(button, [(100, True), (119, False), (130, True), (145, False)], 500) == []


def test_bounces_on_both_edges_are_one_press(kit):
    bounce = [(100 + n, n % 2 == 0) for n in range(0, 15)]
    release = [(400 + n, n % 2 == 1) for n in range(0, 15)]
    button = kit("keys").Button(False, False)
    found = events(button, bounce + release, 1000)
    assert [event for _, event in found] == ["press", "short"]


def test_a_key_that_was_down_before_is_silent_until_it_is_let_go(kit):
    button = kit("keys").Button(False, True)
    found = events(button, [(5000, False), (6000, True), (6100, False)], 8000)
    assert [event for _, event in found] == ["press", "short"]
    button = kit("keys").Button(False, True)
    button.update(True, 3000)
    assert button.held(3000) == 0


def test_a_repeating_key_becomes_faster(kit):
    button = kit("keys").Button(True, False)
    found = events(button, [(100, True), (3100, False)], 4000)
    assert found[0] == (120, "press") and {event for _, event in found[1:]} == {"repeat"}
    times = [ms for ms, _ in found[1:]]
    steps = [b - a for a, b in pairwise(times)]
    assert times[0] == 500 and steps[0] > 100 and steps[-1] == 30
    assert steps == sorted(steps, reverse=True)
    assert [event for _, event in events(button, [(50, True), (200, False)], 400)] == [
        "press", "short",
    ]  # fmt: skip


def test_held_counts_from_the_first_touch(kit):
    button = kit("keys").Button(False, False)
    events(button, [(100, True)], 3000)
    assert button.held(3000) == 2900


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("cat", "cat"), ("guinea pig", "guinea pig"), ("a-b_c.d", "a-b_c.d"), ("9", "9"),
        ("con", "_con"), ("CON.txt", "_CON.txt"), ("lpt1", "_lpt1"), ("com10", "com10"),
        ("constable", "constable"), ("a*b", "a_b"), ("what?", "what_"), ("9:16", "9_16"),
        ("a/b\\c", "a_b_c"), ("it's", "it_s"), (".hidden", "hidden"), ("end.", "end"),
        ("end . .", "end"), ("caf??", "caf_"), ("", ""), ("???", ""), ("..", ""), ("- -", ""),
        ("x" * 80, "x" * 32), ("aux." + "y" * 28, "_aux." + "y" * 27), ("tab\tbed", "tab_bed"),
        ('"quoted"', "_quoted_"), ("<&>", ""), ("a" * 31 + " b", "a" * 31),
    ],
)  # fmt: skip
def test_names_are_made_such_that_a_card_and_windows_can_hold_them(kit, written, name):
    cleaned = kit("names").clean_name(written, ("valid",))
    assert cleaned == name
    assert kit("names").clean_name(cleaned, ("valid",)) == cleaned


def test_names_that_mean_something_to_the_host_are_changed(kit):
    names = kit("names")
    assert names.clean_name("Valid", ("valid",)) == "_Valid"
    assert names.clean_name("train", ("valid",)) == "train"  # a class may be trains
    assert names.clean_name("train") == "_train"  # a data set may not


@pytest.mark.parametrize(
    ("size", "screen", "shown"),
    [
        ((224, 224), (320, 240), (224, 224)), ((224, 224), (240, 240), (224, 224)),
        ((224, 224), (240, 135), (135, 135)), ((224, 224), (135, 240), (135, 135)),
        ((320, 240), (240, 240), (240, 180)), ((320, 240), (320, 240), (320, 240)),
        ((160, 96), (135, 240), (135, 81)),
    ],
)  # fmt: skip
def test_the_whole_picture_is_shown(kit, monkeypatch, size, screen, shown):
    for name in ("lcd", "image"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    assert kit("view").fit_size(size, *screen) == shown


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (ValueError("[MAIXPY]kpu: check img format err!\r\n"), "Model wants other pictures"),
        (ValueError("[MAIXPY]kpu: region_layer_init err!\r\n"), "Not enough memory"),
        (ValueError("[MAIXPY]kpu: first layer not conv layer!\r\n"), "Not a K210 model"),
        (OSError("ERR_RUN_MODEL: maybe model dirty"), "Model cannot run"),
    ],
)
def test_what_the_kpu_says_while_it_runs_is_explained(kit, error, title):
    trouble = kit("kpu_errors").explain_run(error, (224, 224))
    assert trouble.args[0] == title and all(trouble.args[:2])
    assert "KPU says: " + str(error).strip() in trouble.args[-1]
