"""What a job does for a classifier only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.dataset import Dataset
from ..deploy.package import BoardOptions
from ..trainer.evaluate import ClassifierReport, evaluate_classifier
from ..trainer.options import TrainOptions, options_for
from ..trainer.pictures import read_pictures
from .result_types import Accuracy
from .task import Answers, Reports, Run, Verdict

if TYPE_CHECKING:
    from ..trainer.model import FloatModel
    from ..trainer.progress import Listener

__all__ = ["options_for"]

WORST = 12
"""Pictures in the gallery of the worst."""


def train(dataset: Dataset, folder: Path, options: TrainOptions, listen: Listener) -> FloatModel:
    """Train in `folder`, or go on with what an earlier run has left there."""
    from ..trainer import classifier  # noqa: PLC0415 - loads Keras

    return classifier.train(dataset, folder, options, listen)


def judge(run: Run, model: FloatModel, answers: Sequence[Answers]) -> Verdict:
    """Return the reports of the answers; boot.py has its usual threshold."""
    reports = {
        one.name + kind: evaluate_classifier(
            scores,
            np.array([sample.label for sample in one.samples]),
            one.dataset.labels,
            [sample.path for sample in one.samples],
        )
        for one in answers
        for kind, scores in one.values.items()
    }
    return Verdict(reports, BoardOptions())


def figures(report: ClassifierReport) -> Accuracy:
    """Return what a result says of a report."""
    return {"accuracy": report.accuracy}


def test_figures(report: ClassifierReport) -> float:
    """Return what a result says of held-back data."""
    return report.accuracy


def pictures(run: Run, model: FloatModel, reports: Reports) -> Mapping[str, bytes]:
    """Return the PNGs of the report by name; they are about the validation pictures."""
    from ..trainer import report  # noqa: PLC0415 - loads matplotlib

    worst = reports["int8"].worst[:WORST]
    samples = {sample.path: sample for sample in run.dataset.samples}
    shown = read_pictures(
        run.dataset, [samples[one.path] for one in worst], model.card.size, model.card.fit
    )
    return {
        "curves.png": report.training_curves(model.card.history, model.card.kept),
        "confusion.png": report.confusion_matrices(
            {"float": reports["float"], "INT8 on the chip": reports["int8"]}
        ),
        "worst.png": report.gallery(shown, worst),
    }
