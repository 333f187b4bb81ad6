"""Fixtures that every room's tests may use."""

import zipfile
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


@pytest.fixture(scope="session")
def real_kmodels(shared) -> dict[str, bytes]:
    """The files that nncase 0.1 made, by name; the face detector lies inside a kfpkg."""
    folder = shared / "data" / "kmodels"
    if not folder.is_dir():
        pytest.skip("no real kmodels in ../shared/data/kmodels")
    with zipfile.ZipFile(folder / "face_model_at_0x300000.kfpkg") as archive:
        face = archive.read("facedetect.kmodel")
    names = {"fruit": "fruit_yolov2", "mask": "mask", "mnist": "mnist"}
    rest = {name: (folder / f"{file}.kmodel").read_bytes() for name, file in names.items()}
    return {"face": face, **rest}
