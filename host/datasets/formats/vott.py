"""Exports of VoTT (Visual Object Tagging Tool): JSON and CSV; TFRecords are in vott_records.

vott-json-export/pets-export.json 1.jpg      one JSON for all pictures
1.jpg ab12-asset.json                        what VoTT itself keeps, one JSON a picture
vott-csv-export/pets-export.csv 1.jpg        image, xmin, ymin, xmax, ymax, label
train_labels.csv                             filename, width, height, class, xmin, ... (TensorFlow)

Boxes are in pixels, edges counted from 0, with fractions.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..dataset import Dataset
from ..limits import LIMITS, Limits
from .gather import Gather, Mark
from .listing import Listing, Unreadable, split_of, split_of_file

_WORDS = (b'"assets"', b'"regions"')
_EDGES = ("xmin", "ymin", "xmax", "ymax")


def json_files(listing: Listing) -> list[str]:
    """Return the exports; without any, the JSON files of single pictures."""
    exports, singles = [], []
    for path in listing.ending(".json"):
        try:
            found = listing.json(path, *_WORDS)
        except Unreadable:
            if all(word in listing.head(path) for word in (b'"assets"', b'"tags"')):
                exports.append(path)
            continue
        if isinstance(found, dict) and isinstance(found.get("assets"), dict):
            exports.append(path)
        elif isinstance(found, dict) and isinstance(found.get("asset"), dict):
            singles.append(path)
    return exports or singles


def load(folder: Path, limits: Limits = LIMITS, listing: Listing | None = None) -> Dataset:
    """Return the pictures and boxes of a JSON export; labels in the order of its tags.

    A region with several tags is several boxes. Tags that were deleted are still labels, with a
    warning. Pictures that were never looked at in VoTT have no boxes, with a warning.

    Raises:
        UserError: see `formats.load`; `boxes_too_many`, `labels_too_many`.
    """
    listing = listing or Listing(folder, limits)
    gather = Gather(listing)
    files = json_files(listing)
    labels: list[str] = []
    for path, found in gather.jsons(files, _WORDS):
        assets = found.get("assets", {path: found})
        for key, one in assets.items():
            if not _read_asset(gather, path, one):
                gather.note("vott_entry_bad", path, str(key)[:80])
        tags = found.get("tags")
        labels += [
            tag["name"]
            for tag in (tags if isinstance(tags, list) else [])
            if isinstance(tag, dict) and isinstance(tag.get("name"), str)
        ]
    gather.used.update(path for path in listing.ending(".json") if path.endswith("-asset.json"))
    gather.tell_unlisted()
    return gather.dataset(labels)


def _read_asset(gather: Gather, path: str, one: Any) -> bool:
    """Add one picture; say whether the JSON has the shape of one."""
    asset = one.get("asset") if isinstance(one, dict) else None
    regions = one.get("regions") if isinstance(one, dict) else None
    name = asset.get("name") if isinstance(asset, dict) else None
    if not isinstance(asset, dict) or not isinstance(name, str) or not isinstance(regions, list):
        return False
    picture = find(gather.listing, name, path)
    if not picture:
        gather.note("labelled_picture_missing", path, name[:200])
        return True
    marks: list[Mark] = []
    for region in regions:
        found = _marks(region)
        marks += found
        if not found:
            gather.box_unreadable(picture, path, name[:200])
    size = asset.get("size")
    stated = _sides(size) if isinstance(size, dict) else (0.0, 0.0)
    gather.add(picture, marks, stated, split_of_file(path) or split_of(picture))
    if not regions and asset.get("state") == 0:
        gather.unlabelled("picture_unlabelled", picture)
    return True


def find(listing: Listing, name: str, near: str) -> str | None:
    """Return the picture `name`, which VoTT may have written as in an address (%20)."""
    return listing.find(name, near) or listing.find(unquote(name), near)


def _sides(size: dict[str, Any]) -> tuple[float, float]:
    sides = [_number(size.get(name)) for name in ("width", "height")]
    return sides[0] or 0.0, sides[1] or 0.0


def _marks(region: Any) -> list[Mark]:
    """Return a box per tag of a region, none when it cannot be read."""
    if not isinstance(region, dict) or not isinstance(region.get("tags"), list):
        return []
    tags = [tag for tag in region["tags"] if isinstance(tag, str)]
    box = region.get("boundingBox")
    if not isinstance(box, dict):
        return []
    left, top, width, height = (_number(box.get(key)) for key in ("left", "top", "width", "height"))
    if left is None or top is None or width is None or height is None:
        return []
    return [Mark(tag, left, top, left + width, top + height) for tag in tags or [""]]


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def csv_files(listing: Listing) -> list[str]:
    """Return the CSV files whose header names pictures, edges and labels."""
    return [path for path in listing.ending(".csv") if _columns(listing.head(path))]


def _columns(head: bytes) -> bool:
    line = head.decode("utf-8", "replace").lstrip("\ufeff").partition("\n")[0].lower()
    header = {name.strip(' "\r') for name in line.split(",")}
    return (
        set(_EDGES) <= header
        and bool(header & {"label", "class"})
        and bool(header & {"image", "filename"})
    )


def load_csv(folder: Path, limits: Limits = LIMITS, listing: Listing | None = None) -> Dataset:
    """Return the pictures and boxes of CSV exports; labels in natural order.

    Pictures without a row have no boxes, with a warning: the format cannot tell whether there is
    nothing on them or nobody has looked.

    Raises:
        UserError: see `formats.load`; `boxes_too_many`, `labels_too_many`.
    """
    listing = listing or Listing(folder, limits)
    gather = Gather(listing)
    for path in csv_files(listing):
        gather.used.add(path)
        try:
            rows = listing.rows(path)
        except Unreadable as error:
            gather.refuse(path, error)
            continue
        _read_rows(gather, path, rows)
    gather.add_unlabelled("picture_unlabelled")
    return gather.dataset([])


def _read_rows(gather: Gather, path: str, rows: list[dict[str, str]]) -> None:
    by_picture: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_picture[row.get("image") or row.get("filename") or ""].append(row)
    for name, own in by_picture.items():
        picture = find(gather.listing, name, path)
        if not picture:
            gather.note("labelled_picture_missing", path, name[:200])
            continue
        marks = []
        for row in own:
            left, top, right, bottom = (_number(row.get(key)) for key in _EDGES)
            label = row.get("label") or row.get("class") or ""
            if left is None or top is None or right is None or bottom is None:
                gather.box_unreadable(picture, path, ",".join(row.values())[:80])
            else:
                marks.append(Mark(label, left, top, right, bottom))
        size = [_number(own[0].get(key)) or 0.0 for key in ("width", "height")]
        stated = (size[0], size[1]) if "width" in own[0] and "height" in own[0] else None
        gather.add(picture, marks, stated, split_of_file(path) or split_of(picture))
