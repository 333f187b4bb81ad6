"""Any function of one value that a network computes in pieces, as one activation.

Such an activation's name says how it is computed: "=" and words in reverse Polish notation, each
the argument "x", a number, the name of an activation (":" and its number behind it), + - * /, min,
max, > or ? (of a test and two values). "= x x sigmoid *" is x * sigmoid(x).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .graph import Node

Named = Callable[[str, float], Callable[[np.ndarray], np.ndarray]]
MOST_WORDS = 64

_OF_TWO: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda a, b: a / np.where(np.abs(b) < 1e-6, 1e-6, b),
    "min": np.minimum,
    "max": np.maximum,
    ">": np.greater,
}


def spelled(name: str, named: Named) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function of a name that begins with "="; `named` knows the other names."""
    words = name.split()[1:]

    def run(x: np.ndarray) -> np.ndarray:
        stack: list[Any] = []
        for word in words:
            if word == "x":
                stack.append(x)
            elif word in _OF_TWO:
                second, first = stack.pop(), stack.pop()
                stack.append(_OF_TWO[word](first, second))
            elif word == "?":
                no, yes, test = stack.pop(), stack.pop(), stack.pop()
                stack.append(np.where(test, yes, no))
            elif word[0].isalpha():
                kind, _, number = word.partition(":")
                stack.append(named(kind, float(number or 0))(stack.pop()))
            else:
                stack.append(x.dtype.type(word))
        return np.asarray(np.broadcast_to(stack.pop(), x.shape), x.dtype)

    return run


def combined(nodes: Mapping[str, Node], ends: Sequence[str], word: str) -> tuple[str, str]:
    """Return the node that all `ends` are functions of, and the name of what `word` makes of them.

    The nearest such node is taken; ("", "") where there is none, or the name grows too long.
    """
    for start in _before(nodes, ends[0]):
        parts = [_words(nodes, end, start) for end in ends]
        if all(parts):
            words = ["=", *(one for part in parts for one in part), word]
            return (start, " ".join(words)) if len(words) <= MOST_WORDS else ("", "")
    return "", ""


def _before(nodes: Mapping[str, Node], end: str) -> list[str]:
    """Return `end` and what it is computed from, nearest first."""
    found = [end] if end else []
    for name in found:
        node = nodes[name]
        if node.op in ("activation", "batch_norm", "greater", "add"):
            found += [one for one in node.inputs if one and one not in found]
    return found[:MOST_WORDS]


def _words(nodes: Mapping[str, Node], end: str, start: str) -> list[str]:
    """Return how `end` is computed from `start`; nothing where it is not from that alone."""
    if end == start or not end:
        return ["x"] if end else []
    node = nodes[end]
    parts = [_words(nodes, one, start) for one in node.inputs]
    last = _last_words(node)
    if not all(parts) or not last or sum(map(len, parts)) > MOST_WORDS:
        return []
    if last[0] == "=":
        return [one for word in last[1:] for one in (parts[0] if word == "x" else [word])]
    return [*(one for part in parts for one in part), *last]


def _last_words(node: Node) -> list[str]:
    if node.op == "activation":
        kind, number = node.attrs["kind"], node.attrs.get("slope")
        if kind.startswith("="):
            return kind.split()
        return [kind if number is None else f"{kind}:{number!r}"]
    if node.op == "greater":
        return [repr(node.attrs["than"]), ">"]
    if node.op == "add" and len(node.inputs) == 2:
        return ["+"]
    numbers = [np.unique(node.arrays[one]) for one in ("scale", "shift")
               if node.op == "batch_norm"]  # fmt: skip
    if not numbers or any(len(one) != 1 for one in numbers):
        return []
    scale, shift = (repr(float(one[0])) for one in numbers)
    return [scale, "*", shift, "+"]
