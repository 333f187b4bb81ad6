"""How long a training will take on this computer, from what it computes.

The work is counted as the trainers do it: multiplications of the layers that are passed forward and
backward, views that are drawn, pictures that are decoded, and what does not depend on either. What
each costs was measured once, in seconds of one processor (`python -m benchmarks.duration`; its
figures are in docs/web.md). How fast this computer is beside that one is `pace`: the jobs that were
done here say it, and until there are any, a matrix that is multiplied for a quarter of a second.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..errors import UserError
from ..files import atomic_write
from ..trainer.detect_options import DetectOptions
from ..trainer.features import last_frozen, view_count
from . import outline
from .child import SPEC
from .receive import VALIDATION
from .spec import JobSpec
from .store import Job, Store
from .tasks import options_of

SPEED_FILE = "speed.json"
PROBE_SECONDS = 0.2
PROBE_SIDE = 384
MANY = 0.7
"""So much of a power of their number are several processors worth."""
CALIBRATION = 128
"""Pictures that the compiler looks at."""
LATEST = 12
"""So many jobs, the last ones, say how fast this computer is."""
GUESS, KNOWN = 0.45, 0.25
"""How far the time may be off, as a part, before and after jobs were done here."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one processor of the reference computer."""

    forward: float
    """A billion multiplications of a network that is only asked."""
    backward: float
    """A billion multiplications of layers that learn: forward, backward and the step."""
    compile: float
    """A billion multiplications of a calibration picture."""
    simulate: float
    """A billion multiplications in the simulator."""
    view: float
    """Drawing a view of a classifier, a million pixels."""
    detector_view: float
    """Drawing a view of a detector, a million pixels."""
    decode: float
    """Reading a picture."""
    epoch: float
    """What an epoch costs whatever is in it: saving where it is."""
    head: float
    """A thousand views of the first stage of a classifier."""
    start: float
    """Starting, building, packing."""


REFERENCE = Cost(
    forward=0.028, backward=0.04, compile=0.5, simulate=0.28, view=0.22, detector_view=0.7,
    decode=0.05, epoch=1.0, head=0.2, start=10.0,
)  # fmt: skip
REFERENCE_SPEED = 85.0
"""Billions of multiplications a second of that computer in the probe, on one processor."""


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds on the reference computer: all but the second stage, one of its epochs, how many of
    these there are, and the fewest after which the training may stop by itself."""

    fixed: float
    epoch: float
    epochs: int
    least: int

    def seconds(self, epochs: float) -> float:
        """Return the seconds of a job whose second stage had so many epochs."""
        return self.fixed + self.epoch * epochs


def work(options: Any, pictures: int, classes: int) -> Work:
    """Return the work of a job with `pictures` pictures, those kept aside included."""
    valid = max(1, round(VALIDATION * pictures))
    train = max(1, pictures - valid)
    layers, cost = outline.layers(options, classes), REFERENCE
    count = _detector if isinstance(options, DetectOptions) else _classifier
    before, epoch, epochs = count(options, layers, train, valid)
    judging = min(CALIBRATION, train) * cost.compile + valid * (cost.forward + cost.simulate)
    fixed = cost.start + before + _billions(layers, 0) * judging
    return Work(fixed, epoch, epochs, min(epochs, options.patience + 1))


def _classifier(
    options: Any, layers: Iterable[outline.Layer], train: int, valid: int
) -> tuple[float, float, int]:
    """Return seconds before the second stage, of one of its epochs, and how many there are."""
    cost, views = REFERENCE, view_count(train, options)
    looks = views * train + valid
    pixels = options.size[0] * options.size[1] / 1e6
    before = looks * (_billions(layers, 0) * cost.forward + pixels * cost.view)
    before += train * cost.decode + options.head_epochs * views * train / 1000 * cost.head
    if not options.blocks_tuned():
        return before, 0.0, 0
    tail = _billions(layers, last_frozen(options) + 1)
    epochs = min(options.tune_epochs, max(3, round(options.tune_total / train)))
    return before, tail * (train * cost.backward + valid * cost.forward) + cost.epoch, epochs


def _detector(
    options: Any, layers: Iterable[outline.Layer], train: int, valid: int
) -> tuple[float, float, int]:
    """Return seconds before the second stage, of one of its epochs, and how many there are."""
    cost = REFERENCE
    shown = max(train, options.epoch_least)
    shown -= shown % options.batch
    pixels = options.size[0] * options.size[1] / 1e6
    whole = _billions(layers, 0)
    judged = valid * whole * cost.forward + cost.epoch
    view = pixels * cost.detector_view
    neck = _billions(layers, outline.TAIL)
    tail = _billions(layers, max(1, options.tune_from) if options.tune_from else 0)
    first = shown * (view + (whole - neck) * cost.forward + neck * cost.backward) + judged
    second = shown * (view + (whole - tail) * cost.forward + tail * cost.backward) + judged
    epochs = min(options.tune_epochs, max(5, options.tune_total // max(shown, 1)))
    return (train + valid) * cost.decode + options.head_epochs * first, second, epochs


def _billions(layers: Iterable[outline.Layer], block: int) -> float:
    """Return the multiplications of the layers from a block on."""
    return sum(one.products for one in layers if one.block >= block) / 1e9


def minutes(work: Work, pace: Pace) -> tuple[int, int]:
    """Return from how many to how many whole minutes a job will take, at least 1."""
    off = 1 + (KNOWN if pace.known else GUESS)
    low = work.seconds((work.least + work.epochs) / 2) * pace.factor / off
    high = work.seconds(work.epochs) * pace.factor * off
    return _round(low / 60, False), _round(high / 60, True)


def _round(value: float, up: bool) -> int:
    """Return whole minutes, of half an hour and more multiples of five."""
    step = 5 if value >= 30 else 1
    return max(1, step * (int(-(-value // step)) if up else round(value / step)))


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds here for a second of the reference computer. `known`: from jobs that were done."""

    factor: float
    known: bool


def pace(store: Store) -> Pace:
    """Return how fast this computer is."""
    found = [one for job in _alike(store) if (one := _measured(store, job))]
    if found:
        return Pace(median(found), True)
    return Pace(REFERENCE_SPEED / _speed(store) / (os.cpu_count() or 1) ** MANY, False)


def _alike(store: Store) -> list[Job]:
    done = [job for job in store.jobs(("done",)) if job.result.get("seconds")]
    return [job for job in done if not job.options.get("canmv") and not job.deaths][:LATEST]


def _measured(store: Store, job: Job) -> float | None:
    """Return how much longer a job took than on the reference computer."""
    pictures, labels = job.dataset.get("pictures"), job.dataset.get("labels")
    if not pictures or not labels:
        return None
    try:
        spec = JobSpec.from_json((store.folder(job.id) / SPEC).read_text("utf-8"))
        options = options_of(job.dataset.get("task", ""), spec.preset, spec.choices())
    except (OSError, UserError):
        return None  # of an older MaixForge
    curves = job.result.get("curves") or ()
    tuned = sum(one.get("stage") == "tune" for one in curves)
    return job.result["seconds"] / work(options, pictures, len(labels)).seconds(tuned)


def _speed(store: Store) -> float:
    """Return this computer's speed in the probe; measured once, while no job runs."""
    path = store.data / SPEED_FILE
    try:
        return float(json.loads(path.read_text("utf-8"))["speed"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    speed = probe()
    if not store.jobs(("running",)):
        with suppress(OSError):  # a full disk
            atomic_write(path, json.dumps({"speed": round(speed, 2)}).encode())
    return speed


def probe() -> float:
    """Return billions of multiplications a second of one processor (float32 matrices)."""
    matrix = np.ones((PROBE_SIDE, PROBE_SIDE), np.float32)
    best, began = float("inf"), time.perf_counter()
    end = began + PROBE_SECONDS
    with threadpool_limits(1):
        while best == float("inf") or began < end:
            np.matmul(matrix, matrix)
            done = time.perf_counter()
            best, began = min(best, done - began), done
    return PROBE_SIDE**3 / best / 1e9
