"""Pictures that were added to a job: files in `added/` beside what was received.

A file is named by its content and never changed. It belongs to the data set once a line of the
journal (see `edits`) says so; one without such a line counts for nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from ..datasets.dataset import Dataset, Sample
from ..datasets.pictures import measure, quiet_decoders
from ..files import atomic_write, sync_folder

FOLDER = "added"
_PATH = re.compile(rf"\.\./{FOLDER}/([0-9a-f]{{32}})\.(jpg|png|bmp|gif|webp)")
_KINDS = ((0, b"\x89PNG", "png"), (0, b"BM", "bmp"), (0, b"GIF8", "gif"), (8, b"WEBP", "webp"))


def path_of(data: bytes) -> str:
    """Return the path that a picture gets in the data set: beside its root, which lies in the
    job's folder. No path of anything received can be equal, as none leaves the root."""
    kinds = (kind for at, magic, kind in _KINDS if data[at:].startswith(magic))
    return f"../{FOLDER}/{_digest(data)}.{next(kinds, 'jpg')}"


def is_added(path: str) -> bool:
    """Say whether a path of a data set is that of an added picture."""
    return bool(_PATH.fullmatch(path))


def file_of(folder: Path, path: str) -> Path:
    """Return where an added picture of the job in `folder` lies."""
    return folder / FOLDER / path.rpartition("/")[2]


def is_whole(file: Path) -> bool:
    """Say whether an added picture is there, of the content that its name stands for."""
    return file.is_file() and _digest(file.read_bytes()) == file.stem


def write(folder: Path, path: str, data: bytes) -> bool:
    """Bring a picture to the disk and return whether it is new there."""
    file = file_of(folder, path)
    if is_whole(file):
        return False
    if not file.parent.exists():
        file.parent.mkdir()
        sync_folder(folder)
    atomic_write(file, data)
    return True


def extend(dataset: Dataset, folder: Path, paths: Iterable[str]) -> Dataset:
    """Return the received data set with the added pictures `paths` after its own.

    They have no label and no boxes; edits give them some. Their order is that of `paths`.
    """
    known = {one.path for one in dataset.samples}
    with quiet_decoders():
        new = [sample(folder, path) for path in paths if path not in known]
    return dataset.with_samples((*dataset.samples, *new)) if new else dataset


def sample(folder: Path, path: str) -> Sample:
    """Return an added picture without label and boxes; of its file no more than the head is read,
    its sides are 0 when that cannot be."""
    width, height, orientation = measure(file_of(folder, path)) or (0, 0, 1)
    return Sample(path, *((height, width) if orientation >= 5 else (width, height)))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
