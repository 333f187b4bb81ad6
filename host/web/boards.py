"""Pictures from a board at a serial port of the computer that runs the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import (
    Blueprint,
    Response,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as BaseResponse

from ..config import Settings
from ..deploy import serial_port
from ..errors import UserError
from ..jobs.boards import Boards, Transfer
from . import access, problems, view
from .openapi import TEXT, Schema, answer, closed, describe, many, ref
from .state import host

blueprint = Blueprint("boards", __name__)
KEY = "maixforge-boards"

_PORT: Schema = {**TEXT, "description": "A name of the list of ports."}
_TRANSFER: dict[str, Schema] = {
    **dict.fromkeys(("id", "port", "path"), TEXT),
    "state": {"type": "string", "enum": ["running", "done", "failed", "cancelled"]},
    "done": {"type": "integer", "description": "Bytes."},
    "total": {"type": "integer", "description": "Bytes."},
    "rate": {"type": "number", "description": "Bytes a second."},
    "job": {**TEXT, "description": "The job that has the pictures, once it has them."},
    "findings": many(ref("Finding")),
}


@blueprint.record_once
def _begin(state: BlueprintSetupState) -> None:
    from .state import KEY as HOST  # noqa: PLC0415 - the host of this very app

    here = state.app.extensions[HOST]
    state.app.extensions[KEY] = Boards(here.store, here.settings)


@blueprint.app_context_processor
def shared() -> dict[str, Any]:
    """Let the pages lead here only where it leads somewhere."""
    return {"board_ports": allowed(host().settings)}


def allowed(settings: Settings) -> bool:
    """Say whether visitors may use the serial ports: only those of this computer, or as set."""
    return settings.board_ports or not access.is_exposed(settings)


@blueprint.get("/api/boards")
@describe(
    answer(
        ports=many(closed(port=TEXT, chip=TEXT, description=TEXT)),
        transfers=many(closed(**_TRANSFER)),
    )
)
def ports() -> Response:
    """List the serial ports of the host's computer, likely boards first, and what is fetched."""
    boards = _boards()
    rows = [
        {"port": one.name, "chip": one.bridge, "description": one.description}
        for one in serial_port.ports()
    ]
    return jsonify(ok=True, ports=rows, transfers=[as_dict(one) for one in boards.running()])


@blueprint.post("/api/boards/datasets")
@describe(answer(paths=many(TEXT)), body=closed(port=_PORT))
def datasets() -> Response:
    """List the data sets on the card of the board at `port`; the program there is stopped."""
    return jsonify(ok=True, paths=_boards().datasets(_asked("port")))


@blueprint.post("/api/boards/transfers")
@access.upload
@describe(
    answer(**_TRANSFER),
    status=202,
    body={
        "type": "object",
        "properties": {
            "port": _PORT,
            "path": {**TEXT, "description": "Of the data set on the card."},
            "job": {**TEXT, "description": "A classifier's job that gets the pictures."},
        },
        "required": ["port", "path"],
    },
)
def take() -> tuple[Response, int]:
    """Fetch a data set from a board: as a new job, or for `job`; it goes on by itself."""
    return jsonify(ok=True, **as_dict(_take())), 202


@blueprint.get("/api/boards/transfers/<transfer_id>")
@describe(answer(**_TRANSFER))
def transfer(transfer_id: str) -> Response:
    """Show how far a data set has come from a board."""
    return jsonify(ok=True, **as_dict(_boards().get(transfer_id)))


@blueprint.post("/api/boards/transfers/<transfer_id>/cancel")
@describe(answer(**_TRANSFER), status=202)
def cancel(transfer_id: str) -> tuple[Response, int]:
    """Stop fetching a data set; asked for again it goes on where it was."""
    return jsonify(ok=True, **as_dict(_boards().cancel(transfer_id))), 202


@blueprint.get("/boards")
def page() -> str:
    """Show the serial ports."""
    return _render(request.args.get("job", ""))


@blueprint.post("/boards")
def look() -> BaseResponse | str:
    """Show the data sets on the card of the board at the form's port, or what is in the way."""
    port, into = _asked("port"), request.form.get("job", "")
    try:
        return _render(into, port, _boards().datasets(port))
    except UserError as error:
        made = Response(_render(into, port, findings=problems.as_dicts(error.findings)))
        return problems.finished(made, error)


@blueprint.post("/boards/take")
@access.upload
def take_page() -> BaseResponse:
    """Begin to fetch the form's data set."""
    return redirect(url_for("boards.transfer_page", transfer_id=_take().id), 303)


@blueprint.get("/boards/<transfer_id>")
def transfer_page(transfer_id: str) -> BaseResponse | str:
    """Show how far it is; the job, once it is there."""
    one = _boards().get(transfer_id)
    if one.state == "done":
        into = "data.page" if one.into else "pages.job"
        return redirect(url_for(into, job_id=one.job), 303)
    shown = as_dict(one)
    return render_template("board_transfer.html", transfer=shown, into=one.into, texts=view.texts())


@blueprint.post("/boards/<transfer_id>/cancel")
def cancel_page(transfer_id: str) -> BaseResponse:
    """Stop fetching."""
    _boards().cancel(transfer_id)
    return redirect(url_for("boards.transfer_page", transfer_id=transfer_id), 303)


def as_dict(one: Transfer) -> dict[str, Any]:
    """Return a transfer as the API shows it."""
    shown = {name: getattr(one, name) for name in _TRANSFER if name != "findings"}
    return {**shown, "findings": problems.as_dicts(one.findings)}


def _render(into: str, port: str = "", found: list[str] | None = None, findings: Any = ()) -> str:
    boards = _boards()
    return render_template(
        "boards.html",
        into=host().store.get(into) if into else None,
        ports=serial_port.ports(),
        port=port,
        found=found,
        findings=findings,
        running=boards.running(),
    )


def _boards() -> Boards:
    """Return the boards.

    Raises:
        UserError: `board_ports_closed`.
    """
    if not allowed(host().settings):
        raise UserError("board_ports_closed", "MAIXFORGE_BOARD_PORTS")
    return current_app.extensions[KEY]


def _take() -> Transfer:
    return _boards().take(_asked("port"), _asked("path"), _asked("job"))


def _asked(name: str) -> str:
    body: Any = request.get_json(silent=True) if request.is_json else request.form
    value = body.get(name, "") if isinstance(body, Mapping) else None
    if not isinstance(value, str):
        raise UserError("body_wrong")
    return value
