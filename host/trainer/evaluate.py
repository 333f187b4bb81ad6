"""How good are the answers? Tables from probabilities; used for the float and the INT8 model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class. A share whose denominator is 0 is 0: `support` says when there was nothing."""

    label: str
    precision: float
    """Of the pictures called this, the part that are."""
    recall: float
    """Of the pictures that are this, the part that were called so."""
    f1: float
    """Harmonic mean of both."""
    support: int
    """Pictures of this class."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One picture: what it is, what the model says, and the probabilities (0..1) of both."""

    path: str
    truth: str
    predicted: str
    score: float
    """Probability of the predicted class."""
    truth_score: float
    """Probability of the true class."""

    @property
    def wrong(self) -> bool:
        """Whether the answer is wrong."""
        return self.truth != self.predicted


@dataclass(frozen=True, slots=True)
class ClassifierReport:
    """Answers of one model to one set of pictures."""

    labels: tuple[str, ...]
    accuracy: float
    loss: float
    """Mean cross-entropy in nats."""
    confusion: np.ndarray
    """Pictures, int64 (classes, classes): row is the truth, column the answer."""
    classes: tuple[ClassScore, ...]
    worst: tuple[Judged, ...]
    """Pictures from the most confidently wrong to the least sure of the right answers."""
    predicted: np.ndarray
    """Answer of each picture as a label's index, int64 (n,), in the order given."""

    @property
    def pictures(self) -> int:
        """How many pictures were judged."""
        return len(self.predicted)

    @property
    def mistakes(self) -> tuple[Judged, ...]:
        """The wrong answers, the most confident first."""
        return tuple(judged for judged in self.worst if judged.wrong)

    def agreement(self, other: ClassifierReport) -> float:
        """Return the part of the pictures to which both models gave the same answer.

        Raises:
            ValueError: the reports are not about the same number of pictures.
        """
        if self.pictures != other.pictures:
            raise ValueError(f"{self.pictures} pictures against {other.pictures}")
        return float(np.mean(self.predicted == other.predicted))

    def as_dict(self, worst: int = 24) -> dict[str, Any]:
        """Return plain values for JSON, with the `worst` worst pictures."""
        return {
            "labels": list(self.labels),
            "pictures": self.pictures,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "confusion": self.confusion.tolist(),
            "classes": [
                {name: getattr(score, name) for name in ClassScore.__slots__}
                for score in self.classes
            ],
            "worst": [
                {name: getattr(judged, name) for name in Judged.__slots__}
                for judged in self.worst[:worst]
            ],
        }


def evaluate_classifier(
    probabilities: np.ndarray, truth: Sequence[int] | np.ndarray, labels: Sequence[str],
    paths: Sequence[str],
) -> ClassifierReport:  # fmt: skip
    """Judge `probabilities` (n, classes), 0..1, against `truth` (n,), indices into `labels`.

    Raises:
        UserError: `nothing_to_judge` (no pictures).
        ValueError: the shapes do not belong together, or a probability is not finite.
    """
    values, right = np.asarray(probabilities, np.float64), np.asarray(truth, np.int64)
    if len(right) == 0:
        raise UserError("nothing_to_judge")
    if values.shape != (len(right), len(labels)) or len(paths) != len(right):
        raise ValueError(f"{values.shape} answers, {len(right)} truths, {len(paths)} paths")
    if not np.isfinite(values).all():
        raise ValueError("a probability is not finite")
    predicted = values.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (right, predicted), 1)
    sure = values[np.arange(len(right)), right]
    return ClassifierReport(
        labels=tuple(labels),
        accuracy=float(np.mean(predicted == right)),
        loss=float(-np.log(np.maximum(sure, 1e-7)).mean()),
        confusion=confusion,
        classes=_class_scores(confusion, labels),
        worst=_worst(values, right, labels, paths),
        predicted=predicted,
    )


def _class_scores(confusion: np.ndarray, labels: Sequence[str]) -> tuple[ClassScore, ...]:
    right = np.diag(confusion).astype(float)
    said, support = confusion.sum(axis=0), confusion.sum(axis=1)
    precision = right / np.maximum(said, 1)
    recall = right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(said + support, 1)
    rows = zip(labels, precision, recall, f1, support, strict=True)
    return tuple(
        ClassScore(name, float(p), float(r), float(f), int(n)) for name, p, r, f, n in rows
    )


def _worst(
    values: np.ndarray, truth: np.ndarray, labels: Sequence[str], paths: Sequence[str]
) -> tuple[Judged, ...]:
    """Sort all pictures by how much more probable the best wrong class is than the true one."""
    places = np.arange(len(truth))
    rivals = values.copy()
    rivals[places, truth] = -1.0
    margin = rivals.max(axis=1) - values[places, truth]
    judged = []
    for place in (int(each) for each in np.argsort(-margin, kind="stable")):
        said = int(values[place].argmax())
        judged.append(
            Judged(
                path=paths[place],
                truth=labels[int(truth[place])],
                predicted=labels[said],
                score=float(values[place, said]),
                truth_score=float(values[place, truth[place]]),
            )
        )
    return tuple(judged)
