"""Any data set with boxes as Pascal VOC, YOLO or COCO: pictures as they are, labels anew.

VOC   JPEGImages/ Annotations/ ImageSets/Main/{train,val,test}.txt labels.txt
YOLO  images/train/ labels/train/ (val, test) data.yaml
COCO  images/ annotations/instances_{train,val,test}.json

Without a split there are no lists, no such folders, and one instances.json. What is written is
read back by `formats.load` as the same labels, boxes, splits and pictures without boxes; VOC
has whole pixels only, so that its boxes move by up to half of one.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import yaml

from ...errors import UserError
from ...files import sync_folder, sync_tree
from ..dataset import Box, Dataset, Sample, Split
from ..limits import Progress
from .listing import stem

Kind = Literal["voc", "yolo", "coco"]

_SPLITS: dict[Split, str] = {"train": "train", "valid": "val", "test": "test"}

Named = Mapping[str, Sample]
"""The samples by the name that their picture gets."""


def save(
    dataset: Dataset, folder: Path, kind: Kind, progress: Progress | None = None
) -> tuple[str, ...]:
    """Write `dataset` to the new folder `folder`, whole or not at all; same data, same bytes.

    Returns:
        The paths of pictures that cannot be opened and were left out.

    Raises:
        UserError: `convert_classes`, `convert_exists`, `convert_inside`.
    """
    if dataset.task != "detect":
        raise UserError("convert_classes", dataset.root.name)
    if folder.exists() or folder.is_symlink():
        raise UserError("convert_exists", str(folder))
    if folder.resolve().is_relative_to(dataset.root.resolve()):
        raise UserError("convert_inside", str(folder))
    texts, pictures = layout(dataset, kind)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        for path, text in texts.items():
            _place(partial, path).write_text(text, encoding="utf-8", newline="\n")
        for done, (path, sample) in enumerate(pictures.items(), start=1):
            shutil.copyfile(dataset.file(sample), _place(partial, path))
            if progress:
                progress(done, len(pictures))
        partial.chmod(0o755)
        sync_tree(partial)
        partial.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return tuple(sample.path for sample in dataset.samples if not sample.width)


def layout(dataset: Dataset, kind: Kind) -> tuple[dict[str, str], dict[str, Sample]]:
    """Return the texts of that format by their path, and the samples by that of their picture.

    Samples whose size is not known, because their picture cannot be opened, are left out.
    """
    usable = [sample for sample in dataset.samples if sample.width]
    return _WRITERS[kind](dataset.labels, _names(usable))


def _place(folder: Path, path: str) -> Path:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _names(samples: list[Sample]) -> dict[str, Sample]:
    """Return a name for each picture, whose stem no other has: its own, else with its folders."""
    taken: set[str] = set()
    names: dict[str, Sample] = {}
    for sample in samples:
        own = _printable(stem(sample.path))
        suffix = _printable(sample.path.rpartition(".")[2])
        longer = _printable(sample.path.rpartition(".")[0].replace("/", "_"))
        tries = [own, longer, *(f"{longer}-{n}" for n in range(2, 2 + len(samples)))]
        chosen = next(name for name in tries if name.casefold() not in taken)
        taken.add(chosen.casefold())
        names[f"{chosen}.{suffix}"] = sample
    return names


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "_" for char in name)


def _voc(labels: tuple[str, ...], named: Named) -> tuple[dict[str, str], dict[str, Sample]]:
    texts = {"labels.txt": "".join(f"{label}\n" for label in labels)}
    lists: defaultdict[str, str] = defaultdict(str)
    for name, sample in named.items():
        texts[f"Annotations/{stem(name)}.xml"] = _annotation(name, sample, labels)
        if sample.split:
            lists[f"ImageSets/Main/{_SPLITS[sample.split]}.txt"] += f"{stem(name)}\n"
    return texts | lists, {f"JPEGImages/{name}": sample for name, sample in named.items()}


def _annotation(name: str, sample: Sample, labels: tuple[str, ...]) -> str:
    root = Element("annotation")
    _elements(root, {"folder": "JPEGImages", "filename": name})
    size = {"width": sample.width, "height": sample.height, "depth": 3}
    _elements(SubElement(root, "size"), size)
    _elements(root, {"segmented": 0})
    for box in sample.boxes:
        one = SubElement(root, "object")
        _elements(one, {"name": labels[box.label], "pose": "Unspecified"})
        _elements(one, {"truncated": 0, "difficult": 0})
        left, top = round(box.left), round(box.top)
        right, bottom = max(round(box.right), left + 1), max(round(box.bottom), top + 1)
        edges = {"xmin": left + 1, "ymin": top + 1, "xmax": right, "ymax": bottom}
        _elements(SubElement(one, "bndbox"), edges)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _elements(parent: Element, values: Mapping[str, object]) -> None:
    for tag, value in values.items():
        SubElement(parent, tag).text = str(value)


def _yolo(labels: tuple[str, ...], named: Named) -> tuple[dict[str, str], dict[str, Sample]]:
    texts: dict[str, str] = {}
    pictures: dict[str, Sample] = {}
    present = {sample.split for sample in named.values()}
    for name, sample in named.items():
        place = f"{_SPLITS[sample.split] if sample.split else 'other'}/" if any(present) else ""
        pictures[f"images/{place}{name}"] = sample
        texts[f"labels/{place}{stem(name)}.txt"] = "".join(
            _line(box, sample) for box in sample.boxes
        )
    folders = {name: f"images/{name}" for split, name in _SPLITS.items() if split in present}
    # Without a split both are the same folder: YOLO wants to have two.
    about = {"path": ".", **(folders if any(present) else {"train": "images", "val": "images"})}
    about_text = yaml.safe_dump(about, sort_keys=False, width=1000)
    names = yaml.safe_dump({"names": dict(enumerate(labels))}, allow_unicode=True, width=1000)
    return {**texts, "data.yaml": about_text + names}, pictures


def _line(box: Box, sample: Sample) -> str:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    width, height = box.right - box.left, box.bottom - box.top
    parts = x / sample.width, y / sample.height, width / sample.width, height / sample.height
    return f"{box.label} " + " ".join(f"{part:.8f}" for part in parts) + "\n"


def _coco(labels: tuple[str, ...], named: Named) -> tuple[dict[str, str], dict[str, Sample]]:
    categories = [{"id": number, "name": label} for number, label in enumerate(labels, start=1)]
    files: defaultdict[str, dict[str, list[Any]]] = defaultdict(
        lambda: {"images": [], "annotations": [], "categories": categories}
    )
    count = 0
    for number, (name, sample) in enumerate(named.items(), start=1):
        ending = f"_{_SPLITS[sample.split]}" if sample.split else ""
        file = files[f"annotations/instances{ending}.json"]
        size = {"width": sample.width, "height": sample.height}
        file["images"].append({"id": number, "file_name": name, **size})
        for box in sample.boxes:
            count += 1
            file["annotations"].append({"id": count, "image_id": number, **_entry(box)})
    texts = {
        path: json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        for path, content in files.items()
    }
    return texts, {f"images/{name}": sample for name, sample in named.items()}


def _entry(box: Box) -> dict[str, Any]:
    width, height = box.right - box.left, box.bottom - box.top
    edges = [round(value, 4) for value in (box.left, box.top, width, height)]
    return {
        "category_id": box.label + 1,
        "bbox": edges,
        "area": round(width * height, 2),
        "iscrowd": 0,
    }


_WRITERS: dict[
    Kind, Callable[[tuple[str, ...], Named], tuple[dict[str, str], dict[str, Sample]]]
] = {"voc": _voc, "yolo": _yolo, "coco": _coco}
