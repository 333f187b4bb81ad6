"""A whole detection job: sample pictures with boxes go in, a card that runs comes out."""

import json
import zipfile
from io import BytesIO
from shutil import copyfile

import detecting
import numpy as np
import pytest
from PIL import Image

from host import kmodel
from host.deploy import package, sdcard
from host.emulator import board as virtual
from host.errors import UserError
from host.files import write_zip
from host.jobs import doubts, judgements, pictures, pipeline
from host.jobs.spec import JobSpec
from host.kmodel import region

PICTURES = 24
TINY = {
    "backbone": "mobilenet_1.0_cut6", "neck": 32, "head_epochs": 1, "tune_epochs": 0, "batch": 8,
    "mosaic": 0.0,
}  # fmt: skip
LABELS = ["nut", "screw", "washer"]


def sample_boxes(root, folder, numbers):
    """The first sample pictures with boxes, as a collector's card."""
    source = root / "samples" / "sample_boxes" / "maixforge" / "scattered"
    names = [f"{part}/{n}.{end}" for part, end in (("images", "jpg"), ("xml", "xml"))
             for n in numbers]  # fmt: skip
    for name in ("labels.txt", *names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copyfile(source / name, folder / name)
    return folder


def job(folder, data, listener=lambda _: None, **values):
    folder.mkdir()
    spec = JobSpec(str(data), **{"name": "parts", "size": 128, "overrides": TINY, **values})
    return pipeline.run(folder, spec, listener)


@pytest.fixture(scope="module")
def data(root, tmp_path_factory):
    return sample_boxes(root, tmp_path_factory.mktemp("data"), range(1, PICTURES + 1))


@pytest.fixture(scope="module")
def held_back(root, tmp_path_factory):
    return sample_boxes(root, tmp_path_factory.mktemp("test"), range(40, 46))


@pytest.fixture(scope="module")
def upload(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("upload") / "card.zip"
    write_zip(path, {f"maixforge/parts/{one.relative_to(data).as_posix()}": one
                     for one in sorted(data.rglob("*.*"))})  # fmt: skip
    return path


@pytest.fixture(scope="module")
def done(upload, held_back, tmp_path_factory):
    """A job's folder, its result and its events; it has learnt next to nothing."""
    folder, events = tmp_path_factory.mktemp("job") / "job", []
    result = job(folder, upload, events.append, test=str(held_back))
    return folder, json.loads(json.dumps(result, allow_nan=False)), events


def test_the_result_says_what_was_made(done):
    folder, result, _ = done
    assert (result["task"], result["labels"], result["input"]) == ("detect", LABELS, [128, 128])
    for figures in (result["float"], result["int8"], *result["test"].values()):
        assert set(figures) == {"map50", "map"} and 0 <= figures["map"] <= figures["map50"] <= 1
    assert result["fit"] == "letterbox" and np.shape(result["anchors"]) == (5, 2)
    assert 0 < result["threshold"] < 1 and result["nms"] in (0.2, 0.3, 0.4, 0.5, 0.6)
    assert result["kmodel_bytes"] == (folder / "m.kmodel").stat().st_size
    layers = result["report"]["layers"]
    assert layers[-1]["kind"] == "dequantize" and layers[-2]["out"] == [40, 4, 4]
    assert any(one["sqnr_db"] is not None for one in layers)
    curve = result["curves"][-1]
    assert {"stage", "epoch", "loss", "valid_map50", "valid_map"} <= set(curve)
    for name in ("curves", "precision_recall", "thresholds", "errors", "worst", "layers"):
        with Image.open(folder / "report" / f"{name}.png") as drawing:
            assert drawing.format == "PNG" and drawing.width > 300


def test_the_events_tell_of_every_step_and_of_map(done):
    _, _, events = done
    steps = ["receive", "check", "train", "compile", "evaluate", "package"]
    assert list(dict.fromkeys(event["step"] for event in events)) == steps
    fractions = [event["fraction"] for event in events]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    (epoch,) = [e["values"] for e in events if "valid_map50" in e.get("values", {})]
    assert epoch["loss"] > 0 and epoch["pictures_per_second"] > 0


def test_figures_of_int8_are_those_of_the_kmodels_bytes(done):
    """Decoded once more, from the file, with what boot.py has."""
    folder, result, _ = done
    report = result["report"]["int8"]
    simulator = kmodel.Simulator((folder / "m.kmodel").read_bytes())
    for worst in report["worst"][:3]:
        picture = Image.open(folder / result["report"]["pictures"] / worst["path"]).convert("RGB")
        pixels = np.asarray(picture.resize((128, 128), Image.Resampling.LANCZOS, reducing_gap=3))
        values = simulator.run(pixels[None])[0][0]
        found = region.decode(
            values, (4, 4), np.array(result["anchors"]), result["threshold"], result["nms"]
        )
        assert len(found) == len(worst["found"])
        scores = sorted(round(one["score"], 5) for one in worst["found"])
        assert np.allclose(sorted(one.score for one in found), scores, atol=1e-4)


def test_what_was_said_of_every_picture_is_kept(done):
    folder, result, _ = done
    for kind, said in judgements.read(folder).items():
        report = result["report"][kind]
        entries = said.entries(report["threshold"])
        assert len(entries) == report["pictures"]
        for entry, worst in zip(entries[:24], report["worst"], strict=True):
            assert entry["path"] == worst["path"]
            assert entry["truth"][:20] == worst["truth"] and entry["found"][:20] == worst["found"]
        wrong = [error for entry in entries for error in judgements.errors(entry)]
        counted = {name: count for name, count in report["errors"].items() if name != "right"}
        assert {name: wrong.count(name) for name in counted} == counted


def card_of(folder):
    with zipfile.ZipFile(folder / "sd.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_boot_py_has_what_the_report_recommends(done):
    folder, result, _ = done
    settings = detecting.settings_of(card_of(folder)["boot.py"])
    assert settings["threshold"] == result["threshold"] == result["report"]["int8"]["threshold"]
    assert settings["nms"] == result["nms"]
    assert settings["anchors"] == [side for anchor in result["anchors"] for side in anchor]
    assert settings["labels"] == LABELS and settings["title"] == "parts"
    assert settings["input"] == [128, 128] and settings["window"] == [224, 224]


@pytest.mark.parametrize("board", [virtual.BIT, virtual.M5STICKV], ids=lambda board: board.name)
def test_the_board_draws_the_boxes_that_the_host_decodes(done, data, tmp_path, board):
    """As the model knows next to nothing, a lower threshold lets it show something."""
    folder, result, _ = done
    model = (folder / "m.kmodel").read_bytes()
    scene = Image.open(data / "images/2.jpg").convert("RGB").resize((320, 240))
    frame = detecting.seen(scene, (224, 224))
    every = detecting.boxes(model, frame, (128, 128), (4, 4), result["anchors"], 0.001, 0.4)
    scores = sorted((score for _, score, _ in every), reverse=True)
    threshold = round((scores[5] + scores[6]) / 2, 6)
    packed = package.load(folder / pipeline.PACKAGE)
    packed = package.with_options(
        package.create(
            tmp_path / "package", model, name="parts", labels=LABELS, anchors=packed.anchors
        ),
        package.BoardOptions(threshold=threshold, nms=0.4),
    )
    with zipfile.ZipFile(sdcard.build(packed, tmp_path / "sd.zip")) as archive:
        card = {name: archive.read(name) for name in archive.namelist()}
    shown = virtual.run(
        card["boot.py"], card=card, kpu="card", camera=[scene], board=board, until_ms=1500
    )
    anchors = result["anchors"]
    wanted = detecting.boxes(model, frame, (128, 128), (4, 4), anchors, threshold, 0.4)
    assert wanted
    detecting.same(detecting.printed(shown.json_lines()[-1]), wanted)
    detecting.inside(shown, board)


def test_worst_pictures_are_drawn_with_their_boxes(done):
    folder, result, _ = done
    with Image.open(BytesIO(pictures.worst_thumbnail(folder, result, 0))) as image:
        assert image.format == "JPEG" and image.size == (336, 336)
        seen = np.asarray(image.convert("RGB")).astype(int)
    truth = result["report"]["int8"]["worst"][0]["truth"]
    assert truth
    red = np.abs(seen - pictures.KIND_COLOURS["missed"]).max(-1) < 60
    assert any(box["kind"] == "missed" for box in truth) and red.sum() > 50


def test_going_on_gives_the_same_card(done, upload, held_back, monkeypatch):
    """What is trained already is not trained again; every byte is the same."""
    from host.trainer import detect_stage

    folder, result, _ = done
    before = (folder / "sd.zip").read_bytes()
    monkeypatch.setattr(detect_stage.Stage, "epoch", lambda *_: pytest.fail("trained again"))
    spec = JobSpec(str(upload), name="parts", size=128, overrides=TINY, test=str(held_back))
    again = pipeline.run(folder, spec, lambda _: None)
    assert (folder / "sd.zip").read_bytes() == before
    assert {**again, "seconds": 0} == {**result, "seconds": 0}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"canmv": True, "nncase_python": "python"}, "canmv_detect"),
        ({"size": 100}, "detect_size_impossible"),
        ({"size": (320, 240), "overrides": {}}, "detect_memory"),
        ({"firmware": "full", "size": 224, "overrides": {"neck": 512}}, "model_too_large"),
        ({"overrides": {"views": 3}}, "train_option_unknown"),
    ],
)
def test_what_cannot_be_had_is_refused_before_the_training(
    data, tmp_path, monkeypatch, values, code
):
    monkeypatch.setattr(pipeline.canmv, "require", lambda _: None)
    with pytest.raises(UserError) as caught:
        job(tmp_path / "job", data, **values)
    assert caught.value.code.startswith(code)
    assert not (tmp_path / "job" / "training").exists()


def test_held_back_classes_are_no_test_of_boxes(data, tmp_path):
    folder = tmp_path / "classes"
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for number in range(3):
            source = data / "images" / f"{1 + number}.jpg"
            copyfile(source, folder / label / f"{number}.jpg")
    with pytest.raises(UserError) as caught:
        job(tmp_path / "job", data, test=str(folder))
    assert caught.value.code in ("test_task_wrong", "picture_in_two_classes")


def result_of(before, after, **report):
    return {"task": "detect", "float": {"map50": before}, "int8": {"map50": after},
            "threshold": 0.3, "report": {"int8": report}}  # fmt: skip


def test_more_than_three_points_of_map_are_told():
    assert doubts.doubts(result_of(0.9, 0.871, crowded=False, pictures=5)) == []
    (said,) = doubts.doubts(result_of(0.9, 0.86))
    assert (said.code, said.severity) == ("int8_drop_map50", "warning")
    assert said.text("what") == "Quantization costs 4.0 points of mAP50."
    assert "86.0 %" in said.text("found") and "86.0 %" in said.text("found", "zh")


def test_a_threshold_that_makes_room_is_told():
    (said,) = doubts.doubts(result_of(0.9, 0.9, crowded=True))
    assert said.code == "boxes_no_room" and "0.3" in said.text("found")
    assert "0.3" in said.text("found", "zh") and "10" in said.text("needed", "zh")
