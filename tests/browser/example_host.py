"""A host with a job in every state, and what each of its pages is like at its fullest."""

import io
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import requests
from browser_help import FEW, free_port, quick_command
from host_help import box_zip, dataset_zip, picture, running_host, wait_for
from PIL import Image

from host.config import Settings
from host.deploy import serial_port
from host.jobs import queue as queue_module
from host.jobs.store import Store, new_id
from host.remote import Remote
from host.web.credentials import Credentials

PASSWORD = "a stone in the shoe"
ODD = (("circle/same.jpg", picture("circle", 3)), ("square/cut.jpg", picture("square", 1)[:300]))


@dataclass
class Site:
    """`state` is the storage of a browser that has logged in; the jobs are known by name."""

    address: str
    jobs: dict[str, str]
    state: dict


def make(folder, browser, monkeypatch):
    """Yield a site with finished jobs of both tasks and one in each other state."""
    monkeypatch.setattr(queue_module, "child_command", quick_command)
    board, port = os.openpty()  # a board that never answers
    silent = serial_port.Port(os.ttyname(port), "a pseudo terminal", "CH340 (Dock)")
    monkeypatch.setattr(serial_port, "ports", lambda: [silent])
    settings = Settings(data=folder / "data", port=free_port(), **FEW)
    token = Credentials(settings.data).add_token("tests")
    with running_host(settings) as address:
        remote, jobs = Remote(address, token), {}

        def send(name, data, **options):
            zipped = Path(folder) / f"{name}.zip"
            zipped.write_bytes(data)
            jobs[name] = remote.upload(zipped, name)["id"]
            if options:
                remote.start(jobs[name], options)

        send("shapes", dataset_zip((14, 14, 14)), preset="fast", seed=1)
        send("scene", box_zip(16), preset="fast", size="224x224", stride=32)
        send("refuse", dataset_zip((14, 14, 14)), preset="fast")
        send("odd", dataset_zip((14, 14, 14), extra=ODD))
        send("boxes", box_zip(16))
        send("few", dataset_zip((14, 3, 14)))
        begun = {"name": "begun", "task": "classify", "labels": "circle, square"}
        door = {"Authorization": f"Bearer {token}"}
        made = requests.post(f"{address}/api/jobs/begin", json=begun, headers=door, timeout=60)
        jobs["begun"] = made.json()["id"]
        asked = {"port": silent.name, "path": "/sd/maixforge/pets"}
        where = f"{address}/api/boards/transfers"
        jobs["transfer"] = requests.post(where, json=asked, headers=door, timeout=60).json()["id"]
        for name in ("shapes", "scene", "refuse"):
            state = wait_for(lambda name=name: ended(remote, jobs[name]), 180)
            assert state == ("failed" if name == "refuse" else "done"), told(remote, jobs[name])
        jobs["again"] = twin(settings, jobs["shapes"])
        send("watched", dataset_zip((14, 14, 14)), preset="fast")
        send("waits", dataset_zip((14, 14, 14)), preset="fast")
        remote._session.close()  # else the host waits for it when it ends
        Credentials(settings.data).set_password(PASSWORD)
        yield Site(address, jobs, logged_in(browser, address))
    for one in (board, port):
        os.close(one)


def ended(remote, job_id):
    state = remote.job(job_id)["state"]
    return state if state in ("done", "failed", "cancelled") else ""


def told(remote, job_id):
    return [(one["what"], one["found"]) for one in remote.job(job_id)["failure"]]


def twin(settings, job_id):
    """Make a job that has the same result; a training more would take half a minute."""
    store = Store(settings.data)
    one, new = store.get(job_id), new_id()
    shutil.copytree(store.folder(job_id), store.folder(new))
    store.add(new, "again", dataset=one.dataset, findings=one.findings)
    store.update(new, state="done", options={**one.options, "seed": 2}, result=one.result)
    store.close()
    return new


def logged_in(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/login")
    page.fill("#password", PASSWORD)
    page.get_by_role("button").last.click()
    page.wait_for_url(f"{address}/")
    state = context.storage_state()
    context.close()
    return state


def a_picture(page, size=(224, 224)):
    data = io.BytesIO()
    Image.new("RGB", size, (200, 90, 60)).save(data, "PNG")
    named = {"name": "a.png", "mimeType": "image/png", "buffer": data.getvalue()}
    page.set_input_files("#picture", named)
    page.wait_for_selector("#answer img")


def bad_zip(page):
    named = {"name": "bad.zip", "mimeType": "application/zip", "buffer": b"no zip"}
    page.set_input_files("#file", named)
    page.wait_for_selector("#problems .finding")


def bad_card(page):
    page.fill("#classes", "cat")
    page.locator("#collector button[type=submit]").click()
    page.wait_for_selector("#problems .finding.error")


def curves(page):
    page.wait_for_selector("#chart-loss polyline")


def camera(page):
    page.locator("#view:not([hidden])").wait_for()


PAGES = {
    "home": ("pages.home", "/", None),
    "home-refused": ("pages.home", "/", bad_zip),
    "collector": ("collector.form", "/collector", None),
    "collector-refused": ("collector.form", "/collector", bad_card),
    "login": ("access.login", "/login", None),
    "check-classify": ("pages.job", "/jobs/{odd}", None),
    "check-detect": ("pages.job", "/jobs/{boxes}", None),
    "check-blocked": ("pages.job", "/jobs/{few}", None),
    "check-begun": ("pages.job", "/jobs/{begun}", None),
    "check-failed": ("pages.job", "/jobs/{refuse}", None),
    "data-classify": ("data.page", "/jobs/{odd}/data", None),
    "data-class": ("data.page", "/jobs/{odd}/data?label=circle", None),
    "data-equal": ("data.page", "/jobs/{odd}/data?mark=same", None),
    "data-detect": ("data.page", "/jobs/{boxes}/data", None),
    "data-locked": ("data.page", "/jobs/{watched}/data", None),
    "capture": ("capture.page", "/jobs/{odd}/capture", camera),
    "capture-boxes": ("capture.page", "/jobs/{boxes}/capture", camera),
    "data-begun": ("data.page", "/jobs/{begun}/data", None),
    "boxes": ("data.boxes", "/jobs/{boxes}/data/3", None),
    "live": ("pages.job", "/jobs/{watched}", curves),
    "queued": ("pages.job", "/jobs/{waits}", None),
    "result-classify": ("pages.job", "/jobs/{shapes}", curves),
    "result-detect": ("pages.job", "/jobs/{scene}", curves),
    "judged-classify": ("judged.page", "/jobs/{shapes}/judged/int8", None),
    "judged-detect": ("judged.page", "/jobs/{scene}/judged/float", None),
    "try-classify": ("tryit.page", "/jobs/{shapes}/try", a_picture),
    "try-detect": ("tryit.page", "/jobs/{scene}/try", a_picture),
    "compare": ("compare.page", "/compare?a={shapes}&b={again}", None),
    "deploy-classify": ("deploy.page", "/jobs/{shapes}/deploy", None),
    "deploy-detect": ("deploy.page", "/jobs/{scene}/deploy", None),
    "boards": ("boards.page", "/boards", None),
    "board-transfer": ("boards.transfer_page", "/boards/{transfer}", None),
    "missing": ("", "/jobs/none", None),
}
"""By name: the view, its address, and what is done there before it is looked at."""

NO_PAGES = {
    "static", "bootstrap.static", "pages.download", "pages.worst", "pages.layers", "pages.chart",
    "judged.picture", "keeping.export",
}  # fmt: skip
"""Views that a browser reaches but that are no pages: files and pictures."""
