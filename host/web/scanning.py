"""The machine code on a board's screen, scanned with a camera."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from flask_babel import gettext as _

from ..jobs import scanned
from . import view
from .openapi import BYTES, TEXT, answer, describe
from .state import host
from .tryit import sent_picture

blueprint = Blueprint("scanning", __name__)

_BODY = {"type": "object", "properties": {"picture": BYTES}, "required": ["picture"]}


@blueprint.post("/api/machine-code")
@describe(answer(machine_code=TEXT), body=_BODY, kinds=("multipart/form-data",))
def scan() -> Response:
    """Read the QR code of a machine code in a picture of a board's screen; neither is kept."""
    source, name = sent_picture()
    code = scanned.machine_code_in(source, name, host().settings.pixels)
    return jsonify(ok=True, machine_code=code.text)


def texts() -> dict[str, str]:
    """Return what `static/scan.js` says beside `view.texts`, in the page's language."""
    return view.camera_texts() | {
        "scanning": _(
            "Hold the board's QR code in front of the camera, so that it fills the picture."
        ),
        "scanned": _("The machine code was read."),
    }
