"""A package: a folder with `manifest.json` and `m.kmodel`; the SD zip and the kfpkg render it.

The manifest is written first and names the kmodel's SHA-256: a folder whose kmodel does not
match it is unfinished or damaged, and is never rendered. A package that is sealed for one board
has `m.kmx` as well: that is rendered, and the kmodel stays in the folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from .. import __version__, kmodel
from ..errors import UserError
from ..files import atomic_write
from ..kmodel.region import ANCHORS
from . import firmware as builds
from . import seal
from .board_key import BoardKey, Strength
from .flash_map import MODEL_BYTES_MAX

MANIFEST = "manifest.json"
KMODEL = "m.kmodel"
KMX = "m.kmx"
FORMAT = 1
"""Version of the manifest's shape."""

NAME_MAX = 80
LABEL_MAX = 64
BOARD_DIGITS = 8
"""So many digits of a board id tell boards apart for people; a whole one is a machine code."""
BOARDS = ("", "m5stickv", "cube", "amigo_tft", "amigo_ips", "other")


@dataclass(frozen=True, slots=True)
class BoardOptions:
    """How boot.py behaves. `board` "" is found at run time; `rotation` of the screen is None (as
    usual for the board) or 0..3; `mirror` and `flip` turn the camera's picture left-right and
    upside-down; a score below `threshold` (0..1) counts as unsure, a detector's box as none;
    boxes of a class that overlap a better one by more than `nms` (IoU, 0..1) are dropped;
    `serial_json` prints one line of JSON a picture."""

    board: str = ""
    rotation: int | None = None
    mirror: bool = False
    flip: bool = False
    threshold: float = 0.5
    serial_json: bool = True
    nms: float = 0.3


@dataclass(frozen=True, slots=True)
class Seal:
    """What a package says of its sealed model: `board` are the first 8 digits of the board id,
    `sha256` and `bytes` are those of `m.kmx`. Nothing of it leads to a key."""

    strength: Strength
    board: str
    sha256: str
    bytes: int

    @classmethod
    def of(cls, data: bytes, key: BoardKey) -> Seal:
        """Return the description of a file that was sealed with `key`."""
        board = key.board_id.hex()[:BOARD_DIGITS]
        return cls(key.strength, board, hashlib.sha256(data).hexdigest(), len(data))


@dataclass(frozen=True, slots=True)
class Package:
    """What `manifest.json` says. `input_size` is (width, height) in pixels, `anchors` those of a
    detector (five times width and height in grid cells), the byte counts are the kmodel's;
    `firmware` is the id of a build; `created` is empty unless a time was given; `seal` is None
    where the model is not sealed."""

    folder: Path
    name: str
    task: Literal["classify", "detect"]
    labels: tuple[str, ...]
    input_size: tuple[int, int]
    kmodel_sha256: str
    kmodel_bytes: int
    main_memory_bytes: int
    firmware: str
    anchors: tuple[tuple[float, float], ...] = ()
    options: BoardOptions = field(default_factory=BoardOptions)
    created_by: str = f"maixforge {__version__}"
    created: str = ""
    seal: Seal | None = None

    @property
    def kmodel(self) -> Path:
        """Where the kmodel lies."""
        return self.folder / KMODEL

    @property
    def board_file(self) -> Path:
        """The file that the board loads: the kmodel, or the sealed one."""
        return self.folder / (KMX if self.seal else KMODEL)

    def manifest(self) -> bytes:
        """Return the manifest as UTF-8 JSON; equal packages give equal bytes."""
        values = {**asdict(self), "format": FORMAT}
        del values["folder"]
        if not self.seal:
            del values["seal"]
        text = json.dumps(values, ensure_ascii=False, indent=2, sort_keys=True)
        return f"{text}\n".encode()


def create(
    folder: Path,
    model: bytes,
    *,
    name: str,
    labels: Sequence[str],
    anchors: Sequence[tuple[float, float]] = (),
    firmware: str = builds.DEFAULT,
    options: BoardOptions | None = None,
    choices: Sequence[tuple[str, int]] = (),
    created: str = "",
    info: kmodel.ModelInfo | None = None,
    key: BoardKey | None = None,
) -> Package:
    """Make the package of a model in `folder` (created when missing) and return it.

    Args:
        folder: its folder; an older package in it is replaced.
        model: the kmodel V3.
        name: what people call the model, at most 80 characters.
        labels: one per class of the model, printable ASCII.
        anchors: of a detector, five times width and height in grid cells; none: a classifier.
        firmware: id of the MaixPy build that the board has or gets.
        options: how boot.py behaves.
        choices: smaller things to train, as `firmware.check_fit` takes them.
        created: a time to note; none is read from a clock, so equal input gives equal bytes.
        info: what the kmodel's header says, if it is known already.
        key: of the one board that the model is sealed for; None: it stays plain.

    Raises:
        UserError: the kmodel is damaged, does not fit the firmware's memory, or name, labels or
            options cannot be used.
    """
    info = info or kmodel.info(model)
    sealed = seal.seal(model, key) if key else b""
    package = Package(
        folder=folder,
        name=name.strip(),
        task="detect" if anchors else "classify",
        labels=tuple(labels),
        input_size=(info.width, info.height),
        kmodel_sha256=hashlib.sha256(model).hexdigest(),
        kmodel_bytes=len(model),
        main_memory_bytes=info.main_memory,
        firmware=builds.get(firmware).id,
        anchors=tuple((float(width), float(height)) for width, height in anchors),
        options=options or BoardOptions(),
        created=created,
        seal=Seal.of(sealed, key) if key else None,
    )
    _check(package)
    if anchors:
        _check_region(package, kmodel.read(model), info)
    else:
        _check_outputs(package, info)
    require_fit(package, choices)
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / MANIFEST, package.manifest())
    atomic_write(package.kmodel, model)
    if sealed:
        atomic_write(package.board_file, sealed)
    else:
        (folder / KMX).unlink(missing_ok=True)  # of an older package
    return package


def load(folder: Path) -> Package:
    """Read a package back and prove that its models are those of its manifest.

    Raises:
        UserError: `package_missing`, `package_damaged`, `package_unfinished`.
    """
    path = folder / MANIFEST
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError("package_missing", folder.name, reason=error.strerror) from error
    except ValueError as error:
        raise UserError("package_damaged", MANIFEST, reason=str(error)) from error
    package = _from_manifest(folder, values)
    _prove(package.kmodel, package.kmodel_sha256)
    if package.seal:
        _prove(package.board_file, package.seal.sha256)
    return package


def _prove(path: Path, sha256: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError("package_unfinished", path.name) from error
    if found != sha256:
        raise UserError("package_unfinished", path.name)


def require_fit(package: Package, choices: Sequence[tuple[str, int]] = ()) -> None:
    """Do nothing when the model fits the package's firmware.

    Raises:
        UserError: `model_too_large...` or `input_too_large`.
    """
    builds.require_fit(
        package.kmodel_bytes,
        package.main_memory_bytes,
        builds.get(package.firmware),
        package.input_size,
        choices,
    )


def with_options(package: Package, options: BoardOptions) -> Package:
    """Return the package with other board options, its manifest written anew.

    Raises:
        UserError: an option that cannot be used.
    """
    other = changed(package, options)
    atomic_write(other.folder / MANIFEST, other.manifest())
    return other


def changed(package: Package, options: BoardOptions) -> Package:
    """Return the package with other board options; the manifest in its folder stays as it is.

    Raises:
        UserError: an option that cannot be used.
    """
    other = replace(package, options=options)
    _check(other)
    return other


def _from_manifest(folder: Path, values: Any) -> Package:
    try:
        if values.pop("format") != FORMAT:
            raise ValueError("another version of MaixForge wrote it")
        values["labels"] = tuple(values["labels"])
        width, height = values["input_size"]
        values["input_size"] = (int(width), int(height))
        anchors = values.get("anchors", ())  # older manifests have none
        values["anchors"] = tuple((float(wide), float(high)) for wide, high in anchors)
        values["options"] = BoardOptions(**values["options"])
        values["seal"] = _seal_of(values["seal"]) if "seal" in values else None
        missing = {one.name for one in fields(Package)} - set(values) - {"folder"}
        if missing:
            raise ValueError(f"no {min(missing)}")
        package = Package(folder=folder, **values)
        _check(package)
        return package
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError("package_damaged", MANIFEST, reason=str(error)) from error


def _seal_of(values: Any) -> Seal:
    found = Seal(**values)
    texts = f"{found.strength} {found.board} {found.sha256} {found.bytes}"
    if not re.fullmatch(r"(bound|burnt) [0-9a-f]{8} [0-9a-f]{64} \d+", texts):
        raise ValueError("seal")
    return found


def _check(package: Package) -> None:
    name = package.name
    if not name or len(name) > NAME_MAX or not name.isprintable():
        raise UserError("package_name_unusable", "name", found=ascii(name), limit=NAME_MAX)
    for label in package.labels:
        if not _usable_label(label):
            raise UserError("package_label_unusable", "labels", found=ascii(label))
    if package.kmodel_bytes > MODEL_BYTES_MAX:
        found, limit = f"{package.kmodel_bytes:,}", f"{MODEL_BYTES_MAX:,}"
        raise UserError("kmodel_too_large", KMODEL, found=found, limit=limit)
    _check_anchors(package)
    _check_options(package.options)


def _check_anchors(package: Package) -> None:
    sides = [side for anchor in package.anchors for side in anchor]
    wanted = 2 * ANCHORS if package.task == "detect" else 0
    if len(sides) != wanted or not all(math.isfinite(side) and side > 0 for side in sides):
        raise UserError("anchors_invalid", "anchors", found=", ".join(map(str, sides)))


def _usable_label(label: Any) -> bool:
    # boot.py reads one label a line and strips the ends.
    return (
        isinstance(label, str)
        and 0 < len(label) <= LABEL_MAX
        and label == label.strip()
        and label.isascii()
        and label.isprintable()
    )


def _check_options(options: BoardOptions) -> None:
    checks = {
        "board": options.board in BOARDS,
        "rotation": repr(options.rotation) in ("None", "0", "1", "2", "3"),
        "threshold": _is_part(options.threshold),
        "nms": _is_part(options.nms),
        "mirror": isinstance(options.mirror, bool),
        "flip": isinstance(options.flip, bool),
        "serial_json": isinstance(options.serial_json, bool),
    }
    for option, good in checks.items():
        if not good:
            raise UserError("board_option_unusable", option, found=ascii(getattr(options, option)))


def _is_part(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _check_outputs(package: Package, info: kmodel.ModelInfo) -> None:
    # A classifier's one output holds a float (4 bytes) per class.
    if info.outputs != (4 * len(package.labels),):
        found = ", ".join(str(size // 4) for size in info.outputs)
        raise UserError("labels_do_not_fit", "labels", labels=len(package.labels), outputs=found)


def _check_region(package: Package, model: kmodel.Kmodel, info: kmodel.ModelInfo) -> None:
    """Check for what `run_yolo2` reads: the last convolution's map, as floats and nothing after.

    The firmware checks none of it and would read beyond the values.
    """
    channels, rows, columns = model.convs[-1].registers.out_shape
    each, rest = divmod(channels, ANCHORS)
    if rest or each < 6 or info.outputs != (4 * channels * rows * columns,):
        values = ", ".join(str(size // 4) for size in info.outputs)
        raise UserError("kmodel_no_boxes", KMODEL, values=values)
    if each - 5 != len(package.labels):
        labels = len(package.labels)
        raise UserError("labels_do_not_fit", "labels", labels=labels, outputs=each - 5)
