"""What a training says while it runs, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Stage = Literal["features", "head", "tune", "finish"]


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """One event. `epoch` counts from 1 in its stage; `fraction` is 0..1 of the whole training.

    In the stage "features" an epoch is one batch of pictures (of a detector one picture), and
    there is no loss yet.
    """

    stage: Stage
    epoch: int
    epochs: int
    fraction: float
    eta_seconds: float
    loss: float | None = None
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_map50: float | None = None
    """Of a detector: mean average precision at IoU 0.5 on the validation pictures."""
    pictures_per_second: float | None = None
    """Of a detector: how fast the epoch trained."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


Listener = Callable[[TrainProgress], None]


class Clock:
    """Turns work done into events. Work is counted in forward passes of one picture."""

    def __init__(self, work: float, listener: Listener | None) -> None:
        self.work = work
        self.done = 0.0
        self.listener = listener
        self.started = time.monotonic()

    def skip(self, work: float) -> None:
        """Leave out work that an earlier run has done or that turned out to be needless."""
        self.work -= work

    def advance(self, work: float, stage: Stage, epoch: int, epochs: int, **values: float) -> None:
        """Count `work` as done and tell the listener."""
        self.done = min(self.done + work, self.work)
        if self.listener is None:
            return
        elapsed = time.monotonic() - self.started
        fraction = self.done / self.work if self.work else 1.0
        eta = elapsed * (1 / fraction - 1) if fraction else 0.0
        self.listener(TrainProgress(stage, epoch, epochs, fraction, round(eta, 1), **values))
