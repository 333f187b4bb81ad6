"""What a training has finished, on disk: an interrupted run goes on where it stopped."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.dataset import Dataset
from ..files import atomic_write, sync_folder
from .detect_options import DetectOptions
from .options import TrainOptions

RECORD = "record.json"

Saved = tuple[dict[str, np.ndarray], Any] | None
"""Arrays and record of what is finished, None for nothing."""
Save = Callable[[Mapping[str, np.ndarray], Any], None]
"""Stores both."""


def fingerprint(dataset: Dataset, options: TrainOptions | DetectOptions) -> str:
    """Return a hash of all that decides the result: settings, labels, boxes, splits, bytes."""
    digest = hashlib.sha256(json.dumps(options.as_dict(), sort_keys=True).encode())
    digest.update(json.dumps(dataset.labels).encode())
    for sample in dataset.samples:
        if sample.split in ("train", "valid"):
            content = hashlib.sha256(dataset.file(sample).read_bytes()).hexdigest()
            boxes = [astuple(box) for box in sample.boxes]
            row = [sample.path, sample.label, sample.split, content, boxes]
            digest.update(json.dumps(row).encode())
    return digest.hexdigest()


class Checkpoints:
    """One npz for each finished stage, in a folder that belongs to one fingerprint.

    Each file is written whole or not at all; a folder of another run is emptied first.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.folder = folder
        mark = folder / "run.json"
        if not mark.is_file() or json.loads(mark.read_text()).get("run") != run:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            atomic_write(mark, json.dumps({"run": run}).encode())

    def save(self, stage: str, arrays: Mapping[str, np.ndarray], record: Any = None) -> None:
        """Store a finished stage: named arrays and a JSON value."""
        buffer = io.BytesIO()
        note = np.frombuffer(json.dumps(record).encode(), np.uint8)
        np.savez(buffer, allow_pickle=False, **{**arrays, RECORD: note})
        atomic_write(self.folder / f"{stage}.npz", buffer.getvalue())

    def load(self, stage: str) -> Saved:
        """Return arrays and record of a finished stage, or None."""
        path = self.folder / f"{stage}.npz"
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return arrays, json.loads(arrays.pop(RECORD).tobytes())

    def drop(self, stage: str) -> None:
        """Delete what is needed no more."""
        (self.folder / f"{stage}.npz").unlink(missing_ok=True)

    def maps(self, name: str) -> Path:
        """Return where the cached maps of a split lie."""
        return self.folder / f"{name}-maps.npy"

    def drop_maps(self) -> None:
        """Delete the cached maps, which are large and needed no more."""
        for path in self.folder.glob("*-maps.npy"):
            path.unlink()


def open_array(path: Path, dtype: Any, shape: tuple[int, ...], *, new: bool) -> np.memmap:
    """Return an array that lies in the file `path`, a new one with room on the disk for all of it.

    Without that room a later write to its memory would end the process by a signal.

    Raises:
        OSError: there is no room for it; nothing is left of it then.
    """
    if not new:
        return np.lib.format.open_memmap(path, "r+")
    try:
        array = np.lib.format.open_memmap(path, "w+", dtype, shape)
        if hasattr(os, "posix_fallocate"):
            with path.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
                os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return array


def numbered(prefix: str, variables: Sequence[Any]) -> dict[str, np.ndarray]:
    """Return the values of variables, named `prefix/0`, `prefix/1` and so on."""
    return {f"{prefix}/{number}": one.numpy() for number, one in enumerate(variables)}


def assign(prefix: str, variables: Iterable[Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Give variables the values that `numbered` returned."""
    for number, variable in enumerate(variables):
        variable.assign(arrays[f"{prefix}/{number}"])
