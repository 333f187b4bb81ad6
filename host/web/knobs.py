"""The fields of the form for every setting of a training, and what the page says of each."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from wtforms import StringField
from wtforms.validators import ValidationError

from ..jobs.knobs import Knob


class KnobField(StringField):
    """One setting; empty is the preset's value."""

    def __init__(self, knob: Knob, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.knob = knob

    @property
    def value(self) -> Any:
        """The value that was given, None for the preset's."""
        empty = self.data is None or str(self.data).strip() == ""
        return None if empty else self.knob.parse(self.data)

    def pre_validate(self, form: Any) -> None:
        """Check kind and range."""
        try:
            _value = self.value
        except (ValueError, RecursionError):
            # The kind is a word of the catalogue.
            raise ValidationError(f"{_(self.knob.kind)} {self.knob.needed}") from None


def helps() -> dict[str, str]:
    """Return one line on each setting by its name, in the page's language."""
    return {
        "views": _("Views of each picture; the first is the picture itself."),
        "views_total": _("Most views of all pictures together."),
        "cache_mib": _("Room on the disk for what is computed of the views, in MiB."),
        "head_epochs": _("Rounds of the first stage, in which the network itself stays as it is."),
        "head_rate": _("Learning rate of the first stage."),
        "tune_blocks": _("So many of the last blocks are trained in the second stage; 0: none."),
        "tune_from": _("First block that the second stage trains; 0: all of them."),
        "tune_epochs": _("Rounds of the second stage."),
        "tune_total": _("Most pictures shown in the second stage: many pictures, fewer rounds."),
        "tune_rate": _("Highest learning rate of the second stage."),
        "batch": _("Pictures in a step."),
        "weight_decay": _("How much weights are pulled to zero."),
        "dropout": _("Part of the features that is left out while training."),
        "label_smoothing": _("Part of each label that is spread over all classes."),
        "mixup": _("How much two pictures are mixed; 0: not at all."),
        "average": _("Momentum of the averaged weights that are kept; 0: the last ones."),
        "patience": _("Rounds of the second stage without a better result until it stops."),
        "neck": _("Channels between the network and the boxes."),
        "epoch_least": _("Views in a round, at least: few pictures are shown several times."),
        "balance": _("Pictures with rare labels are shown up to so many times as often; 1: not."),
        "plain_epochs": _("Last part of the second stage without mosaics."),
        "box_weight": _("Weight of the boxes' places against objects and labels."),
        "value_limit": _("Raw values beyond this cost: all share one range of bytes; 0: off."),
        "zoom_in": _("Largest magnification; 1: off."),
        "zoom_out": _("Largest reduction; 1: off."),
        "zoom": _("Largest magnification and reduction; 1: off."),
        "stretch": _("Largest factor of width against height; 1: off."),
        "shift": _("Largest shift, as a part of the side."),
        "rotate": _("Largest turn to either side in degrees."),
        "flip_horizontal": _("Mirror half of the views left to right."),
        "flip_vertical": _("Turn half of the views upside down."),
        "mosaic": _("Part of the steps whose views are put together from four pictures."),
        "brightness": _("Largest change of brightness, as a part."),
        "contrast": _("Largest change of contrast, as a part."),
        "gamma": _("Largest change of the tone curve, as a part."),
        "saturation": _("Largest change of saturation, as a part."),
        "white_balance": _("Largest change of red and blue against green, as a part."),
        "blur": _("Largest blur in pixels."),
        "noise": _("Strongest noise, in levels of 0 to 255."),
        "jpeg": _("Lowest JPEG quality; 100: off."),
    }
