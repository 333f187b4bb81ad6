"""Train a classifier: frozen features of many views, then the head, then the last blocks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.dataset import Dataset
from ..errors import UserError
from . import backbone, runtime
from .checkpoint import Checkpoints, Save, Saved, fingerprint
from .features import BATCH, Features, extract, view_count
from .head import train_head
from .model import FloatModel, ModelCard, set_weights
from .options import TrainOptions
from .progress import Clock, Listener, TrainProgress
from .tune import Tuned, train_tail, tune_epochs

if TYPE_CHECKING:
    import keras

__all__ = ["TrainProgress", "train"]

TUNE_COST = 0.18
"""Work of one tuned block and picture in one epoch, in forward passes of a whole view
(measured: 6 blocks about 1.0, augmenting included in the pass). Only the ETA depends on it."""
HEAD_COST = 0.002
"""Work of one view and epoch of the head's training, measured likewise."""


def train(
    dataset: Dataset,
    folder: Path,
    options: TrainOptions | None = None,
    progress: Listener | None = None,
) -> FloatModel:
    """Train a classifier on the samples whose split is "train", judge it on "valid".

    `folder` holds what is finished: called again with the same data and options after an
    interruption, it goes on after the last finished epoch, with the same result. Validation
    pictures are never augmented and never trained on. Equal options, data and machine give
    equal weights.

    Raises:
        UserError: `training_pictures_missing`, `validation_pictures_missing`,
            `training_diverged`, `weights_missing`, `weights_damaged`, settings that are
            impossible, or a picture that cannot be read.
    """
    options = options or TrainOptions()
    options.check()
    check_splits(dataset)
    runtime.start(options.seed)
    store = Checkpoints(folder, fingerprint(dataset, options))
    return _Training(dataset, store, options, progress).run()


def check_splits(dataset: Dataset) -> None:
    """Check that every class can be trained and that something is set aside.

    Raises:
        UserError: `training_pictures_missing`, `validation_pictures_missing`.
    """
    seen = {sample.label for sample in dataset.of_split("train")}
    missing = [label for index, label in enumerate(dataset.labels) if index not in seen]
    if missing or len(dataset.labels) < 2:
        names = ", ".join(missing or dataset.labels)
        raise UserError("training_pictures_missing", labels=names)
    if not dataset.of_split("valid"):
        raise UserError("validation_pictures_missing")


class _Training:
    """One run of `train`, stage by stage."""

    def __init__(
        self, dataset: Dataset, store: Checkpoints, options: TrainOptions, progress: Listener | None
    ) -> None:
        self.dataset, self.store, self.options = dataset, store, options
        self.classes = len(dataset.labels)
        self.network = options.network()
        self.pictures = {
            "train": dataset.of_split("train"),
            "valid": dataset.of_split("valid"),
        }
        count = len(self.pictures["train"])
        self.views = view_count(count, options)
        self.looks = self.views * count + len(self.pictures["valid"])
        self.head_work = HEAD_COST * self.views * count
        self.tune_work = TUNE_COST * options.blocks_tuned() * count
        epochs = tune_epochs(count, options) if options.blocks_tuned() else 0
        total = self.looks + self.head_work * options.head_epochs + self.tune_work * epochs
        self.clock = Clock(total, progress)
        self.epochs = epochs

    def run(self) -> FloatModel:
        model = self._new_model()
        weights, history = self._weights(model)
        # A fresh model: the trained one has its layers in a second, shorter model as well.
        final = self._new_model()
        set_weights(final, weights)
        self.clock.advance(self.clock.work, "finish", 1, 1)
        return FloatModel(final, self._card(history))

    def _new_model(self) -> keras.Model:
        options = self.options
        model = backbone.build(self.network, options.size, self.classes, options.dropout)
        backbone.load_imagenet(model, self.network)
        return model

    def _weights(self, model: keras.Model) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the trained weights by `<layer>.<variable>` and what happened."""
        done = self.store.load("trained")
        if done is None:
            done = self._trained(model)
            self.store.save("trained", *done)
        self.store.drop("tune-epoch")  # perhaps an earlier run was cut off before it did
        self.store.drop_maps()
        return done

    def _trained(self, model: keras.Model) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        train, valid = self._features(model, "train"), self._features(model, "valid")
        head, head_history = self._head(train, valid)
        history = [{"stage": "head", "epoch": n, **v} for n, v in enumerate(head_history, 1)]
        set_weights(model, head)
        weights, best = head, 0
        if self.options.blocks_tuned():
            tuned = self._tail(model, train, valid)
            weights, best = tuned.weights, tuned.best_epoch
            history += [{"stage": "tune", "epoch": n, **v} for n, v in enumerate(tuned.history, 1)]
        return weights, {"history": history, "best_epoch": best}

    def _features(self, model: keras.Model, name: str) -> Features:
        samples = self.pictures[name]
        views = self.views if name == "train" else 1
        total = -(-self.looks // BATCH)

        def tick(count: int) -> None:
            done = int(self.clock.done + count)
            self.clock.advance(count, "features", min(-(-done // BATCH), total), total)

        return extract(model, self.dataset, samples, views, self.options, self.store, name, tick)

    def _head(
        self, train: Features, valid: Features
    ) -> tuple[dict[str, np.ndarray], list[dict[str, float]]]:
        """Return the head's weights, from the checkpoint if there, and its epochs."""
        epochs = self.options.head_epochs
        done = self.store.load("head")
        if done is not None:
            self.store.drop("head-epoch")
            self.clock.skip(self.head_work * epochs)
            return done

        def tick(epoch: int, values: dict[str, float]) -> None:
            self.clock.advance(self.head_work, "head", epoch, epochs, **values)

        saved, save = self._epochs("head", self.head_work)
        head = train_head(train, valid, self.classes, self.options, tick, saved, save)
        weights = {"logits.kernel": head.kernel, "logits.bias": head.bias}
        self.store.save("head", weights, head.history)
        self.store.drop("head-epoch")
        return weights, head.history

    def _tail(self, model: keras.Model, train: Features, valid: Features) -> Tuned:
        saved, save = self._epochs("tune", self.tune_work)
        return train_tail(model, train, valid, self.options, self._tick_tune, saved, save)

    def _epochs(self, stage: str, work: float) -> tuple[Saved, Save]:
        """Return the last finished epoch of a stage, and what saves the next ones."""
        saved = self.store.load(f"{stage}-epoch")
        if saved:
            self.clock.skip(work * len(saved[1][0]))
        return saved, partial(self.store.save, f"{stage}-epoch")

    def _tick_tune(self, epoch: int, values: dict[str, float]) -> None:
        self.clock.advance(self.tune_work, "tune", epoch, self.epochs, **values)

    def _card(self, record: dict[str, Any]) -> ModelCard:
        """Describe the model. Metrics are those of the epoch whose weights were kept."""
        history = record["history"]
        tuned = [row for row in history if row["stage"] == "tune"]
        if record["best_epoch"]:
            kept = tuned[record["best_epoch"] - 1]
        else:
            kept = min((r for r in history if r["stage"] == "head"), key=lambda r: r["val_loss"])
        return ModelCard(
            labels=self.dataset.labels,
            size=self.options.size,
            fit=self.options.fit,
            scale=backbone.SCALE,
            offset=backbone.OFFSET,
            seed=self.options.seed,
            versions=runtime.versions(),
            pictures={name: len(samples) for name, samples in self.pictures.items()},
            metrics={name: kept[name] for name in ("val_loss", "val_accuracy")},
            kept={"stage": kept["stage"], "epoch": kept["epoch"], "views": self.views},
            history=tuple(history),
            options=self.options.as_dict(),
        )
