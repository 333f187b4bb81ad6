"""A whole job, sealed in earnest: its codes and keys are in the key store and nowhere else."""

import base64
import http.cookiejar
import io
import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
import zipfile
from pathlib import Path

import psutil
import pytest
from host_help import dataset_zip, wait_for

from host.deploy import machine_code, seal
from host.deploy.board_key import BoardKey
from host.deploy.key_store import KeyStore, StoredKey

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.name != "posix", reason="signals are POSIX"),
]

QUICK = {
    "preset": "fast", "size": "128", "backbone": "mobilenet_1.0_cut6", "views": "1",
    "head_epochs": "2", "tune_blocks": "1", "tune_epochs": "1",
}  # fmt: skip
CODE = machine_code.of_board(bytes(range(7, 39)))
BOUND = BoardKey.of_code(CODE)
BURNT = BoardKey("burnt", bytes.fromhex("5a17c3e09d2b846f71e8035cba96d24f"))
TYPO = CODE.text[:-1] + ("0" if CODE.text[-1] != "0" else "1")


def spellings(secret: bytes) -> set[bytes]:
    """How 16 secret bytes may lie about."""
    digits = secret.hex()
    groups = [digits[at : at + 4] for at in range(0, 32, 4)]
    texts = [digits, "-".join(groups), " ".join(groups), "%20".join(groups)]
    texts += [base64.b64encode(secret).decode().rstrip("="), repr(secret)[2:-1]]
    return {secret, secret[::-1], *(text.encode().lower() for text in texts)}


def found(secret: bytes, written: dict[str, bytes]) -> list[str]:
    """Where a secret was written, in whatever spelling."""
    return [
        name
        for name, data in written.items()
        if any(one in data or one in data.lower() for one in spellings(secret))
    ]


def unpacked(name: str, data: bytes):
    """A file and all that is in it, and in that, by name."""
    yield name, data
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for one in archive.namelist():
                yield from unpacked(f"{name}/{one}", archive.read(one))


class Client:
    """A browser that keeps all that it is told, and every address that it went to."""

    def __init__(self, address: str) -> None:
        self.address, self.heard = address, {}
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)
        self.token = re.search(r'csrf-token" content="([^"]+)"', self.get("/").decode())[1]

    def get(self, path: str) -> bytes:
        return self._send(urllib.request.Request(self.address + path))

    def post(self, path: str, fields: dict[str, str], upload: bytes = b"") -> bytes:
        mark = uuid.uuid4().hex
        parts = [f'name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
        if upload:
            parts.append(b'name="file"; filename="shapes.zip"\r\n\r\n' + upload + b"\r\n")
        lead = f"--{mark}\r\nContent-Disposition: form-data; ".encode()
        body = b"".join(lead + part for part in parts) + f"--{mark}--\r\n".encode()
        request = urllib.request.Request(self.address + path, body)
        request.add_header("Content-Type", f"multipart/form-data; boundary={mark}")
        request.add_header("X-CSRFToken", self.token)
        return self._send(request)

    def _send(self, request: urllib.request.Request) -> bytes:
        try:
            answer = self.opener.open(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = answer.read()
            text = f"{answer.url}\n{answer.headers}".encode()
        self.heard[f"answer {len(self.heard)} {answer.url}"] = text + body
        return body


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sealed")


@pytest.fixture(scope="module")
def environment(folder):
    (folder / "tmp").mkdir()
    return {**os.environ, "MAIXFORGE_DATA": str(folder / "data"), "TMPDIR": str(folder / "tmp")}


@pytest.fixture(scope="module")
def job(folder, environment):
    """The host as people start it takes a data set to a sealed model; all that was to be seen."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "host.cli", "--verbose", "serve"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, env={**environment, "MAIXFORGE_PORT": str(port)}, stdout=log, stderr=log
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(lambda: b"http" in (folder / "server.log").read_bytes(), 60)
            client = Client(address)
            yield _sealed_job(client, server), client.heard
        finally:
            server.terminate()
            server.wait(20)


def _sealed_job(client: Client, server: subprocess.Popen) -> str:
    sent = json.loads(client.post("/api/jobs", {}, dataset_zip()))
    path = f"/api/jobs/{sent['id']}"
    wrong = client.post(f"{path}/start", {**QUICK, "machine_code": TYPO})
    assert json.loads(wrong)["error"] == "machine_code_check"
    client.post(f"{path}/start", {**QUICK, "machine_code": CODE.text})

    def ended() -> str:
        for child in psutil.Process(server.pid).children(recursive=True):
            try:
                seen = " ".join(child.cmdline()) + str(child.environ())
            except psutil.Error:
                continue
            client.heard[f"process {child.pid}"] = seen.encode()
        state = json.loads(client.get(path))["state"]
        return state if state in ("done", "failed") else ""

    assert wait_for(ended, 600) == "done"
    client.get(f"{path}/events")
    for language in ("en", "zh"):
        page = client.get(f"/jobs/{sent['id']}?lang={language}").decode()
        for link in set(re.findall(r'(?:href|src)="(/jobs/[^"]+)"', page)):
            client.get(link)
    return sent["id"]


def written(folder: Path) -> dict[str, bytes]:
    """Every file but those of the key store, unpacked."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "keys"]
    return dict(
        one for path in paths for one in unpacked(str(path.relative_to(folder)), path.read_bytes())
    )


def test_nothing_that_the_job_wrote_or_said_has_the_code_or_the_key(job, folder):
    job_id, heard = job
    everything = {**written(folder), **dict(p for n, d in heard.items() for p in unpacked(n, d))}
    names = "\n".join(everything)
    for expected in ("m.kmx", "sd.zip", "sd.zip/m.kmx", "model.kfpkg", "server.log", "spec.json",
                     "events", "process", "README.txt", f"/jobs/{job_id}/files/"):  # fmt: skip
        assert expected in names, expected
    for secret in (CODE.value, BOUND.key):
        assert found(secret, everything) == []
    # The check digits are part of the code, and a mistyped code is nearly one.
    for text in (CODE.text, TYPO, CODE.text.replace("-", "")):
        assert not any(text[:19].encode() in data for data in everything.values())


def test_the_board_is_named_in_full_by_nothing_but_the_sealed_model(job, folder):
    places = found(BOUND.board_id, {**written(folder), **job[1]})
    assert places
    assert all(one.endswith(("m.kmx", "sd.zip", "model.kfpkg")) for one in places)


def test_the_key_store_has_it_and_it_opens_the_model(job, folder):
    """The search above would find it: here it is, and so is the model."""
    keys = {path.name: path.read_bytes() for path in (folder / "data" / "keys").iterdir()}
    assert found(BOUND.key, keys)
    place = folder / "data" / "jobs" / job[0]
    plain = seal.unseal((place / "package" / "m.kmx").read_bytes(), BOUND)
    assert plain == (place / "m.kmodel").read_bytes()


def test_plain_models_are_not_handed_out(job, folder):
    place = folder / "data" / "jobs" / job[0]
    plain = (place / "m.kmodel").read_bytes()
    handed = {**dict(p for n in ("sd.zip", "model.kfpkg")
                     for p in unpacked(n, (place / n).read_bytes())), **job[1]}  # fmt: skip
    assert not any(plain[:4096] in data for data in handed.values())


@pytest.mark.parametrize("damaged", [False, True])
def test_commands_and_their_errors_have_no_key_either(job, folder, environment, damaged):
    store = KeyStore(folder / "data")
    if "gate" not in [one.name for one in store.entries()]:
        gate = StoredKey.new("gate", BURNT)
        store.add(gate)
        store.advance(gate, "locked")
    (folder / "labels.txt").write_text("circle\nsquare\ntriangle\n")
    if damaged:
        for path in (folder / "data" / "keys").iterdir():
            path.write_bytes(path.read_bytes()[:-3])
    model = folder / "data" / "jobs" / job[0] / "m.kmodel"
    command = [sys.executable, "-m", "host.cli", "--verbose", "package", str(model), "--seal",
               "gate", "-o", str(folder / "packed"), "--labels", str(folder / "labels.txt"),
               "--json"]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)
    assert (done.returncode != 0) == damaged
    if damaged:
        assert b"key_damaged" in done.stdout
    said = {"stdout": done.stdout, "stderr": done.stderr, **written(folder)}
    for secret in (BURNT.key, CODE.value, BOUND.key):
        assert found(secret, said) == []
