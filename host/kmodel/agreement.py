"""How near the answers of a kmodel are to those of the float network that it was made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .calibrate import BATCH, to_float
from .compiler import check_pictures
from .fold import FloatLayer, pool_float, run_float
from .graph import Graph
from .lowering import lower
from .simulate import Simulator
from .steps import PICTURE, Lowered, run_cpu_op

BEST_DB = 120.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """One output over some pictures.

    Attributes:
        same: part of the pictures whose largest value is at the same place.
        error: mean distance of a value, in parts of the float values' span.
        decibels: signal to noise.
    """

    same: float
    error: float
    decibels: float


def agreement(graph: Graph, data: bytes, images: np.ndarray) -> tuple[Agreement, ...]:
    """Run the float network and the kmodel over uint8 images (n, h, w, c); one for each output.

    Raises:
        UserError: the pictures have the wrong size, or the network cannot be lowered.
    """
    answers = Simulator(data).run(images)
    return tuple(map(_compare, run_float_network(graph, images), answers))


def run_float_network(graph: Graph, images: np.ndarray) -> list[np.ndarray]:
    """Return what the network makes of uint8 images (n, h, w, c), in float32.

    One array (n, values) for each output; a map's values come plane by plane, as from a kmodel.
    """
    check_pictures(images, graph.input_shape)
    lowered = lower(graph, fold_colours=False)
    parts = [_run(lowered, images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
    return [np.concatenate(one) for one in zip(*parts, strict=True)]


def _picture(lowered: Lowered, images: np.ndarray) -> np.ndarray:
    """Return the network's input, float32 (n, c, h, w)."""
    if lowered.colours is None:
        return to_float(lowered, images)
    values = images * lowered.colours.scale + lowered.colours.offset
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)


def _run(lowered: Lowered, images: np.ndarray) -> list[np.ndarray]:
    values = {PICTURE: _picture(lowered, images)}
    last = lowered.last_use()
    for number, step in enumerate(lowered.steps):
        inputs = [values[source] for source in step.inputs]
        if isinstance(step.op, FloatLayer):
            values[number] = pool_float(step.op, run_float(step.op, inputs[0])[1])
        else:
            values[number] = run_cpu_op(step.op, inputs)
        for source in set(step.inputs):
            if last[source] == number:
                del values[source]
    return [values[number].reshape(len(images), -1) for number in lowered.outputs]


def _compare(wanted: np.ndarray, found: np.ndarray) -> Agreement:
    noise = found.astype(np.float64) - wanted
    power, wrong = float(np.square(wanted, dtype=np.float64).sum()), float(np.square(noise).sum())
    ratio = 10 * np.log10(power / wrong) if power and wrong else (BEST_DB if not wrong else 0.0)
    return Agreement(
        same=float((wanted.argmax(1) == found.argmax(1)).mean()),
        error=float(np.abs(noise).mean() / max(float(np.ptp(wanted)), 1e-9)),
        decibels=float(min(ratio, BEST_DB)),
    )
