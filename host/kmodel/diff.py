"""What differs between two kmodels: header, layers, registers, weights, tables, and answers."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from .describe import LayerInfo, layer_table
from .registers import Registers
from .simulate import Simulator
from .v3 import ConvLayer, CpuLayer, Kmodel, Layer, read
from .verify import verify


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs."""

    what: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class ArrayChange:
    """Values that differ: how many of `values`, and the largest difference."""

    what: str
    differ: int
    values: int
    largest: float


@dataclass(frozen=True, slots=True)
class LayerChange:
    """A pair of layers that differ.

    The number is None where only the other file has it; then there are no changes, and `shapes`
    (input, output) tell which layer it is.
    """

    a: int | None
    b: int | None
    kind: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    changes: tuple[Change | ArrayChange, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputChange:
    """How far the answers to the same pictures are apart.

    `same_answer` is the share of pictures whose largest value is at the same place. Where the
    files have different numbers of values (`values`), there is nothing to compare: all are None.
    """

    values: tuple[int, int]
    largest: float | None = None
    mean: float | None = None
    same_answer: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs between two files; `same_bytes` says that nothing does."""

    same_bytes: bool
    header: tuple[Change, ...] = ()
    layers: tuple[LayerChange, ...] = ()
    outputs: tuple[OutputChange, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def diff(a: bytes, b: bytes, images: np.ndarray | None = None) -> Difference:
    """Compare two kmodels V3.

    Args:
        a, b: bytes of the files.
        images: uint8 (n, height, width, channels); with them both files are simulated.

    Raises:
        UserError: one is not a kmodel V3 or damaged, or the pictures do not fit its input.
    """
    first, second = read(a), read(b)
    verify(first)
    verify(second)
    return Difference(
        same_bytes=a == b,
        header=tuple(_header(first, second, len(a), len(b))),
        layers=tuple(_layers(first, second)),
        outputs=tuple(_outputs(a, b, images)) if images is not None else (),
    )


def _header(a: Kmodel, b: Kmodel, *sizes: int) -> Iterator[Change]:
    rows = {
        "file bytes": sizes,
        "layers": (len(a.layers), len(b.layers)),
        "main memory": (a.main_memory, b.main_memory),
        "outputs": (a.outputs, b.outputs),
        "lowest line": (a.max_start_line, b.max_start_line),
        "flags": (a.flags, b.flags),
    }
    return (Change(what, *pair) for what, pair in rows.items() if pair[0] != pair[1])


def _layers(a: Kmodel, b: Kmodel) -> Iterator[LayerChange]:
    """Pair layers of the same kind and shapes, in order; the rest is only in one file."""
    rows = layer_table(a), layer_table(b)
    keys = [[(row.kind, row.pool, row.in_shape, row.out_shape) for row in part] for part in rows]
    matcher = difflib.SequenceMatcher(None, keys[0], keys[1], autojunk=False)
    for same, low_a, high_a, low_b, high_b in matcher.get_opcodes():
        if same == "equal":
            for i, j in zip(range(low_a, high_a), range(low_b, high_b), strict=True):
                changes = tuple(_layer(a.layers[i], b.layers[j]))
                if changes:
                    yield LayerChange(i, j, *_named(rows[0][i]), changes)
            continue
        for i in range(low_a, high_a):
            yield LayerChange(i, None, *_named(rows[0][i]))
        for j in range(low_b, high_b):
            yield LayerChange(None, j, *_named(rows[1][j]))


def _named(row: LayerInfo) -> tuple[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    return f"{row.kind} {row.pool}".strip(), (row.in_shape, row.out_shape)


def _layer(a: Layer, b: Layer) -> Iterator[Change | ArrayChange]:
    if isinstance(a, ConvLayer) and isinstance(b, ConvLayer):
        yield from _fields(_conv_fields(a), _conv_fields(b))
        yield from _array("weights", a.weights, b.weights)
        for name in ("bn_mul", "bn_shift", "bn_add"):
            yield from _array(name, getattr(a, name), getattr(b, name))
        for name in ("start", "mul", "shift", "add"):
            one, other = getattr(a.activation, name), getattr(b.activation, name)
            yield from _array(f"activation {name}", one, other)
    elif isinstance(a, CpuLayer) and isinstance(b, CpuLayer):
        yield from _fields(a.values, b.values)
        if a.table is not None and b.table is not None:
            yield from _array("table", a.table, b.table)


def _conv_fields(layer: ConvLayer) -> dict[str, int]:
    registers = {one.name: getattr(layer.registers, one.name) for one in fields(Registers)}
    return {"flags": layer.flags, "main_output": layer.main_output, **registers}


def _fields(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    return (Change(name, a[name], b[name]) for name in a if a[name] != b[name])


def _array(what: str, a: np.ndarray, b: np.ndarray) -> Iterator[Change | ArrayChange]:
    if a.shape != b.shape:
        yield Change(f"{what}, values", a.size, b.size)
        return
    with np.errstate(invalid="ignore"):
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
    apart[(a == b) | (np.isnan(a) & np.isnan(b))] = 0  # nan and inf, too
    if count := int(np.count_nonzero(apart)):
        yield ArrayChange(what, count, a.size, float(apart.max()))


def _outputs(a: bytes, b: bytes, images: np.ndarray) -> Iterator[OutputChange]:
    answers = Simulator(a).run(images), Simulator(b).run(images)
    for one, other in zip(*answers, strict=False):
        sizes = (one.shape[1], other.shape[1])
        if sizes[0] != sizes[1]:
            yield OutputChange(sizes)
            continue
        apart = np.abs(one.astype(np.float64) - other)
        same = float((one.argmax(1) == other.argmax(1)).mean())
        yield OutputChange(sizes, float(apart.max()), float(apart.mean()), same)
