"""Who wrote what a layer reads: the two memories of the chip followed from layer to layer.

A file says where each layer reads and writes, not which tensors there are. So every write is taken
for a tensor, and a read must find bytes that were written, each tensor in it whole: when a
later layer wrote over a part of one, the reader gets a mixture that no converter means.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..i18n import N_

Span = tuple[int, int]
"""First byte (or line of KPU RAM) and one past the last."""
MAX_STEPS = 100_000
"""Tensors that all layers together may touch: networks come to some hundreds, and a file whose
layers all read hundreds of them would keep the check busy for minutes."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """What one layer wrote; `floats` is None where that is not known."""

    start: int
    end: int
    writer: str
    floats: bool | None = None


Part = tuple[int, int, Tensor]
"""Places that still belong to a tensor."""


class Owners:
    """Which tensor each place of one memory belongs to; `kind` names its places.

    Where a finding is raised, `place` are its values that say where (see `verify.place_of`).
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.starts: list[int] = []
        self.parts: list[Part] = []
        self.steps = 0

    def _touched(self, start: int, end: int) -> tuple[int, int]:
        """Return the range of parts that have places between two."""
        first = bisect_right(self.starts, start)
        if first and self.parts[first - 1][1] > start:
            first -= 1
        return first, max(first, bisect_left(self.starts, end))

    def write(self, tensor: Tensor) -> None:
        """Give the tensor its places; others lose what they had of them."""
        first, last = self._touched(tensor.start, tensor.end)
        new = [(tensor.start, tensor.end, tensor)]
        if first < last:
            start, _end, owner = self.parts[first]
            _start, end, other = self.parts[last - 1]
            if start < tensor.start:
                new.insert(0, (start, tensor.start, owner))
            if end > tensor.end:
                new.append((tensor.end, end, other))
        self.parts[first:last] = new
        self.starts[first:last] = [start for start, _, _ in new]

    def found(self, start: int, end: int, place: Mapping[str, Any]) -> list[Part]:
        """Return the parts of tensors between two places, in order."""
        first, last = self._touched(start, end)
        self.steps += last - first + 1
        if self.steps > MAX_STEPS:
            needed = f"tensors x layers <= {MAX_STEPS}"
            raise UserError("kmodel_value", **place, found=needed.replace("<=", ">"), needed=needed)
        return [(max(a, start), min(b, end), owner) for a, b, owner in self.parts[first:last]]

    def read(self, span: Span, place: Mapping[str, Any], *, floats: bool) -> None:
        """Check what a layer reads.

        Raises:
            UserError: `kmodel_unwritten`, `kmodel_torn`, or `kmodel_mixed`: it reads floats where
                there are bytes, or bytes where there are floats.
        """
        parts, at = self.found(*span, place), span[0]
        for first, last in [*((first, last) for first, last, _ in parts), (span[1], span[1])]:
            if first > at:
                raise UserError("kmodel_unwritten", **place, kind=self.kind, start=at, end=first)
            at = last
        _check_whole(parts, span, place)
        for _, _, owner in parts:
            if owner.floats is not None and floats is not owner.floats:
                kinds = (N_("floats"), N_("bytes")) if floats else (N_("bytes"), N_("floats"))
                raise UserError("kmodel_mixed", **place, needed=kinds[0], kind=kinds[1],
                                writer=owner.writer)  # fmt: skip

    def read_output(self, span: Span, place: Mapping[str, Any]) -> None:
        """Check an output; nncase may count its bytes four times.

        Raises:
            UserError: `kmodel_unwritten`, `kmodel_torn`.
        """
        start, end = span
        parts = self.found(start, end, place)
        if not parts or parts[0][0] > start:
            until = parts[0][0] if parts else end
            raise UserError("kmodel_unwritten", **place, kind=self.kind, start=start, end=until)
        _check_whole(parts, (start, min(end, parts[0][2].end)), place)


def _check_whole(parts: Sequence[Part], span: Span, place: Mapping[str, Any]) -> None:
    """Check that all places of each tensor inside `span` are still its own."""
    owned: dict[int, int] = {}
    for first, last, owner in parts:
        owned[id(owner)] = owned.get(id(owner), 0) + last - first
    for _, _, owner in parts:
        start, end = max(owner.start, span[0]), min(owner.end, span[1])
        if owned[id(owner)] < end - start:
            other = next(
                part[2]
                for part in parts
                if part[2] is not owner and part[0] < end and start < part[1]
            )
            raise UserError("kmodel_torn", **place, writer=owner.writer, other=other.writer)
