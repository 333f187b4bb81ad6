"""A Chromium, a host with scripted training, and a page that no error or foreign request passes."""

from dataclasses import replace

import pytest
from browser_help import FEW, chromium, free_port, quick_command, watch
from host_help import fake_command, running_host

from host.config import Settings
from host.jobs import queue as queue_module


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def address(tmp_path, monkeypatch, request):
    settings = Settings(data=tmp_path / "data", port=free_port())
    if "quick_training" in request.fixturenames:
        monkeypatch.setattr(queue_module, "child_command", quick_command)
        settings = replace(settings, **FEW)
    elif "real_training" not in request.fixturenames:
        monkeypatch.setattr(queue_module, "child_command", fake_command)
        monkeypatch.setenv("FAKE_CHILD_PAUSE", "0.15")
    with running_host(settings) as url:
        yield url


@pytest.fixture
def real_training():
    """Ask `address` for a host that trains in earnest."""


@pytest.fixture
def quick_training():
    """Ask `address` for a host that takes few pictures and trains them in earnest for seconds."""


@pytest.fixture
def page(browser, address):
    """A page whose console errors and foreign requests fail the test."""
    opened = browser.new_page(viewport={"width": 1200, "height": 850})
    wrong = watch(opened, address)
    yield opened
    opened.close()
    assert wrong == []
