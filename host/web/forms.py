"""The form that orders a training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from flask import request
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, NumberRange, StopValidation, ValidationError

from ..config import is_mail_address
from ..errors import Finding, UserError, naming
from ..jobs import choices, outbox, sealing
from ..jobs.knobs import knobs
from ..jobs.spec import JobSpec
from ..jobs.submit import UPLOAD, limits_of, plain_name, rules_of
from ..jobs.tasks import options_of
from . import language
from .knobs import KnobField
from .state import host

SEED_MAX = 2**31 - 1
MAY_BE_SECRET = ("seal", "machine_code", "mail")
"""Fields into which somebody may paste a machine code; what was in them is in no answer."""
CODE_MAX = 80
"""Characters of a machine code as people type it, blanks and hyphens included."""
MAIL_MAX = 254


class TextField(StringField):
    """A text; JSON may bring something else."""

    def pre_validate(self, form: Any) -> None:
        """Refuse numbers and the like, which no other validator shall see."""
        if not isinstance(self.data, str | None):
            raise StopValidation(_("a text"))


def machine_code_field() -> TextField:
    """Return the field of a new board's machine code."""
    return TextField(
        render_kw={"maxlength": CODE_MAX, "autocomplete": "off", "spellcheck": "false"}
    )


class JobForm(FlaskForm):
    """Name, preset, input fit, backbone, firmware and seed of one training.

    A classifier's also has CanMV, a detector's a stride; each has a field for every other setting
    of its training (see `KnobField`), which stays empty for what the preset has. Make one with
    `job_form`. `seal` is a stored board; `machine_code` goes into the key store and nowhere else:
    it is in no row, no spec and no page. `mail` is told of the end; it is in the row, but not among
    the options. Labels and hints are in the template, where the page's language is known.
    """

    name = TextField(render_kw={"maxlength": 60})
    preset = SelectField()
    fit = SelectField()
    backbone = SelectField()
    firmware = SelectField()
    canmv = BooleanField()
    size = SelectField(validate_choice=False)
    stride = SelectField()
    seal = SelectField()
    machine_code = machine_code_field()
    mail = TextField(render_kw={"type": "email", "maxlength": MAIL_MAX, "autocomplete": "email"})
    seed = IntegerField(validators=[InputRequired(), NumberRange(0, SEED_MAX)], default=0)

    task = "classify"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sizes = _size_text(self.task)
        own = str(self.size.data or next(iter(sizes)))
        self.size.choices = list({**sizes, own: sizes.get(own, own)}.items())
        if self.task == "detect":
            del self.canmv
            texts = _stride_text()
            self.stride.choices = [(str(one), texts[one]) for one in choices.strides()]
        else:
            del self.stride
        preset_text, fit_text = _preset_text(), _fit_text()
        self.preset.choices = [(name, preset_text.get(name, name)) for name in choices.presets()]
        self.fit.choices = [(name, fit_text.get(name, name)) for name in choices.FITS[self.task]]
        self.backbone.choices = [(one.name, _backbone_text(one)) for one in choices.backbones()]
        self.firmware.choices = choices.firmwares()
        boards = sealing.names(host().settings.data)
        self.seal.choices = [("", _("no: any board may run it")), *((one, one) for one in boards)]
        if not self.is_submitted():
            self.preset.data = self.preset.data or "balanced"

    def fill_gaps(self) -> None:
        """Give what a request did not send its default, so that the API may send a few only."""
        self.preset.data = self.preset.data or "balanced"
        for field in (self.fit, self.backbone, self.firmware, self.size, self.stride, self.seal):
            if field and field.data is None and field.choices:
                field.data = next(iter(field.choices))[0]
        if not self.seed.raw_data:
            self.seed.data = self.seed.data or 0
            self.seed.raw_data = [str(self.seed.data)]

    def spec(self, name: str) -> JobSpec:
        """Return the order; `name` stands in for an empty one.

        Raises:
            UserError: `option_invalid` or `option_unknown`, one finding a field; or what is wrong
                with the board that the model shall be sealed for.
        """
        self.check(given())
        self._take_code()
        return JobSpec(
            source=UPLOAD,
            name=plain_name(self.name.data or name),
            preset=self.preset.data,
            seed=self.seed.data or 0,
            fit=self.fit.data,
            backbone=self.backbone.data,
            firmware=self.firmware.data or "",
            canmv=bool(self.canmv and self.canmv.data),
            seal=self.seal.data or "",
            data_folder=str(host().settings.data.resolve()),
            nncase_python=host().settings.nncase_python,
            firmware_folder=str(host().settings.firmware.resolve()),
            limits=as_numbers(limits_of(host().settings)),
            rules=as_numbers(rules_of(host().settings)),
            size=self.input_size(),
            overrides=self.overrides(),
        )

    def check(self, given: set[str]) -> None:
        """Check the fields that a request sent under the names `given`.

        Raises:
            UserError: `option_invalid` or `option_unknown`, one finding a field, or why no training
                can have these options together.
        """
        require_known(self, given)
        self.fill_gaps()
        if not self.validate():
            raise UserError.of(wrong(self, field) for field in self.errors if field)
        self.training(self.preset.data)

    def training(self, preset: str) -> Any:
        """Return the trainer's options for a preset and all else as the form has it."""
        spec = JobSpec("", fit=self.fit.data, backbone=self.backbone.data, seed=self.seed.data or 0,
                       size=self.input_size(), overrides=self.overrides())  # fmt: skip
        return options_of(self.task, preset, spec.choices())

    def input_size(self) -> tuple[int, int]:
        """Return width and height in pixels."""
        width, _, height = str(self.size.data).partition("x")
        return int(width), int(height or width)

    def overrides(self) -> dict[str, Any]:
        """Return the settings that differ from the preset's, by name."""
        found = {one.name: one.value for one in self.knobs() if one.value is not None}
        return {**found, "stride": int(self.stride.data)} if self.stride else found

    def knobs(self) -> Iterator[KnobField]:
        """Yield the fields of the settings."""
        return (field for field in self if isinstance(field, KnobField))

    def options(self) -> dict[str, Any]:
        """Return the choices as the row keeps them."""
        left_out = ("csrf_token", "machine_code", "mail")
        unset = {one.name for one in self.knobs() if one.value is None}
        return {one.name: one.data for one in self if one.name not in {*left_out, *unset}}

    def mail_order(self) -> dict[str, Any]:
        """Return the columns of the mail that is asked for, or of none."""
        return outbox.ordered((self.mail.data or "").strip(), language.current())

    def validate_mail(self, field: Field) -> None:
        """Refuse what is no address, and any where no mails are sent."""
        text = (field.data or "").strip()
        if text and not host().settings.smtp_host:
            raise ValidationError(_("none: this host sends no mails (docs/mail.md)"))
        if text and not is_mail_address(text):
            raise ValidationError(_("a mail address such as a@example.org"))

    def validate_size(self, field: Field) -> None:
        """Refuse what is no size; which ones a network can have its options say."""
        if not re.fullmatch(r"[0-9]{2,4}(x[0-9]{2,4})?", str(field.data)):
            raise ValidationError("224, 320x240 ...")

    def _take_code(self) -> None:
        """Choose the board of a machine code, which is forgotten then."""
        text, self.machine_code.data = (self.machine_code.data or "").strip(), ""
        if (text or self.seal.data) and self.canmv and self.canmv.data:
            raise UserError("seal_canmv")
        if text:
            with naming("machine_code"):
                self.seal.data = sealing.board_of_code(host().settings.data, text).name


def job_form(task: str, **kwargs: Any) -> JobForm:
    """Return the form of a task, "classify" or "detect"; arguments as for a `FlaskForm`."""
    return _form_class(task)(**kwargs)


@cache
def _form_class(task: str) -> type[JobForm]:
    return type(
        "JobForm", (JobForm,), {"task": task} | {one.name: KnobField(one) for one in knobs(task)}
    )


def require_known(form: FlaskForm, given: set[str]) -> None:
    """Do nothing when a form has all the fields that a request sent.

    Raises:
        UserError: `option_unknown`, one finding a field.
    """
    known = [field.name for field in form if field.name != "csrf_token"]
    params = {"known": ", ".join(known)}
    unknown = sorted(given - {*known, "csrf_token"})
    if unknown:
        raise UserError.of(Finding("option_unknown", name[:80], params=params) for name in unknown)


def as_numbers(values: Any) -> dict[str, int]:
    """Return the fields of a slotted dataclass of numbers."""
    return {name: getattr(values, name) for name in values.__slots__}


def given() -> set[str]:
    """Return the names of the fields that the request sent.

    Raises:
        UserError: `body_wrong`: JSON that is no object of plain values.
    """
    if not request.is_json:
        return set(request.form)
    body = request.get_json()
    plain = isinstance(body, dict) and all(
        isinstance(one, str | int | bool) for one in body.values()
    )
    if not plain:
        raise UserError("body_wrong")
    return set(body)


def wrong(form: FlaskForm, name: str) -> Finding:
    """Return what is wrong with one field; WTForms says it in the page's language.

    A machine code may have been typed where a board's name should be: such values are not told.
    """
    needed = "; ".join(str(text) for text in form.errors[name])
    raw = form[name].raw_data
    value = str(raw[0] if raw else form[name].data)[:80]
    if name in MAY_BE_SECRET:
        value = "-"
    return Finding("option_invalid", name, params={"value": value, "needed": needed})


def _preset_text() -> dict[str, str]:
    return {
        "fast": _("Fast: a first look"),
        "balanced": _("Balanced: good for most"),
        "best": _("Best: takes its time"),
    }


def _fit_text() -> dict[str, str]:
    return {"crop": _("Crop the centre"), "letterbox": _("Keep all, add borders")}


def _size_text(task: str) -> dict[str, str]:
    """Return the sizes to choose from, what is usual for the task first."""
    if task != "detect":
        return {f"{side}x{side}": f"{side} x {side}" for side in choices.CLASSIFY_SIDES}
    texts = (
        _("224 x 224: the middle of the view"),
        _("240 x 240: the height of the view"),
        _("320 x 240: all; width %(width)s at most", width=choices.WIDE),
    )
    sizes = [f"{width}x{height}" for width, height in choices.DETECT_SIZES]
    return dict(zip(sizes, texts, strict=True))


def _stride_text() -> dict[int, str]:
    return {
        32: _("of usual size"),
        16: _("small: a finer grid, slower"),
    }


def _backbone_text(one: choices.BackboneChoice) -> str:
    values = {"width": one.width, "cut": one.cut}
    if one.name == choices.DEFAULT_BACKBONE:
        return _("MobileNetV1 %(width)s, %(cut)s blocks (standard)", **values)
    if one.shipped:
        return _("MobileNetV1 %(width)s, %(cut)s blocks", **values)
    return _("MobileNetV1 %(width)s, %(cut)s blocks (fetched from the internet once)", **values)
