"""The layouts of labelled pictures, one module each: `load(folder, limits) -> Dataset`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...errors import UserError
from ..dataset import Dataset
from ..limits import LIMITS, Limits
from ..tree import shorten
from . import begun, coco, folders, voc, vott, vott_records, yolo
from .listing import Listing

__all__ = ["load"]


def load(folder: Path, limits: Limits = LIMITS, into: Path | None = None) -> Dataset:
    """Return the data set in `folder`, whose layout is recognised by its content.

    Files with boxes make it one for detection, whatever its folders are called; without any
    it is one for classification. Of pictures no more than the head is read; what is odd about
    labels and layout is among the findings.

    Pictures that lie inside of TFRecords are written to `into/pictures`, by default to a
    temporary folder that goes when the process ends.

    Raises:
        UserError: `folder_missing` and the other `folder_` codes of `tree.list_files`;
            `formats_mixed`, `boxes_too_many`, `labels_too_many`, `disk_full`.
    """
    listing = Listing(folder, limits)
    kinds = (
        ("Pascal VOC", voc.label_files, voc.load),
        ("VoTT TFRecord", vott_records.label_files, partial(vott_records.load, into=into)),
        ("VoTT JSON", vott.json_files, vott.load),
        ("CSV", vott.csv_files, vott.load_csv),
        ("YOLO", yolo.label_files, yolo.load),
        ("COCO", coco.label_files, coco.load),
    )
    found = [(name, files, read) for name, find, read in kinds if (files := find(listing))]
    if not found:
        return begun.load(listing) or folders.load(folder, limits)
    if len(found) > 1:
        names = shorten(f"{name} ({files[0]})" for name, files, _ in found)
        raise UserError("formats_mixed", folder.name, names=names)
    return found[0][2](folder, limits, listing)
