"""What ONNX and TFLite operations have in common: what they read, and plain arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .normalise import Builder
from .values import Value, refuse

Tensor = Value | np.ndarray | None
"""What an operation reads: something made of the picture, a constant, or nothing."""


@dataclass(frozen=True, slots=True)
class FileOp:
    """One operation of a file: its name, its type, what it reads."""

    name: str
    kind: str
    inputs: tuple[Tensor, ...]

    @property
    def value(self) -> Value:
        """The first input, which must come from the picture."""
        return self.at(0)

    def at(self, index: int) -> Value:
        """Return an input that must come from the picture."""
        one = self.inputs[index]
        if not isinstance(one, Value):
            raise refuse(self.name, f"{self.kind} of a constant", "a value made of the picture")
        return one

    def constant(self, index: int, default: Any = None) -> Any:
        """Return a constant input as an array, or `default` where there is none."""
        one = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(one, Value):
            raise refuse(self.name, f"{self.kind} with weights that are computed", "constants")
        return default if one is None else one


def sum_of(sign: float) -> Callable[[Builder, FileOp], Value]:
    """Return the reader of a sum (sign 1) or a difference (sign -1) of maps or constants."""

    def read(build: Builder, op: FileOp) -> Value:
        if all(isinstance(one, Value) for one in op.inputs):
            if sign < 0:
                needed = "a sum, a constant, or functions of one value"
                found = "a difference of two maps"
                return build.pointwise(op.name, "-", [op.at(0), op.at(1)], found, needed)
            return build.join(op.name, "add", [op.at(i) for i in range(len(op.inputs))])
        if isinstance(op.inputs[0], Value):
            return build.scale_shift(op.name, op.value, 1.0, sign * op.constant(1))
        return build.scale_shift(op.name, op.at(1), sign, op.constant(0))

    return read


def mul(build: Builder, op: FileOp) -> Value:
    """Read a product of two maps, or of a map and a constant."""
    if all(isinstance(one, Value) for one in op.inputs):
        return build.product(op.name, op.value, op.at(1))
    first = isinstance(op.inputs[0], Value)
    return build.scale_shift(op.name, op.at(0 if first else 1), op.constant(1 if first else 0))


def extreme(word: str) -> Callable[[Builder, FileOp], Value]:
    """Return the reader of "min" or "max" of functions of one value, or of one and a number."""

    def read(build: Builder, op: FileOp) -> Value:
        if all(isinstance(one, Value) for one in op.inputs):
            values = [op.at(place) for place in range(len(op.inputs))]
            found = f"{op.kind} of two maps"
            return build.pointwise(op.name, word, values, found, "functions of one value")
        first = isinstance(op.inputs[0], Value)
        value, number = op.at(0 if first else 1), op.constant(1 if first else 0)
        if np.size(number) != 1:
            raise refuse(op.name, f"{op.kind} of many numbers", "one number")
        return build.limit(op.name, value, float(np.reshape(number, ())), low=word == "max")

    return read


def greater(build: Builder, op: FileOp) -> Value:
    """Read whether a value is above a constant; only `choice` can use it."""
    attrs = {"kind": op.kind, "than": float(np.reshape(op.constant(1), ()))}
    return build.emit(op.name, "greater", [op.value], attrs)


def choice(build: Builder, op: FileOp) -> Value:
    """Read a choice between two functions of one value by a test of it."""
    values = [op.at(index) for index in range(3)]
    found = "a choice between two maps"
    return build.pointwise(op.name, "?", values, found, "functions of one value")


def div(build: Builder, op: FileOp) -> Value:
    """Read a quotient of a map and a constant."""
    if all(isinstance(one, Value) for one in op.inputs):
        return build.quotient(op.name, op.value, op.at(1))
    if not isinstance(op.inputs[0], Value):
        inverse = build.activation(f"{op.name}:inverse", op.at(1), "power", -1.0)
        return build.scale_shift(op.name, inverse, op.constant(0))
    return build.scale_shift(op.name, op.value, 1 / np.asarray(op.constant(1), np.float64))
