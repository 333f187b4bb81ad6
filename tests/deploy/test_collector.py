"""Collector cards: what an order must be, and what the zip holds."""

import ast
import zipfile

import pytest

from host.config import Settings
from host.deploy import collector as room
from host.deploy import compiled
from host.errors import UserError
from host.jobs.collect import order, split_names

CLASSES = ("cat", "dog", "red car")


def made(task="classify", name="pets", classes=CLASSES, **more):
    return order(Settings(), task, name, classes, **more)


def codes(*words, **more):
    with pytest.raises(UserError) as error:
        made(*words, **more)
    return [one.code for one in error.value.findings]


@pytest.mark.parametrize("task", ["classify", "detect"])
@pytest.mark.parametrize("board", room.BOARDS)
def test_every_board_has_its_card(task, board, tmp_path):
    card = made(task, board=board)
    with zipfile.ZipFile(room.build(card, tmp_path / "card.zip")) as archive:
        compiled_too = ["collect.mpy"] if compiled.available() else []
        names = ["README.txt", "boot.py", "classes.txt", *compiled_too]
        assert sorted(archive.namelist()) == names
        text = archive.read("README.txt").decode("utf-8-sig")
        boot = archive.read("boot.py")
    again = room.build(made(task, board=board), tmp_path / "again.zip")
    assert again.read_bytes() == (tmp_path / "card.zip").read_bytes()
    assert "{" not in text and "pets" in text and "\r\n" in text
    names = {"": ("BOOT", "NEXT", "M5StickV:"), "m5stickv": (" A",), "cube": ("ENTER", "NEXT")}
    assert text.count("maixforge train CARD/maixforge/pets") == 2
    assert ("labelImg" in text) == (task == "detect")
    for word in names.get(board, ("ENTER",) if board.startswith("amigo") else ("BOOT",)):
        assert word in text
    assert ("BOOT" in text) == (board in ("", "bit", "dock", "go", "maixduino"))
    settings = next(
        ast.literal_eval(node.value) for node in ast.parse(boot).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "SETTINGS"
    )  # fmt: skip
    assert settings["board"] == board
    assert settings[room.WANTED[task]] == (40 if task == "classify" else 100)


def test_classes_txt_has_the_name_and_one_class_a_line():
    assert room.classes_text(made()) == b"# name: pets\ncat\ndog\nred car\n"
    assert room.classes_text(made("detect")) == b"# name: pets\ncat\ndog\nred_car\n"


def test_settings_reach_boot_py():
    boot = room.files(made(wanted=77, rotation=2, mirror=True, flip=True))["boot.py"]
    for line in ('"minimum": 77', '"rotation": 2', '"mirror": True', '"flip": True'):
        assert line.replace('"', "'").encode() in boot


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat,dog", ("cat", "dog")),
        (" cat ,, red   car\r\ndog;\n", ("cat", "red car", "dog")),
        ("猫，狗、鸟", ("猫", "狗", "鸟")),
        ("", ()),
    ],
)
def test_class_names_are_taken_as_people_write_them(text, names):
    assert split_names(text) == names


def test_names_become_folders():
    assert made(name="  my pets! ").name == "my_pets_"
    assert made(name="").name == "dataset"


def test_what_cannot_be_collected_is_named():
    assert codes(classes=("cat",)) == ["collector_classes"]
    assert codes(classes=tuple(f"c{n}" for n in range(16))) == ["collector_classes"]
    assert codes(classes=("cat", "#1")) == ["collector_class_taken"]
    assert codes(classes=("cat", "Valid")) == ["collector_class_taken"]
    assert codes(classes=("cat", "猫")) == ["label_not_ascii"]
    assert codes(classes=("cat", "CAT")) == ["label_twice"]
    assert codes(classes=("cat", "a/b", "aux")) == ["label_characters", "label_reserved"]
    assert codes("detect", classes=("red car", "red_car")) == ["label_twice"]
    assert codes(name="猫") == ["collector_name"]
    assert codes(name="aux") == ["collector_name"]
    assert codes(board="esp32") == ["collector_board_unknown"]
    assert codes(wanted=0) == ["collector_wanted"]
    assert codes(wanted=5000) == ["collector_wanted"]
    assert codes(classes=(), name="猫", board="x") == [
        "collector_classes", "collector_name", "collector_board_unknown",
    ]  # fmt: skip
