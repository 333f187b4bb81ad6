"""Two done jobs side by side: their figures, and what was chosen for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext as _

from ..datasets.limits import MIB
from ..jobs.store import Job
from . import view
from .state import host

blueprint = Blueprint("compare", __name__)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of both jobs as texts ("" where a job has none).

    `better` is the place of the better one (0 or 1), -1 where neither is; `differs` says whether
    the texts are not the same.
    """

    name: str
    values: tuple[str, ...]
    better: int = -1

    @property
    def differs(self) -> bool:
        """Whether the jobs are not alike in this."""
        return len(set(self.values)) > 1


@blueprint.get("/compare")
def page() -> str:
    """Show the done jobs `a` and `b` side by side, or a form that asks for them."""
    asked = [request.args.get(name, "") for name in ("a", "b")]
    jobs = [host().store.done(one) for one in asked if one]
    pair = jobs if len(jobs) == 2 else []
    done = host().store.jobs(("done",))
    others = (job.id for job in done if job.id not in asked)
    return render_template(
        "compare.html",
        done=done,
        asked=[one or next(others, "") for one in asked],
        pair=pair,
        figures=_figures(pair),
        classes=_classes(pair),
        choices=_choices(pair),
    )


def _figures(pair: list[Job]) -> list[Row]:
    percent, mib = "{:.1f} %".format, "{:.2f} MB".format

    def part(*keys: str) -> Callable[[Job], float | None]:
        return lambda job: _percent(_at(job.result, *keys))

    def size(key: str) -> Callable[[Job], float | None]:
        return lambda job: job.result[key] / MIB

    lines: list[tuple[str, Callable[[Job], float | None], Callable[[float], str], int]] = [
        (_("Accuracy, INT8 on the simulated K210"), part("int8", "accuracy"), percent, 1),
        (_("Accuracy, float"), part("float", "accuracy"), percent, 1),
        (_("Accuracy of held-back data, INT8"), part("test", "int8"), percent, 1),
        (_("mAP50, INT8 on the simulated K210"), part("int8", "map50"), percent, 1),
        (_("mAP50, float"), part("float", "map50"), percent, 1),
        (_("mAP50-95, INT8"), part("int8", "map"), percent, 1),
        (_("mAP50 of held-back data, INT8"), part("test", "int8", "map50"), percent, 1),
        (_("Time of a picture on the board (estimate)"), _ms, "{:.0f} ms".format, -1),
        (_("Frames per second (estimate)"), _frames, "{:.1f}".format, 1),
        (_("Model file"), size("kmodel_bytes"), mib, -1),
        (_("Memory on the board"), size("ram_bytes"), mib, -1),
        (_("Memory of the firmware that is used"), _memory, percent, -1),
        (_("Duration of the training"), lambda job: job.result["seconds"] / 60, _minutes, -1),
    ]
    rows = [_row(name, [read(job) for job in pair], text, good) for name, read, text, good in lines]
    return [row for row in rows if any(row.values)]


def _classes(pair: list[Job]) -> list[Row]:
    """Return for each label of either job its recall, or AP50 of a detector (INT8)."""
    tables = [
        {one["label"]: one for one in _at(job.result, "report", "int8", "classes") or []}
        for job in pair
    ]
    rows = []
    for label in dict.fromkeys(label for table in tables for label in table):
        found = [table.get(label, {}) for table in tables]
        shares = [_percent(one.get("ap50", one.get("recall"))) for one in found]
        rows.append(_row(label, shares, "{:.1f} %".format, 1))
    return rows


def _choices(pair: list[Job]) -> list[Row]:
    lines: list[tuple[str, Callable[[Job], Any]]] = [
        (_("Pictures"), lambda job: job.dataset.get("pictures")),
        (_("Classes"), lambda job: ", ".join(job.result["labels"])),
        (_("Effort"), lambda job: job.options.get("preset")),
        (_("Network"), lambda job: job.options.get("backbone")),
        (_("Input in pixels"), lambda job: " x ".join(map(str, job.result.get("input", [])))),
        (_("Crop or borders"), lambda job: job.result.get("fit")),
        (_("Seed"), lambda job: job.options.get("seed")),
        (_("Firmware"), lambda job: job.options.get("firmware")),
        (_("Threshold"), lambda job: job.result.get("threshold")),
        (_("Overlap (NMS)"), lambda job: job.result.get("nms")),
    ]
    rows = [Row(name, tuple(_text(read(job)) for job in pair)) for name, read in lines]
    return [row for row in rows if any(row.values)]


def _row(name: str, values: list[float | None], text: Callable[[float], str], good: int) -> Row:
    """Return a line; `good` is 1 where more is better, -1 where less is."""
    texts = tuple("" if one is None else text(one) for one in values)
    known = [one for one in values if one is not None]
    better = -1
    if len(known) == 2 and texts[0] != texts[1]:  # what looks the same is the same
        better = int(good * known[1] > good * known[0])
    return Row(name, texts, better)


def _at(values: Any, *keys: str) -> Any:
    """Return what lies deeper in mappings, None where nothing does."""
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _percent(value: Any) -> float | None:
    return 100 * value if isinstance(value, int | float) else None


def _ms(job: Job) -> float | None:
    return job.result["ms"]


def _frames(job: Job) -> float | None:
    return 1000 / job.result["ms"] if job.result["ms"] else None


def _memory(job: Job) -> float | None:
    """Return how much of the memory of its own firmware a job's model takes, in percent."""
    chosen = view.result(job).chosen_fit
    return 100 * chosen[0]["needed"] / chosen[0]["budget"] if chosen else None


def _minutes(value: float) -> str:
    return _("%(n)s min", n=f"{value:.1f}")


def _text(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
