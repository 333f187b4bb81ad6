"""COCO: one JSON for many pictures, several of them for splits; boxes as left, top, width, height.

annotations/instances_train2017.json train2017/1.jpg      COCO's own tree
train/_annotations.coco.json train/1.jpg                  Roboflow
annotations/instances_default.json images/1.jpg           CVAT
coco.json 1.jpg                                           anything else
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..dataset import Dataset
from ..limits import LIMITS, Limits
from .gather import Gather, Mark
from .listing import Listing, Unreadable, split_of, split_of_file

_WORDS = (b'"images"', b'"annotations"', b'"categories"')


def label_files(listing: Listing) -> list[str]:
    """Return the JSON files that hold pictures, boxes and categories, or that may and are bad."""
    return [path for path in listing.ending(".json") if _is_coco(listing, path)]


def _is_coco(listing: Listing, path: str) -> bool:
    try:
        found = listing.json(path, *_WORDS)
    except Unreadable:
        return _WORDS[0] in listing.head(path)
    return isinstance(found, dict) and all(
        isinstance(found.get(key), list) for key in ("images", "annotations", "categories")
    )


def load(folder: Path, limits: Limits = LIMITS, listing: Listing | None = None) -> Dataset:
    """Return the pictures and boxes in `folder`; labels in the order of the category ids.

    Pictures that no JSON lists are not used. A box of a category that is not there is an error,
    one of a picture that is not there a warning; crowds (iscrowd) are left out.

    Raises:
        UserError: see `formats.load`; `boxes_too_many`, `labels_too_many`.
    """
    listing = listing or Listing(folder, limits)
    gather = Gather(listing)
    labels: list[str] = []
    for path, found in gather.jsons(label_files(listing), _WORDS):
        labels += _read(gather, path, found)
    gather.tell_unlisted()
    return gather.dataset(list(dict.fromkeys(labels)), strict=True)


def _read(gather: Gather, path: str, found: dict[str, Any]) -> list[str]:
    """Add the pictures of one JSON; return its labels."""
    categories = _by_id(gather, path, found["categories"], "categories", "name")
    images = _by_id(gather, path, found["images"], "images", "file_name")
    boxes: dict[object, list[Any]] = {number: [] for number in images}
    for place, one in enumerate(found["annotations"]):
        number = one.get("image_id") if isinstance(one, dict) else None
        if isinstance(number, int | str) and number in boxes:
            boxes[number].append(one)
        else:
            gather.note("coco_image_unknown", path, f"annotations[{place}]")
    for number, image in images.items():
        picture = gather.listing.find(image["file_name"], path)
        if not picture:
            gather.note("labelled_picture_missing", path, image["file_name"][:200])
            continue
        marks = []
        for one in boxes[number]:
            if one.get("iscrowd") == 1:
                gather.lose(picture)
                gather.note("crowds_left_out", picture)
            elif mark := _mark(one, categories):
                marks.append(mark)
            else:
                gather.box_unreadable(picture, path, f"id {str(one.get('id'))[:20]}")
        stated = _side(image.get("width")), _side(image.get("height"))
        split = split_of_file(path) or split_of(picture)
        gather.add(picture, marks, stated, split)
    order = sorted(categories, key=lambda number: (isinstance(number, str), number))
    return [categories[number]["name"] for number in order]


def _by_id(
    gather: Gather, path: str, entries: Sequence[Any], what: str, name: str
) -> dict[Any, dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for place, one in enumerate(entries):
        number = one.get("id") if isinstance(one, dict) else None
        if not isinstance(number, int | str) or not isinstance(one.get(name), str):
            gather.note("coco_entry_bad", path, f"{what}[{place}]")
        elif number in found:
            gather.note("coco_id_twice", path, f"{what} {str(number)[:20]}")
        else:
            found[number] = one
    return found


def _side(value: Any) -> float:
    return float(value) if _is_number(value) else 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _mark(one: dict[str, Any], categories: dict[Any, dict[str, Any]]) -> Mark | None:
    number = one.get("category_id")
    if not isinstance(number, int | str):
        return None
    label = categories[number]["name"] if number in categories else f"category {str(number)[:20]}"
    box = one.get("bbox")
    if isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box):
        try:
            left, top, width, height = map(float, box)
        except OverflowError:  # a whole number of 400 digits
            return None
        return Mark(label, left, top, left + width, top + height)
    outline = one.get("segmentation")
    points = (
        [v for part in outline if isinstance(part, list) for v in part]
        if (isinstance(outline, list))
        else []
    )
    if len(points) < 6 or not all(map(_is_number, points)):
        return None
    return Mark(label, min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2]))
