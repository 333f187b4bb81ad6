"""Fixtures that every room's tests may use."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared(root) -> Path:
    """Data sets and real kmodels that may lie beside the checkout; never part of it."""
    folder = root.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared beside the project: its data sets and real kmodels are missing")
    return folder
