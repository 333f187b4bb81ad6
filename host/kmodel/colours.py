"""A scale and an offset for each colour, as ImageNet's mean and deviation, in the first layer.

They go into its weights and bias, which is exact but at the border: there a 3x3 convolution reads
the KPU's padding byte, one for all colours, where each colour has its own byte that means 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import Finding, UserError


@dataclass(frozen=True, slots=True)
class Colours:
    """What the network makes of the bytes of each colour: byte * scale + offset, (channels,)."""

    scale: np.ndarray
    offset: np.ndarray

    @property
    def differ(self) -> bool:
        """Whether one scale and one offset do not say it."""
        return len(set(self.scale)) > 1 or len(set(self.offset)) > 1

    @property
    def zeros(self) -> np.ndarray:
        """The byte of each colour that means 0; not whole in general."""
        return -self.offset / self.scale

    def then(self, scale: object, offset: object) -> Colours:
        """Return what a further scaling makes of it; numbers, or one for each colour."""
        factor = np.asarray(scale, np.float64)
        return Colours(self.scale * factor, self.offset * factor + np.asarray(offset, np.float64))

    def padding(self, weights: np.ndarray) -> int:
        """Return the padding byte with the least squared error in what a layer sums up.

        Args:
            weights: (out, in, taps) of an ordinary, (channels, 1, taps) of a depthwise layer.
        """
        if weights.shape[1] == 1:  # a sum for each colour: their errors cannot cancel
            power = np.square(self.scale[:, None, None] * weights).sum((1, 2))
            best = (power * self.zeros).sum() / max(power.sum(), 1e-30)
        else:
            slopes = np.einsum("oct,c->ot", weights, self.scale)
            wanted = np.einsum("oct,c->ot", weights, -self.offset)
            best = (slopes * wanted).sum() / max(float(np.square(slopes).sum()), 1e-30)
        return round(float(np.clip(best, self.zeros.min(), self.zeros.max())))

    def folded(
        self, weights: np.ndarray, bias: np.ndarray, scale: float, zero: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return weights and bias for an input of (byte - zero) * scale; shapes as `padding`."""
        along = (-1, 1, 1) if weights.shape[1] == 1 else (1, -1, 1)
        rest = (self.offset + self.scale * zero).reshape(along)
        made = weights * (self.scale / scale).reshape(along)
        return made.astype(np.float32), (bias + (weights * rest).sum((1, 2))).astype(np.float32)

    def check(self) -> None:
        """Refuse a range without 0: padding is a byte that means 0, so one of them must."""
        for scale, offset in zip(self.scale, self.offset, strict=True):
            if not (scale > 0 and 0 <= -offset / scale <= 255):
                found = f"pixels from {offset:g} to {scale * 255 + offset:g}"
                needed = "a range that contains 0, such as 0..1 or -1..1"
                code = "kmodel_operation_unsupported"
                raise UserError(code, "input", found=found, needed=needed)

    def border(self, zero: int) -> float:
        """Return by how many levels of a byte padding is off, for the worst colour."""
        return float(np.abs(self.zeros - zero).max())


class Input:
    """What is known of the picture while a network is lowered, and what goes into its readers.

    Attributes:
        colours: what the scalings that were seen make of a byte.
        notes: warnings about the border.
    """

    def __init__(self, channels: int, *, fold: bool) -> None:
        self.colours = Colours(np.ones(channels), np.zeros(channels))
        self.notes: list[Finding] = []
        self._fold = fold
        self._zero = -1  # no padding byte chosen yet

    def then(self, scale: object, offset: object) -> None:
        """Take in a scaling of the picture."""
        self.colours = self.colours.then(scale, offset)

    @property
    def kept(self) -> Colours | None:
        """The colours that were not folded."""
        return self.colours if self.colours.differ and not self._fold else None

    def meaning(self) -> tuple[float, float]:
        """Return the scale and offset of a byte that the readers of the picture expect."""
        self.colours.check()
        if not self.colours.differ:
            return float(self.colours.scale[0]), float(self.colours.offset[0])
        scale = float(np.abs(self.colours.scale).mean()) if self._fold else 1.0
        return scale, -scale * max(self._zero, 0)

    def first(
        self, name: str, weights: np.ndarray, bias: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return weights and bias of a layer that reads the picture, with the colours in them."""
        if not (self._fold and self.colours.differ):
            return weights, bias
        self.colours.check()
        if self._zero < 0:
            self._zero = self.colours.padding(weights)
        if weights.shape[2] > 1:
            levels = {"levels": round(self.colours.border(self._zero), 1)}
            self.notes.append(Finding("kmodel_border_colours", name, "warning", levels))
        return self.colours.folded(weights, bias, self.meaning()[0], self._zero)
