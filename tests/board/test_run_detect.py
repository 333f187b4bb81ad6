"""run_detect.py as boot.py: what is on the screen and on the serial port is what the model says."""

import detecting
import pytest
from colour_detector import ANCHORS, FINE_ANCHORS, LABELS, grid, network, scene
from PIL import Image
from skimage import data as skimage_data

from host.deploy.board import render
from host.emulator import board as virtual

FACE_ANCHORS = (
    1.889, 2.5245, 2.9465, 3.94056, 3.99987, 5.3658, 5.155437, 6.92275, 6.718375, 9.01025,
)  # fmt: skip
TEXT = b"red\ngreen\n"
BOARDS = list(virtual.BOARDS.values())


@pytest.fixture(scope="module")
def detector():
    return network()


@pytest.fixture(scope="module")
def boot():
    return render("run_detect", {"anchors": ANCHORS})


@pytest.fixture
def card(detector):
    return {"m.kmodel": detector, "labels.txt": TEXT}


def run(boot, card, **setup):
    return virtual.run(boot, **{"card": card, "kpu": "card", "camera": [scene(2)], **setup})


# What is found


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
@pytest.mark.parametrize("seed", [2, 3])
def test_the_screen_shows_the_boxes_that_the_model_gives(boot, card, board, seed):
    result = run(boot, card, camera=[scene(seed)], board=board, until_ms=1500)
    frame = detecting.seen(scene(seed), (224, 224))
    wanted = detecting.boxes(card["m.kmodel"], frame, (224, 224), (7, 7), ANCHORS)
    assert len({label for label, *_ in wanted}) == 2
    detecting.same(detecting.printed(result.json_lines()[-1]), wanted)
    detecting.same_screen(result, frame, wanted, board, LABELS)
    *labels, foot = [text.text for text in result.last.texts]
    assert labels == [f"{LABELS[i]} {int(score * 100 + 0.5)}%" for i, score, _ in wanted]
    assert foot.endswith(f" fps  {len(wanted)} found")
    detecting.inside(result, board)


SIZES = [
    ((240, 240), (240, 240)),
    ((320, 240), (320, 240)),
    ((160, 160), (224, 224)),
    ((224, 224), (240, 240)),
    ((160, 128), (320, 240)),
]


@pytest.mark.parametrize(("size", "window"), SIZES)
@pytest.mark.parametrize("board", [virtual.BIT, virtual.CUBE, virtual.M5STICKV])
def test_other_inputs_and_scaled_ones(size, window, board):
    model, cells = network(*size), grid(*size)
    anchors = ANCHORS if size[0] // cells[0] == 32 else FINE_ANCHORS
    boot = render("run_detect", {"anchors": anchors, "input": size, "window": window})
    card = {"m.kmodel": model, "labels.txt": TEXT}
    result = run(boot, card, board=board, until_ms=1500)
    frame = detecting.seen(scene(2), window)
    wanted = detecting.boxes(model, frame, size, cells, anchors)
    assert wanted
    detecting.same(detecting.printed(result.json_lines()[-1]), wanted)
    detecting.same_screen(result, frame, wanted, board, LABELS)
    detecting.inside(result, board)


def test_a_grid_that_is_rounded_down():
    size, cells = (240, 240), (7, 7)  # 15 halved once more
    model = network(*size, pools=1)
    boot = render("run_detect", {"anchors": ANCHORS, "input": size, "window": size})
    result = run(boot, {"m.kmodel": model, "labels.txt": TEXT}, until_ms=1500)
    wanted = detecting.boxes(model, detecting.seen(scene(2), size), size, cells, ANCHORS)
    assert wanted
    detecting.same(detecting.printed(result.json_lines()[-1]), wanted)


def test_one_line_of_json_a_frame(boot, card):
    empty = Image.new("RGB", (320, 240), (66, 65, 66))
    result = run(boot, card, camera=[scene(2), empty, empty, scene(3)])
    lines = result.json_lines()
    assert [line["frame"] for line in lines] == list(range(len(lines)))
    assert set(lines[0]) == {"frame", "objects", "ms", "fps"} and lines[0]["ms"] == 38
    assert set(lines[0]["objects"][0]) == {"index", "label", "score", "box"}
    assert lines[0]["objects"][0]["label"] == LABELS[lines[0]["objects"][0]["index"]]
    assert lines[1]["objects"] == lines[2]["objects"] == [] != lines[3]["objects"]
    assert any(text.endswith(" 0 found") for text in result.texts)


def test_settings_reach_the_board(card):
    values = {"mirror": True, "flip": True, "json": False, "threshold": 0.9, "rotation": 2}
    boot = render("run_detect", {"anchors": ANCHORS, **values})
    result = run(boot, card)
    turned = scene(2).transpose(Image.Transpose.ROTATE_180)
    frame = detecting.seen(turned, (224, 224))
    wanted = detecting.boxes(card["m.kmodel"], frame, (224, 224), (7, 7), ANCHORS, 0.9)
    usual = detecting.boxes(card["m.kmodel"], frame, (224, 224), (7, 7), ANCHORS)
    assert 0 < len(wanted) < len(usual)
    detecting.same_screen(result, frame, wanted, virtual.BIT, LABELS)
    assert result.json_lines() == []


def test_ten_objects_are_marked(card):
    frame = detecting.seen(scene(2), (224, 224))
    every = detecting.boxes(card["m.kmodel"], frame, (224, 224), (7, 7), ANCHORS, 0.01, 1.0)
    scores = sorted((score for _, score, _ in every), reverse=True)
    threshold = round((scores[9] + scores[10]) / 2, 5)
    boot = render("run_detect", {"anchors": ANCHORS, "threshold": threshold, "nms": 1.0})
    result = run(boot, card)
    assert len(result.json_lines()[-1]["objects"]) == 10
    assert result.last.texts[-1].text.endswith("10 = full")


def test_long_and_hostile_labels_are_only_text(boot, card):
    hostile = ['"; import uos #\\x27{"a":1}%s%n' * 3, "a" * 64]
    card["labels.txt"] = "\n".join(hostile).encode()
    for board in (virtual.BIT, virtual.M5STICKV):
        result = run(boot, card, board=board)
        assert {one["label"] for one in result.json_lines()[-1]["objects"]} == set(hostile)
        detecting.inside(result, board)
        assert result.files == card


def test_hostile_settings_stay_data(detector):
    hostile = ['it\'s "quoted"', "}\nimport uos\nuos.remove('/sd/m.kmodel')\n{"]
    values = {"labels": hostile, "anchors": list(ANCHORS), "title": "'''\\", "nms": 0.25}
    boot = render("run_detect", values)
    assert detecting.settings_of(boot) == {**detecting.settings_of(render("run_detect", {})),
                                           **values}  # fmt: skip
    result = run(boot, {"m.kmodel": detector})
    assert {one["label"] for one in result.json_lines()[-1]["objects"]} == set(hostile)
    assert set(result.files) == {"m.kmodel"}


# What does not fit together


def error_of(boot, card, **setup):
    result = run(boot, card, **setup)
    assert result.models == 0
    return result.last


@pytest.mark.parametrize("labels", [b"red\n", b"red\ngreen\nblue\n"])
def test_labels_that_the_model_does_not_have(boot, card, labels):
    card["labels.txt"] = labels
    number = labels.count(b"\n")
    said = f"There are {number} labels, the model has 2 classes."
    assert error_of(boot, card).says("Labels do not fit", said)


def test_a_class_without_a_label(boot):
    # An output that would also be one of a single class in a finer grid.
    card = {"m.kmodel": network(classes=19), "labels.txt": b"red\n"}
    assert error_of(boot, card).says("Labels do not fit", "The model saw class 1.")


def test_a_classifier_is_told(boot, card):
    from test_virtual_kpu import network as other

    boot = render("run_detect", {"anchors": ANCHORS, "input": (64, 64), "window": (64, 64)})
    card["m.kmodel"] = other(3, boxes=False)
    assert error_of(boot, card).says("Model finds no boxes", "is no detector")


def test_a_model_for_other_pictures(card):
    boot = render("run_detect", {"anchors": ANCHORS, "input": (240, 240), "window": (240, 240)})
    last = error_of(boot, card)
    assert last.says("Model wants other", "boot.py gives it 240x240", "check img format")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"anchors": (1.0, 2.0)}, "requested length 10"),
        ({"anchors": ("x",) * 10}, "KPU says"),
        ({"anchors": 3}, "KPU says"),
        ({"threshold": 50}, "threshold only support 0 to 1"),
        ({"nms": -1}, "nms_value only support 0 to 1"),
    ],
)
def test_settings_out_of_range(card, values, said):
    boot = render("run_detect", {"anchors": ANCHORS, **values})
    assert error_of(boot, card).says("Settings in boot.py", "anchors are 10 numbers", said)


# Card, flash, memory, camera


def test_no_card_and_a_late_one(boot, card):
    result = run(boot, None, until_ms=6000)
    assert result.last.says("No SD card", "FAT32", "goes on by itself")
    for late in (2000, 7000):
        result = run(boot, card, card_at_ms=late, until_ms=15_000)
        assert result.json_lines()[-1]["objects"]


def test_model_and_labels_of_the_flash(card):
    model = card.pop("m.kmodel")
    boot = render("run_detect", {"anchors": ANCHORS, "labels": LABELS})
    for there in (card, {}, None):
        result = run(boot, there, flash_models={0x300000: model}, until_ms=6000)
        assert result.loaded == (0x300000,)
        assert {one["label"] for one in result.json_lines()[-1]["objects"]} == set(LABELS)


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        ({"load_error": 2002}, ("Model not readable", "error:2002")),
        ({"load_error": 2006}, ("minimum_with_ide_support", "error:2006")),
        ({"model_memory": 1000}, ("Not enough memory", "error:2006")),
        ({"frame_memory": 1000}, ("Out of memory", "minimum_with_ide_support")),
        ({"camera_error": "Reset Failed"}, ("No camera", "Reset Failed")),
    ],
)
def test_what_the_board_lacks_is_told(boot, card, setup, words):
    assert error_of(boot, card, **setup).says(*words)


def test_another_version_of_kmodel(boot, card):
    card["m.kmodel"] = b"\x04" + card["m.kmodel"][1:]
    assert error_of(boot, card).says("Model not readable", "No kmodel V3", "error:2002")


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_message_fits_the_screen(boot, card, board):
    for setup in ({"load_error": 2002}, {"load_error": 2006}, {"camera_error": "Reset Failed"}):
        last = run(boot, card, board=board, **setup).last
        assert len(last.texts) > 2
    result = run(boot, None, board=board, until_ms=5000)
    detecting.inside(result, board)


def test_a_camera_that_fails_and_comes_back(boot, card):
    result = run(boot, card, camera_dies_ms=1500, camera_back_ms=4000, until_ms=8000)
    assert any(f.says("Camera gives no picture", "Sensor timeout!") for f in result.frames)
    assert any(f.says("No camera") for f in result.frames)
    assert result.last.ms > 5000 and result.json_lines()[-1]["objects"]
    assert len(result.loaded) == 1 and result.models == 0  # the model stayed until the end


# The end


@pytest.mark.parametrize("until", [1, 150, 400, 460, 500, 560, 700, 2000])
def test_ctrl_c_at_any_time_leaves_no_model_behind(boot, card, until):
    result = run(boot, card, until_ms=until)
    assert result.ended == "returned" and result.models == 0
    assert result.stdout.endswith("maixforge: stopped\n")


@pytest.mark.parametrize(("size", "window"), [((224, 224), (224, 224)), ((160, 160), (224, 224))])
def test_hundreds_of_frames_in_the_same_memory(size, window):
    boot = render("run_detect", {"anchors": ANCHORS, "input": size, "window": window})
    card = {"m.kmodel": network(*size), "labels.txt": TEXT}
    setup = {"measure_heap": True, "keep_pictures": False, "timeout": 300}
    short = run(boot, card, until_ms=3000, **setup)
    long = run(boot, card, until_ms=30_000, **setup)
    assert len(long.json_lines()) > 300
    assert long.heap_kept - short.heap_kept < 1000
    assert long.heap_high - short.heap_high < 1000


# Real models on real pictures


def real(model, labels, size, picture, anchors, threshold):
    values = {"anchors": anchors, "input": size, "window": size, "threshold": threshold}
    boot = render("run_detect", {**values, "labels": labels})
    result = run(boot, {"m.kmodel": model}, camera=[picture], until_ms=1500)
    frame = detecting.seen(picture, size)
    stride = 16 if len(labels) == 1 else 32
    cells = (-(-size[0] // stride), -(-size[1] // stride))
    wanted = detecting.boxes(model, frame, size, cells, anchors, threshold)
    detecting.same(detecting.printed(result.json_lines()[-1]), wanted)
    detecting.same_screen(result, frame, wanted, virtual.BIT, labels)
    return wanted


def test_the_astronauts_face(real_kmodels):
    astronaut = Image.fromarray(skimage_data.astronaut()).crop((0, 0, 512, 384))
    (found,) = real(real_kmodels["face"], ["face"], (320, 240), astronaut, FACE_ANCHORS, 0.5)
    label, score, (x, y, w, h) = found
    assert label == 0 and score > 0.9
    # In the 512 pixel picture the face reaches from about (175, 65) to (275, 195).
    left, top, right, bottom = (1.6 * side for side in (x, y, x + w, y + h))
    shared = (min(right, 275) - max(left, 175)) * (min(bottom, 195) - max(top, 65))
    assert shared / ((right - left) * (bottom - top) + 100 * 130 - shared) > 0.6


@pytest.mark.parametrize(
    ("name", "labels", "size"),
    [("fruit", ["a", "b", "c"], (224, 224)), ("mask", ["no", "yes"], (320, 240))],
)
def test_other_peoples_detectors(real_kmodels, name, labels, size):
    picture = Image.fromarray(skimage_data.astronaut()).crop((0, 0, 512, 384))
    frame = detecting.seen(picture, size)
    cells = (-(-size[0] // 32), -(-size[1] // 32))
    every = detecting.boxes(real_kmodels[name], frame, size, cells, ANCHORS, 0.001)
    scores = sorted((score for _, score, _ in every), reverse=True)
    threshold = round((scores[3] + scores[4]) / 2, 6)
    assert real(real_kmodels[name], labels, size, picture, ANCHORS, threshold)
