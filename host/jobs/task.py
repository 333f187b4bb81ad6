"""What the steps of a job share, and what they ask of a task: classification or detection."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import kmodel
from ..datasets.dataset import Dataset, Sample
from ..deploy.package import BoardOptions
from ..trainer.pictures import in_batches
from .progress import Progress
from .spec import JobSpec

if TYPE_CHECKING:
    from ..trainer.model import FloatModel
    from ..trainer.progress import Listener

Reports = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One job: its folder and order, its split data, the held-back data, its options."""

    folder: Path
    spec: JobSpec
    dataset: Dataset
    test: Dataset | None
    options: Any
    progress: Progress


@dataclass(frozen=True, slots=True)
class Answers:
    """What both models say of one set of pictures: raw values, float32 (pictures, values).

    `name` is "" for validation and "test_" for held-back data.
    """

    name: str
    dataset: Dataset
    samples: Sequence[Sample]
    values: dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How good the models are, and what that means for boot.py.

    `reports` are "float" and "int8" on validation, "test_float" and "test_int8" on held-back data.
    """

    reports: Reports
    board: BoardOptions


class Task(Protocol):
    """A module that knows one task: `classify` or `detect`."""

    def options_for(self, preset: str, **overrides: Any) -> Any:
        """Return the options of a preset with some changed."""
        ...

    def train(self, dataset: Dataset, folder: Path, options: Any, listen: Listener) -> FloatModel:
        """Train in `folder`, or go on with what an earlier run has left there."""
        ...

    def judge(self, run: Run, model: FloatModel, answers: Sequence[Answers]) -> Verdict:
        """Return how good the answers are."""
        ...

    def figures(self, report: Any) -> Any:
        """Return what a result says of a report on validation."""
        ...

    def test_figures(self, report: Any) -> Any:
        """Return what a result says of one on held-back data."""
        ...

    def pictures(self, run: Run, model: FloatModel, reports: Reports) -> Mapping[str, bytes]:
        """Return the PNGs of the report by name; they are about the validation pictures."""
        ...


def answer(run: Run, model: FloatModel, data: bytes) -> list[Answers]:
    """Show the validation pictures and the held-back ones to both models.

    "float" is the network as trained, "int8" what the bytes of the kmodel give in the simulator.
    """
    simulator = kmodel.Simulator(data)
    sets = [("", run.dataset, run.dataset.of_split("valid"))]
    if run.test:
        sets.append(("test_", run.test, run.test.samples))
    total = sum(len(samples) for _, _, samples in sets)
    done, began = 0, time.monotonic()
    found = []
    for name, source, samples in sets:
        values: dict[str, list[np.ndarray]] = {"float": [], "int8": []}
        for _, pictures in in_batches(source, samples, run.options):
            values["float"].append(model.predict(pictures))
            values["int8"].append(simulator.run(pictures)[0])
            done += len(pictures)
            eta = (time.monotonic() - began) / done * (total - done)
            run.progress.tell(done / total, "evaluate", eta)
        joined = {kind: np.concatenate(parts) for kind, parts in values.items()}
        found.append(Answers(name, source, samples, joined))
    return found
