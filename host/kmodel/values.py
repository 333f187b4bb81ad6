"""A tensor of somebody else's network: its map, and the order of axes in which the file has it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import UserError

Pads = tuple[int, int, int, int]
"""Pixels at top, left, bottom, right."""

NO_PADS: Pads = (0, 0, 0, 0)
RIGHT_BOTTOM: Pads = (0, 0, 1, 1)


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor that depends on the picture.

    Attributes:
        node: the node that makes it; "" is the picture.
        sizes: height, width, channels.
        axes: what the file's axes are: "c", "h", "w", "1" (an axis of size one), "v" (a
            flattened map), "p" (all pixels, in rows), "b" and "d" (the channels as boxes and what
            each box has); "H" and "W" are repeated already, where the file still has a reshape to
            come.
        order: the order in which the values of "v" come.
        pads: zeros that the next convolution has to put around it.
        boxes: the size of the axis "b".
    """

    node: str
    sizes: tuple[int, int, int]
    axes: str
    order: str = "hwc"
    pads: Pads = NO_PADS
    boxes: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape as the file sees it."""
        height, width, channels = self.sizes
        known = {"1": 1, "h": height, "w": width, "c": channels, "v": math.prod(self.sizes)}
        known |= {"p": height * width, "H": height, "W": width}
        known |= {"b": self.boxes, "d": channels // self.boxes}
        return tuple(known[axis] for axis in self.axes)

    @property
    def is_vector(self) -> bool:
        """Whether it is one pixel only, as behind global pooling or a dense layer."""
        return self.sizes[:2] == (1, 1)


def refuse(name: str, found: str, needed: str) -> UserError:
    """Return the finding for an operation that the chip does not have."""
    return UserError("kmodel_operation_unsupported", name, found=found, needed=needed)


def same_pads(sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], *, lower: bool
              ) -> Pads:  # fmt: skip
    """Return the padding of "SAME" (ONNX SAME_UPPER, or SAME_LOWER) for height and width."""
    before, after = [], []
    for size, taps, step in zip(sizes, kernel, stride, strict=True):
        total = max((-(-size // step) - 1) * step + taps - size, 0)
        before.append(-(-total // 2) if lower else total // 2)
        after.append(total - before[-1])
    return before[0], before[1], after[0], after[1]


def transpose(value: Value, order: Sequence[int]) -> Value:
    """Return the value with its axes in another order."""
    return replace(value, axes="".join(value.axes[axis] for axis in order))


def squeeze(name: str, value: Value, axes: Sequence[int] | None = None) -> Value:
    """Return the value without axes of size one."""
    gone = [axis % len(value.axes) for axis in axes] if axes is not None else []
    kept = [axis for place, axis in enumerate(value.axes)
            if (axis != "1" if axes is None else place not in gone)]  # fmt: skip
    made = replace(value, axes="".join(kept))
    if math.prod(made.shape) != math.prod(value.shape):
        raise refuse(name, f"squeeze of {value.shape}", "axes of size one")
    return made


def reshape(name: str, value: Value, shape: Sequence[int]) -> Value:
    """Return the value in another shape: flattened, or with axes of size one."""
    wanted = [int(size) for size in shape]
    if wanted.count(-1) == 1:
        rest = -math.prod(wanted)
        wanted[wanted.index(-1)] = math.prod(value.shape) // max(rest, 1)
    if tuple(wanted) == value.shape:
        return replace(value, axes=value.axes.lower())
    height, width, channels = value.sizes
    if value.axes == "1hwc" and wanted == [height * width, channels] and not any(value.pads):
        return replace(value, axes="pc")  # a dense layer on every pixel
    if value.axes == "pc" and wanted == [1, *value.sizes]:
        return replace(value, axes="1hwc")
    place = value.axes.find("c")
    split = [*value.shape[:place], *wanted[place : place + 2], *value.shape[place + 1 :]]
    if "h" in value.axes and wanted == split and math.prod(split) == math.prod(value.shape):
        axes = value.axes.replace("c", "bd")
        return replace(value, axes=axes, boxes=wanted[place])
    if any(value.pads) or math.prod(wanted) != math.prod(value.shape):
        raise refuse(name, f"reshape of {value.shape} to {tuple(wanted)}", "as many values")
    long = [axis for axis, size in enumerate(wanted) if size > 1] or [len(wanted) - 1]
    if len(long) != 1:
        raise refuse(name, f"reshape of {value.shape} to {tuple(wanted)}", "a flat vector")
    kind = "c" if value.is_vector else "v"
    axes = "".join(kind if place == long[0] else "1" for place in range(len(wanted)))
    order = value.order if "v" in value.axes else value.axes.replace("1", "")
    return replace(value, axes=axes, order="hwc" if value.is_vector else order)
