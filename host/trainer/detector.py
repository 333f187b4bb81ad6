"""Train a detector: neck and head on a frozen backbone first, then its last blocks, too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.dataset import Dataset
from ..errors import UserError
from . import backbone, detect_net, runtime
from .anchors import find_anchors
from .checkpoint import Checkpoints, fingerprint
from .detect_augment import Views, epoch_pictures
from .detect_loss import Region
from .detect_options import DetectOptions
from .detect_pictures import CANVAS, Pictures, decode_all, drop_pictures
from .detect_stage import Stage
from .model import FloatModel, ModelCard, set_weights
from .progress import Clock, Listener, TrainProgress
from .progress import Stage as StageName

if TYPE_CHECKING:
    import keras

__all__ = ["TrainProgress", "train"]

DECODE_COST, JUDGE_COST = 0.3, 0.5
STAGE_COST = {"head": 1.0, "tune": 2.2}
"""Work of one picture in views of the first stage. Only the ETA depends on it."""

LEAST_EPOCHS = 5
"""The second stage has as many at least, however many pictures there are."""


def train(
    dataset: Dataset,
    folder: Path,
    options: DetectOptions | None = None,
    progress: Listener | None = None,
) -> FloatModel:
    """Train a detector on the samples whose split is "train", judge it on "valid".

    `folder` holds what is finished: called again with the same data and options after an
    interruption, it goes on after the last finished epoch, with the same result. Samples without
    boxes teach what is no object. Validation pictures are never augmented and never trained on.
    Equal options, data and machine give equal weights. The epoch of the highest mean average
    precision (over IoU 0.5 to 0.95) on the validation pictures is kept.

    Raises:
        UserError: `training_boxes_missing`, `validation_boxes_missing`, `training_diverged`,
            `weights_missing`, `weights_damaged`, settings that are impossible, or a picture that
            cannot be read.
    """
    options = options or DetectOptions()
    options.check()
    check_boxes(dataset)
    runtime.start(options.seed)
    store = Checkpoints(folder, fingerprint(dataset, options))
    return _Training(dataset, store, options, progress).run()


def check_boxes(dataset: Dataset) -> None:
    """Check that every label can be trained and that something is set aside.

    Raises:
        UserError: `training_boxes_missing`, `validation_boxes_missing`.
    """
    seen = {box.label for sample in dataset.of_split("train") for box in sample.boxes}
    missing = [label for index, label in enumerate(dataset.labels) if index not in seen]
    if missing or not dataset.labels:
        raise UserError("training_boxes_missing", labels=", ".join(missing) or "-")
    valid = dataset.of_split("valid")
    if not any(sample.boxes for sample in valid):
        raise UserError("validation_boxes_missing", count=len(valid))


@dataclass(frozen=True, slots=True)
class _Plan:
    """A stage: its name, which blocks it trains, its epochs and what one costs."""

    name: StageName
    first_block: int | None
    epochs: int
    rate: float
    work: float


@dataclass(slots=True)
class _Course:
    """What has happened so far. `best` are the weights of the epoch that is kept."""

    history: list[dict[str, Any]]
    best: dict[str, np.ndarray]
    score: float = -1.0
    kept: tuple[str, int] = ("head", 0)


class _Training:
    """One run of `train`."""

    def __init__(
        self,
        dataset: Dataset,
        store: Checkpoints,
        options: DetectOptions,
        progress: Listener | None,
    ) -> None:
        self.dataset, self.store, self.options = dataset, store, options
        self.samples = {name: dataset.of_split(name) for name in ("train", "valid")}
        shown = epoch_pictures(_labels(dataset), options)
        self.steps = shown // options.batch
        self.judged = JUDGE_COST * len(self.samples["valid"])
        self.plans = self._plans(shown)
        decoded = DECODE_COST * sum(map(len, self.samples.values()))
        total = decoded + sum(plan.epochs * plan.work for plan in self.plans)
        self.shown, self.clock = shown, Clock(total, progress)

    def _plans(self, shown: int) -> list[_Plan]:
        options = self.options
        tune_epochs = min(options.tune_epochs, max(LEAST_EPOCHS, options.tune_total // shown))
        work = {name: cost * shown + self.judged for name, cost in STAGE_COST.items()}
        head = _Plan("head", None, options.head_epochs, options.head_rate, work["head"])
        tune = _Plan("tune", options.tune_from, tune_epochs, options.tune_rate, work["tune"])
        return [head, tune] if tune_epochs else [head]

    def run(self) -> FloatModel:
        anchors, weights, record = self._trained()
        # A fresh model: the trained one has its layers in other models as well.
        final = detect_net.new_model(self.options, len(self.dataset.labels))
        set_weights(final, weights)
        self.clock.advance(self.clock.work, "finish", 1, 1)
        return FloatModel(final, self._card(anchors, record))

    def _trained(self) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, Any]]:
        """Return the anchors (5, 2) in cells, the trained weights and what happened."""
        done = self.store.load("trained")
        if done is None:
            pictures = {name: self._pictures(name) for name in ("train", "valid")}
            region = self._region(pictures["train"])
            course = self._train(region, pictures)
            record = {"history": course.history, "kept": course.kept}
            done = {**course.best, "anchors": np.array(region.anchors)}, record
            self.store.save("trained", *done)
        self.store.drop("epoch")  # perhaps an earlier run was cut off before it did
        drop_pictures(self.store)
        weights, record = done
        return weights.pop("anchors"), weights, record

    def _pictures(self, name: str) -> Pictures:
        """Return the decoded pictures of a split; those of training are larger than the input."""
        options, samples = self.options, self.samples[name]
        total = sum(map(len, self.samples.values()))
        done = 0 if name == "train" else len(self.samples["train"])

        def tick(count: int) -> None:
            nonlocal done
            done += count
            self.clock.advance(DECODE_COST * count, "features", done, total)

        size, fit = options.size, options.fit
        if name == "train":
            size = (round(CANVAS * options.size[0]), round(CANVAS * options.size[1]))
            fit = "letterbox"
        return decode_all(self.dataset, samples, size, fit, self.store, name, tick)

    def _region(self, train: Pictures) -> Region:
        options = self.options
        shown = train.labels >= 0
        sides = (train.boxes[..., 2:] - train.boxes[..., :2])[shown]
        ratios = np.array(options.size) / train.extent
        scale = ratios.max(1) if options.fit == "crop" else ratios.min(1)
        shapes = sides * scale[np.nonzero(shown)[0], None]
        knobs = options.augmentation
        found = find_anchors(shapes, options.size, knobs.zoom, knobs.stretch, options.seed)
        plain = Region((), options.grid, options.size, len(self.dataset.labels))
        cells = (found / plain.cell).astype(np.float32).astype(float)
        anchors = tuple((float(w), float(h)) for w, h in cells)
        return Region(anchors, plain.grid, plain.size, plain.classes)

    def _train(self, region: Region, pictures: dict[str, Pictures]) -> _Course:
        """Do the stages epoch by epoch, beginning after the last one that was saved."""
        model = detect_net.new_model(self.options, region.classes)
        views, course = Views(pictures["train"], self.options), _Course([], {})
        saved = self.store.load("epoch")
        passed = 0
        for plan in self.plans:
            if saved is not None and plan.name != saved[1]["stage"]:
                passed += plan.epochs
                self.clock.skip(plan.epochs * plan.work)
                continue
            stage = self._stage(model, region, plan)
            start = 1
            if saved is not None:
                course, start = self._resume(model, stage, saved)
                self.clock.skip((start - 1) * plan.work)
                saved = None
            for epoch in range(start, plan.epochs + 1):
                if self._stopped(plan, epoch - 1, course):
                    self.clock.skip((plan.epochs - epoch + 1) * plan.work)
                    break
                share = self._mosaics(plan, epoch)
                self._epoch(stage, views.epoch(passed + epoch, share), plan, epoch,
                            pictures["valid"], course)  # fmt: skip
            stage.settle()
            passed += plan.epochs
        return course

    def _stage(self, model: keras.Model, region: Region, plan: _Plan) -> Stage:
        return Stage(
            model,
            region,
            self.options,
            first_block=plan.first_block,
            rate=plan.rate,
            steps=plan.epochs * self.steps,
        )

    def _mosaics(self, plan: _Plan, epoch: int) -> float:
        last = plan.name == "tune" and epoch > (1 - self.options.plain_epochs) * plan.epochs
        return 0.0 if last else self.options.augmentation.mosaic

    def _stopped(self, plan: _Plan, done: int, course: _Course) -> bool:
        """Say whether the second stage has not become better for long enough."""
        best = course.kept[1] if course.kept[0] == plan.name else 0
        return plan.name == "tune" and done - best >= self.options.patience

    def _epoch(
        self, stage: Stage, batches: Any, plan: _Plan, epoch: int, valid: Pictures, course: _Course
    ) -> None:
        """Train and judge one epoch, keep it when it is the best, and save where we are."""
        began = time.monotonic()
        values = stage.epoch(batches, plan.name, epoch)
        speed = self.shown / (time.monotonic() - began)
        with stage.averaged():
            values |= stage.judge(valid)
            if values["val_map"] > course.score:
                course.best = {**course.best, **stage.weights()}
                course.score, course.kept = values["val_map"], (plan.name, epoch)
        course.history.append({"stage": plan.name, "epoch": epoch, **values})
        record = {
            "stage": plan.name,
            "epoch": epoch,
            "history": course.history,
            "score": course.score,
            "kept": course.kept,
        }
        best = {f"best/{name}": value for name, value in course.best.items()}
        self.store.save("epoch", {**stage.state(), **best}, record)
        self.clock.advance(
            plan.work,
            plan.name,
            epoch,
            plan.epochs,
            loss=values["loss"],
            val_map50=values["val_map50"],
            pictures_per_second=round(speed, 1),
        )

    def _resume(
        self, model: keras.Model, stage: Stage, saved: tuple[dict[str, np.ndarray], Any]
    ) -> tuple[_Course, int]:
        """Put the saved epoch's state back; return what had happened and the next epoch."""
        arrays, record = saved
        stage.restore(arrays)
        best = dict(_below(arrays, "best/"))
        kept = (record["kept"][0], record["kept"][1])
        return _Course(record["history"], best, record["score"], kept), record["epoch"] + 1

    def _card(self, anchors: np.ndarray, record: dict[str, Any]) -> ModelCard:
        stage, epoch = record["kept"]
        rows = {(row["stage"], row["epoch"]): row for row in record["history"]}
        return ModelCard(
            labels=self.dataset.labels,
            size=self.options.size,
            fit=self.options.fit,
            scale=backbone.SCALE,
            offset=backbone.OFFSET,
            seed=self.options.seed,
            task="detect",
            anchors=tuple((float(width), float(height)) for width, height in anchors),
            versions=runtime.versions(),
            pictures={name: len(samples) for name, samples in self.samples.items()},
            metrics={name: rows[stage, epoch][name] for name in ("val_map50", "val_map")},
            kept={"stage": stage, "epoch": epoch},
            history=tuple(record["history"]),
            options=self.options.as_dict(),
        )


def _labels(dataset: Dataset) -> np.ndarray:
    """Return the labels of the training pictures, int (n, m), -1 where there is no box."""
    rows = [[box.label for box in sample.boxes] for sample in dataset.of_split("train")]
    most = max(map(len, rows))
    return np.array([row + [-1] * (most - len(row)) for row in rows])


def _below(arrays: dict[str, np.ndarray], prefix: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays whose names begin with `prefix`, without it."""
    for name, value in arrays.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), value
