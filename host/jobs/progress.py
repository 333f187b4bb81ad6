"""How far a job is, told to whoever listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Listener = Callable[[Mapping[str, Any]], None]

SHARES = {
    "receive": (0.0, 0.01),
    "check": (0.01, 0.03),
    "train": (0.03, 0.80),
    "compile": (0.80, 0.88),
    "evaluate": (0.88, 0.98),
    "seal": (0.98, 0.985),
    "package": (0.985, 1.0),
}
"""Which part of a job's progress each step is."""


@dataclass
class Progress:
    """Tells a listener how far the job is, with the time that it will still take."""

    listener: Listener
    step: str = "receive"
    began: float = field(default_factory=time.monotonic)

    def begin(self, step: str) -> None:
        """Begin a step."""
        self.step, self.began = step, time.monotonic()
        self.tell(0.0, step)

    def tell(
        self,
        fraction: float,
        message: str,
        eta: float | None = None,
        values: Mapping[str, float] | None = None,
    ) -> None:
        """Say that `fraction` of the step is done; `eta` are seconds that the step still takes.

        The event's `eta_seconds` are those of the whole job: later steps are guessed from this one.
        """
        low, high = SHARES[self.step]
        event: dict[str, Any] = {
            "step": self.step,
            "fraction": round(low + (high - low) * min(max(fraction, 0.0), 1.0), 4),
            "message": message,
        }
        if eta is not None:
            whole_step = time.monotonic() - self.began + eta
            event["eta_seconds"] = round(eta + (1 - high) / (high - low) * whole_step, 1)
        if values:
            event["values"] = dict(values)
        self.listener(event)
