"""Training detectors: it learns, repeats exactly, goes on at every epoch, and never peeks."""

import dataclasses
import json

import numpy as np
import pytest

from host.errors import UserError
from host.kmodel.region import decode
from host.trainer import detector
from host.trainer.detect_stage import Stage
from host.trainer.model import FloatModel, load
from host.trainer.pictures import read_pictures


@pytest.fixture(scope="module")
def events():
    return []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("detector")


@pytest.fixture(scope="module")
def trained(scenes, quick_detector, folder, events) -> FloatModel:
    return detector.train(scenes, folder, quick_detector(), events.append)


def same(one: FloatModel, other: FloatModel) -> bool:
    pairs = zip(one.model.get_weights(), other.model.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_it_finds_objects_in_pictures_it_has_never_seen(scenes, quick_detector, tmp_path):
    options = quick_detector(head_rate=5e-3, tune_epochs=4, tune_rate=4e-3, average=0.8,
                             neck=96, zoom=1.3, epoch_least=128)  # fmt: skip
    trained = detector.train(scenes, tmp_path, options)
    valid = scenes.of_split("valid")
    images = read_pictures(scenes, valid, trained.card.size, trained.card.fit)
    values = trained.predict(images, batch=4)
    assert values.dtype == np.float32
    assert values.shape == (6, 5 * 7 * 4 * 4)
    right = 0
    for sample, line in zip(valid, values, strict=True):
        best = decode(line, (4, 4), np.array(trained.card.anchors), 0.005, 0.45)[0]
        wanted = sample.boxes[0]
        # letterbox of 160 x 120: 16 pixels of 128 are grey above and below
        edges = np.array([best.left, best.top, best.right, best.bottom]) * 160 - [0, 20, 0, 20]
        truth = [wanted.left, wanted.top, wanted.right, wanted.bottom]
        right += best.label == wanted.label and np.abs(edges - truth).max() < 20
    assert right >= 4
    assert trained.card.metrics["val_map50"] > 0.3


def test_card_says_what_was_done(trained):
    card = trained.card
    assert (card.task, card.labels, card.size) == ("detect", ("square", "disc"), (128, 128))
    assert card.fit == "letterbox"
    assert card.pictures == {"train": 14, "valid": 6}
    assert np.array(card.anchors).shape == (5, 2)
    assert (card.scale, card.offset) == (1 / 127.5, -1.0)
    assert [row["stage"] for row in card.history] == ["head"] * 2 + ["tune"] * 3
    best = max(card.history, key=lambda row: row["val_map"])
    assert card.kept == {"stage": best["stage"], "epoch": best["epoch"]}
    assert card.metrics == {name: best[name] for name in ("val_map50", "val_map")}
    assert all(row["loss"] > 0 and row["box"] > 0 for row in card.history)


def test_progress_counts_up_to_one(trained, events):
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {event.stage for event in events} == {"features", "head", "tune", "finish"}
    tuned = [event for event in events if event.stage == "tune"]
    assert [(event.epoch, event.epochs) for event in tuned] == [(n, 3) for n in (1, 2, 3)]
    for event in tuned:
        assert event.loss > 0
        assert 0 <= event.val_map50 <= 1
        assert event.pictures_per_second > 0
        assert event.eta_seconds >= 0
    json.dumps([event.as_dict() for event in events])


def test_finished_training_is_not_done_again(trained, scenes, quick_detector, folder, monkeypatch):
    monkeypatch.setattr(detector, "decode_all", None)
    assert same(trained, detector.train(scenes, folder, quick_detector()))
    assert not list(folder.glob("*-pictures"))
    assert sorted(path.name for path in folder.glob("*.npz")) == [
        "train-boxes.npz", "trained.npz", "valid-boxes.npz",
    ]  # fmt: skip


class Killed(BaseException):
    pass


@pytest.mark.slow
def test_killed_at_every_epoch_it_ends_with_the_same_weights(
    trained, scenes, quick_detector, tmp_path
):
    """This is the test of equal seeds, too: both trainings compute everything themselves."""
    done = []

    def killed(event):
        if event.stage in ("head", "tune"):
            done.append((event.stage, event.epoch))
            raise Killed

    options = quick_detector()
    for _ in range(5):
        with pytest.raises(Killed):
            detector.train(scenes, tmp_path, options, killed)
    assert done == [("head", 1), ("head", 2), *(("tune", n) for n in (1, 2, 3))]
    again = detector.train(scenes, tmp_path, options)
    assert same(trained, again)
    assert again.card.as_dict() == trained.card.as_dict()


@pytest.mark.slow
def test_killed_within_an_epoch(trained, scenes, quick_detector, tmp_path, monkeypatch):
    plain = Stage.judge
    count = 0

    def judge(stage, pictures):
        nonlocal count
        count += 1
        if count == 4:  # the epoch is trained, but not yet judged and saved
            raise Killed
        return plain(stage, pictures)

    monkeypatch.setattr(Stage, "judge", judge)
    options = quick_detector()
    with pytest.raises(Killed):
        detector.train(scenes, tmp_path, options)
    seen = []
    assert same(trained, detector.train(scenes, tmp_path, options, seen.append))
    assert [event.epoch for event in seen if event.stage == "tune"] == [2, 3]


@pytest.mark.slow
def test_other_boxes_or_options_start_afresh(scenes, quick_detector, tmp_path):
    brief = quick_detector(head_epochs=1, tune_epochs=0)
    one = detector.train(scenes, tmp_path, brief)
    assert one.card.kept == {"stage": "head", "epoch": 1}
    other = detector.train(scenes, tmp_path, dataclasses.replace(brief, seed=1))
    assert not same(one, other)
    sample = scenes.samples[0]
    box = dataclasses.replace(sample.boxes[0], right=sample.boxes[0].right - 5)
    moved = [dataclasses.replace(sample, boxes=(box,)), *scenes.samples[1:]]
    assert not same(one, detector.train(scenes.with_samples(moved), tmp_path, brief))


def test_backbone_statistics_and_frozen_blocks_stay_imagenet(trained):
    from host.trainer.backbone import shipped_weights

    shipped = shipped_weights()
    moved = {}
    for layer in trained.model.layers:
        for variable in layer.weights:
            name = f"{layer.name}.{variable.name}"
            if name in shipped:
                moved[name] = not np.array_equal(variable.value.numpy(), shipped[name].astype("f4"))
    assert not any(has for name, has in moved.items() if "moving" in name)
    tuned = {name.split(".")[0].removesuffix("_bn") for name, has in moved.items() if has}
    assert tuned == {f"conv_{kind}_{block}" for kind in ("dw", "pw") for block in (4, 5, 6)}
    neck = trained.model.get_layer("neck_2_bn").get_weights()
    assert neck[2].any()  # its own statistics


@pytest.mark.parametrize("stage", ["head", "tune"])
def test_infinite_numbers_stop_with_words(stage, scenes, quick_detector, tmp_path):
    rate = {"head_rate": 1e8} if stage == "head" else {"tune_rate": 1e8, "head_epochs": 1}
    with pytest.raises(UserError) as stopped:
        detector.train(scenes, tmp_path, quick_detector(**rate))
    assert stopped.value.code == "training_diverged"
    assert stage in str(stopped.value)
    assert not (tmp_path / "trained.npz").exists()


def test_it_stops_when_nothing_becomes_better(scenes, quick_detector, tmp_path, monkeypatch):
    """The best epoch is kept, and the progress still ends at one."""
    scores = iter([0.2, 0.3, 0.5, 0.4, 0.4, 0.1, 0.9])
    monkeypatch.setattr(
        Stage, "judge", lambda *_: {"val_map50": 0.5, "val_map": next(scores)}
    )  # fmt: skip
    options = quick_detector(head_epochs=1, tune_epochs=9, patience=3, tune_from=6)
    kept = {}
    plain = Stage.weights

    def weights(stage):
        kept.update(plain(stage))
        return plain(stage)

    monkeypatch.setattr(Stage, "weights", weights)
    events = []
    model = detector.train(scenes, tmp_path, options, events.append)
    assert [row["val_map"] for row in model.card.history] == [0.2, 0.3, 0.5, 0.4, 0.4, 0.1]
    assert model.card.kept == {"stage": "tune", "epoch": 2}
    assert events[-1].fraction == 1.0
    assert [event.fraction for event in events] == sorted(event.fraction for event in events)


def test_many_pictures_need_fewer_epochs(scenes, quick_detector, tmp_path):
    from host.trainer.checkpoint import Checkpoints

    def epochs(**options):
        store = Checkpoints(tmp_path, "x")
        training = detector._Training(scenes, store, quick_detector(**options), None)
        return training.plans[-1].epochs

    assert epochs(tune_epochs=100) == 100
    assert epochs(tune_epochs=100, tune_total=24 * 20) == 20
    assert epochs(tune_epochs=100, tune_total=24) == detector.LEAST_EPOCHS
    assert epochs(tune_epochs=2, tune_total=24) == 2


def test_labels_without_boxes_and_nothing_set_aside(scenes, quick_detector, tmp_path):
    only = [s for s in scenes.samples if s.split != "train" or all(b.label == 0 for b in s.boxes)]
    with pytest.raises(UserError, match="no boxes of disc"):
        detector.train(scenes.with_samples(only), tmp_path, quick_detector())
    with pytest.raises(UserError) as stopped:
        detector.train(scenes.with_samples(scenes.of_split("train")), tmp_path, quick_detector())
    assert stopped.value.code == "validation_boxes_missing"


@pytest.mark.parametrize("overrides", [{"size": (176, 144), "stride": 16}, {"size": 240}])
def test_other_grids_train(scenes, quick_detector, tmp_path, overrides):
    options = quick_detector(head_epochs=1, tune_epochs=0, **overrides)
    model = detector.train(scenes, tmp_path, options)
    rows, columns = options.grid
    values = model.predict(np.zeros((2, options.size[1], options.size[0], 3), np.uint8))
    assert values.shape == (2, 35 * rows * columns)
    assert np.array(model.card.anchors).max() <= max(rows, columns)


def test_save_and_load(trained, scenes, tmp_path):
    trained.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert back.card == trained.card
    images = read_pictures(scenes, scenes.of_split("valid"), (128, 128), "letterbox")
    assert np.array_equal(back.predict(images), trained.predict(images))
    whole = np.asarray(back.model(images.astype(np.float32)))
    assert np.allclose(back.predict(images), whole.transpose(0, 3, 1, 2).reshape(6, -1), atol=1e-4)
    assert back.predict(images[:0]).shape == (0, 560)
