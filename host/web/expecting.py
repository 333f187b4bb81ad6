"""What a training is expected to take, before it starts: minutes here, speed and size there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_babel import gettext as _
from flask_babel import ngettext

from ..deploy import firmware
from ..errors import Finding, UserError
from ..jobs import choices, duration, sizes
from ..jobs.store import Job
from . import problems
from .forms import JobForm, job_form
from .openapi import TEXT, answer, closed, describe, many, ref
from .state import host

blueprint = Blueprint("expecting", __name__)

NOT_ASKED = ("csrf_token", "name", "seal", "machine_code", "mail", "canmv")
"""Fields of the form that change nothing here; none of them may be in an address."""
_NUMBER = {"type": "number"}
_COUNT = {"type": "integer", "minimum": 1}
_MINUTES = closed(
    minutes={"type": "array", "items": _COUNT, "minItems": 2, "maxItems": 2}, text=TEXT
)
_ANSWER = answer(
    presets=closed(**dict.fromkeys(choices.presets(), _MINUTES)),
    known={"type": "boolean", "description": "Jobs that were done here say so."},
    ms=_NUMBER,
    frames=_NUMBER,
    kmodel_bytes=_COUNT,
    ram_bytes=_COUNT,
    firmware=closed(id=TEXT, name=TEXT, budget=_COUNT, fits={"type": "boolean"}),
    findings=many(ref("Finding")),
    texts=closed(speed=TEXT, size=TEXT, fit=TEXT),
)
_QUERY: dict[str, Any] = dict.fromkeys(("backbone", "size", "stride", "firmware", "fit"), TEXT)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a page shows. `presets` are from how many to how many minutes, by preset; `findings`
    say why the model would not fit."""

    presets: dict[str, tuple[int, int]]
    known: bool
    board: sizes.OnBoard
    build: firmware.Firmware
    findings: tuple[Finding, ...]

    @property
    def frames(self) -> float:
        """Pictures a second on the board, as the compiler estimates."""
        return 1000 / self.board.ms

    def texts(self) -> dict[str, str]:
        """Return the sentences about the board, in the page's language."""
        mb = {"mb": f"{self.board.ram_bytes / 2**20:.1f}", "firmware": self.build.name}
        budget = f"{self.build.model_bytes / 2**20:.1f}"
        fit = (
            _("too large for %(firmware)s: %(mb)s of %(budget)s MB", budget=budget, **mb)
            if self.findings
            else _("fits %(firmware)s: %(mb)s of %(budget)s MB", budget=budget, **mb)
        )
        return {
            "speed": _("about %(n)s pictures a second", n=f"{self.frames:.0f}"),
            "size": f"{self.board.kmodel_bytes / 2**20:.2f} MB",
            "fit": fit,
        }


def minutes_text(span: tuple[int, int]) -> str:
    """Return a span of minutes in the page's language."""
    low, high = span
    if high >= 180:
        low, high = round(low / 60, 1), round(high / 60, 1)
        return _("about %(low)s to %(high)s hours", low=f"{low:g}", high=f"{high:g}")
    if low == high:
        return ngettext("about %(num)s minute", "about %(num)s minutes", low)
    return _("about %(low)s to %(high)s minutes", low=low, high=high)


def expected(job: Job, form: JobForm) -> Expected:
    """Return what a training of the job's data would take with the form's choices.

    Raises:
        UserError: no training can have these choices.
    """
    labels, pictures = len(job.dataset.get("labels", ())), job.dataset.get("pictures", 0)
    here = duration.pace(host().store)
    every = {name: form.training(name) for name in choices.presets()}
    spans = {
        name: duration.minutes(duration.work(one, pictures, labels), here)
        for name, one in every.items()
    }
    options, build = every["balanced"], firmware.get(form.firmware.data or "")
    board = sizes.on_board(options, labels)
    needed = board.kmodel_bytes, board.main_memory
    finding = firmware.check_fit(*needed, build, options.size)
    if finding:
        smaller = sizes.smaller_choices(options, labels)
        finding = firmware.check_fit(*needed, build, options.size, smaller)
    return Expected(spans, here.known, board, build, (finding,) if finding else ())


def shown(job: Job, form: JobForm) -> dict[str, Any]:
    """Return what the page shows for the form as it is: `expected`, or `wrong` (findings).

    `left_out` are the fields of the form that its script does not send.
    """
    try:
        form.check(set())
        return {"expected": expected(job, form), "wrong": [], "left_out": NOT_ASKED}
    except UserError as error:
        wrong = problems.as_dicts(error.findings)
        return {"expected": None, "wrong": wrong, "left_out": NOT_ASKED}


@blueprint.get("/api/jobs/<job_id>/expect")
@describe(_ANSWER, query=_QUERY)
def expect(job_id: str) -> Response:
    """Say what a training would take: minutes here, speed and memory on the board.

    The query may have every option of `start` but those that change nothing here (name, seal,
    machine_code, mail, canmv). `minutes` are from how many to how many; `ms`, `frames` and the
    bytes are the compiler's own, of the very network; `findings` say why it would not fit.
    """
    job = host().store.get(job_id)
    form = job_form(
        job.dataset.get("task", "classify"), formdata=request.args, meta={"csrf": False}
    )
    for name in NOT_ASKED:
        if name in form:
            del form[name]
    form.check(set(request.args))
    found = expected(job, form)
    return jsonify(
        ok=True,
        presets={
            name: {"minutes": span, "text": minutes_text(span)}
            for name, span in found.presets.items()
        },
        known=found.known,
        ms=round(found.board.ms, 2),
        frames=round(found.frames, 1),
        kmodel_bytes=found.board.kmodel_bytes,
        ram_bytes=found.board.ram_bytes,
        firmware={
            "id": found.build.id,
            "name": found.build.name,
            "budget": found.build.model_bytes,
            "fits": not found.findings,
        },
        findings=problems.as_dicts(found.findings),
        texts=found.texts(),
    )
