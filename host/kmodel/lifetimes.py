"""Who wrote what a layer reads: the two memories of the chip followed from layer to layer.

A file says where each layer reads and writes, not which tensors there are. So every write is taken
for a tensor, and a read must find bytes that were written, each tensor in it whole: when a
later layer wrote over a part of one, the reader gets a mixture that no converter means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[int, int]
"""First byte (or line of KPU RAM) and one past the last."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """What one layer wrote; `floats` is None where that is not known."""

    start: int
    end: int
    writer: str
    floats: bool | None = None


class Owners:
    """Which tensor each place of one memory belongs to."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.parts: list[tuple[int, int, Tensor]] = []

    def write(self, tensor: Tensor) -> None:
        """Give the tensor its places; others lose what they had of them."""
        kept = []
        for start, end, owner in self.parts:
            if end <= tensor.start or start >= tensor.end:
                kept.append((start, end, owner))
                continue
            if start < tensor.start:
                kept.append((start, tensor.start, owner))
            if end > tensor.end:
                kept.append((tensor.end, end, owner))
        self.parts = [*kept, (tensor.start, tensor.end, tensor)]

    def found(self, start: int, end: int) -> list[tuple[int, int, Tensor]]:
        """Return the parts of tensors between two places, in order."""
        touched = [part for part in self.parts if part[0] < end and start < part[1]]
        return sorted((max(a, start), min(b, end), owner) for a, b, owner in touched)

    def read(self, span: Span, floats: bool | None = None) -> str:
        """Return what is wrong with reading a span, or ""."""
        start, end = span
        parts, at = self.found(start, end), start
        for first, last, _owner in [*parts, (end, end, None)]:
            if first > at:
                return f"reads {self.unit} {at}..{first}, which nothing has written"
            at = last
        for _first, _last, owner in parts:
            if problem := self.torn(owner, parts, span):
                return problem
            if None not in (floats, owner.floats) and floats is not owner.floats:
                kinds = ("floats", "bytes") if floats else ("bytes", "floats")
                return f"reads {kinds[0]} where {owner.writer} left {kinds[1]}"
        return ""

    def read_output(self, span: Span) -> str:
        """Return what is wrong with an output; nncase may count its bytes four times."""
        parts = self.found(*span)
        if not parts or parts[0][0] > span[0]:
            return f"{self.unit} {span[0]}, which nothing has written"
        return self.torn(parts[0][2], parts, span)

    def torn(self, owner: Tensor, parts: Sequence[tuple[int, int, Tensor]], span: Span) -> str:
        """Say which layer wrote over a part of `owner` inside `span`, or return ""."""
        start, end = max(owner.start, span[0]), min(owner.end, span[1])
        others = [
            other.writer
            for first, last, other in parts
            if other is not owner and first < end and start < last
        ]
        if not others:
            return ""
        return f"reads the result of {owner.writer}, a part of which {others[0]} overwrote"
