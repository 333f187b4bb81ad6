"""collect_detect.py when something goes wrong: card, camera, power, fingers off the screen."""

import io
from collections.abc import Mapping

import pytest
from hands import Hands
from PIL import Image
from test_collect_detect import CARD, HOME, ONE, objects, one_box

from host.deploy.board import render
from host.emulator import board as virtual

NOISE = Image.effect_noise((320, 240), 90).convert("RGB")  # makes a JPEG of many blocks


@pytest.fixture(scope="session")
def collector() -> bytes:
    """The collector with its default settings."""
    return render("collect_detect", {})


@pytest.fixture(scope="session")
def saving() -> Hands:
    """One picture with one box, saved."""
    return one_box(Hands(ONE)).hold(1000)


@pytest.fixture(scope="session")
def first(collector, saving) -> virtual.Result:
    """A card with one pair on it."""
    return virtual.run(collector, card=CARD, keys=saving.keys, until_ms=saving.now + 500)


@pytest.fixture(scope="session")
def second(collector, saving, first) -> virtual.Result:
    """The same card after another run with one more pair."""
    return virtual.run(
        collector, card_image=first.card_image, keys=saving.keys, until_ms=saving.now + 500,
        camera=[NOISE],
    )  # fmt: skip


def pairs(files: Mapping[str, bytes]) -> set[int]:
    """Return the numbers of the whole pairs; every XML with its own name must be one of them."""
    found = set()
    for name, data in files.items():
        if name.startswith(HOME + "xml/") and name.endswith(".xml"):
            number = int(name.rpartition("/")[2][:-4])
            objects(data)
            Image.open(io.BytesIO(files[f"{HOME}images/{number}.jpg"])).load()
            found.add(number)
    return found


# Power


def test_power_off_at_every_write_loses_nothing_but_the_picture_in_flight(first, second):
    before = dict(first.files)
    points = 0
    for _, image in second.cards_after_each_write():
        files = virtual.read_card(image).files
        assert {name: files.get(name) for name in before} == before
        assert pairs(files) in ({1}, {1, 2})
        points += 1
    assert points == second.writes + 1 > 30 and pairs(second.files) == {1, 2}


def test_power_off_at_every_write_of_the_first_start(first):
    for _, image in first.cards_after_each_write():
        files = virtual.read_card(image).files
        assert files["classes.txt"] == CARD["classes.txt"]
        assert pairs(files) in (set(), {1})
        assert files.get(HOME + "labels.txt", first.files[HOME + "labels.txt"]) in (
            b"", first.files[HOME + "labels.txt"],
        )  # fmt: skip


def check_start_after(collector, saving, second, before, image):
    """Start on a card that was cut off, save a pair; what was there stays."""
    late = [(ms + 9000, pin, level) for ms, pin, level in saving.keys]  # the report goes by itself
    result = virtual.run(collector, card_image=image, keys=late, until_ms=saving.now + 9500)
    assert result.card.problems == ()
    assert {name: result.files.get(name) for name in before} == before
    found = pairs(result.files)
    assert 1 in found and len(found) >= 2
    for name, data in virtual.read_card(image).files.items():
        number = name.rpartition("/")[2].partition(".")[0]
        if name.endswith(".jpg") and data.endswith(b"\xff\xd9") and number.isdigit():
            assert result.files[name] == data  # whole pictures are kept, whatever else is missing


def cut_cards(second: virtual.Result) -> list[bytes]:
    return [image for _, image in second.cards_after_each_write()]


def test_a_start_after_power_off_mends_and_goes_on(collector, saving, first, second):
    cards = cut_cards(second)
    for image in [*cards[:-5:32], *cards[-5:]]:
        check_start_after(collector, saving, second, dict(first.files), image)


@pytest.mark.slow
def test_a_start_after_power_off_at_every_write(collector, saving, first, second):
    for image in cut_cards(second):
        check_start_after(collector, saving, second, dict(first.files), image)


def test_a_cut_before_the_last_step_is_finished_at_the_next_start(collector, second):
    cut = [
        image
        for image in cut_cards(second)
        if f"{HOME}images/2.jpg" in (files := virtual.read_card(image).files)
        and f"{HOME}xml/2.xml" not in files
        and f"{HOME}xml/2.tmp" in files
    ]
    assert cut
    result = virtual.run(collector, card_image=cut[0], until_ms=1500)
    assert pairs(result.files) == {1, 2} and result.card.problems == ()
    assert result.files[HOME + "xml/2.xml"] == second.files[HOME + "xml/2.xml"]


# The card


def test_no_card_then_a_card(collector, saving):
    none = virtual.run(collector, card=None, until_ms=5000)
    assert none.last.says("No SD card", "FAT32", "MBR")
    assert "maixforge: No SD card" in none.stdout
    late = virtual.run(collector, card=CARD, card_at_ms=2500, until_ms=4500)
    assert late.last.says("pets", "0 pictures")
    very_late = virtual.run(collector, card=CARD, card_at_ms=6000, until_ms=14_000)
    assert "No SD card" in very_late.texts and very_late.last.says("pets", "0 pictures")


def test_a_read_only_card(collector, first):
    new = virtual.run(collector, card=CARD, card_read_only=True, until_ms=4000)
    assert new.last.says("Card is gone", "Is its lock open?", "Press a key to try again.")
    assert new.files == dict(CARD)
    old = virtual.run(collector, card_image=first.card_image, card_read_only=True, until_ms=4000)
    assert old.last.says("Card is read-only", "Slide its lock", "Press a key to try again.")
    assert old.card_image == first.card_image


def test_a_card_pulled_while_saving_comes_back(collector, saving, first):
    out = saving.now - 260 - 300  # the key has been down for 700 ms: the save has begun
    pulled = 0
    for delay in range(-40, 240, 56):
        result = virtual.run(
            collector, card_image=first.card_image, keys=saving.keys, card_out_ms=out + delay,
            card_back_ms=out + delay + 3000, until_ms=out + 16_000,
        )  # fmt: skip
        before = dict(first.files)
        assert {name: result.files.get(name) for name in before} == before
        assert pairs(result.files) in ({1, 2}, {1, 3}) and result.card.problems == ()
        pulled += "Card is gone" in result.texts
        if "Card is gone" in result.texts:
            assert "maixforge: Card is gone" in result.stdout
            assert result.last.says("2 pictures", "tap: take")
    assert pulled >= 2


def test_a_failing_write_anywhere_loses_nothing(collector, saving, first, second):
    before = dict(first.files)
    said = set()
    for number in range(1, second.writes + 1, 9):
        result = virtual.run(
            collector, card_image=first.card_image, keys=saving.keys, write_error_at=number,
            write_errors=10_000, until_ms=saving.now + 500,
        )  # fmt: skip
        assert {name: result.files.get(name) for name in before} == before
        assert pairs(result.files) in ({1}, {1, 2})
        said |= set(result.texts)
    assert any(text.startswith("Card") for text in said)


@pytest.mark.parametrize("free", [0, 1, 4, 40, 150, 190])
def test_a_full_card_says_so_and_keeps_everything(collector, saving, first, free):
    room = virtual.read_card(first.card_image).free
    card = {**first.files, "filler.bin": bytes(room - free * 512)}
    result = virtual.run(collector, card=card, keys=saving.keys, until_ms=saving.now + 500)
    assert {name: result.files.get(name) for name in card} == card
    assert pairs(result.files) == {1}
    assert any(frame.says("Card is full") for frame in result.frames)


@pytest.mark.parametrize("free", [*range(8), *range(8, 60, 4)])
def test_a_card_that_becomes_full_in_mid_save(collector, saving, first, free):
    # The checks before a save are taken out: XML and JPEG then meet the full card anywhere.
    script = collector.replace(b"SPARE = 98304", b"SPARE = 0")
    assert script != collector
    room = virtual.read_card(first.card_image).free
    card = {**first.files, "filler.bin": bytes(room - free * 512)}
    result = virtual.run(
        script, card=card, keys=saving.keys, until_ms=saving.now + 500, camera=[NOISE]
    )
    full = any(frame.says("Card is full") for frame in result.frames)
    assert full or (free > 30 and pairs(result.files) == {1, 2})
    assert pairs(result.files) in ({1}, {1, 2}) and result.card.problems == ()
    assert {name: result.files.get(name) for name in card} == card
    assert not [name for name in result.files if name.endswith(".tmp") or "~" in name]


def test_a_full_card_can_be_changed_for_another(collector, saving, first):
    # The box is drawn before the card fills up: it is not lost, and can be thrown away.
    room = virtual.read_card(first.card_image).free
    card = {**first.files, "filler.bin": bytes(room - 150 * 512)}
    hands = Hands(ONE).tap().wait(300).tap()
    result = virtual.run(collector, card=card, keys=hands.keys, until_ms=hands.now + 3000)
    assert "Card is full" in result.texts and result.last.says("1 pictures", "hold: menu")


# The camera


def test_no_camera_then_a_camera(collector):
    result = virtual.run(
        collector, card=CARD, camera_error="Reset Failed", camera_back_ms=4000, until_ms=8000
    )
    assert "No camera" in result.texts and "maixforge: No camera" in result.stdout
    assert result.last.says("tap: take")


def test_a_camera_that_stops_comes_back(collector, saving):
    result = virtual.run(
        collector, card=CARD, camera_dies_ms=1000, camera_back_ms=3000, until_ms=8000
    )
    assert any(frame.says("Camera gives no picture") for frame in result.frames)
    assert result.last.says("tap: take")


def test_a_frozen_picture_needs_no_camera(collector, saving):
    result = virtual.run(
        collector, card=CARD, keys=saving.keys, camera_dies_ms=2500, until_ms=saving.now + 2000
    )
    assert pairs(result.files) == {1}


# Memory, Ctrl-C


def test_no_memory_for_the_frame(collector):
    result = virtual.run(collector, card=CARD, frame_memory=1000, until_ms=3000)
    assert result.last.says("Out of memory", "minimum_with_ide_support")


@pytest.mark.parametrize("until", [1, 150, 600, 1550, 3000, 9000])
def test_ctrl_c_ends_at_any_time(collector, saving, until):
    result = virtual.run(collector, card=CARD, keys=saving.keys, until_ms=until)
    assert result.ended == "returned" and result.stdout.endswith("maixforge: stopped\n")


def many(count: int) -> Hands:
    """Press through `count` pictures with nothing on them and as many with a box."""
    hands = Hands(ONE)
    for _ in range(count):
        one_box(hands).hold(900).wait(200)
        hands.hold(900).wait(100).tap().hold(900).wait(200)
    return hands


def high_marks(collector, count: int) -> tuple[int, int]:
    """Return the high-water marks after 4 pictures and after `2 * count` of the same run."""
    hands, start = many(count), many(2).now
    marks = []
    for number, until in ((2, start), (count, hands.now)):
        result = virtual.run(
            collector, card=CARD, keys=hands.keys, until_ms=until + 200, card_bytes=64 << 20,
            timeout=3000, keep_pictures=False, measure_heap=True,
        )  # fmt: skip
        assert pairs(result.files) == set(range(1, 2 * number + 1))
        marks.append(result.heap_high)
    return marks[0], marks[1]


def test_ten_pictures_need_no_more_memory_than_four(collector):
    few, ten = high_marks(collector, 5)
    assert ten - few < 500 and ten < 300_000


@pytest.mark.slow
def test_a_hundred_pictures_in_the_same_memory(collector):
    few, hundred = high_marks(collector, 60)
    assert hundred - few < 1000
