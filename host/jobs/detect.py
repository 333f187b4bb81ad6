"""What a job does for a detector only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.dataset import Dataset, Sample
from ..deploy.package import BoardOptions
from ..kmodel import region
from ..trainer.detect_evaluate import (
    LEAST_SCORE,
    NMS_VALUES,
    DetectorReport,
    evaluate_detector,
    recommend_nms,
)
from ..trainer.detect_options import DetectOptions, detect_options_for
from ..trainer.detect_pictures import place_boxes
from ..trainer.pictures import read_pictures
from .result_types import MeanPrecision
from .task import Answers, Reports, Run, Verdict

if TYPE_CHECKING:
    from ..trainer.model import FloatModel
    from ..trainer.progress import Listener

options_for = detect_options_for

WORST = 12
"""Pictures in the gallery of the worst."""


def train(dataset: Dataset, folder: Path, options: DetectOptions, listen: Listener) -> FloatModel:
    """Train in `folder`, or go on with what an earlier run has left there."""
    from ..trainer import detector  # noqa: PLC0415 - loads Keras

    return detector.train(dataset, folder, options, listen)


def judge(run: Run, model: FloatModel, answers: Sequence[Answers]) -> Verdict:
    """Return the reports of the answers, and NMS and threshold for boot.py.

    Both are those that serve the kmodel best on the validation pictures; every report is about
    the boxes that they leave, as the board will show them.
    """
    options: DetectOptions = run.options
    labels = run.dataset.labels
    truth = {one.name: [truth_of(sample, options) for sample in one.samples] for one in answers}
    found = {
        (one.name, kind): [_candidates(each, model, options) for each in values]
        for one in answers
        for kind, values in one.values.items()
    }
    by_nms = {nms: _kept(found["", "int8"], nms) for nms in NMS_VALUES}
    nms = recommend_nms(by_nms, truth[""], labels)
    threshold = evaluate_detector(by_nms[nms], truth[""], labels, _paths(answers[0])).recommended
    reports = {
        one.name + kind: evaluate_detector(
            _kept(found[one.name, kind], nms), truth[one.name], labels, _paths(one), threshold
        )
        for one in answers
        for kind in one.values
    }
    return Verdict(reports, BoardOptions(threshold=threshold, nms=nms))


def truth_of(sample: Sample, options: DetectOptions) -> np.ndarray:
    """Return the boxes as the network's input shows them, float64 (k, 5).

    They are left, top, right, bottom in parts (0..1) of the input, and the label.
    """
    picture = sample.width, sample.height
    boxes, labels = place_boxes(sample, picture, options.size, options.fit)
    return np.column_stack([boxes / np.tile(options.size, 2), labels])


def _candidates(values: np.ndarray, model: FloatModel, options: DetectOptions) -> np.ndarray:
    return region.candidates(values, options.grid, np.array(model.card.anchors), LEAST_SCORE)


def _kept(found: Sequence[np.ndarray], nms: float) -> list[np.ndarray]:
    return [region.reported(region.suppress(boxes, nms))[:, :6] for boxes in found]


def _paths(answers: Answers) -> list[str]:
    return [sample.path for sample in answers.samples]


def figures(report: DetectorReport) -> MeanPrecision:
    """Return what a result says of a report."""
    return {"map50": report.map50, "map": report.map}


test_figures = figures


def pictures(run: Run, model: FloatModel, reports: Reports) -> Mapping[str, bytes]:
    """Return the PNGs of the report by name; they are about the validation pictures."""
    from ..trainer import detect_report as draw  # noqa: PLC0415 - loads matplotlib

    card = model.card
    both = {"float": reports["float"], "INT8 on the chip": reports["int8"]}
    worst = reports["int8"].worst[:WORST]
    samples = {sample.path: sample for sample in run.dataset.samples}
    shown = read_pictures(run.dataset, [samples[one.path] for one in worst], card.size, card.fit)
    return {
        "curves.png": draw.training_curves(card.history, card.kept),
        "precision_recall.png": draw.precision_recall(both),
        "thresholds.png": draw.thresholds(both),
        "errors.png": draw.errors(both),
        "worst.png": draw.gallery(shown, worst),
    }
