"""Training: it learns, repeats exactly, goes on after an interruption, and never peeks."""

import dataclasses
import json

import numpy as np
import pytest

from host.errors import UserError
from host.trainer import classifier, features, pictures
from host.trainer import tune as tune_stage
from host.trainer.model import FloatModel, load
from host.trainer.options import RANGES
from host.trainer.pictures import read_pictures


@pytest.fixture(scope="module")
def events():
    return []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def trained(shapes, quick, folder, events) -> FloatModel:
    return classifier.train(shapes, folder, quick(), events.append)


def weights(model: FloatModel) -> list[np.ndarray]:
    return model.model.get_weights()


def same(one: FloatModel, other: FloatModel) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def test_it_learns_pictures_it_has_never_seen(trained, shapes):
    test = shapes.of_split("test")
    images = read_pictures(shapes, test, trained.card.size, trained.card.fit)
    probabilities = trained.predict(images)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (8, 2)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.mean(probabilities.argmax(1) == [s.label for s in test]) >= 7 / 8


def test_card_says_what_was_done(trained):
    card = trained.card
    assert card.labels == ("disc", "bars")
    assert card.size == (128, 128)
    assert card.pictures == {"train": 20, "valid": 8}
    assert (card.scale, card.offset) == (1 / 127.5, -1.0)
    assert card.versions.keys() >= {"python", "tensorflow", "keras", "numpy"}
    assert [row["stage"] for row in card.history] == ["head"] * 15 + ["tune"] * 3
    rows = {(row["stage"], row["epoch"]): row for row in card.history}
    kept = rows[card.kept["stage"], card.kept["epoch"]]
    assert card.metrics["val_loss"] == kept["val_loss"]
    assert card.metrics["val_loss"] == min(
        row["val_loss"] for row in card.history if row["stage"] == card.kept["stage"]
    )


def test_progress_counts_up_to_one(trained, events):
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {event.stage for event in events} == {"features", "head", "tune", "finish"}
    tuned = [event for event in events if event.stage == "tune"]
    assert [(event.epoch, event.epochs) for event in tuned] == [(1, 3), (2, 3), (3, 3)]
    assert all(0 <= event.val_accuracy <= 1 and event.eta_seconds >= 0 for event in tuned)
    json.dumps([event.as_dict() for event in events])


def test_same_seed_same_weights(trained, shapes, quick, tmp_path):
    again = classifier.train(shapes, tmp_path, quick())
    assert same(trained, again)
    assert again.card.as_dict() == trained.card.as_dict()


def test_finished_training_is_not_done_again(trained, shapes, quick, folder, monkeypatch):
    monkeypatch.setattr(classifier, "extract", None)
    assert same(trained, classifier.train(shapes, folder, quick()))


def test_interrupted_training_goes_on_with_the_same_result(
    trained, shapes, quick, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    def killed(event):
        if event.stage == "tune":
            raise Killed

    with pytest.raises(Killed):
        classifier.train(shapes, tmp_path, quick(), killed)
    monkeypatch.setattr(classifier, "train_head", None)
    monkeypatch.setattr(features, "_compute", None)
    assert same(trained, classifier.train(shapes, tmp_path, quick()))
    assert not list(tmp_path.glob("*.npy"))  # the large files are gone


def test_every_epoch_and_batch_is_done_once_however_often_it_is_interrupted(
    shapes, quick, tmp_path, monkeypatch
):
    """It ends right after each event; the next run goes on there, with the same result."""

    class Killed(BaseException):
        pass

    monkeypatch.setattr(features, "BATCH", 8)
    options, heard = quick(views=2, head_epochs=2, tune_epochs=2), []
    undisturbed = classifier.train(shapes, tmp_path / "a", options)

    def killed(event):
        now = event.stage, event.epoch
        new = now not in heard and event.stage != "finish"
        heard.append(now)
        if new:
            raise Killed

    for _run in range(20):
        try:
            again = classifier.train(shapes, tmp_path / "b", options, killed)
            break
        except Killed:
            continue
    else:
        pytest.fail("it never came to an end")
    assert same(undisturbed, again)
    assert [one for one in heard if one[0] in ("head", "tune")] == [
        ("head", 1), ("head", 2), ("tune", 1), ("tune", 2)
    ]  # fmt: skip
    assert [one.name for one in (tmp_path / "b").glob("*epoch*")] == []


def test_other_options_start_afresh(shapes, quick, tmp_path):
    changed = quick(head_epochs=2, tune_blocks=0)
    one = classifier.train(shapes, tmp_path, changed)
    other = classifier.train(shapes, tmp_path, dataclasses.replace(changed, seed=1))
    assert len(other.card.history) == 2
    assert other.card.kept["stage"] == "head"
    assert not same(one, other)


def test_validation_and_test_pictures_are_never_augmented_nor_trained_on(
    shapes, quick, tmp_path, monkeypatch
):
    augmented, read = set(), []
    original_view, original_read = pictures.view, features.in_batches

    def views_of(images, names, number, knobs, seed):
        if number:
            augmented.update(names)
        return np.stack([original_view(i, knobs, np.random.default_rng(0)) for i in images])

    def in_batches(dataset, samples, options, batch):
        read.extend(sample.path for sample in samples)
        return original_read(dataset, samples, options, batch)

    trained_on = []
    original_tail = classifier.train_tail

    def train_tail(model, train, valid, options, tick, *epochs):
        trained_on.append((train.paths, valid.paths))
        return original_tail(model, train, valid, options, tick)

    monkeypatch.setattr(features, "views_of", views_of)
    monkeypatch.setattr(features, "in_batches", in_batches)
    monkeypatch.setattr(classifier, "train_tail", train_tail)
    classifier.train(shapes, tmp_path, quick(head_epochs=1, tune_epochs=1))
    split = {name: {s.path for s in shapes.of_split(name)} for name in ("train", "valid", "test")}
    assert augmented == split["train"]
    assert set(trained_on[0][0]) == split["train"]
    assert set(trained_on[0][1]) == split["valid"]
    assert not split["test"] & set(read)


@pytest.mark.parametrize("stage", ["head", "tune"])
def test_infinite_numbers_stop_with_words(stage, shapes, quick, tmp_path, monkeypatch):
    monkeypatch.setitem(RANGES, f"{stage}_rate", (0, 1e38))  # more than may be asked for
    with pytest.raises(UserError) as stopped:
        classifier.train(shapes, tmp_path, quick(**{f"{stage}_rate": 1e38}))
    assert stopped.value.code == "training_diverged"
    assert stage in str(stopped.value)
    assert "lower learning rate" in str(stopped.value)
    assert not (tmp_path / "trained.npz").exists()


def test_class_without_training_pictures(shapes, quick, tmp_path):
    only = shapes.with_samples([s for s in shapes.samples if s.label == 0 or s.split != "train"])
    with pytest.raises(UserError, match="no training pictures of bars"):
        classifier.train(only, tmp_path, quick())


def test_nothing_set_aside(shapes, quick, tmp_path):
    with pytest.raises(UserError) as stopped:
        classifier.train(shapes.with_samples(shapes.of_split("train")), tmp_path, quick())
    assert stopped.value.code == "validation_pictures_missing"


def test_save_and_load(trained, shapes, tmp_path):
    trained.save(tmp_path / "model")
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["card.json", "model.keras"]
    back = load(tmp_path / "model")
    assert back.card == trained.card
    images = read_pictures(shapes, shapes.of_split("valid"), (128, 128), "letterbox")
    assert np.array_equal(back.predict(images), trained.predict(images, batch=64))
    assert {type(layer).__name__ for layer in back.model.layers} == {
        "InputLayer", "Rescaling", "ZeroPadding2D", "Conv2D", "DepthwiseConv2D",
        "BatchNormalization", "ReLU", "GlobalAveragePooling2D", "Dropout", "Dense", "Softmax",
    }  # fmt: skip


def test_damaged_model_is_named(trained, tmp_path):
    trained.save(tmp_path)
    (tmp_path / "model.keras").write_bytes(b"PK half a file")
    with pytest.raises(UserError) as stopped:
        load(tmp_path)
    assert stopped.value.code == "model_unreadable"
    with pytest.raises(UserError):
        load(tmp_path / "nowhere")


def test_frozen_blocks_and_statistics_stay_imagenet(trained):
    from host.trainer.backbone import shipped_weights

    shipped = shipped_weights()
    moved = {}
    for layer in trained.model.layers:
        for variable in layer.weights:
            name = f"{layer.name}.{variable.name}"
            if name in shipped:
                moved[name] = not np.array_equal(variable.value.numpy(), shipped[name].astype("f4"))
    tuned = {name.split(".")[0].removesuffix("_bn") for name, has in moved.items() if has}
    assert tuned == {"conv_dw_11", "conv_pw_11", "conv_dw_12", "conv_pw_12"}
    assert not any(has for name, has in moved.items() if "moving" in name)


def test_many_pictures_get_fewer_views_and_passes(quick):
    options = quick(views=12, views_total=1000, cache_mib=100, tune_epochs=16, tune_total=2000)
    assert features.view_count(10, options) == 12
    assert features.view_count(400, options) == 2
    assert features.view_count(100_000, options) == 1
    assert features.map_bytes(options) == 8 * 8 * 512
    assert features.view_count(3000, dataclasses.replace(options, views_total=10**6)) == 1
    assert tune_stage.tune_epochs(100, options) == 16
    assert tune_stage.tune_epochs(400, options) == 5
    assert tune_stage.tune_epochs(10**6, options) == 3
