"""Decode one picture of any kind people have into plain RGB, or say what is wrong with it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image, ImageOps

from ..errors import UserError
from .limits import LIMITS

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
"""What is decoded. Every decoder is a way in for a hostile file, so the list is short."""

_ANIMATED = ("GIF", "PNG", "WEBP")  # a JPEG of several pictures is a photo with its preview
_FOREIGN = (
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"ftypavif", "AVIF"),
    (0, b"8BPS", "Photoshop"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\x00\x00\x01\x00", "ICO"),
)
_NOT_PICTURES = (
    (0, b"PK\x03\x04", "zip"),
    (0, b"%PDF", "PDF"),
    (4, b"ftyp", "video"),
    (0, b"RIFF", "video"),
    (0, b"\x1aE\xdf\xa3", "video"),
    (0, b"SQLite", "database"),
)
_PICTURES = ((0, b"\xff\xd8"), (0, b"\x89PNG"), (0, b"BM"), (0, b"GIF8"), (8, b"WEBP"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    `image` is RGB, upright, perhaps smaller than the original by a whole factor (see
    `decode`). `width` and `height` are those of the original in pixels as a viewer shows it.
    `kinds` names what had to be converted: "CMYK", "16-bit", "palette", "alpha", "EXIF".
    """

    image: Image.Image
    width: int
    height: int
    kinds: frozenset[str]
    animated: bool


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep Pillow from warning on stderr: of large pictures (`pixels` decides), odd EXIF data."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def decode(
    source: Path | IO[bytes], name: str, pixels: int = LIMITS.pixels, side: int = 0
) -> Picture:
    """Decode the picture in `source` (a path or an open file), which messages call `name`.

    EXIF rotation is applied; alpha is laid over white, since cut-out objects are mostly
    photographed on white; 16-bit grey keeps its range; of an animation the first frame is
    taken. With `side` a large JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as both
    sides stay at least `side` pixels: its decoder scales for free and still reads every byte.

    Raises:
        UserError: `picture_file_missing`, `picture_empty`, `picture_not_a_picture`,
            `picture_format`, `picture_too_large`, `picture_truncated`, `picture_unreadable`.
    """
    try:
        with Image.open(source, formats=FORMATS) as opened:
            width, height = opened.size
            if width * height > pixels:
                raise _problem("picture_too_large", name, f"{width}x{height}", pixels)
            return _convert(opened, side)
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise _problem("picture_too_large", name, "", pixels) from None
    except Exception as error:  # decoders raise anything when the bytes are hostile
        raise _explain(source, name, error) from error


def measure(path: Path) -> tuple[int, int, int] | None:
    """Return width and height of a picture as stored and its EXIF orientation (1 to 8).

    Only the head of the file is read. None when it cannot be: `decode` says why.
    """
    try:
        with Image.open(path, formats=FORMATS) as opened:
            return *opened.size, _orientation(opened)
    except Exception:  # decoders raise anything when the bytes are hostile
        return None


def _convert(opened: Image.Image, side: int) -> Picture:
    width, height = opened.size
    animated = opened.format in _ANIMATED and getattr(opened, "is_animated", False)
    deep = opened.mode.startswith("I;16") or "16B" in str(getattr(opened, "tile", ""))
    if side:
        opened.draft(None, (side, side))
    opened.load()
    image, orientation = _upright(opened)
    if orientation >= 5:
        width, height = height, width
    found = {
        "16-bit": deep,
        "CMYK": image.mode == "CMYK",
        "palette": image.mode in ("P", "PA"),
        "alpha": image.has_transparency_data,
        "EXIF": orientation > 1,
    }
    kinds = frozenset(kind for kind, present in found.items() if present)
    return Picture(_rgb(image), width, height, kinds, animated)


def _upright(image: Image.Image) -> tuple[Image.Image, int]:
    """Apply the EXIF orientation; a picture whose EXIF data are broken stays as it is."""
    orientation = _orientation(image)
    if orientation > 1:
        try:
            return ImageOps.exif_transpose(image), orientation
        except Exception:  # the picture is fine, only the notes beside it are not
            return image, 1
    return image, 1


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:
        return 1
    return orientation if orientation in range(2, 9) else 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would clip at 255; a picture of 16 bits spans 0..65535.
        image = image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _problem(code: str, name: str, found: str, needed: object = "") -> UserError:
    return UserError(code, name, count=1, found=f"{name} {found}".strip(), needed=needed)


def _explain(source: Path | IO[bytes], name: str, error: Exception) -> UserError:
    """Return why the picture in `source` could not be decoded, from its first bytes."""
    try:
        head = _head(source)
    except OSError as missing:
        return _problem("picture_file_missing", name, missing.strerror or "")
    if not head:
        return _problem("picture_empty", name, "")
    for code, table in (("picture_format", _FOREIGN), ("picture_not_a_picture", _NOT_PICTURES)):
        for offset, magic, kind in table:
            if head[offset:].startswith(magic) and head[8:12] != b"WEBP":
                return _problem(code, name, f"({kind})")
    if not any(head[offset:].startswith(magic) for offset, magic in _PICTURES):
        return _problem("picture_not_a_picture", name, "")
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return _problem("picture_truncated", name, "")
    return _problem("picture_unreadable", name, "")


def _head(source: Path | IO[bytes]) -> bytes:
    if isinstance(source, Path):
        with source.open("rb") as file:
            return file.read(512)
    source.seek(0)
    return source.read(512)
