"""The layouts of labelled pictures, one module each: `load(folder, limits) -> Dataset`."""

from __future__ import annotations

from pathlib import Path

from ..dataset import Dataset
from ..limits import LIMITS, Limits
from . import folders

__all__ = ["load"]


def load(folder: Path, limits: Limits = LIMITS) -> Dataset:
    """Return the data set in `folder`, whose layout is recognised by its content.

    No picture is opened yet; what is odd about the layout is among the findings.

    Raises:
        UserError: `folder_missing` and the other `folder_` codes of `tree.list_files`.
    """
    return folders.load(folder, limits)
