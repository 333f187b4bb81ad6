"""collect_classify.py when things go wrong: the card, the power, the camera, the memory."""

import io
from collections.abc import Iterator
from itertools import pairwise

import pytest
from collecting import CARD, HOME, LONG, LONGER, ONE, collect, jpeg, noise, pictures, saved
from hands import Hands
from PIL import Image, ImageEnhance

from host.datasets import checks, formats, intake
from host.deploy.board import render
from host.emulator import board as virtual
from host.emulator.board import fat

DRAFT = "~new.jpg"


@pytest.fixture(scope="session")
def collector() -> bytes:
    """The collector with its default settings."""
    return render("collect_classify", {})


@pytest.fixture(scope="session")
def scenes() -> list[Image.Image]:
    """Camera pictures of which no two are equal."""
    one = ImageEnhance.Contrast(noise()).enhance(0.2)
    return [one.rotate(n) for n in range(200)]


def whole(data: bytes) -> bool:
    """Tell whether a JPEG has its beginning and end and can be decoded to 224 x 224."""
    if data[:2] != b"\xff\xd8" or data[-2:] != b"\xff\xd9":
        return False
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture.size == (224, 224)


def final(files) -> dict[str, bytes]:
    """Return the pictures that have their final names."""
    return {
        name: data
        for name, data in files.items()
        if name.endswith(".jpg") and not name.endswith(DRAFT)
    }


def nothing_is_broken(result: virtual.Result) -> None:
    assert result.card.problems == ()
    for name, data in final(result.files).items():
        assert whole(data), name
    assert not [name for name in result.files if "~" in name]


# The card is missing, late, pulled, worn, locked


def test_no_card(collector):
    result = collect(collector, card=None, until_ms=9000)
    assert result.last.says("No SD card", "FAT32", "MBR")
    assert "Waiting for the SD card ..." in result.texts
    assert result.stdout.count("maixforge: No SD card") == 1


def test_a_card_that_has_no_file_system(collector):
    result = collect(collector, card=None, card_image=bytes(1 << 20), until_ms=9000)
    assert result.last.says("No SD card", "FAT32")


@pytest.mark.parametrize("at", [100, 1500, 2900, 3500, 6000, 14_000])
def test_a_late_card_is_found(collector, at):
    result = collect(collector, Hands(ONE, at + 7500).tap(2), card_at_ms=at)
    assert pictures(result) == ["cat/1.jpg", "cat/2.jpg"]
    nothing_is_broken(result)


def test_a_card_that_was_out_for_a_while(collector):
    hands = Hands(ONE).tap(2).wait(500)
    out = hands.now
    hands.wait(1000).tap().wait(8000)
    back = hands.now - 4000
    hands.wait(4000).tap(2)
    result = collect(collector, hands, card_out_ms=out, card_back_ms=back)
    assert any(frame.says("Card is gone", "goes on by itself") for frame in result.frames)
    assert "maixforge: Card is gone" in result.stdout
    assert pictures(result) == [f"cat/{n}.jpg" for n in (1, 2, 3, 4)]
    nothing_is_broken(result)


def save_window(result: virtual.Result) -> list[int]:
    """Return the times of the block writes of the second picture."""
    lines = [write.ms for write in result.journal]
    gaps = [n for n, (a, b) in enumerate(pairwise(lines), 1) if b - a > 150]
    return lines[gaps[-1] :]


@pytest.mark.parametrize(
    "step", [6, pytest.param(1, marks=pytest.mark.slow)], ids=["every sixth", "every"]
)
@pytest.mark.parametrize("away", [100, 5000])
def test_a_card_pulled_at_every_write_of_a_save(collector, scenes, away, step):
    hands = Hands(ONE).tap(2)
    times = save_window(collect(collector, hands, camera=scenes))
    assert len(times) > 20
    for out in sorted(set(times))[::step]:
        later = Hands(ONE).tap(2).wait(12_000).tap(2)
        setup = {"card_out_ms": out, "card_back_ms": out + away, "camera": scenes}
        result = collect(collector, later, **setup)
        names = pictures(result)
        assert names[0] == "cat/1.jpg" and len(names) in (3, 4), (out, names)
        assert saved(result)[0] == "cat/1.jpg"
        nothing_is_broken(result)
        assert set(saved(result)) <= set(names)


@pytest.mark.parametrize(
    "step", [12, pytest.param(1, marks=pytest.mark.slow)], ids=["every twelfth", "every"]
)
def test_a_write_that_fails_costs_nothing_but_time(collector, step):
    hands = Hands(ONE).tap(3)
    writes = collect(collector, hands).writes
    for number in range(1, writes + 1, step):
        later = Hands(ONE).tap(3).wait(8000).tap()
        result = collect(collector, later, write_error_at=number)
        assert len(pictures(result)) >= 2, number
        assert set(saved(result)) <= set(pictures(result))
        for name, data in final(result.files).items():
            assert whole(data), (number, name)
        assert not [p for p in result.card.problems if "copies" not in p], number


def test_a_card_that_fails_for_good_says_so_and_keeps_what_it_has(collector):
    hands = Hands(ONE).tap(2)
    enough = collect(collector, hands).writes
    later = Hands(ONE).tap(6).wait(4000)
    result = collect(collector, later, write_error_at=enough + 5, write_errors=10_000)
    assert result.last.says("Card is read-only") or result.last.says("Card is gone")
    assert {"cat/1.jpg", "cat/2.jpg"} <= set(pictures(result))


def test_a_locked_card(collector):
    old = collect(collector, Hands(ONE).tap(2))
    setup = {"card_image": old.card_image, "card_read_only": True}
    result = collect(collector, Hands(ONE).tap().wait(3000), **setup)
    assert result.last.says("Card is read-only", "Slide its lock")
    assert result.card_image == old.card_image
    new = collect(collector, card_read_only=True, until_ms=3000)  # without its folders yet
    assert new.last.says("Card is gone", "Is its lock open?")


# The card is full


def test_a_full_card_is_seen_before_a_save(collector):
    script = render("collect_classify", {"burst": 99})
    hands = Hands(ONE).hold(LONGER).tap(4).hold(LONG).wait(32_000)
    result = collect(script, hands, card_bytes=400 << 10)
    assert result.last.says("Card is full", "All saved pictures are kept")
    assert len(pictures(result)) > 20
    assert saved(result) == sorted(pictures(result), key=lambda n: int(n.split("/")[-1][:-4]))
    nothing_is_broken(result)
    hands = Hands(ONE).tap().wait(300).tap().hold(LONGER).tap(3).hold(LONG)
    again = collect(script, hands, card_image=result.card_image)
    assert again.last.says("Delete it?") and "FULL" in again.texts  # a key goes on; it can delete
    assert final(again.files) == final(result.files)


@pytest.mark.parametrize("free", range(0, 30, 2))
def test_a_card_that_becomes_full_in_mid_save(collector, scenes, free):
    # The check before a save is taken out: a save then meets the full card wherever it is.
    script = collector.replace(b"SPARE = 98304", b"SPARE = 0")
    assert script != collector
    card = {**CARD, HOME + "cat/1.jpg": jpeg(), "filler": b"f"}
    setup = {"card_bytes": 400 << 10, "camera": scenes}
    room = collect(script, card=card, until_ms=10, **setup).card.free
    card["filler"] = b"f" * (room - free * 1024)
    result = collect(script, Hands(ONE).tap(2).wait(500), card=card, **setup)
    full = any(frame.says("Card is full") for frame in result.frames)
    assert full if free <= 10 else full or len(saved(result)) == 2
    assert {name: result.files[name] for name in card} == card
    nothing_is_broken(result)


# The power goes


def collecting_run(script: bytes, scenes: list[Image.Image]) -> virtual.Result:
    """Collect six pictures of two classes, one for validation, and delete one."""
    hands = Hands(ONE).tap(5).hold(LONG).tap().hold(LONGER).tap(3).hold(LONG).tap().hold(LONG)
    return collect(script, hands.tap(), camera=scenes)


def kept_at_every_write(result: virtual.Result, before=(), deleted=()) -> Iterator[tuple]:
    """Check the card after every block write; yield (number, card, its contents)."""
    there: dict[str, bytes] = dict(before)
    for number, image in result.cards_after_each_write():
        contents = fat.read(image)
        now = final(contents.files)
        for name, data in now.items():
            assert whole(data), (number, name)
        for name, data in there.items():
            assert now.get(name) == data or (name not in now and name in deleted), (number, name)
        there = now
        for problem in contents.problems:  # a rename that is half done: mended at the next start
            assert DRAFT in problem, (number, problem)
        yield number, image, contents


def test_power_off_at_every_write_loses_only_the_picture_in_flight(collector, scenes):
    result = collecting_run(collector, scenes)
    assert pictures(result) == [
        *[f"cat/{n}.jpg" for n in (1, 2, 3, 4)],
        "dog/2.jpg",
        "valid/cat/5.jpg",
    ]
    states = list(kept_at_every_write(result, deleted=(HOME + "dog/1.jpg",)))
    assert len(states) > 150
    done = [number for number, _, contents in states if contents.problems]
    assert done, "no rename was caught half done: is it still two writes?"


@pytest.mark.parametrize(
    "step", [20, pytest.param(1, marks=pytest.mark.slow)], ids=["every twentieth", "every"]
)
def test_after_power_off_at_any_write_collecting_goes_on(collector, scenes, step):
    result = collecting_run(collector, scenes)
    states = list(kept_at_every_write(result, deleted=(HOME + "dog/1.jpg",)))
    chosen = [state for state in states if state[0] % step == 0 or state[2].problems]
    for number, image, contents in chosen:
        again = collect(collector, Hands(ONE).tap(), card_image=image, camera=scenes[100:])
        had, has = final(contents.files), final(again.files)
        assert {name: has.get(name) for name in had} == had, number
        assert len(has) == len(had) + 1, number
        nothing_is_broken(again)


def test_half_a_rename_in_a_class_that_is_listed_no_more(collector, scenes):
    result = collecting_run(collector, scenes)
    half = [s for s in kept_at_every_write(result, deleted=(HOME + "dog/1.jpg",)) if s[2].problems]
    script = render("collect_classify", {"name": "pets"}).replace(b"classes.txt", b"gone.txt")
    assert half
    for number, image, contents in half:
        again = collect(script, Hands(ONE).tap(), card_image=image, camera=scenes[100:])
        had, has = final(contents.files), final(again.files)
        assert has.keys() - had.keys() == {HOME + "class1/1.jpg"}, number
        assert {name: has.get(name) for name in had} == had, number
        nothing_is_broken(again)


@pytest.mark.slow
def test_power_off_at_every_write_of_the_mending(collector, scenes):
    result = collecting_run(collector, scenes)
    half = [s for s in kept_at_every_write(result, deleted=(HOME + "dog/1.jpg",)) if s[2].problems]
    for number, image, contents in half:
        again = collect(collector, card_image=image, until_ms=1500)
        flying = {
            name for name in final(contents.files) if any(name in p for p in contents.problems)
        }
        assert len(flying) == 1
        before = final(contents.files)
        for step, now, inside in kept_at_every_write(again, before=before, deleted=flying):
            assert set(before) - set(final(inside.files)) <= flying, (number, step)
            if inside.problems:
                last = collect(collector, card_image=now, until_ms=1500)
                assert set(before) - set(final(last.files)) <= flying, (number, step)
                nothing_is_broken(last)


# Camera and memory


def test_no_camera_until_somebody_plugs_it_in(collector):
    hands = Hands(ONE, 7000).tap(2)
    result = collect(collector, hands, camera_error="Reset Failed", camera_back_ms=4000)
    assert any(
        f.says("No camera", "push the camera cable in", "Reset Failed") for f in result.frames
    )
    assert result.stdout.count("maixforge: No camera") == 1
    assert pictures(result) == ["cat/1.jpg", "cat/2.jpg"]


def test_a_camera_that_dies_and_comes_back(collector):
    hands = Hands(ONE).tap(2).wait(5000).tap(2)
    result = collect(collector, hands, camera_dies_ms=2600, camera_back_ms=4500)
    assert "maixforge: Camera gives no picture" in result.stdout
    assert pictures(result) == [f"cat/{n}.jpg" for n in (1, 2, 3, 4)]
    nothing_is_broken(result)


def test_mirror_is_set_again_when_the_camera_comes_back():
    left_white = Image.new("L", (320, 240), 0)
    left_white.paste(255, (0, 0, 160, 240))
    script = render("collect_classify", {"mirror": True})
    setup = {"camera": [left_white.convert("RGB")], "camera_dies_ms": 2600, "camera_back_ms": 4500}
    result = collect(script, Hands(ONE).tap(1).wait(5500).tap(1), **setup)
    found = [Image.open(io.BytesIO(data)).convert("L") for data in final(result.files).values()]
    corners = [picture.crop((9, 9, 10, 10)).tobytes()[0] for picture in found]
    assert len(corners) == 2 and max(corners) < 20


def test_card_and_camera_fail_together(collector):
    hands = Hands(ONE, 1500).tap().wait(16_000).tap()
    setup = {
        "camera_dies_ms": 2500,
        "camera_back_ms": 6000,
        "card_out_ms": 2300,
        "card_back_ms": 9000,
    }
    result = collect(collector, hands, **setup)
    assert pictures(result)[0] == "cat/1.jpg"
    result = collect(collector, hands.wait(9000).tap(), **setup)
    assert len(pictures(result)) >= 2
    nothing_is_broken(result)


def test_no_memory_for_the_camera(collector):
    result = collect(collector, frame_memory=1000, until_ms=6000)
    assert result.last.says("Out of memory", "minimum_with_ide_support")
    assert result.stdout.count("Out of memory") == 1


def test_a_save_without_memory_is_told_and_can_be_tried_again(collector):
    # The encoder's 700 KiB are not free: image.save() says so by a MemoryError.
    failing = b"            picture.save(draft, quality=quality)\n"
    assert failing in collector
    script = collector.replace(
        failing,
        b"            tries.append(1)\n            if len(tries) == 2:\n"
        b"                raise MemoryError('Out of Memory! Please reduce the resolution')\n"
        + failing,
    ).replace(b"def save_picture", b"tries = []\n\n\ndef save_picture")
    result = collect(script, Hands(ONE).tap(2).wait(500).tap(2))
    assert any(frame.says("Out of memory", "minimum_with_ide_support") for frame in result.frames)
    assert pictures(result) == ["cat/1.jpg", "cat/2.jpg"]


@pytest.mark.parametrize("board", [virtual.BIT, virtual.AMIGO_TFT, virtual.M5STICKV])
def test_a_smaller_heap_is_enough(board, collector):
    hands = Hands({"enter": {"bit": 16, "m5stickv": 36}.get(board.name, 23)}).tap(4)
    result = collect(collector, hands, board=board, heap=380_000)
    assert pictures(result) == [f"cat/{n}.jpg" for n in (1, 2, 3, 4)]


# Long runs, and where the pictures go


@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.slow)])
def test_many_pictures_in_the_same_memory(count):
    def run(number: int) -> virtual.Result:
        script = render("collect_classify", {"burst": number})
        script = script.replace(b"BURST_MS = 300", b"BURST_MS = 0")
        hands = Hands(ONE).hold(LONGER).tap(4).hold(LONG).wait(number * 150 + 2000)
        setup = {"card_bytes": 24 << 20, "keep_pictures": False, "measure_heap": True}
        return collect(script, hands, timeout=600, **setup)

    few, many = run(20), run(count)
    assert len(pictures(few)) == 20 and len(pictures(many)) == count
    assert many.heap_kept - few.heap_kept < 1500
    assert many.heap_high - few.heap_high < 4000
    nothing_is_broken(many)


def two_classes(scenes, tmp_path, **settings) -> virtual.Result:
    """Collect 45 pictures of two classes; the card's files lie in tmp_path/card then."""
    script = render("collect_classify", {"burst": 45, "minimum": 45, **settings})
    hands = Hands(ONE).hold(LONGER).tap(4).hold(LONG).wait(24_000).hold(LONG)
    hands.hold(LONGER).tap(4).hold(LONG).wait(24_000)
    many = [scene.rotate(n * 7) for n, scene in enumerate(scenes * 4)]
    result = collect(script, hands, camera=many, keep_pictures=False)
    assert len(pictures(result)) == 90
    for name, data in result.files.items():
        path = tmp_path / "card" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return result


def test_the_host_accepts_the_dump(scenes, tmp_path):
    two_classes(scenes, tmp_path)
    dataset = formats.load(intake.receive(tmp_path / "card", tmp_path / "work"))
    assert (dataset.task, dataset.labels) == ("classify", ("cat", "dog"))
    checked = checks.check(dataset)
    assert [finding for finding in checked.findings if finding.severity == "error"] == []
    splits = [sample.split for sample in dataset.samples]
    assert splits.count("valid") == 18 and len(splits) == 90


def test_the_rules_of_maix_train_without_a_folder_for_validation(scenes, tmp_path):
    # Every folder is a class to its classifier (train/classifier/__init__.py), valid/ as well.
    two_classes(scenes, tmp_path, valid_every=0)
    folders = [path for path in (tmp_path / "card" / HOME).iterdir() if path.is_dir()]
    used = {path.name: list(path.iterdir()) for path in folders}
    assert used.keys() == {"cat", "dog"}
    for files in (used["cat"], used["dog"]):
        assert 40 <= len(files) <= 2000
        for path in files:
            assert Image.open(path).size == (224, 224) and Image.open(path).mode == "RGB"
