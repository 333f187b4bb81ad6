"""What the front ends for ONNX and TFLite share: they say what a file holds, this makes the graph.

A file's tensors keep their own order of axes here (NCHW, NHWC, or what a transpose makes of it);
the nodes that are made know maps of height, width and channels only. So a transpose costs nothing
and the weights of a dense layer behind a flattened map are put into the order of the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import UserError
from .builder import Pointwise, in_order
from .values import NO_PADS, RIGHT_BOTTOM, Pads, Value, refuse, same_pads, squeeze

_ROUND: dict[str, Any] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


class Builder(Pointwise):
    """Makes the nodes of a graph, one call for each operation of a file."""

    def conv(
        self,
        name: str,
        value: Value,
        w: np.ndarray,
        b: np.ndarray | None,
        *,
        depthwise: bool = False,
        stride: Sequence[int] = (1, 1),
        dilation: Sequence[int] = (1, 1),
        pads: Pads | str = NO_PADS,
    ) -> Value:
        """Add a convolution.

        Args:
            name: of the operation in the file.
            value: the map it reads.
            w: (rows, columns, inputs, outputs), or (rows, columns, channels, 1) `depthwise`.
            b: (outputs,) or None.
            depthwise: one filter for each channel.
            stride, dilation: of rows and columns.
            pads: zeros around the map, or "same", "same_lower".
        """
        kernel, outputs = w.shape[:2], w.shape[2 if depthwise else 3]
        bias = np.zeros(outputs, np.float32) if b is None else np.reshape(b, outputs)
        sizes = [value.sizes[i] + value.pads[i] + value.pads[i + 2] for i in (0, 1)]
        if isinstance(pads, str):
            pads = same_pads(sizes, kernel, stride, lower=pads == "same_lower")
        total: Any = tuple(a + b for a, b in zip(value.pads, pads, strict=True))
        if kernel == value.sizes[:2] and not depthwise and not any(total):  # a dense layer
            rows = w.reshape(-1, outputs)
            flat = value if value.is_vector else self.emit(name, "flatten", [value])
            return self._dense(name, flat, rows, bias)
        if kernel not in ((1, 1), (3, 3)) or tuple(stride) not in ((1, 1), (2, 2)):
            found = f"kernel {'x'.join(map(str, kernel))} stride {'x'.join(map(str, stride))}"
            raise refuse(name, found, "1x1 or 3x3, stride 1 or 2")
        if tuple(dilation) != (1, 1):
            raise refuse(name, "dilation", "no dilation")
        bare = replace(value, pads=NO_PADS)
        if kernel == (1, 1) and any(total):
            raise refuse(name, "padding before a 1x1 convolution", "no padding")
        source, padding = self._padded(name, bare, kernel[0], stride[0], total)
        attrs = {"kernel": kernel[0], "stride": stride[0], "padding": padding}
        made = [(value.sizes[i] + total[i] + total[i + 2] - kernel[i]) // stride[i] + 1
                for i in (0, 1)]  # fmt: skip
        op = "depthwise" if depthwise else "conv"
        return self.emit(name, op, [source], attrs, {"w": w, "b": bias}, (*made, outputs))

    def _padded(self, name: str, value: Value, kernel: int, stride: int, pads: Pads
                ) -> tuple[Value, str]:  # fmt: skip
        """Return what a convolution reads and its kind of padding.

        With stride 2 the KPU halves and rounds down: on an even size the zeros at bottom and
        right are not read, so that it does not matter whether they are there; on an odd size
        there must be none, for they would make one row or column more.
        """
        if kernel == 1 or not any(pads):
            return value, "valid"
        if stride == 1 and pads == (1, 1, 1, 1):
            return value, "same"
        odd = [value.sizes[i] % 2 for i in (0, 1)]
        fine = [pads[i] == 1 and pads[i + 2] in ((0,) if odd[i] else (0, 1)) for i in (0, 1)]
        if stride == 2 and all(fine):
            return self.emit(f"{name}:pad", "pad", [value]), "valid"
        if stride == 2 and pads == (1, 1, 1, 1):
            size = "x".join(map(str, value.sizes[1::-1]))
            needed = "even sizes, or odd ones padded at top and left only"
            raise refuse(name, f"stride 2 on {size} pixels", needed)
        if stride == 2 and max(pads) == 1:
            found = "x".join(map(str, value.sizes[:2])) + " pixels"
            raise UserError("kmodel_same_stride", name, found=found)
        raise refuse(name, f"padding {pads} (top, left, bottom, right)", "one pixel on every side")

    def pad(self, name: str, value: Value, pads: Sequence[Sequence[int]]) -> Value:
        """Note zeros around a map; `pads` are before and after each of the file's axes."""
        amount = dict(zip(value.axes, pads, strict=True))
        others = [one for axis, one in amount.items() if axis not in "hw"]
        if any(map(any, others)) or min(map(min, pads)) < 0 or not {"h", "w"} <= set(amount):
            raise refuse(name, f"padding {[list(one) for one in pads]}", "rows and columns only")
        (top, bottom), (left, right) = amount["h"], amount["w"]
        more = (top, left, bottom, right)
        total: Any = tuple(int(a + b) for a, b in zip(value.pads, more, strict=True))
        return replace(value, pads=total)

    def pool(
        self,
        name: str,
        value: Value,
        op: str,
        window: Sequence[int],
        stride: Sequence[int],
        pads: Sequence[int] = NO_PADS,
        *,
        round_up: bool = False,
    ) -> Value:
        """Add "max_pool" or "mean_pool"; `round_up` counts the pixels that are left over."""
        window, stride = tuple(window), tuple(stride)
        if op == "mean_pool" and window == value.sizes[:2] and not any(pads):
            return self.global_mean(name, value)
        by_one = (op, window, stride) == ("max_pool", (2, 2), (1, 1))
        if by_one and tuple(pads) == RIGHT_BOTTOM:
            pads, round_up = NO_PADS, True
        possible = (window == stride and window in ((2, 2), (4, 4))) or (by_one and round_up)
        if not possible or any(pads):
            found = f"pool {window} stride {stride}" + (f" padding {pads}" if any(pads) else "")
            needed = "2x2 or 4x4, same stride, no padding; max also 2x2 by 1, padding='same'"
            raise refuse(name, found, needed)
        step = stride[0]
        attrs = {"window": window[0], "stride": step, "padding": "same" if round_up else "valid"}
        height, width = ((s + (step - 1) * round_up) // step for s in value.sizes[:2])
        return self.emit(name, op, [value], attrs, sizes=(height, width, value.sizes[2]))

    def global_mean(self, name: str, value: Value) -> Value:
        """Add the mean of all pixels."""
        if value.is_vector:
            return value
        return self.emit(name, "global_mean", [value], sizes=(1, 1, value.sizes[2]))

    def mean(self, name: str, value: Value, axes: Sequence[int], *, keep: bool) -> Value:
        """Add the mean over the file's `axes`; height and width together only."""
        named = {value.axes[axis] for axis in axes}
        if not value.is_vector and named - {"1"} != {"h", "w"}:
            raise refuse(name, f"a mean over the axes {list(axes)}", "height and width")
        made = self.global_mean(name, value)
        return made if keep else squeeze(name, made, axes)

    def dense(self, name: str, value: Value, w: np.ndarray, b: np.ndarray | None) -> Value:
        """Add a dense layer; `w` is (inputs, outputs)."""
        bias = np.zeros(w.shape[1], np.float32) if b is None else np.broadcast_to(b, w.shape[1:])
        if value.shape[-1] != len(w):
            raise refuse(name, f"{len(w)} inputs of {value.shape}", "as many inputs as values")
        if "v" in value.axes:
            w = in_order(value, w)
            if not self._is_flat(value):
                value = self.emit(f"{name}:flatten", "flatten", [value])
        elif not value.is_vector:
            return self.conv(name, value, w[None, None], bias)
        return self._dense(name, value, w, bias)

    def _dense(self, name: str, value: Value, w: np.ndarray, b: np.ndarray) -> Value:
        axes = value.axes.translate(str.maketrans("vhw", "c11"))
        made = replace(value, axes=axes, order="hwc")
        return self.emit(name, "dense", [made], {}, {"w": w, "b": b}, (1, 1, w.shape[1]))

    def join(self, name: str, op: str, values: Sequence[Value], axis: int = 0) -> Value:
        """Add maps, or concatenate them along the channels."""
        first = values[0]
        if any(value.axes != first.axes or "v" in value.axes for value in values):
            raise refuse(name, f"{op} of differently ordered values", "one order of axes")
        if op == "add":
            if any(value.sizes != first.sizes for value in values):
                raise refuse(name, "add of maps of different size", "maps of one size")
            return self.emit(name, op, values)
        if first.axes[axis] != "c" or any(one.sizes[:2] != first.sizes[:2] for one in values):
            raise refuse(name, f"concat along axis {axis}", "concat of channels")
        total = sum(value.sizes[2] for value in values)
        return self.emit(name, op, values, sizes=(*first.sizes[:2], total))

    def resize(
        self,
        name: str,
        value: Value,
        sizes: Sequence[int],
        *,
        half: float = 0.0,
        back: float = 0.0,
        way: str = "floor",
    ) -> Value:
        """Repeat pixels.

        Args:
            name: of the operation in the file.
            value: the map.
            sizes: height and width of the result.
            half: what is added to a pixel's coordinate before it is scaled.
            back: what is taken away from it behind that.
            way: how it becomes a whole number; a key of `_ROUND`.
        """
        factors = tuple(new // old for new, old in zip(sizes, value.sizes[:2], strict=True))
        for new, old, factor in zip(sizes, value.sizes[:2], factors, strict=True):
            x = np.arange(new)
            taken = np.clip(_ROUND[way]((x + half) * old / new - back), 0, old - 1)
            if factor < 1 or new % old or (taken != x // factor).any():
                found = f"resize from {value.sizes[:2]} to {tuple(sizes)}"
                raise refuse(name, found, "nearest pixel, a whole factor, pixels repeated evenly")
        height, width = sizes
        made = (int(height), int(width), value.sizes[2])
        return self.emit(name, "resize", [value], {"scale": factors}, sizes=made)
