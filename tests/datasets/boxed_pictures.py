"""Data sets with boxes made from nothing, in each layout, for the tests of host/datasets."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import google_crc32c
from labelled_folders import picture

from host.datasets import formats
from host.datasets.dataset import Box, Dataset, Sample

CAT = ("cat", 11, 21, 60, 80)
"""A box as VOC has it: counted from 1, the last ones included."""
CAT_EDGES = (10.0, 20.0, 60.0, 80.0)
SIZE = (128, 96)


def write_picture(path: Path, seed: int = 1, size: tuple[int, int] = SIZE, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size).save(path, **options)
    return path


def write_text(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def voc(*objects, filename: str = "1.jpg", size=SIZE) -> str:
    """The text of an annotation; `size` None leaves it out."""
    rows = [f"<annotation><filename>{filename}</filename>"]
    if size:
        rows.append(f"<size><width>{size[0]}</width><height>{size[1]}</height></size>")
    for label, *edges in objects:
        box = "".join(
            f"<{tag}>{edge}</{tag}>"
            for tag, edge in zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True)
        )
        rows.append(f"<object><name>{label}</name><bndbox>{box}</bndbox></object>")
    return "".join(rows) + "</annotation>"


def write_voc(folder: Path, *objects, **more) -> Path:
    """Write one picture and its XML into `folder`; return `folder`."""
    write_picture(folder / "1.jpg")
    write_text(folder / "1.xml", voc(*objects, **more))
    return folder


def write_yolo(folder: Path, text: str, names=("cat", "dog")) -> Path:
    write_picture(folder / "images" / "1.jpg")
    write_text(folder / "labels" / "1.txt", text)
    if names is not None:
        write_text(folder / "data.yaml", json.dumps({"names": list(names)}))
    return folder


def coco(boxes=(), **changes) -> dict:
    """One picture and one category; `boxes` are (left, top, width, height)."""
    made = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": SIZE[0], "height": SIZE[1]}],
        "annotations": [
            {"id": number, "image_id": 1, "category_id": 1, "bbox": list(box)}
            for number, box in enumerate(boxes, start=1)
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    return made | changes


def write_coco(folder: Path, content: dict | str | bytes) -> Path:
    write_picture(folder / "1.jpg")
    text = json.dumps(content) if isinstance(content, dict) else content
    write_text(folder / "labels.json", text)
    return folder


def vott(*regions, name: str = "1.jpg", size=SIZE, tags=("cat", "dog"), **asset) -> dict:
    """A VoTT export of one picture; `regions` are (tags, left, top, width, height)."""
    made = [
        {"type": "RECTANGLE", "tags": list(names),
         "boundingBox": {"left": left, "top": top, "width": width, "height": height}}
        for names, left, top, width, height in regions
    ]  # fmt: skip
    asset = {"name": name, "size": {"width": size[0], "height": size[1]}, "state": 2} | asset
    return {
        "tags": [{"name": tag, "color": "#fff"} for tag in tags],
        "assets": {"ab12": {"asset": asset, "regions": made}},
    }


def varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def feature(value) -> bytes:
    if value and isinstance(value[0], float):
        return field(2, field(1, struct.pack(f"<{len(value)}f", *value)))
    if value and isinstance(value[0], int):
        return field(3, field(1, b"".join(varint(one & (1 << 64) - 1) for one in value)))
    return field(1, b"".join(field(1, one) for one in value))


def example(**features) -> bytes:
    """An Example; `__` in the names of features stands for a slash."""
    entries = [
        field(1, field(1, name.replace("__", "/").encode()) + field(2, feature(value)))
        for name, value in features.items()
    ]
    return field(1, b"".join(entries))


def boxes_of(*boxes, labels=None) -> dict:
    """Features of boxes (text, xmin, ymin, xmax, ymax)."""
    texts = [text.encode() for text, *_ in boxes]
    edges = [[float(box[place]) for box in boxes] for place in range(1, 5)]
    names = [f"image__object__bbox__{edge}" for edge in ("xmin", "ymin", "xmax", "ymax")]
    return {
        **dict(zip(names, edges, strict=True)),
        "image__object__class__text": texts,
        "image__object__class__label": labels or [0 for _ in boxes],
    }


def masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


def load(folder: Path, **options) -> Dataset:
    return formats.load(folder, **options)


def told(dataset: Dataset) -> dict[str, str]:
    """Codes and severities of all findings but the note about other files."""
    return {one.code: one.severity for one in dataset.findings if one.code != "other_files"}


def boxes(dataset: Dataset, sample: Sample | None = None) -> list[tuple]:
    """(label, left, top, right, bottom) of one sample, the only one by default."""
    if sample is None:
        (sample,) = dataset.samples
    return [
        (dataset.labels[box.label], box.left, box.top, box.right, box.bottom)
        for box in sample.boxes
    ]


def splits(dataset: Dataset) -> dict[str, str]:
    return {sample.path: sample.split for sample in dataset.samples}


def box(label: int, left: float, top: float, right: float, bottom: float) -> Box:
    return Box(label, float(left), float(top), float(right), float(bottom))
