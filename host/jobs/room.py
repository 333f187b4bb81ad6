"""Room on the disk: what a job will need, and what is said when there is not enough."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..datasets.limits import MIB
from ..errors import UserError
from ..files import is_disk_full
from ..trainer.detect_options import DetectOptions
from ..trainer.detect_pictures import canvas_bytes
from ..trainer.features import map_bytes, view_count
from ..trainer.options import PRESETS
from .receive import VALIDATION
from .tasks import options_of

SPARE = 192 * MIB
"""Weights of the last epoch and of the best one with their optimizer's state, written anew before
the old are dropped; the model; packages; the log."""
CHANNELS = 1024
"""Most values of a view's pooled features, 4 bytes each."""


def estimate(options: Any, pictures: int) -> int:
    """Return the bytes that training on so many pictures (validation included) takes at most."""
    valid = round(VALIDATION * pictures)
    train = pictures - valid
    if isinstance(options, DetectOptions):
        return SPARE + canvas_bytes(options, train, valid)
    looks = view_count(train, options) * train + valid
    return SPARE + looks * (map_bytes(options) + 4 * CHANNELS)


def of_job(dataset: Mapping[str, Any]) -> int:
    """Return the bytes that a job with such a data set (see `DatasetSummary`) takes at most."""
    task, pictures = dataset.get("task", "classify"), dataset.get("pictures", 0)
    return max(estimate(options_of(task, preset, {}), pictures) for preset in PRESETS)


def unpacked_bytes(source: Path) -> int:
    """Return the bytes of the files in a zip as its headers have them; of a folder 0."""
    if not source.is_file():
        return 0
    try:
        with zipfile.ZipFile(source) as archive:
            return sum(one.file_size for one in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return 0  # the intake will say what is wrong with it


def free_bytes(folder: Path) -> int:
    """Return the bytes that may still be written where `folder` is."""
    return shutil.disk_usage(folder).free


def taken_bytes(folder: Path) -> int:
    """Return the bytes that the files in `folder` have."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def require(folder: Path, needed: int) -> None:
    """Do nothing when there is room for `needed` more bytes.

    Raises:
        UserError: `disk_room`.
    """
    if free_bytes(folder) < needed:
        raise no_room(folder, needed)


def no_room(folder: Path, needed: int) -> UserError:
    """Return the error that pauses a job until `needed` bytes are free."""
    free, room = free_bytes(folder) // MIB, -(-needed // MIB)
    return UserError("disk_room", needed_bytes=needed, free=free, room=room)


def is_full(error: BaseException | None) -> bool:
    """Say whether an error, or one that caused it, says that the disk is full."""
    while error is not None:
        if is_disk_full(error):
            return True
        if isinstance(error, UserError) and error.code == "disk_full":
            return True
        if "No space left on device" in str(error):  # HDF5 and TensorFlow have no errno
            return True
        error = error.__cause__ or error.__context__
    return False
