"""What a label must be so that every step up to the board can write, show and read it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from ..errors import Finding
from .limits import Rules
from .tree import shorten, spelling

# Separators and wildcards of file systems, quotes, and what the FAT of a card drops at the ends.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f/\\:*?\"'`<>|]|^\s|[\s.]$|^\.")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def check_labels(labels: Sequence[str], rules: Rules) -> list[Finding]:
    """Return what is wrong with `labels`: one finding per kind, which names all labels of it.

    The board's file system knows no Unicode (FatFs with code page 437, `ffconf.h` of MaixPy)
    and its font only ASCII; Windows cannot make a folder called "aux".
    """
    problems: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("label_not_ascii", lambda label: not label.isascii()),
        ("label_characters", _FORBIDDEN.search),
        ("label_reserved", _RESERVED.fullmatch),
        ("label_too_long", lambda label: len(label) > rules.label_length),
    )
    findings = [
        _finding(code, [label for label in labels if wrong(label)], rules)
        for code, wrong in problems
    ]
    spellings = Counter(map(spelling, labels))
    twins = [label for label in labels if spellings[spelling(label)] > 1]
    findings.append(_finding("label_twice", twins, rules))
    return [finding for finding in findings if finding]


def _finding(code: str, labels: list[str], rules: Rules) -> Finding | None:
    if not labels:
        return None
    names = shorten(printable(label) for label in labels)
    params = {"count": len(labels), "names": names, "needed": rules.label_length}
    return Finding(code, printable(labels[0]), params=params)


def printable(label: str) -> str:
    """Return `label` as it can be shown: what no terminal can print becomes an escape."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in label)
