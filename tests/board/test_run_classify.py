"""run_classify.py as boot.py, on the virtual board."""

import io

import numpy as np
import pytest
from PIL import Image

from host.deploy.board import render
from host.emulator import board as virtual

DOG = (0.1, 0.85, 0.05)
BOARDS = [virtual.BIT, virtual.CUBE, virtual.AMIGO, virtual.M5STICKV]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_label_score_and_time_are_on_the_screen(boot, card, board):
    result = virtual.run(boot, card=card, kpu=DOG, board=board)
    assert result.ended == "returned"
    assert result.last.image.size == board.panel
    assert [text.text for text in result.last.texts] == ["dog", "85%", "38 ms  11.1 fps"]


def test_the_best_of_changing_outputs_is_shown_and_printed(boot, card):
    scores = iter([[0.9, 0.1, 0.0], [0.0, 0.2, 0.8], *[[0.1, 0.7, 0.2]] * 99])
    result = virtual.run(boot, card=card, kpu=lambda _: next(scores))
    lines = result.json_lines()
    assert [line["label"] for line in lines[:4]] == ["cat", "bird", "dog", "dog"]
    assert lines[1] == {
        "frame": 1, "index": 2, "label": "bird", "score": 0.8, "ms": 38, "fps": lines[1]["fps"],
    }  # fmt: skip
    assert [t for t in result.texts if t in ("cat", "dog", "bird")] == ["cat", "bird", "dog"]


def test_the_kpu_gets_the_middle_of_the_clean_camera_picture(boot, card):
    scene = Image.effect_noise((320, 240), 80).convert("RGB")
    seen = []

    def kpu(picture):
        seen.append(picture)
        return DOG

    virtual.run(boot, card=card, kpu=kpu, camera=[scene], until_ms=1500)
    middle = np.asarray(scene)[8:232, 48:272]
    assert len(seen) > 2
    for picture in seen:  # were the texts in it, whole rows would be black
        assert np.abs(picture.astype(int) - middle).max() <= 8


def test_small_inputs_are_scaled_from_the_same_view(card):
    boot = render("run_classify", {"input": (160, 160), "window": (224, 224)})
    scene = Image.linear_gradient("L").resize((320, 240)).convert("RGB")
    seen = []

    def kpu(picture):
        seen.append(picture)
        return DOG

    result = virtual.run(
        boot, card=card, kpu=kpu, camera=[scene], model_input=(160, 160), until_ms=1500
    )
    assert result.last.says("dog", "85%")
    middle = scene.crop((48, 8, 272, 232)).resize((160, 160), Image.Resampling.NEAREST)
    assert np.abs(seen[-1].astype(int) - np.asarray(middle)).max() <= 10


def test_low_scores_are_shown_as_unsure(boot, card):
    result = virtual.run(boot, card=card, kpu=(0.3, 0.4, 0.3))
    assert result.last.says("dog?", "40%")


def test_settings_reach_the_board(card):
    boot = render(
        "run_classify",
        {"threshold": 0.3, "rotation": 2, "mirror": True, "flip": True, "json": False},
    )
    left_white = Image.new("L", (320, 240), 0)
    left_white.paste(255, (0, 0, 160, 120))
    corners = []

    def kpu(picture):
        corners.append((picture[5, 5, 0], picture[-5, -5, 0]))
        return (0.3, 0.4, 0.3)

    result = virtual.run(boot, card=card, kpu=kpu, camera=[left_white.convert("RGB")])
    assert result.last.says("dog", "40%") and "dog?" not in result.texts
    assert set(corners) == {(0, 255)}
    assert result.json_lines() == []


@pytest.mark.parametrize("labels", [b"\xef\xbb\xbfcat\r\ndog\r\nbird\r\n\r\n", b"cat\ndog\nbird"])
def test_labels_as_editors_leave_them(boot, card, labels):
    card["labels.txt"] = labels
    assert virtual.run(boot, card=card, kpu=DOG).last.says("dog", "85%")


def test_hostile_labels_are_only_text(boot, card):
    hostile = ['"; import uos #', "'''\\", "\\x27+exec('print(1)')", '{"a":1}', "%s%n"]
    card["labels.txt"] = "\n".join(hostile).encode()
    one_each = iter([list(row) for row in np.eye(5)] + [[1, 0, 0, 0, 0]] * 99)
    result = virtual.run(boot, card=card, kpu=lambda _: next(one_each))
    assert [line["label"] for line in result.json_lines()[:5]] == hostile
    assert result.files == card  # nothing was run, nothing was written


def test_long_labels_are_cut_to_the_screen(boot, card):
    card["labels.txt"] = b"a" * 64 + b"\nhummingbird hawk\n"
    result = virtual.run(boot, card=card, kpu=(1.0, 0.0))
    assert any(text.startswith("aaaa") and text.endswith("..") for text in result.texts)
    assert virtual.run(boot, card=card, kpu=(0.0, 1.0)).last.says("hummingbird hawk", "100%")


def test_the_start_picture_is_shown_while_the_model_loads(boot, card):
    buffer = io.BytesIO()
    Image.new("RGB", (320, 240), (10, 200, 90)).save(buffer, "JPEG")
    card["start.jpg"] = buffer.getvalue()
    result = virtual.run(boot, card=card, kpu=DOG)
    greens = [f for f in result.frames if f.image.getpixel((5, 5))[1] > 190]
    assert len(greens) == 1 and greens[0].ms < 420
    assert result.last.says("dog")


def test_a_broken_start_picture_is_no_reason_to_stop(boot, card):
    buffer = io.BytesIO()
    Image.new("RGB", (320, 240)).save(buffer, "JPEG", progressive=True)
    for data in (b"not a picture", b"\xff\xd8 cut", buffer.getvalue()):
        result = virtual.run(boot, card={**card, "start.jpg": data}, kpu=DOG, until_ms=1500)
        assert "Loading the model ..." in result.texts
        assert result.last.says("dog")


def test_labels_of_the_settings_are_used_without_labels_txt(card):
    hostile = ['it\'s "quoted"', "}\nimport uos\n{", "\u732b", "x" * 200, "'" * 3]
    boot = render("run_classify", {"labels": hostile})
    one_each = iter([list(row) for row in np.eye(5)] + [[1, 0, 0, 0, 0]] * 99)
    labels = card.pop("labels.txt")
    result = virtual.run(boot, card=card, kpu=lambda _: next(one_each))
    assert [line["label"] for line in result.json_lines()[:5]] == hostile
    assert result.files == card
    result = virtual.run(boot, card={**card, "labels.txt": labels}, kpu=DOG)
    assert result.last.says("dog", "85%")
    model = {0x300000: card["m.kmodel"]}  # all in the flash, without a card
    result = virtual.run(boot, card=None, flash_models=model, kpu=(0, 0, 0, 1, 0), until_ms=5000)
    assert result.json_lines()[-1]["label"] == "x" * 200


# The card


def test_a_late_card_is_waited_for(boot, card):
    result = virtual.run(boot, card=card, card_at_ms=2000, kpu=DOG, until_ms=5000)
    assert result.last.says("dog", "85%")
    assert result.frames[1].ms >= 2000


def test_no_card(boot):
    result = virtual.run(boot, card=None, until_ms=6000)
    assert result.last.says("No SD card", "FAT32", "goes on by itself")
    assert 3000 <= result.last.ms < 3600
    assert "maixforge: No SD card" in result.stdout


def test_a_card_without_labels(boot, card):
    del card["labels.txt"]
    assert virtual.run(boot, card=card).last.says("labels.txt is missing", "root of the card")


def test_the_model_of_the_flash_is_used_when_the_card_has_none(boot, card):
    model = card.pop("m.kmodel")
    result = virtual.run(boot, card=card, flash_models={0x300000: model}, kpu=DOG)
    assert result.loaded == (0x300000,)
    assert result.last.says("dog", "85%")


def test_everything_in_the_flash(boot, card):
    model = card.pop("m.kmodel")
    result = virtual.run(
        boot, card=None, flash=card, flash_models={0x300000: model}, kpu=DOG, until_ms=6000
    )
    assert result.last.says("dog", "85%")


# The KPU's errors


def test_no_model_anywhere(boot, card):
    del card["m.kmodel"]
    last = virtual.run(boot, card=card).last
    assert last.says("Model not readable", "kmodel V3", "flash 0x300000", "error:2002")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (2002, "copy m.kmodel again"),
        (2003, "Model damaged"),
        (2004, "another board"),
        (2005, "Cannot read the model"),
        (2006, "minimum_with_ide_support"),
        (2007, "Not a K210 model"),
        (2014, "not supported"),
        (2015, "Cannot load the model"),
    ],
)
def test_every_load_error_says_what_to_do(boot, card, code, advice):
    result = virtual.run(boot, card=card, load_error=code)
    assert result.last.says(advice, f"error:{code}", "/sd/m.kmodel")
    assert f"error:{code}" in result.stdout
    assert result.models == 0


def test_a_model_that_is_too_large_for_this_boards_memory(boot, card):
    result = virtual.run(boot, card=card, model_memory=100_000)
    assert result.last.says("Not enough memory", "error:2006")


def test_labels_and_outputs_must_match(boot, card):
    result = virtual.run(boot, card=card, kpu=(0.5, 0.5))
    assert result.last.says("There are 3 labels, the model has 2 classes.")
    assert result.models == 0


def test_a_model_for_other_pictures(boot, card):
    result = virtual.run(boot, card=card, kpu=DOG, model_input=(240, 240))
    assert result.last.says("boot.py gives it 224x224", "check img format")
    assert result.models == 0


# The camera


def test_no_camera(boot, card):
    result = virtual.run(boot, card=card, camera_error="Reset Failed")
    assert result.last.says("No camera", "Reset Failed")
    assert result.models == 0


def test_a_camera_that_stops(boot, card):
    result = virtual.run(boot, card=card, kpu=DOG, camera_dies_ms=1500)
    assert "dog" in result.texts
    assert any(f.says("Camera gives no picture", "Sensor timeout!") for f in result.frames)
    assert result.last.says("No camera", "Reset Failed")
    assert result.models == 0


def test_camera_and_card_put_right_without_a_reset(boot, card):
    result = virtual.run(
        boot, card=card, kpu=DOG, camera_dies_ms=1500, camera_back_ms=4000, until_ms=8000
    )
    assert any(f.says("No camera") for f in result.frames)
    assert result.last.says("dog", "85%") and result.last.ms > 5000
    assert len(result.loaded) == 1  # the model stayed
    result = virtual.run(boot, card=card, kpu=DOG, card_at_ms=7000, until_ms=15_000)
    assert any(f.says("No SD card") for f in result.frames)
    assert result.last.says("dog", "85%")


def test_without_a_model_a_card_with_one_is_waited_for(card):
    boot = render("run_classify", {"labels": ["cat", "dog", "bird"]})
    result = virtual.run(boot, card=card, kpu=DOG, card_at_ms=7000, until_ms=15_000)
    assert any(f.says("No model", "in the flash at 0x300000", "FAT32") for f in result.frames)
    assert "load error:2002" in result.stdout
    assert result.last.says("dog", "85%")


def test_a_card_that_is_pulled_too_early_is_waited_for(boot, card):
    result = virtual.run(
        boot, card=card, kpu=DOG, card_out_ms=1, card_back_ms=4000, until_ms=12_000
    )
    assert any(f.says("Cannot read the", "error:2005") for f in result.frames)
    assert result.last.says("dog", "85%")


def test_no_memory_for_the_camera_frame(boot, card):
    result = virtual.run(boot, card=card, frame_memory=1000)
    assert result.last.says("Out of memory", "minimum_with_ide_support")


# The end


def test_ctrl_c_frees_the_model_and_ends_cleanly(boot, card):
    result = virtual.run(boot, card=card, kpu=DOG, until_ms=2000)
    assert result.ended == "returned" and result.models == 0
    assert result.stdout.endswith("maixforge: model freed\nmaixforge: stopped\n")


@pytest.mark.parametrize("until", [1, 150, 400, 460, 560, 700])
def test_ctrl_c_at_any_time_leaves_no_model_behind(boot, card, until):
    result = virtual.run(boot, card=card, kpu=DOG, until_ms=until)
    assert result.ended == "returned" and result.models == 0


def test_ctrl_c_on_the_error_screen(boot):
    assert virtual.run(boot, card=None, until_ms=5000).ended == "returned"


def test_half_a_minute_in_the_same_memory(boot, card):
    short = virtual.run(boot, card=card, kpu=DOG, until_ms=3000)
    long = virtual.run(boot, card=card, kpu=DOG, until_ms=30_000)
    assert long.heap_kept - short.heap_kept < 1000
    assert len(long.json_lines()) > 300
