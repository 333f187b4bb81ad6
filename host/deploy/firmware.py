"""MaixPy builds: which there are, what a file is, and whether a model fits into their memory."""

from __future__ import annotations

import functools
import hashlib
import re
import struct
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import Finding, UserError
from .flash_map import FIRMWARE_BYTES_MAX

FIRMWARE_TABLE = Path(__file__).resolve().parents[2] / "firmware" / "maixpy.toml"
DEFAULT = "minimum_with_ide_support"
"""The build for a job that names none: it reads kmodel V3, leaves much memory and has the IDE."""

LOADER_BYTES = 255 + 192
"""What `KPU.load` takes beyond the file and its main memory: alignment to 256 bytes and its own
table. Seen in the emulated stock library of MaixPy 0.6.2."""

CAMERA = (320, 240)
"""QVGA, the largest picture that the board's camera hands to the KPU."""

SMALLEST_IMAGE = 256 << 10
"""No MaixPy build is smaller; the smallest published one has about 700 kB."""

BANNER = re.compile(
    rb"MicroPython (v[0-9][0-9A-Za-z.+-]{0,60}) on [0-9]{4}-[0-9]{2}-[0-9]{2}; "
    rb"[ -~]{0,60}kendryte-k210"
)
READS_V4 = b"only support kmodel V3/V4 now"
READS_V3 = b"only support kmodel V3"

Basis = Literal["measured", "published", "estimate"]


@dataclass(frozen=True, slots=True)
class Firmware:
    """One build of MaixPy. `model_bytes` is the memory to count on for a loaded model: file,
    main memory and `LOADER_BYTES` together; `basis` and `source` say how that is known. `sha256`
    of `file` is empty where nobody of this project has seen the file."""

    id: str
    name: str
    version: str
    file: str
    sha256: str
    model_bytes: int
    basis: Basis
    kmodel: tuple[int, ...]
    ide: bool
    source: str


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware file that was looked at: `version` as its banner says, `kmodel` the versions
    that its error text names, `known` the build of the table with the same sha256 or None."""

    path: Path
    bytes: int
    sha256: str
    version: str
    kmodel: tuple[int, ...]
    known: Firmware | None


@functools.cache
def known() -> tuple[Firmware, ...]:
    """Return the builds of `firmware/maixpy.toml`; the default one is first."""
    table = tomllib.loads(FIRMWARE_TABLE.read_text(encoding="utf-8"))
    return tuple(Firmware(**{**row, "kmodel": tuple(row["kmodel"])}) for row in table["firmware"])


def get(firmware_id: str) -> Firmware:
    """Return a known build by its id; "" is the default.

    Raises:
        UserError: `firmware_unknown`.
    """
    for one in known():
        if one.id == (firmware_id or DEFAULT):
            return one
    names = ", ".join(one.id for one in known())
    raise UserError("firmware_unknown", firmware_id, names=names)


def find(folder: Path, firmware: Firmware) -> Path | None:
    """Return the file of `firmware` that the user has put into `folder`, or None.

    It is found by the table's sha256, by the end of the name that Sipeed gives it, or as
    `<id>.bin`; of several the newest version by name.
    """
    files = sorted(folder.glob("*.bin"), reverse=True) if folder.is_dir() else []
    build = "" if firmware.id == "full" else f"_{firmware.id}"
    published = re.compile(rf"maixpy_v[0-9.]+(_[0-9]+_g[0-9a-f]+)?{build}\.bin")
    for path in files:
        if published.fullmatch(path.name) or path.name == f"{firmware.id}.bin":
            return path
    if firmware.sha256:
        return next((path for path in files if _sha256(path.read_bytes()) == firmware.sha256), None)
    return None


def identify(path: Path) -> Image:
    """Look at a firmware file: plain MaixPy images pass, everything else is named.

    Raises:
        UserError: `firmware_missing`, `firmware_is_kfpkg`, `firmware_has_header` (the flashing
            tool adds the header itself), `firmware_too_large`, `firmware_not_maixpy`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError("firmware_missing", path.name, reason=error.strerror) from error
    _refuse_wrong_kinds(data, path.name)
    banner = BANNER.search(data)
    if not banner or len(data) < SMALLEST_IMAGE:
        raise UserError("firmware_not_maixpy", path.name, bytes=f"{len(data):,}")
    digest = _sha256(data)
    return Image(
        path,
        len(data),
        digest,
        banner[1].decode("ascii"),
        (3, 4) if READS_V4 in data else (3,) if READS_V3 in data else (),
        next((one for one in known() if one.sha256 == digest), None),
    )


def _refuse_wrong_kinds(data: bytes, name: str) -> None:
    if data[:4] == b"PK\x03\x04":
        raise UserError("firmware_is_kfpkg", name)
    if len(data) > 37 and struct.unpack_from("<I", data, 1)[0] == len(data) - 37:
        raise UserError("firmware_has_header", name)
    if len(data) > FIRMWARE_BYTES_MAX:
        limit = f"{FIRMWARE_BYTES_MAX:,}"
        raise UserError("firmware_too_large", name, bytes=f"{len(data):,}", limit=limit)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def needed_bytes(kmodel_bytes: int, main_memory_bytes: int) -> int:
    """Return the memory that a loaded model takes on the board."""
    return kmodel_bytes + main_memory_bytes + LOADER_BYTES


def fits(needed: int, firmware: Firmware) -> bool:
    """Tell whether a model that takes `needed` bytes fits, and the build reads kmodel V3."""
    return needed <= firmware.model_bytes and 3 in firmware.kmodel


def check_fit(
    kmodel_bytes: int,
    main_memory_bytes: int,
    firmware: Firmware,
    input_size: tuple[int, int],
    choices: Sequence[tuple[str, int]] = (),
) -> Finding | None:
    """Return why a model cannot run under `firmware`, or None when it can.

    Args:
        kmodel_bytes: length of the kmodel file.
        main_memory_bytes: the working memory that its header asks for.
        firmware: the build that the board has or will get.
        input_size: width and height of the model's picture in pixels.
        choices: what could be trained instead: (name, bytes on the board as `needed_bytes`
            counts them); the largest that fits is named.
    """
    if input_size[0] > CAMERA[0] or input_size[1] > CAMERA[1]:
        size, limit = ("{}x{}".format(*one) for one in (input_size, CAMERA))
        return Finding("input_too_large", params={"size": size, "limit": limit})
    needed = needed_bytes(kmodel_bytes, main_memory_bytes)
    if fits(needed, firmware):
        return None
    smaller = max(
        (choice for choice in choices if fits(choice[1], firmware)),
        key=lambda choice: choice[1],
        default=None,
    )
    larger = [one.name for one in known() if fits(needed, one) and one.id != firmware.id]
    params = {
        "needed": f"{needed:,}",
        "limit": f"{firmware.model_bytes:,}",
        "firmware": firmware.name,
        "choice": smaller[0] if smaller else "",
        "others": ", ".join(larger[:3]),
    }
    return Finding(_too_large_code(smaller is not None, bool(larger)), params=params)


def _too_large_code(smaller: bool, larger: bool) -> str:
    if smaller and larger:
        return "model_too_large_choice_or_firmware"
    if smaller:
        return "model_too_large_choice"
    return "model_too_large_firmware" if larger else "model_too_large"


def require_fit(
    kmodel_bytes: int,
    main_memory_bytes: int,
    firmware: Firmware,
    input_size: tuple[int, int],
    choices: Sequence[tuple[str, int]] = (),
) -> None:
    """Do nothing when the model fits; arguments as for `check_fit`.

    Raises:
        UserError: what `check_fit` found.
    """
    problem = check_fit(kmodel_bytes, main_memory_bytes, firmware, input_size, choices)
    if problem:
        raise UserError.of([problem])
