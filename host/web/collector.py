"""The page that makes a collector card: a form, then the zip for the card's root."""

from __future__ import annotations

import io

from flask import Blueprint, Response, render_template, send_file
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import Optional

from ..deploy import collector as room
from ..errors import Finding, UserError
from ..files import zip_bytes
from ..jobs.collect import WANTED_BOXES, order, split_names
from . import problems
from .state import host

blueprint = Blueprint("collector", __name__)


class CollectorForm(FlaskForm):
    """What a collector card is made for. Labels and hints are in the template."""

    task = RadioField(default="classify")
    name = StringField(render_kw={"maxlength": 32, "placeholder": "pets"})
    classes = TextAreaField(render_kw={"rows": 5, "placeholder": "cat\ndog\nbackground"})
    board = SelectField(default="")
    wanted = IntegerField(validators=[Optional()], render_kw={"inputmode": "numeric", "min": 1})
    rotation = SelectField(default="")
    mirror = BooleanField()
    flip = BooleanField()

    def __init__(self) -> None:
        super().__init__()
        self.task.choices = [
            ("classify", _("One class a picture (image classification)")),
            ("detect", _("Boxes drawn on the picture (object detection)")),
        ]
        names = {**room.BOARDS, "": _("Any of them: the script finds out")}
        self.board.choices = list(names.items())
        turns = [(str(n), _("turned by %(n)s degrees", n=90 * n)) for n in range(4)]
        self.rotation.choices = [("", _("as usual for the board")), *turns]

    def order(self) -> room.Collector:
        """Return what the form asks for.

        Raises:
            UserError: `option_invalid` or what `order` finds.
        """
        if not self.validate():
            raise UserError.of(self._wrong(name) for name in self.errors if name)
        return order(
            host().settings,
            "detect" if self.task.data == "detect" else "classify",
            self.name.data or "",
            split_names(self.classes.data or ""),
            wanted=self.wanted.data,
            board=self.board.data or "",
            rotation=int(self.rotation.data) if self.rotation.data else None,
            mirror=self.mirror.data,
            flip=self.flip.data,
        )

    def _wrong(self, name: str) -> Finding:
        needed = "; ".join(str(text) for text in self.errors[name])
        value = str((self[name].raw_data or [""])[0])[:80]
        return Finding("option_invalid", name, params={"value": value, "needed": needed})


@blueprint.get("/collector")
def form() -> str:
    """Show the form."""
    return _page(CollectorForm(), ())


@blueprint.post("/collector")
def make() -> Response:
    """Send the zip, or the form again with what is wrong."""
    asked = CollectorForm()
    try:
        made = asked.order()
    except UserError as error:
        return Response(_page(asked, error.findings), 422, content_type="text/html; charset=utf-8")
    data = io.BytesIO(zip_bytes(room.files(made)))
    name = f"{made.name}-collector-card.zip"
    return send_file(data, "application/zip", as_attachment=True, download_name=name)


def _page(asked: CollectorForm, findings: tuple[Finding, ...]) -> str:
    settings = host().settings
    return render_template(
        "collector.html",
        form=asked,
        findings=problems.as_dicts(findings),
        settings=settings,
        boxes=WANTED_BOXES,
    )
