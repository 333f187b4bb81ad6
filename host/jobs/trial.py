"""A picture shown to the kmodel of a done job, in the simulator; nothing of it is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import IO, Any

import numpy as np
from PIL import Image

from .. import kmodel
from ..datasets.pictures import decode
from ..datasets.prepare import fit_image
from ..deploy.package import BoardOptions
from ..errors import UserError
from ..files import file_inside
from ..kmodel import region
from .pictures import jpeg
from .tryout import read_model

LEAST, MOST = 0.01, 0.99
"""Thresholds that can be tried: two digits, as the training recommends them."""
SHOWN_SIDE = 480
"""Pixels that the longer side of the shown picture has at least."""
ROOM = 10
"""Boxes of a picture that MaixPy's firmware has room for (see `detect_evaluate`)."""

_simulating = BoundedSemaphore(1)
"""A picture of 16 megapixels takes 50 MB while it is decoded, a simulation some 30 MB."""


@dataclass(frozen=True, slots=True)
class Values:
    """What boot.py decides by: the least score, of a detector also the largest overlap (IoU)."""

    threshold: float
    nms: float | None

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Values:
        """Return those that the packages of a result have."""
        return cls(result.get("threshold", BoardOptions().threshold), result.get("nms"))

    def changed(self, asked: Mapping[str, Any]) -> Values:
        """Return these with what is asked for in their place: numbers, or texts of numbers.

        Raises:
            UserError: `option_invalid`.
        """
        nms = None if self.nms is None else _number(asked, "nms", self.nms, 0, 1)
        return Values(_number(asked, "threshold", self.threshold, LEAST, MOST), nms)


@dataclass(frozen=True, slots=True)
class Trial:
    """What the kmodel said of one picture.

    `picture` is a JPEG of what it saw, magnified. Of a classifier `scores` has one score (0..1) a
    class. Of a detector `candidates` has all boxes that score more than `LEAST`, float64 (n, 7)
    as `region.candidates` gives them.
    """

    picture: bytes
    scores: tuple[float, ...]
    candidates: np.ndarray

    def objects(self, values: Values) -> np.ndarray:
        """Return the boxes that the firmware would report, float64 (n, 7), best first."""
        assert values.nms is not None
        shown = self.candidates[self.candidates[:, 5] > values.threshold]
        told = region.reported(region.suppress(shown, values.nms))
        return told[np.argsort(-told[:, 5], kind="stable")]


def show(
    folder: Path, result: Mapping[str, Any], source: IO[bytes], name: str, pixels: int
) -> Trial:
    """Show the picture in `source`, which messages call `name`, to the job's kmodel.

    Args:
        folder: the job's.
        result: the job's (see `result_types.Result`).
        source: an open file of any kind that the intake takes.
        name: of the picture.
        pixels: most pixels of the picture.

    Raises:
        UserError: as `decoded`, or `file_missing`: the kmodel is not there.
    """
    path = file_inside(folder, result["kmodel"])
    if not path:
        raise UserError("file_missing", result["kmodel"])
    with _simulating:
        simulator = _simulator(read_model(path))
        _, height, width = simulator.input_shape
        fit = result.get("fit", "crop")
        # As in training: `load_image` decodes a large JPEG at a part of its size.
        image = decoded(source, name, pixels, 2 * max(width, height))
        seen = np.asarray(fit_image(image, (width, height), fit))
        raw = simulator.run(seen[None])[0][0]
        scale = max(1, math.ceil(SHOWN_SIDE / max(width, height)))
        shown = fit_image(image, (scale * width, scale * height), fit)
    if "nms" not in result:
        return Trial(jpeg(shown), tuple(map(float, raw)), np.empty((0, 7)))
    grid = simulator.model.convs[-1].registers.out_shape[1:]
    found = region.candidates(raw, grid, np.array(result["anchors"]), LEAST)
    return Trial(jpeg(shown), (), found)


def decoded(source: IO[bytes], name: str, pixels: int, side: int) -> Image.Image:
    """Return the picture; what is wrong with it is said of one picture, not of a data set.

    Raises:
        UserError: one of the `picture_` codes of `datasets.pictures.decode` with `try_` before it.
    """
    try:
        return decode(source, name, pixels, side=side).image
    except UserError as error:
        found = [replace(one, code=f"try_{one.code}") for one in error.findings]
        raise UserError.of(found) from error


@lru_cache(maxsize=2)
def _simulator(model: bytes) -> kmodel.Simulator:
    return kmodel.Simulator(model)


def _number(asked: Mapping[str, Any], name: str, usual: float, low: float, high: float) -> float:
    value = asked.get(name)
    if value is None or value == "":
        return usual
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high:
        found, needed = str(value)[:80], f"{low:g} ... {high:g}"
        raise UserError("option_invalid", name, value=found, needed=needed)
    return number
