"""A whole sealed job through the pages' own host and a real training: about two minutes."""

import http.cookiejar
import io
import json
import logging
import re
import socket
import urllib.request
import zipfile
from urllib.parse import urlencode

import pytest
from host_help import dataset_zip, running_host, wait_for

from host.config import Settings
from host.deploy import machine_code, seal
from host.deploy.board_key import BoardKey

CODE = machine_code.of_board(bytes(range(32)))
KEY = BoardKey.of_code(CODE)
BOUNDARY = "a-boundary-of-a-form"


class Browser:
    """Cookies, the token of the forms, and everything that came back."""

    def __init__(self, address):
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener, self.address, self.seen = urllib.request.build_opener(jar), address, b""
        self.token = re.search(rb'csrf-token" content="([^"]+)"', self.get("/"))[1].decode()

    def get(self, path, **request):
        request = urllib.request.Request(self.address + path, **request)
        with self.opener.open(request) as answer:
            data = answer.read()
        self.seen += data
        return data

    def post(self, path, data, kind="application/x-www-form-urlencoded"):
        head = {"X-CSRFToken": self.token, "Content-Type": kind}
        return json.loads(self.get(path, data=data, headers=head, method="POST"))

    def upload(self, data):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="x.zip"\r\n'
        body = head.encode() + b"\r\n" + data + f"\r\n--{BOUNDARY}--\r\n".encode()
        return self.post("/api/jobs", body, f"multipart/form-data; boundary={BOUNDARY}")["id"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_code_and_key_are_in_nothing_that_a_sealed_job_writes(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings = Settings(data=tmp_path / "data", port=probe.getsockname()[1])
    with running_host(settings) as address:
        browser = Browser(address)
        job = browser.upload(dataset_zip((40, 40), extra=()))
        form = {"preset": "fast", "machine_code": CODE.text}
        browser.post(f"/api/jobs/{job}/start", urlencode(form).encode())
        ended = ("done", "failed")
        wait_for(lambda: json.loads(browser.get(f"/api/jobs/{job}"))["state"] in ended, 600)
        assert json.loads(browser.get(f"/api/jobs/{job}"))["state"] == "done"
        page = browser.get(f"/jobs/{job}").decode()
        assert KEY.board_id.hex()[:8] in page
        card = browser.get(f"/jobs/{job}/files/sd.zip")
        browser.get(f"/jobs/{job}/files/model.kfpkg")
    folder = settings.data / "jobs" / job
    with zipfile.ZipFile(io.BytesIO(card)) as archive:
        assert "m.kmodel" not in archive.namelist()
        assert seal.unseal(archive.read("m.kmx"), KEY) == (folder / "m.kmodel").read_bytes()
        inside = b"".join(archive.read(name) for name in archive.namelist())
    paths = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "keys"]
    names = {path.name for path in paths}
    assert {"child.log", "events.jsonl", "result.json", "spec.json", "maixforge.sqlite3"} <= names
    said = browser.seen + inside + caplog.text.encode()
    for data in (said, *(path.read_bytes() for path in paths)):
        low = data.lower()
        for secret in (KEY.key, CODE.value):
            assert secret not in data and secret.hex().encode() not in low
        assert KEY.board_id.hex().encode() not in low
        assert CODE.text.lower().encode() not in low
        assert CODE.text.replace("-", "").lower().encode() not in low
