"""collect_classify.py: class names from classes.txt, as editors and people leave them."""

import json

import pytest
from collecting import CARD, HOME, LONG, LONGER, ONE, collect, pictures
from hands import Hands

from host.deploy.board import render
from host.emulator import board as virtual


def classes(text: bytes, *hands_of: int, **setup) -> virtual.Result:
    """Run with this classes.txt, take one picture of each of the first classes."""
    hands = Hands(ONE, 1500)
    for number in range(hands_of[0] if hands_of else 1):
        if number:
            hands.hold(LONG)
        hands.tap()
    return collect(render("collect_classify", {}), hands, card={"classes.txt": text}, **setup)


def folders(result: virtual.Result) -> list[str]:
    return [line["saved"].split("/")[-2] for line in result.json_lines() if "saved" in line]


def test_without_a_list_there_are_numbered_classes(collector):
    result = collect(collector, Hands(ONE).tap().hold(LONG).tap(), card={})
    assert set(result.files) == {
        "maixforge/dataset/class1/1.jpg", "maixforge/dataset/class2/1.jpg",
    }  # fmt: skip
    assert "class 1/5" in result.texts


def test_lists_as_editors_leave_them():
    text = b"\xef\xbb\xbf# name: my pets\r\n\r\n# animals\r\ncat \r\n  dog\r\n"
    result = classes(text, 2)
    assert folders(result) == ["cat", "dog"]
    assert "maixforge/my pets/cat/1.jpg" in result.files


def test_a_name_in_the_settings_wins():
    script = render("collect_classify", {"name": "garden"})
    assert "maixforge/garden/cat/1.jpg" in collect(script, Hands(ONE).tap()).files


@pytest.mark.parametrize(
    ("written", "folder"),
    [("con", "_con"), ("9:16?", "9_16_"), (".end.", "end"), ("caf\u00e9", "caf_"),
     ("\u732b", "class1"), ("\x01\x02", "class1"), ("valid", "_valid")],
)  # fmt: skip
def test_names_that_no_folder_can_have_are_changed_and_said(written, folder):
    hands = Hands(ONE, 2500).tap().wait(600).tap()
    card = {"classes.txt": written.encode() + b"\nother\n"}
    result = collect(render("collect_classify", {}), hands, card=card)
    assert folders(result)[0] == folder
    assert "Class names" in result.texts and "->" in result.stdout


def test_names_given_twice_are_left_out_and_said():
    hands = Hands(ONE, 2500).tap().tap()
    card = {"classes.txt": b"cat\nCat\ndog\ncat\n"}
    result = collect(render("collect_classify", {}), hands, card=card)
    assert "Twice: Cat" in result.texts and result.last.says("class 1/2")


def test_the_note_about_names_goes_away_by_itself():
    result = collect(render("collect_classify", {}), card={"classes.txt": b"a?\n"}, until_ms=11_000)
    assert result.last.says("a_", "40 to go")


def test_a_list_that_is_a_folder_or_empty():
    for card in ({"classes.txt/x": b""}, {"classes.txt": b""}, {"classes.txt": b"# only\n"}):
        hands = Hands(ONE, 2500).tap(2)
        result = collect(render("collect_classify", {}), hands, card=card)
        assert any(name.startswith("maixforge/dataset/class1/") for name in result.files)


def test_many_classes_and_a_list_to_choose_from():
    text = b"".join(b"class number %d\n" % n for n in range(1, 31))
    hands = Hands(ONE, 1500).hold(LONGER).tap(2).hold(LONG).tap(27).hold(LONG).tap()
    result = collect(render("collect_classify", {}), hands, card={"classes.txt": text})
    assert folders(result) == ["class number 28"]


def test_a_hostile_list_is_only_text():
    text = b"\"; import uos #\n'''\\\n%s%n\n{\"a\":1}\n../../boot\n"
    result = classes(text, 1, until_ms=12_000)
    assert result.files["classes.txt"] == text
    assert all(name == "classes.txt" or name.startswith("maixforge/") for name in result.files)


def test_a_file_called_like_a_class(collector):
    card = {**CARD, HOME + "cat": b"a file"}
    result = collect(collector, Hands(ONE).tap().wait(3000), card=card)
    assert result.last.says("A file is called cat", "Rename or delete it")
    assert result.files[HOME + "cat"] == b"a file"


def test_finish_says_that_it_is_safe_and_a_key_goes_on(collector):
    hands = Hands(ONE).tap().hold(LONGER).tap(5).hold(LONG).wait(500)
    result = collect(collector, hands)
    assert result.last.says("All pictures are safe", "Switch the board off now.", "cat: 1")
    assert json.dumps({"finished": "/sd/maixforge/pets"}).replace(" ", "") in result.stdout
    result = collect(collector, hands.tap().tap())
    assert pictures(result) == ["cat/1.jpg", "cat/2.jpg"]
