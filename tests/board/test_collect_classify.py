"""collect_classify.py as boot.py, on the virtual board: keys, screens, what it saves."""

import io

import numpy as np
import pytest
from collecting import CARD, HOME, LONG, LONGER, ONE, PINS, collect, jpeg, noise, pictures, saved
from hands import Hands
from PIL import Image

from host.deploy.board import render
from host.emulator import board as virtual

BOARDS = list(virtual.BOARDS.values())


# The boards


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_board_shows_and_saves(collector, board):
    hands = Hands(PINS[board.name]).tap(2)
    if len(PINS[board.name]) > 1:
        hands.tap(1, "next")
    else:
        hands.hold(LONG)
    result = collect(collector, hands.tap(), board=board)
    assert result.ended == "returned"
    assert pictures(result) == ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"]
    assert result.last.image.size == board.panel
    whole = " ".join(text.text for text in result.last.texts)
    assert "dog" in whole and "39 to go" in whole and "MB" in whole
    assert "saved 1.jpg" in result.texts and "40 to go" in result.texts


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["bit", "cube", "amigo_tft", "m5stickv"])
def test_every_rotation_fits_the_screen(name, turn):
    script = render("collect_classify", {"rotation": turn})
    board = virtual.BOARDS[name]
    card = {"classes.txt": b"a\nsomething quite long to be read\n" + b"Wide_Mouthed_Frog\n"}
    hands = Hands(PINS[name]).tap()
    for _ in range(2):
        hands.hold(LONG) if len(PINS[name]) == 1 else hands.tap(1, "next")
    hands.hold(LONGER, "enter" if len(PINS[name]) == 1 else "next").tap(2)
    result = collect(script, hands, board=board, card=card)
    assert result.ended == "returned" and "saved 1.jpg" in result.texts
    assert result.last.image.size == (board.panel if turn % 2 == 0 else board.panel[::-1])


@pytest.mark.parametrize("board", [virtual.BIT, virtual.M5STICKV], ids=lambda board: board.name)
def test_the_saved_frame_is_the_clean_middle_of_the_camera(collector, board):
    x, y = Image.linear_gradient("L").resize((320, 240)), Image.radial_gradient("L")
    scene = Image.merge("RGB", (x, y.resize((320, 240)), Image.new("L", (320, 240), 70)))
    result = collect(collector, Hands(PINS[board.name]).tap(3), board=board, camera=[scene])
    middle = np.asarray(scene)[8:232, 48:272].astype(int)
    assert len(pictures(result)) == 3
    for name in pictures(result):
        picture = Image.open(io.BytesIO(result.files[HOME + name]))
        assert picture.size == (224, 224) and picture.format == "JPEG"
        seen = np.asarray(picture).astype(int)
        assert np.abs(seen - middle).mean() < 12  # an overlay would be off by a hundred
        assert np.abs(seen[-18:] - middle[-18:]).mean() < 12
        assert np.abs(seen[:4] - middle[:4]).mean() < 12


def test_quality_size_mirror_and_flip_are_settings():
    white = Image.new("L", (320, 240), 0)
    white.paste(255, (0, 0, 160, 120))
    setup = {"camera": [white.convert("RGB")]}
    plain = collect(render("collect_classify", {}), Hands(ONE).tap(), **setup)
    values = {"size": (160, 96), "quality": 20, "mirror": True, "flip": True}
    turned = collect(render("collect_classify", values), Hands(ONE).tap(), **setup)
    one, two = (
        np.asarray(Image.open(io.BytesIO(run.files[HOME + "cat/1.jpg"])).convert("L"))
        for run in (plain, turned)
    )
    assert two.shape == (96, 160)
    assert one[9, 9] > 240 and two[9, 9] < 15 and two[86, 150] > 240


def test_the_second_camera_is_a_setting(collector):
    front = render("collect_classify", {"camera": 2})
    assert "find ov7740" in collect(collector, board=virtual.AMIGO_TFT).stdout
    assert "find gc0328" in collect(front, board=virtual.AMIGO_TFT).stdout
    none = collect(front, board=virtual.BIT, until_ms=2500)
    assert none.last.says("No camera", "Reset Failed")


def test_keys_can_be_given(collector):
    script = render("collect_classify", {"keys": {"enter": 12, "next": 13}})
    hands = Hands({"enter": 12, "next": 13}).tap().tap(1, "next").tap()
    assert pictures(collect(script, hands)) == ["cat/1.jpg", "dog/1.jpg"]


def test_it_runs_on_the_smallest_and_the_largest_firmware(collector):
    for build in virtual.BUILDS:
        if build == "m5stickv":
            continue
        result = collect(collector, Hands(ONE).tap(), build=build)
        assert pictures(result) == ["cat/1.jpg"], build


# Keys


def test_one_key_does_everything(collector):
    hands = Hands(ONE).tap(2).hold(LONG).tap()  # cat, cat, dog
    hands.hold(LONGER).tap().hold(LONG).tap()  # menu: previous class; cat
    hands.hold(LONGER).tap(3).hold(LONG).tap().hold(LONG)  # menu: delete last: yes
    hands.hold(LONGER).tap(2).hold(LONG).tap(2).hold(LONG).tap()  # menu: choose guinea pig
    result = collect(collector, hands)
    assert saved(result) == ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "cat/3.jpg", "guinea pig/1.jpg"]
    assert pictures(result) == ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "guinea pig/1.jpg"]
    assert "Delete cat/3.jpg" in result.texts


def test_more_keys_do_it_quicker(collector):
    hands = Hands(PINS["cube"]).tap().tap(1, "next").tap().tap(1, "back").tap().tap(1, "back").tap()
    hands.hold(LONG, "back").tap(5, "next").tap()  # menu: finish
    result = collect(collector, hands, board=virtual.CUBE)
    assert saved(result) == ["cat/1.jpg", "dog/1.jpg", "cat/2.jpg", "guinea pig/1.jpg"]
    assert result.last.says("All pictures are safe", "Switch the board off now", "cat: 2", "dog: 1")


def test_holding_enter_beside_other_keys_is_a_burst(collector):
    result = collect(collector, Hands(PINS["m5stickv"]).hold(3000), board=virtual.M5STICKV)
    assert 5 <= len(pictures(result)) <= 9
    assert result.json_lines()[-1]["class"] == "cat"


def test_the_menus_burst_takes_so_many(collector):
    script = render("collect_classify", {"burst": 6})
    hands = Hands(ONE).hold(LONGER).tap(4).hold(LONG).wait(4000)
    result = collect(script, hands)
    assert pictures(result) == [*[f"cat/{n}.jpg" for n in (1, 2, 3, 4, 6)], "valid/cat/5.jpg"]


def test_a_key_ends_the_menus_burst(collector):
    hands = Hands(ONE).hold(LONGER).tap(4).hold(LONG).wait(700).tap().wait(3000)
    result = collect(collector, hands)
    assert 1 <= len(pictures(result)) <= 5
    assert "burst ended" in result.texts


@pytest.mark.parametrize(
    ("held", "what"),
    [
        (60, "picture"), (640, "picture"), (760, "class"), (1930, "class"), (2080, "menu"),
        (4000, "menu"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("start", [1500, 1533])
def test_how_long_a_press_is_decides(collector, held, what, start):
    # The limits are 700 and 2000 ms; a frame takes 65 ms, so much is the measure off at most.
    result = collect(collector, Hands(ONE, start).hold(held).wait(500))
    assert pictures(result) == (["cat/1.jpg"] if what == "picture" else [])
    assert result.last.says("Finish") == (what == "menu")
    assert result.last.says("dog") == (what == "class")


@pytest.mark.parametrize("held", [3, 8, 14])
def test_a_spike_is_no_press(collector, held):
    result = collect(collector, Hands(ONE).hold(held).hold(held).hold(held).wait(500))
    assert pictures(result) == []


def test_a_bouncing_key_counts_once(collector):
    hands = Hands(ONE, bounce=4).tap(3).hold(LONG).tap(2)
    result = collect(collector, hands)
    assert saved(result) == [*[f"cat/{n}.jpg" for n in (1, 2, 3)], "dog/1.jpg", "dog/2.jpg"]


def test_a_key_held_while_switching_on_is_no_press(collector):
    result = collect(collector, keys=[(0, 16, 0), (1200, 16, 1)], until_ms=2500)
    assert pictures(result) == [] and result.last.says("cat")
    result = collect(collector, keys=[(0, 16, 0), (4000, 16, 1)], until_ms=5000)
    assert pictures(result) == [] and result.last.says("cat")


def test_a_finger_saves_goes_on_and_opens_the_menu(collector):
    taps = [(1500, 100, 100), (2200, 290, 40), (2900, 100, 100), (3600, 290, 200), (4300, 60, 60)]
    touches = [one for ms, x, y in taps for one in ((ms, x, y), (ms + 120, None, None))]
    result = collect(collector, touches=touches, build="maixpy", until_ms=5200)
    assert saved(result) == ["cat/1.jpg", "dog/1.jpg"]
    assert "Menu" in result.texts and result.last.says("cat")  # "Previous class" was touched


def test_a_finger_that_stays_down_saves_once(collector):
    touches = [(1500, 100, 100), (1600, 101, 100), (1900, 103, 104), (4000, None, None)]
    result = collect(collector, touches=touches, build="maixpy", until_ms=5000)
    assert saved(result) == ["cat/1.jpg"]


# Numbers and splits


def test_every_fifth_is_for_validation(collector):
    result = collect(collector, Hands(ONE).tap(11))
    valid = [f"valid/cat/{n}.jpg" for n in (5, 10)]
    assert pictures(result) == sorted([f"cat/{n}.jpg" for n in range(1, 12) if n % 5] + valid)
    lines = result.json_lines()
    assert [line["split"] for line in lines].count("valid") == 2
    assert [line["count"] for line in lines] == list(range(1, 12))
    assert lines[-1]["missing"] == 29 and lines[-1]["number"] == 11
    assert all(line["bytes"] == len(result.files[line["saved"][4:]]) for line in lines)


def test_the_split_is_a_setting():
    for every, valid in ((0, []), (2, ["valid/cat/2.jpg"])):
        result = collect(render("collect_classify", {"valid_every": every}), Hands(ONE).tap(3))
        assert [name for name in pictures(result) if name.startswith("valid")] == valid


def test_enough_is_said():
    result = collect(render("collect_classify", {"minimum": 2}), Hands(ONE).tap(2))
    assert "1 to go" in result.texts and result.last.says("enough")


def test_a_reboot_goes_on_with_the_numbers(collector):
    first = collect(collector, Hands(ONE).tap(4))
    second = collect(collector, Hands(ONE).tap(3), card_image=first.card_image)
    assert saved(second) == ["valid/cat/5.jpg", "cat/6.jpg", "cat/7.jpg"]
    assert second.json_lines()[-1]["count"] == 7
    for name, data in first.files.items():
        assert second.files[name] == data


ODD = {
    "cat/7.JPG": b"big letters", "cat/12.jpeg": b"other ending", "cat/notes.txt": b"x",
    "cat/IMG_20.jpg": b"no number", "cat/3.jpg.txt": b"y", "cat/-50.jpg": b"negative",
    "cat/1e3.jpg": b"no digits", "cat/15.jpg/inside.txt": b"a folder called like a picture",
    "cat/.jpg": b"no stem", "cat/IMG_~1.JPG": b"8.3", "cat/99999999999.jpg": b"too long a number",
    "cat/ 30.jpg": b"blank in front", "valid/cat/14.jpg": b"valid",
}  # fmt: skip


def test_odd_files_are_left_alone_and_never_overwritten(collector):
    card = {**CARD, **{HOME + name: data for name, data in ODD.items()}}
    result = collect(collector, Hands(ONE).tap(2), card=card)
    assert saved(result) == ["cat/16.jpg", "cat/17.jpg"]
    for name, data in card.items():
        assert result.files[name] == data


def test_gaps_are_not_filled(collector):
    card = {**CARD, HOME + "cat/1.jpg": jpeg(), HOME + "cat/9.jpg": jpeg()}
    result = collect(collector, Hands(ONE).tap(), card=card)
    assert saved(result) == ["valid/cat/10.jpg"]
    assert result.json_lines()[-1]["count"] == 3


def test_the_folders_letter_case_does_not_matter(collector):
    card = {**CARD, "MAIXFORGE/Pets/CAT/4.JPG": jpeg()}
    result = collect(collector, Hands(ONE).tap(), card=card)
    assert result.json_lines()[-1]["number"] == 5
    assert result.files["MAIXFORGE/Pets/CAT/4.JPG"] == card["MAIXFORGE/Pets/CAT/4.JPG"]


def test_the_newest_is_deleted_and_its_number_not_used_again(collector):
    hands = Hands(ONE).tap(3).hold(LONGER).tap(3).hold(LONG).tap().hold(LONG).tap()
    result = collect(collector, hands)
    assert pictures(result) == ["cat/1.jpg", "cat/2.jpg", "cat/4.jpg"]


def test_keep_is_the_first_answer(collector):
    result = collect(collector, Hands(ONE).tap(2).hold(LONGER).tap(3).hold(LONG).hold(LONG))
    assert pictures(result) == ["cat/1.jpg", "cat/2.jpg"]


def test_there_may_be_nothing_to_delete(collector):
    result = collect(collector, Hands(ONE).hold(LONGER).tap(3).hold(LONG).wait(300))
    assert result.last.says("No picture here")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bit", "press:photo|hold: class|2 s: menu|short: down  long: OK"),
        ("cube", "ENTER photo|NEXT class|hold: menu|NEXT: down  ENTER: OK"),
        ("amigo_tft", "ENTER photo|NEXT class|hold: menu|NEXT: down  ENTER: OK"),
        ("m5stickv", "A photo|B class|hold: menu|B: down  A: OK"),
    ],
)
def test_the_keys_are_called_as_on_the_board(collector, name, said):
    # A screen without room for the hints shows them over the first pictures, one by one.
    pins = PINS[name]
    hands = Hands(pins, 6000).hold(LONGER, "next" if len(pins) > 1 else "enter")
    result = collect(collector, hands, board=virtual.BOARDS[name])
    assert set(said.split("|")) <= set(result.texts)


# Light and focus


@pytest.mark.parametrize(
    ("level", "says"), [(5, "too dark"), (120, "light ok"), (250, "too bright")]
)
def test_the_light_is_judged(collector, level, says):
    scene = Image.new("RGB", (320, 240), (level, level, level))
    assert collect(collector, camera=[scene], until_ms=2000).last.says(says)


def test_the_focus_bar_falls_when_the_picture_blurs(collector):
    sharp = noise()
    blurred = Image.new("RGB", (320, 240), (120, 120, 120))

    def bar(camera):
        frame = collect(collector, camera=camera, until_ms=2500).last
        at = next(text for text in frame.texts if text.text == "focus")
        row = np.asarray(frame.image)[at.y + at.height // 2, 224:320].astype(int)
        return int((np.abs(row - (30, 80, 60)).max(-1) < 10).sum())

    assert bar([sharp]) > 40
    assert bar([*[sharp] * 8, blurred]) < 8
