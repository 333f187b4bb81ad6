"""`maixforge --host`: the commands against a host that really listens, trained by a fake child."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
from click.testing import CliRunner
from host_help import dataset_zip, fake_command, running_host, wait_for

from host import remote as room
from host.cli import main
from host.cli_remote import _here
from host.config import Settings
from host.errors import UserError
from host.jobs import queue as queue_module
from host.jobs.store import Store
from host.remote import Remote, address_of
from host.web import events
from host.web.credentials import Credentials


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(queue_module, "child_command", fake_command)
    monkeypatch.setattr(queue_module, "GRACE_SECONDS", 0.5)
    return Settings(data=tmp_path / "host", port=free_port(), login_tries=3)


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def credentials(settings):
    made = Credentials(settings.data)
    made.set_password("a stone in the shoe")
    return made


@pytest.fixture
def token(credentials, monkeypatch):
    made = credentials.add_token("laptop")
    monkeypatch.setenv("MAIXFORGE_TOKEN", made)
    return made


@pytest.fixture
def url(settings, token):
    with running_host(settings) as address:
        yield address


@pytest.fixture
def run(url):
    def act(*words, code=0, lang="en"):
        done = CliRunner().invoke(main, ["--lang", lang, "--host", url, *map(str, words)])
        assert done.exit_code == code, done.output
        return done

    return act


@pytest.fixture
def shapes(tmp_path):
    path = tmp_path / "shapes.zip"
    path.write_bytes(dataset_zip())
    return path


def folder_of(zipped, target):
    import zipfile

    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(target)
    return target


# --- the whole way -------------------------------------------------------------------------------


def test_train_there_and_fetch_the_files(run, shapes, tmp_path, token):
    out = tmp_path / "out"
    done = run("train", shapes, "-o", out, "--preset", "fast", "--seed", 5, "--json")
    answer = json.loads(done.stdout)
    assert sorted(path.name for path in out.iterdir()) == sorted(answer["files"])
    assert (out / "sd.zip").read_bytes()[:2] == b"PK"
    assert answer["sd_zip"] == str(out / "sd.zip")
    assert token not in done.output
    row = json.loads(run("status", answer["job"], "--json").stdout)
    assert (row["state"], row["name"], row["options"]["seed"]) == ("done", "shapes", 5)
    assert row["options"]["preset"] == "fast"
    rows = json.loads(run("jobs", "--json").stdout)["jobs"]
    assert [one["id"] for one in rows] == [answer["job"]]
    shown = run("jobs").output
    assert answer["job"] in shown and "100 %" in shown

    other = tmp_path / "other"
    run("download", answer["job"], "-o", other)
    for path in out.iterdir():
        assert (other / path.name).read_bytes() == path.read_bytes()
    assert "download_exists" in run("download", answer["job"], "-o", other, code=1).output
    run("download", answer["job"], "-o", other, "--force")


def test_a_folder_is_sent_as_a_zip(run, shapes, tmp_path):
    folder = folder_of(shapes, tmp_path / "my shapes")
    answer = json.loads(run("train", folder, "-o", tmp_path / "out", "--json").stdout)
    assert json.loads(run("status", answer["job"], "--json").stdout)["name"] == "my shapes"


def test_the_bar_follows_the_events(run, shapes, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("host.cli_remote.show", lambda _t, _b, event: seen.append(event))
    run("train", shapes, "-o", tmp_path / "out")
    assert [one["step"] for one in seen if one["message"] in ("check", "compile", "package")] == [
        "check", "compile", "package"]  # fmt: skip
    assert [one["values"]["epoch"] for one in seen if "values" in one] == [*range(1, 11)]
    fractions = [one["fraction"] for one in seen]
    assert fractions == sorted(fractions)


def test_a_job_that_fails_says_why_in_the_asked_language(run, shapes, tmp_path):
    done = run("train", shapes, "-o", tmp_path / "o", "--name", "refuse", code=1, lang="zh")
    assert "option_invalid" in done.output
    assert "值不可用" in done.output
    assert not (tmp_path / "o").exists()


def test_bad_data_is_told_as_the_page_does(run, tmp_path):
    few = tmp_path / "few.zip"
    few.write_bytes(dataset_zip((40, 40, 3)))
    done = run("train", few, "-o", tmp_path / "o", "--json", code=1)
    answer = json.loads(done.stdout)
    assert answer["ok"] is False
    assert answer["error"] == "class_too_small"
    assert [one["path"] for one in answer["findings"] if one["severity"] == "error"] == ["triangle"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--test", "x.zip"], "remote_option"),
        (["--set", "depth=3"], "option_unknown"),
        (["--set", "views=0"], "option_invalid"),
        (["--size", "100"], "input_size_impossible"),
        (["--backbone", "vgg"], "option_invalid"),
    ],
)
def test_what_the_host_cannot_do_is_said_and_leaves_no_job(run, shapes, tmp_path, words, code):
    done = run("train", shapes, "-o", tmp_path / "o", *words, code=1)
    assert code in done.output
    assert json.loads(run("jobs", "--json").stdout)["jobs"] == []


def test_a_used_folder_and_no_data_are_refused_before_anything_is_sent(run, shapes, tmp_path):
    assert "output_folder_used" in run("train", shapes, "-o", tmp_path, code=1).output
    text = tmp_path / "a.txt"
    text.write_text("no zip")
    assert "remote_data_wrong" in run("train", text, "-o", tmp_path / "o", code=1).output


def test_too_much_is_not_sent(settings, shapes, tmp_path, token):
    with running_host(Settings(data=settings.data, port=free_port(), upload_bytes=9_000)) as url:
        words = ["--host", url, "train", str(shapes), "-o", str(tmp_path / "o")]
        done = CliRunner().invoke(main, words)
    assert (done.exit_code, "upload_too_large" in done.output) == (1, True)


def test_download_and_status_without_host_ask_the_one_that_runs_here(
    run, url, settings, monkeypatch, tmp_path
):
    monkeypatch.setenv("MAIXFORGE_PORT", str(settings.port))
    done = CliRunner().invoke(main, ["status", "nothing"])
    assert (done.exit_code, "job_missing" in done.output) == (1, True)


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:8080"), ("0.0.0.0", "http://127.0.0.1:8080"),
     ("::", "http://[::1]:8080"), ("::1", "http://[::1]:8080"), ("forge", "http://forge:8080")],
)  # fmt: skip
def test_where_the_host_of_this_computer_is(host, address):
    assert _here(Settings(host=host)) == address


def test_ctrl_c_leaves_the_job_to_the_host(run, shapes, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("host.cli_remote.show", stop)
    done = run("train", shapes, "-o", tmp_path / "out", code=1)
    [job] = json.loads(run("jobs", "--json").stdout)["jobs"]
    assert f"status {job['id']}" in done.output
    wait_for(lambda: json.loads(run("jobs", "--json").stdout)["jobs"][0]["state"] == "done")


def test_a_job_without_files_has_none_to_fetch(run, url, token, shapes, tmp_path):
    job = Remote(url, token).upload(shapes, "x")
    assert "job_state_wrong" in run("download", job["id"], "-o", tmp_path / "o", code=1).output


def test_other_commands_do_not_silently_run_here(run, shapes):
    assert "runs here" in run("check", shapes, code=2).output


# --- what goes wrong on the way ------------------------------------------------------------------


def test_a_wrong_token_and_none(run, monkeypatch, tmp_path):
    monkeypatch.setenv("MAIXFORGE_TOKEN", "mf_wrong")
    done = run("jobs", code=1)
    assert "token_wrong" in done.output and "mf_wrong" not in done.output
    monkeypatch.setenv("MAIXFORGE_TOKEN", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "login_needed" in run("jobs", code=1).output
    monkeypatch.setenv("MAIXFORGE_TOKEN", "a\nb: c")
    done = run("jobs", code=1)
    assert "token_wrong" in done.output and "b: c" not in done.output


@pytest.mark.parametrize(("lang", "text"), [("en", "cannot be reached"), ("zh", "无法连接")])
def test_nobody_there(lang, text):
    words = ["--lang", lang, "--host", f"http://127.0.0.1:{free_port()}", "jobs"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert text in done.output and "refused" in done.output


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.5:8080", "ftp://x", "http://", "http://x/y", "http://a:b@x", "http://x:y",
     "http://x?token=y", "http://[::1"],
)  # fmt: skip
def test_addresses_that_are_none(text):
    with pytest.raises(UserError, match="remote_address_wrong"):
        address_of(text)


def test_addresses_that_are_some():
    assert address_of("HTTP://Forge.example:80/") == "http://forge.example:80"
    assert address_of("https://[::1]:8080") == "https://[::1]:8080"


class Stranger(BaseHTTPRequestHandler):
    """Answers every request with what the test wants."""

    answer = (200, {}, b"")
    seen: ClassVar[list[str]] = []

    def do_GET(self):
        type(self).seen.append(str(self.headers.get("Authorization")))
        status, headers, body = self.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def stranger():
    server = HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Remote(f"http://127.0.0.1:{server.server_port}", "mf_secret")
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((200, {}, b"<html>"), "remote_not_maixforge"),
        ((200, {}, b"[]"), "remote_not_maixforge"),
        ((404, {}, b"no"), "remote_not_maixforge"),
        ((404, {}, b'{"ok": false}'), "remote_not_maixforge"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b"{}"), "remote_not_maixforge"),
        ((502, {}, b"\xff\xfe"), "remote_not_maixforge"),
        ((200, {}, b'{"ok": true}'), "remote_version"),
        ((200, {}, b'{"ok": true, "api": 2, "version": "9.0"}'), "remote_version"),
        ((200, {"Content-Length": "99"}, b'{"ok"'), "remote_unreachable"),
    ],
)
def test_what_is_no_host_of_ours(stranger, monkeypatch, answer, code):
    monkeypatch.setattr(Stranger, "answer", answer)
    with pytest.raises(UserError, match=code) as caught:
        stranger.about()
    assert "mf_secret" not in str(caught.value)
    assert all(one.text("fix", "zh") for one in caught.value.findings)


def test_a_netrc_does_not_take_the_place_of_the_token(stranger, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setattr(Stranger, "answer", (200, {}, b'{"ok": true, "api": 1}'))
    Stranger.seen.clear()
    stranger.about()
    assert Stranger.seen == ["Bearer mf_secret"]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "..", ".hidden", "", "a/b", "a\\b"])
def test_a_host_cannot_write_elsewhere(stranger, monkeypatch, tmp_path, name):
    monkeypatch.setattr(Stranger, "answer", (200, {}, b"evil"))
    with pytest.raises(UserError, match="remote_not_maixforge"):
        stranger.download("job", name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_half_a_download_leaves_no_file(stranger, monkeypatch, tmp_path):
    monkeypatch.setattr(Stranger, "answer", (200, {"Content-Length": "100"}, b"half"))
    with pytest.raises(UserError, match="remote_unreachable"):
        stranger.download("job", "sd.zip", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lost_stream_is_taken_up_where_it_broke_off(url, token, shapes, monkeypatch):
    monkeypatch.setattr(events, "STREAM_SECONDS", 0.4)  # the host ends streams all the time
    monkeypatch.setattr(room, "RETRY_SECONDS", 0.05)
    monkeypatch.setenv("FAKE_CHILD_PAUSE", "0.2")
    remote = Remote(url, token)
    job = remote.upload(shapes, "x")
    remote.start(job["id"], {})
    epochs = [data["values"]["epoch"] for name, data in remote.follow(job["id"])
              if name == "progress" and "values" in data]  # fmt: skip
    assert epochs == [*range(1, 11)]


def test_the_host_is_gone_for_a_while(settings, token, shapes, monkeypatch):
    monkeypatch.setattr(room, "RETRY_SECONDS", 0.05)
    seen = []
    with running_host(settings) as url:
        remote = Remote(url, token)
        job = remote.upload(shapes, "slow")
        remote.start(job["id"], {"name": "slow"})

        def follow():
            seen.extend(name for name, _ in remote.follow(job["id"]))

        thread = threading.Thread(target=follow)
        thread.start()
        wait_for(lambda: remote.job(job["id"])["step"] == "train")
    time.sleep(0.3)
    store = Store(settings.data)
    store.update(job["id"], state="cancelled")
    store.close()
    with running_host(settings):
        thread.join(60)
    assert seen[-1] == "end"


def test_a_host_that_stays_away_is_given_up(url, token, shapes, monkeypatch):
    monkeypatch.setattr(room, "LOST_SECONDS", 0.2)
    monkeypatch.setattr(room, "RETRY_SECONDS", 0.05)
    gone = Remote(f"http://127.0.0.1:{free_port()}", token)
    with pytest.raises(UserError, match="remote_unreachable"):
        list(gone.follow("x"))
