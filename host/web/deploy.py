"""The last step: packages for one board and firmware, what to do with them, and help."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from flask import Blueprint, Response, jsonify, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as BaseResponse
from wtforms import BooleanField, SelectField

from ..deploy import collector, flash_file
from ..deploy.board_errors import ERRORS
from ..errors import UserError, naming
from ..files import file_inside
from ..jobs import choices, retune, sealing
from ..jobs.retune import Target
from ..jobs.store import Job
from . import actions, problems, scanning, view
from .api import as_dict
from .forms import given, machine_code_field, require_known, wrong
from .openapi import TEXT, describe, ref
from .state import host

blueprint = Blueprint("deploy", __name__)

FLASH_BOARDS = {"amigo_tft": "amigo", "amigo_ips": "amigo", "": ""}
"""Names of `maixforge flash --board` that are not those of `collector.BOARDS`."""
_TARGET = {
    "type": "object",
    "properties": {
        "board": {"enum": [*collector.BOARDS]},
        "firmware": TEXT,
        "rotation": {"enum": ["", "0", "1", "2", "3"]},
        "mirror": {"type": "boolean"},
        "flip": {"type": "boolean"},
        "seal": TEXT,
        "machine_code": {**TEXT, "writeOnly": True},
    },
}


class TargetForm(FlaskForm):
    """Board, firmware, the way screen and camera are turned, and who may open the model."""

    board = SelectField()
    firmware = SelectField()
    rotation = SelectField()
    mirror = BooleanField()
    flip = BooleanField()
    seal = SelectField()
    machine_code = machine_code_field()

    def __init__(self, job: Job) -> None:
        now, self.fixed = retune.target_of(host().store, job)
        turned = "" if now.rotation is None else str(now.rotation)
        data = {"board": now.board, "firmware": now.firmware, "rotation": turned,
                "mirror": now.mirror, "flip": now.flip, "seal": now.seal}  # fmt: skip
        super().__init__(data=data)
        self.now = now
        names = {**collector.BOARDS, "": _("Any of them: the script finds out")}
        self.board.choices = list(names.items())
        self.firmware.choices = choices.firmwares()
        turns = [(str(n), _("turned by %(n)s degrees", n=90 * n)) for n in range(4)]
        self.rotation.choices = [("", _("as usual for the board")), *turns]
        self._offer(now.seal)

    def _offer(self, board: str) -> None:
        """Let one choose `board` and all whose keys are here."""
        boards = dict.fromkeys([board, *sealing.names(host().settings.data)])
        everybody = ("", _("no: any board may run it"))
        self.seal.choices = [everybody, *((one, one) for one in boards if one)]

    def target(self) -> Target:
        """Return what a request asks for; of the API's, what is not sent stays as it is.

        Raises:
            UserError: `option_invalid`, `option_unknown`, or what is wrong with a machine code.
        """
        sent = given()
        require_known(self, sent)
        for one in self if "csrf_token" not in sent else ():
            if one.name not in {*sent, "csrf_token"}:
                one.data = one.object_data
        valid, code = self.validate(), self.machine_code.data or ""
        self.machine_code.data = ""  # the form may be shown again
        if not valid:
            raise UserError.of(wrong(self, name) for name in self.errors if name)
        if code.strip():
            self.seal.data = self._board_of(code)
        turned = self.rotation.data
        return Target(
            board=self.board.data,
            firmware=self.firmware.data,
            rotation=int(turned) if turned else None,
            mirror=bool(self.mirror.data),
            flip=bool(self.flip.data),
            seal=self.seal.data,
        )

    def _board_of(self, code: str) -> str:
        if self.fixed:
            raise UserError("seal_fixed", "machine_code", board=self.now.seal)
        with naming("machine_code"):
            name = sealing.board_of_code(host().settings.data, code).name
        self._offer(name)  # for the form when it is shown again
        return name


@blueprint.get("/jobs/<job_id>/deploy")
def page(job_id: str) -> str:
    """Show what can be chosen, the downloads, the list and the help."""
    job = host().store.done(job_id)
    return _page(job, TargetForm(job))


@blueprint.post("/jobs/<job_id>/deploy")
def pack(job_id: str) -> BaseResponse:
    """Pack anew for the form's board and show the page, or the form again with what is wrong."""
    job = host().store.done(job_id)
    form = TargetForm(job)
    try:
        retune.retune(host().store, job_id, form.target())
    except UserError as error:
        made = Response(_page(job, form, problems.as_dicts(error.findings)))
        return problems.finished(made, error)
    return redirect(url_for("deploy.page", job_id=job_id, _anchor="downloads"), 303)


@blueprint.post("/api/jobs/<job_id>/target")
@describe(ref("Job"), body=_TARGET)
def change(job_id: str) -> Response:
    """Pack a done job anew for a board, a firmware, a turned screen or camera, or sealed.

    No training is needed, and what is not sent stays as it is; after a failure all does. `seal` is
    a stored board, `machine_code` that of a new one. A job that was ordered sealed stays sealed
    for its board.
    """
    here = host()
    job = here.store.done(job_id)
    form = TargetForm(job)
    return jsonify(ok=True, **as_dict(retune.retune(here.store, job_id, form.target())))


def _page(job: Job, form: TargetForm, wrong: list[dict[str, str]] | None = None) -> str:
    now, sizes = form.now, actions.sizes(job)
    board = FLASH_BOARDS.get(now.board, now.board)
    command = ["maixforge", "flash", "auto", f"{job.name}-model.kfpkg"]
    command += ["--board", board] if board else []
    return render_template(
        "job_deploy.html",
        job=job,
        form=form,
        target=now,
        stage=view.stage(job.state) + 1,
        findings=wrong or [],
        sizes=sizes,
        parts=list(_parts(job)),
        # A job may be called anything, and the command is copied into a shell.
        command=shlex.join([*command, "--verify"]),
        board_name=collector.BOARDS.get(now.board, now.board) if now.board else "",
        model="m.kmx" if "seal" in job.result else "m.kmodel",
        fixed=form.fixed,
        errors=ERRORS,
        detects=view.detects(job),
        settings=host().settings,
        fits={one["id"]: one for one in job.result.get("firmware_fit", [])},
        texts=view.texts() | scanning.texts(),
    )


def _parts(job: Job) -> Iterator[flash_file.Part]:
    """Yield what the job's kfpkg writes where."""
    path = file_inside(host().store.folder(job.id), job.result.get("kfpkg", ""))
    if path:
        yield from flash_file.read(Path(path)).parts
