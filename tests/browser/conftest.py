"""A Chromium, a host with scripted training, and a page that no error or foreign request passes."""

import shutil
import socket

import pytest
from host_help import fake_command, running_host

from host.config import Settings
from host.jobs import queue as queue_module

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.skip("no chromium on this computer")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def address(tmp_path, monkeypatch, request):
    if "real_training" not in request.fixturenames:
        monkeypatch.setattr(queue_module, "child_command", fake_command)
        monkeypatch.setenv("FAKE_CHILD_PAUSE", "0.15")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running_host(Settings(data=tmp_path / "data", port=port)) as url:
        yield url


@pytest.fixture
def real_training():
    """Ask `address` for a host that trains in earnest."""


@pytest.fixture
def page(browser, address):
    """A page whose console errors and foreign requests fail the test."""
    opened = browser.new_page(viewport={"width": 1200, "height": 850})
    wrong = []
    refused = "the server responded with a status of 4"
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "console",
        lambda message: (
            message.type in ("error", "warning")
            and refused not in message.text
            and wrong.append(message.text)
        ),
    )
    opened.on("request", lambda one: one.url.startswith(address) or wrong.append(one.url))
    yield opened
    opened.close()
    assert wrong == []
