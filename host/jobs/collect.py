"""An order for a collector card, checked: class names by the rules that the host itself has."""

from __future__ import annotations

import re
from typing import Any

from ..config import Settings
from ..datasets.formats.folders import SPLITS
from ..datasets.labels import check_labels, printable
from ..deploy.collector import BOARDS, Collector, Task
from ..errors import Finding, UserError
from .submit import rules_of

WANTED_BOXES = 100
"""Boxes of each class that maix_train asks of a detector's data set."""
_FOLDER = re.compile(r"[^A-Za-z0-9_\-\u0080-\U0010ffff]+")


def split_names(text: str) -> tuple[str, ...]:
    """Return class names written one a line or with commas between them; empty ones are dropped."""
    names = (" ".join(name.split()) for name in re.split(r"[,;\n，、；]", text))
    return tuple(name for name in names if name)


def order(
    settings: Settings,
    task: Task,
    name: str,
    classes: tuple[str, ...],
    *,
    wanted: int | None = None,
    board: str = "",
    **options: Any,
) -> Collector:
    """Return what to put on the card.

    Args:
        settings: the host's; they say how many classes and pictures a data set has.
        task: "classify" or "detect".
        name: of the data set; it becomes a folder on the card, so ASCII that is no letter, digit,
            "-" or "_" becomes "_".
        classes: the class names in order. For boxes their blanks become "_", because labels.txt
            of a detector's data set is split at blanks.
        wanted: pictures or boxes of each class (default: the host's minimum, or 100 boxes).
        board: one of `BOARDS`.
        options: `rotation`, `mirror`, `flip` of `Collector`.

    Raises:
        UserError: all that is wrong with the names, the number of classes and the board.
    """
    if task == "detect":
        classes = tuple(one.replace(" ", "_") for one in classes)
    name = _FOLDER.sub("_", name.strip()) or "dataset"
    findings = _class_findings(classes, settings) + _name_findings(name, settings)
    if board not in BOARDS:
        known = {"names": ", ".join(one for one in BOARDS if one)}
        findings.append(Finding("collector_board_unknown", printable(board), params=known))
    least, most = 1, max(settings.images_max, WANTED_BOXES)
    default = settings.images_min if task == "classify" else WANTED_BOXES
    wanted = default if wanted is None else wanted
    if not least <= wanted <= most:
        params = {"found": wanted, "low": least, "high": most}
        findings.append(Finding("collector_wanted", params=params))
    if findings:
        raise UserError.of(findings)
    return Collector(task, name, classes, wanted, board, **options)


def _class_findings(classes: tuple[str, ...], settings: Settings) -> list[Finding]:
    rules = rules_of(settings)
    low = rules.classes_min
    found = check_labels(classes, rules)
    if not low <= len(classes) <= rules.classes_max:
        params = {"found": len(classes), "low": low, "high": rules.classes_max}
        found.append(Finding("collector_classes", params=params))
    # classes.txt: "#" begins a comment. On the card, valid/ lies beside the classes.
    taken = [one for one in classes if one.startswith("#") or one.lower() in SPLITS]
    found += [Finding("collector_class_taken", printable(one)) for one in taken]
    return found


def _name_findings(name: str, settings: Settings) -> list[Finding]:
    bad = check_labels((name,), rules_of(settings)) or name.startswith("#")
    return [Finding("collector_name", printable(name))] if bad else []
