"""collect_detect.py as boot.py, on the virtual board: whole runs."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hands import Hands
from PIL import Image, ImageDraw

from host.deploy.board import render
from host.emulator import board as virtual

CARD = {"classes.txt": b"# name: pets\ncat\nguinea pig\n# a comment\ndog\n"}
HOME = "maixforge/pets/"
ONE, TWO = {"enter": 16}, {"enter": 36, "next": 37}
THREE = {"enter": 10, "back": 11, "next": 16}
CAT = (60, 220, 120)  # the colour of the first class
SAVE, ADD, MORE = 5, 6, 9  # taps from LEFT


@pytest.fixture(scope="session")
def collector() -> bytes:
    """The collector with its default settings."""
    return render("collect_detect", {})


def objects(xml: bytes) -> list[tuple[str, int, int, int, int]]:
    found = []
    for node in ElementTree.fromstring(xml).iterfind("object"):
        box = [int(node.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")]
        found.append((node.findtext("name", ""), *box))
    return found


def drawn(frame: virtual.Frame, at: tuple[int, int], size=(224, 224)) -> tuple[int, ...]:
    """Return the outermost pixels of the box in `CAT` and of its moving edge, counted from 1."""
    picture = np.asarray(frame.image)[at[1] : at[1] + size[1], at[0] : at[0] + size[0]].astype(int)
    ys, xs = np.nonzero(np.abs(picture - CAT).max(-1) <= 8)
    return int(xs.min()) + 1, int(ys.min()) + 1, int(xs.max()) + 1, int(ys.max()) + 1


def scene(left: int, top: int, right: int, bottom: int) -> Image.Image:
    """Return a camera picture whose middle 224 x 224 has a white rectangle, counted from 1."""
    picture = Image.new("RGB", (320, 240), (40, 50, 90))
    ImageDraw.Draw(picture).rectangle(
        (48 + left - 1, 8 + top - 1, 48 + right - 1, 8 + bottom - 1), fill=(250, 250, 250)
    )
    return picture


def one_box(hands: Hands) -> Hands:
    """Take a picture and draw a box with one key; the wheel ends at SAVE."""
    hands.tap()
    for ms in (1200, 1000, 1000, 900):
        hands.hold(ms).tap()
    return hands.tap()


# One key


def test_one_key_draws_and_saves_a_box(collector):
    hands = one_box(Hands(ONE)).hold(1000)
    result = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 1000)
    assert sorted(set(result.files) - set(CARD)) == [
        HOME + "images/1.jpg", HOME + "labels.txt", HOME + "xml/1.xml",
    ]  # fmt: skip
    assert result.files[HOME + "labels.txt"] == b"cat\nguinea_pig\ndog\n"
    ((label, left, top, right, bottom),) = objects(result.files[HOME + "xml/1.xml"])
    assert label == "cat" and 20 <= left <= 40 and 10 <= top <= 30
    assert 190 <= right <= 210 and 200 <= bottom <= 220
    picture = Image.open(io.BytesIO(result.files[HOME + "images/1.jpg"]))
    assert picture.size == (224, 224) and picture.format == "JPEG"
    assert "saved 1" in result.texts
    assert hands.presses == 11  # picture, four edges, five taps, save


def test_the_numbers_are_the_pixels_on_the_screen(collector):
    hands = one_box(Hands(ONE)).hold(1000)
    result = virtual.run(
        collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500, camera=[scene(1, 1, 1, 1)]
    )
    ((_, *box),) = objects(result.files[HOME + "xml/1.xml"])
    frame = [frame for frame in result.frames if frame.says("hold: save", "box 1/1")][-1]
    assert drawn(frame, (0, 8)) == tuple(box)
    size = f"{box[2] - box[0] + 1}x{box[3] - box[1] + 1}"
    assert frame.says(size, f"at {box[0]},{box[1]}")


def test_every_mode_names_itself_and_what_the_key_does(collector):
    hands = Hands(ONE).tap().hold(400).tap(10)
    result = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    helps = [
        [text.text for text in frame.texts if text.text.startswith(("hold: ", "tap: "))]
        for frame in result.frames
    ]
    shown = [pair for pair in helps if len(pair) == 2]
    order = list(dict.fromkeys(map(tuple, shown)))
    for expected in (
        ("hold: >>>", "tap: TOP"), ("hold: vvv", "tap: RIGHT"), ("hold: <<<", "tap: BOTTOM"),
        ("hold: ^^^", "tap: CLASS"), ("hold: class", "tap: SAVE"), ("hold: save", "tap: ADD"),
        ("hold: a box", "tap: MOVE X"), ("hold: menu", "tap: LEFT"),
    ):  # fmt: skip
        assert expected in order


def test_the_saved_picture_is_clean(collector):
    hands = one_box(Hands(ONE)).hold(1000)
    view = Image.effect_noise((320, 240), 60).convert("RGB").resize((320, 240))
    smooth = view.resize((40, 30)).resize((320, 240), Image.Resampling.BICUBIC)
    result = virtual.run(
        collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500, camera=[smooth]
    )
    saved = np.asarray(Image.open(io.BytesIO(result.files[HOME + "images/1.jpg"])), int)
    assert np.abs(saved - np.asarray(smooth, int)[8:232, 48:272]).max() < 30


def test_a_box_that_nobody_drew_is_asked_for(collector):
    hands = Hands(ONE).tap().tap(SAVE).hold(1000).wait(300)
    asked = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    assert asked.last.says("Box not drawn", "Draw the box", "Whole picture", "Nothing here")
    assert HOME + "xml/1.xml" not in asked.files
    for taps, expected in ((1, [("cat", 1, 1, 224, 224)]), (2, [])):
        hands = Hands(ONE).tap().tap(SAVE).hold(1000).wait(300).tap(taps).hold(1000)
        result = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
        assert objects(result.files[HOME + "xml/1.xml"]) == expected
    hands = Hands(ONE).tap().tap(SAVE).hold(1000).wait(300).hold(1000)
    again = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    assert again.last.says("hold: >>>") and HOME + "xml/1.xml" not in again.files


def test_several_boxes_of_several_classes(collector):
    hands = Hands(ONE).tap().hold(900).tap(4).hold(400).tap(2).hold(1000)  # guinea_pig, ADD
    hands.tap().hold(900).tap(3).hold(1000).tap().hold(1000)  # TOP, then CLASS twice, SAVE
    result = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    first, second = objects(result.files[HOME + "xml/1.xml"])
    assert first[0] == "guinea_pig" and first[1] > 1 and first[2:] == (1, 224, 224)
    assert second[0] in ("dog", "cat") and second[1] == 1 and second[2] > 1
    assert second[0] != first[0]


def test_undo_and_other_choices_of_the_menu(collector):
    # Two holds of LEFT, then MORE: undo takes the second one back.
    hands = Hands(ONE).tap().hold(1200).hold(700).tap(MORE).hold(1000).wait(300).hold(1000)
    undone = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    assert {"Undo", "Delete this box", "Next box", "Go on"} <= set(undone.texts)
    sizes = [text for text in undone.texts if re.fullmatch(r"\d+x224", text)]
    assert undone.last.says(min(sizes, key=lambda text: int(text.split("x")[0])))
    # Delete the box: what is left is a picture with nothing on it.
    hands = Hands(ONE).tap().hold(900).tap(MORE).hold(1000).wait(300).tap().hold(1000).wait(300)
    deleted = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    assert deleted.last.says("no box", "hold: a box")
    # Another picture: nothing is written.
    hands = Hands(ONE).tap().hold(900).tap(MORE).hold(1000).wait(300).tap(4).hold(1000).wait(300)
    thrown = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    assert thrown.last.says("0 pictures", "tap: take")
    assert set(thrown.files) - set(CARD) == {HOME + "labels.txt"}


def test_nothing_here_is_two_presses(collector):
    hands = Hands(ONE).hold(1000).wait(300).tap().hold(1000).wait(300)
    result = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    xml = result.files[HOME + "xml/1.xml"]
    assert objects(xml) == [] and b"<object>" not in xml
    assert HOME + "images/1.jpg" in result.files
    assert result.last.says("tap: take") and "saved 1" in result.texts


def test_the_last_picture_can_be_deleted(collector):
    hands = one_box(Hands(ONE)).hold(1000).wait(300)
    hands.hold(1000).wait(300).tap(3).hold(1000).wait(2500)
    result = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    assert "deleted 1" in result.texts and result.last.says("0 pictures")
    assert set(result.files) - set(CARD) == {HOME + "labels.txt"}


def test_finish_says_how_many_and_goes_on_at_a_key(collector):
    hands = Hands(ONE).hold(1000).wait(300).tap(2).hold(1000).wait(300)
    result = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    assert result.last.says("Finished", "0 pictures are on the card.", "switch off")
    hands.tap()
    result = virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
    assert result.last.says("tap: take")


def test_bouncing_keys_count_once(collector):
    clean, bouncing = Hands(ONE), Hands(ONE, bounce=2)
    for hands in (clean, bouncing):
        one_box(hands).hold(1000)
    results = [
        virtual.run(collector, card=CARD, keys=hands.keys, until_ms=hands.now + 500)
        for hands in (clean, bouncing)
    ]
    boxes = [objects(result.files[HOME + "xml/1.xml"])[0] for result in results]
    assert all(abs(a - b) <= 3 for a, b in zip(boxes[0][1:], boxes[1][1:], strict=True))
    assert not any(HOME + "xml/2.xml" in result.files for result in results)


# Two keys, three keys


def test_two_keys(collector):
    hands = Hands(TWO).tap()
    hands.hold(1200).hold(330, "next").tap().hold(900).tap()
    hands.hold(900).tap().hold(900).tap(2).hold(1000)
    result = virtual.run(
        collector, card=CARD, board=virtual.M5STICKV, keys=hands.keys, until_ms=hands.now + 500
    )
    ((label, left, top, right, bottom),) = objects(result.files[HOME + "xml/1.xml"])
    assert label == "cat" and 20 <= left <= 40 and 10 <= top <= 25
    assert 200 <= right <= 215 and 200 <= bottom <= 215
    assert {"A hold >>>", "B hold <<<", "A hold vvv"} <= set(result.texts)


def test_three_keys_drive_a_box_round_a_known_rectangle(collector):
    known = (8, 6, 217, 220)
    hands = Hands(THREE).tap()
    for role, count in (("next", 7), ("next", 5), ("back", 7), ("back", 4)):
        hands.tap(count, role).tap()
    hands.tap().hold(1000)
    result = virtual.run(
        collector, card=CARD, board=virtual.CUBE, keys=hands.keys, until_ms=hands.now + 500,
        camera=[scene(*known)],
    )  # fmt: skip
    assert objects(result.files[HOME + "xml/1.xml"]) == [("cat", *known)]
    frame = [frame for frame in result.frames if frame.says("hold ENTER: save")][-1]
    assert drawn(frame, (8, 0)) == known
    saved = np.asarray(Image.open(io.BytesIO(result.files[HOME + "images/1.jpg"])), int)
    ys, xs = np.nonzero(saved.min(-1) > 150)
    assert (xs.min() + 1, ys.min() + 1, xs.max() + 1, ys.max() + 1) == known


# Files


def test_numbers_go_on_after_a_restart_and_nothing_is_overwritten(collector):
    hands = one_box(Hands(ONE)).hold(1000)
    files = dict(CARD)
    for number in (1, 2, 3):
        before = dict(files)
        result = virtual.run(collector, card=files, keys=hands.keys, until_ms=hands.now + 500)
        files = dict(result.files)
        assert {name: files[name] for name in before} == before
        assert sorted(set(files) - set(before))[-2:] == [
            f"{HOME}images/{number}.jpg", f"{HOME}xml/{number}.xml",
        ] or number == 1  # fmt: skip
    assert b"<filename>3.jpg</filename>" in files[HOME + "xml/3.xml"]


def test_odd_and_orphaned_files_are_reported_and_kept(collector):
    odd = {
        "images/7.jpg": b"a picture without boxes",
        "xml/9.xml": b"<annotation></annotation>",
        "xml/11.tmp": b"<annotation>",
        "images/IMG_0001.JPG": b"from a telephone",
        "images/12345678901.jpg": b"a large number",
        "xml/notes.txt": b"x",
        "images/20.jpg/inside.txt": b"a folder called like a picture",
        "labels.txt": b"bird\ncat\n",
        "~new.jpg": b"half a picture",
    }
    card = {**CARD, **{HOME + name: data for name, data in odd.items()}}
    hands = Hands(ONE).tap()
    one_box(hands.wait(200)).hold(1000)
    result = virtual.run(collector, card=card, keys=hands.keys, until_ms=hands.now + 500)
    for text in ("Pictures without boxes (kept): 7, 20", "Boxes without picture (kept): 9"):
        assert f"maixforge: {text}" in result.stdout
    page = next(frame for frame in result.frames if frame.says("Press a key."))
    assert page.says("Please note", "boxes (kept): 7, 20", "picture (kept): 9", "IMG_0001.JPG")
    for name, data in odd.items():
        if name not in ("labels.txt", "~new.jpg"):
            assert result.files[HOME + name] == data
    assert result.files[HOME + "unfinished1.jpg"] == b"half a picture"
    assert result.files[HOME + "labels.txt"] == b"bird\ncat\nguinea_pig\ndog\n"
    assert objects(result.files[HOME + "xml/21.xml"])[0][0] == "bird"


def test_classes_without_a_file_of_them(collector):
    hands = one_box(Hands(ONE)).hold(1000)
    result = virtual.run(collector, card={}, keys=hands.keys, until_ms=hands.now + 500)
    labels = result.files["maixforge/dataset/labels.txt"]
    assert labels == b"class1\nclass2\nclass3\nclass4\nclass5\n"
    assert objects(result.files["maixforge/dataset/xml/1.xml"])[0][0] == "class1"


def test_hostile_class_names_are_only_text(collector):
    card = {"classes.txt": b'# name: ../x y\n"; import uos #\nR&B\n%s%d\nCAT\ncat\n\xff\n'}
    hands = one_box(Hands(ONE, 10_000)).hold(1000)  # what was changed is told first
    result = virtual.run(collector, card=card, keys=hands.keys, until_ms=hands.now + 500)
    assert any(frame.says("Please note", "Twice: cat") for frame in result.frames)
    (path,) = [name for name in result.files if name.endswith("labels.txt")]
    home = path[: -len("labels.txt")]
    assert home.startswith("maixforge/") and home.count("/") == 2 and ".." not in home
    labels = result.files[path].decode().split()
    assert len(labels) == 5 and labels[1:4] == ["R&B", "%s%d", "CAT"]
    assert objects(result.files[home + "xml/1.xml"])[0][0] == labels[0]


def test_boxes_of_earlier_days_are_counted(collector):
    def pair(number: int, labels: list[str]) -> dict[str, bytes]:
        found = "".join(f"<object><name>{label}</name></object>" for label in labels)
        return {
            f"{HOME}images/{number}.jpg": b"jpeg",
            f"{HOME}xml/{number}.xml": f"<annotation>{found}</annotation>".encode(),
        }

    card = {
        **CARD,
        **pair(1, ["cat", "cat"]),
        **pair(2, ["dog"]),
        **pair(5, ["cat"]),
        **pair(6, []),
    }
    result = virtual.run(collector, card=card, until_ms=4000)
    assert result.last.says("4 pictures", "3/100", "0/100", "1/100")


@pytest.mark.parametrize(
    ("board", "pins", "size"),
    [
        (virtual.BIT, ONE, (240, 240)),
        (virtual.BIT, ONE, (320, 240)),
        (virtual.CUBE, {"enter": 10}, (240, 240)),
        (virtual.M5STICKV, {"enter": 36}, (240, 240)),
        (virtual.M5STICKV, {"enter": 36}, (320, 240)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_other_sizes_of_pictures(board, pins, size):
    script = render("collect_detect", {"size": size, "keys": pins})
    hands = one_box(Hands(pins)).hold(1000)
    result = virtual.run(script, card=CARD, board=board, keys=hands.keys, until_ms=hands.now + 500)
    assert Image.open(io.BytesIO(result.files[HOME + "images/1.jpg"])).size == size
    xml = ElementTree.fromstring(result.files[HOME + "xml/1.xml"])
    assert (xml.findtext("size/width"), xml.findtext("size/height")) == tuple(map(str, size))
    ((_, left, top, right, bottom),) = objects(result.files[HOME + "xml/1.xml"])
    assert 1 < left < right < size[0] and 1 < top < bottom < size[1]
