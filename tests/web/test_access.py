"""Who is let in, who is not, and how soon somebody who guesses is slowed down."""

import io
import json
import logging
import re
import stat
import threading
import time

import pytest
from host_help import dataset_zip, running_host

from host.config import Settings
from host.errors import UserError
from host.server import create_app
from host.web import access
from host.web.credentials import Credentials
from host.web.state import KEY

PASSWORD = "a stone in the shoe"


@pytest.fixture
def credentials(settings):
    return Credentials(settings.data)


@pytest.fixture
def shut(app, credentials):
    """A client of a host whose password is set."""
    credentials.set_password(PASSWORD)
    return app.test_client()


@pytest.fixture
def make(tmp_path):
    """Make apps with settings of one's own, and close them."""
    made = []

    def app_of(**values):
        app = create_app(Settings(**{"data": tmp_path / "data", **values}))
        made.append(app)
        return app

    yield app_of
    for app in made:
        app.extensions[KEY].queue.stop()
        app.extensions[KEY].store.close()


def csrf(client):
    return re.search(r'csrf-token" content="([^"]+)"', client.get("/login").text)[1]


def log_in(client, password=PASSWORD, **rest):
    form = {"password": password, "csrf_token": csrf(client), **rest}
    return client.post("/login", data=form)


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


# --- shut ----------------------------------------------------------------------------------------


def every_address(app):
    for rule in app.url_map.iter_rules():
        values = dict.fromkeys(rule.arguments, 1)
        with app.test_request_context():
            _, path = rule.build(values) or ("", rule.rule)
        for method in rule.methods:
            yield rule.endpoint, method, path


def test_every_route_is_refused_without_a_login(app, shut):
    seen = 0
    for endpoint, method, path in every_address(app):
        if endpoint in access.OPEN:
            continue
        answer = shut.open(path, method=method)
        where = f"{method} {path} -> {answer.status_code}"
        if answer.status_code == 303:
            assert answer.headers["Location"].startswith("/login"), where
            assert method in ("GET", "HEAD"), where
        else:
            assert answer.status_code == 401, where
        if path.startswith("/api/") and method not in ("HEAD",):
            assert answer.json["error"] == "login_needed", where
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        seen += 1
    assert seen > 30


def test_what_is_open_is_the_login_page_and_static_files(app, shut):
    assert set(access.OPEN) <= set(app.view_functions)
    assert shut.get("/login").status_code == 200
    assert shut.get("/static/style.css").status_code == 200
    assert "MaixForge" in shut.get("/login", headers={"Accept-Language": "zh"}).text


def test_nothing_of_a_refused_body_is_read(app, shut, here):
    answer = shut.post("/api/jobs", data={"file": (io.BytesIO(dataset_zip()), "a.zip")})
    assert answer.json["error"] == "login_needed"
    assert here.store.jobs() == []


def test_without_a_password_on_this_computer_all_is_open(client, credentials):
    assert client.get("/").status_code == 200
    credentials.add_token("laptop")
    assert client.get("/").status_code == 200


def test_a_damaged_file_lets_nobody_in(shut, credentials):
    credentials.path.write_text("{")
    assert shut.get("/api/jobs").json["error"] == "access_file_broken"
    assert shut.get("/").status_code == 500


# --- login, session, logout ----------------------------------------------------------------------


def test_login_session_logout(shut):
    answer = log_in(shut, next="/collector?lang=zh")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/collector?lang=zh")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
    assert shut.get("/").status_code == 200
    assert shut.get("/api/jobs").json == {"ok": True, "jobs": []}
    token = csrf(shut)
    assert 'action="/logout"' in shut.get("/").text
    assert shut.post("/logout", data={"csrf_token": token}).status_code == 303
    assert shut.get("/").status_code == 303


def test_what_came_before_the_login_is_gone_but_the_language(shut):
    shut.get("/login?lang=zh")
    with shut.session_transaction() as session:
        session["planted"] = "x"
    before = csrf(shut)
    log_in(shut)
    with shut.session_transaction() as session:
        assert "planted" not in session
        assert session["lang"] == "zh"
    assert shut.post("/logout", data={"csrf_token": before}).status_code == 400


def test_a_copied_cookie_ends_with_the_logout_even_over_a_restart(app, shut, make):
    log_in(shut)
    cookie = shut.get_cookie("maixforge").value
    thief = app.test_client()
    thief.set_cookie("maixforge", cookie)
    assert thief.get("/").status_code == 200
    shut.post("/logout", data={"csrf_token": csrf(shut)})
    again = make().test_client()
    again.set_cookie("maixforge", cookie)
    assert (thief.get("/").status_code, again.get("/").status_code) == (303, 303)


def test_a_new_password_ends_every_session(shut, credentials):
    log_in(shut)
    credentials.set_password("another one entirely")
    assert shut.get("/").status_code == 303
    assert log_in(shut).status_code == 401
    assert log_in(shut, "another one entirely").status_code == 303


def test_a_token_logs_in_until_it_is_taken_away(shut, credentials):
    log_in(shut, credentials.add_token("laptop"))
    assert shut.get("/").status_code == 200
    credentials.remove_token("laptop")
    assert shut.get("/").status_code == 303


def test_an_old_session_runs_out(make, credentials):
    credentials.set_password(PASSWORD)
    app = make(session_hours=1)
    client = app.test_client()
    log_in(client)
    signer = app.session_interface.get_signing_serializer(app)
    with client.session_transaction() as session:
        values = dict(session)
    now = time.time
    time.time = lambda: now() - 3700
    try:
        old = signer.dumps(values)
    finally:
        time.time = now
    client.set_cookie("maixforge", old)
    assert client.get("/").status_code == 303


@pytest.mark.parametrize(
    "place",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "evil", "javascript:x",
     "/a\r\nX: y", "\t//evil.example"],
)  # fmt: skip
def test_a_login_leads_nowhere_else(shut, place):
    assert log_in(shut, next=place).headers["Location"] == "/"


@pytest.mark.parametrize("by", [None, "", "x", 1, "\u00e9", []])
def test_a_session_needs_the_mark_of_the_password(shut, by):
    with shut.session_transaction() as session:
        session.update(by=by, id="x")
    assert shut.get("/").status_code == 303


def test_the_login_form_needs_its_token(shut):
    assert shut.post("/login", data={"password": PASSWORD}).status_code == 400


def test_behind_https_cookies_are_secure(make, credentials):
    credentials.set_password(PASSWORD)
    client, place = make(https=True).test_client(), {"base_url": "https://localhost"}
    answer = client.get("/login", **place)
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    form = {"password": PASSWORD, "csrf_token": re.search(r'token" value="([^"]+)', answer.text)[1]}
    referer = {"Referer": "https://localhost/login"}
    assert client.post("/login", data=form, headers=referer, **place).status_code == 303
    assert client.get("/", **place).status_code == 200


@pytest.mark.parametrize(("language", "text"), [("en", "not the password"), ("zh", "密码不对")])
def test_a_wrong_password_is_told_in_both_languages(shut, language, text):
    shut.get(f"/login?lang={language}")
    answer = log_in(shut, "wrong")
    assert answer.status_code == 401
    assert text in answer.text
    assert "wrong" not in re.sub(r"login_wrong", "", answer.text)


# --- programs ------------------------------------------------------------------------------------


def test_a_token_needs_no_page(shut, credentials, here):
    headers = bearer(credentials.add_token("laptop"))
    data = {"file": (io.BytesIO(dataset_zip()), "a.zip")}
    assert shut.post("/api/jobs", data=data, headers=headers).status_code == 201
    assert len(shut.get("/api/jobs", headers=headers).json["jobs"]) == 1
    credentials.remove_token("laptop")
    assert shut.get("/api/jobs", headers=headers).json["error"] == "token_wrong"


def test_the_password_is_no_token_and_an_open_host_refuses_wrong_tokens_too(client, shut):
    assert shut.get("/api/jobs", headers=bearer(PASSWORD)).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "bearer x", "Basic eDp4", "x" * 5000])
def test_other_headers_let_nobody_in(shut, credentials, header):
    credentials.add_token("laptop")
    answer = shut.get("/api/jobs", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json["ok"] is False


def test_tokens_and_passwords_are_in_no_log_and_no_file(shut, credentials, caplog, settings):
    caplog.set_level(logging.DEBUG)
    token = credentials.add_token("laptop")
    log_in(shut)
    log_in(shut, PASSWORD + "?")
    shut.get("/api/jobs", headers=bearer(token))
    shut.get("/api/jobs", headers=bearer(token + "?"))
    shut.post("/api/jobs", headers=bearer(token))
    assert "wrong token from 127.0.0.1" in caplog.text
    text = credentials.path.read_text()
    assert stat.S_IMODE(credentials.path.stat().st_mode) == 0o600
    assert json.loads(text)["password"].startswith("scrypt:")
    for secret in (token, PASSWORD):
        assert secret not in caplog.text
        for path in settings.data.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path


# --- how often -----------------------------------------------------------------------------------


def test_guessing_passwords_is_slowed_and_the_right_one_then_too(make, credentials):
    credentials.set_password(PASSWORD)
    client = make(login_tries=3).test_client()
    assert [log_in(client, f"guess {n}").status_code for n in range(5)] == [401] * 3 + [429] * 2
    answer = log_in(client)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    other = {"REMOTE_ADDR": "192.0.2.7"}
    form = {"password": PASSWORD, "csrf_token": csrf(client)}
    assert client.post("/login", data=form, environ_base=other).status_code == 303


def test_right_passwords_are_not_counted(make, credentials):
    credentials.set_password(PASSWORD)
    app = make(login_tries=3)
    assert [log_in(app.test_client()).status_code for _ in range(6)] == [303] * 6


def test_guesses_at_the_same_time_do_not_get_past_the_limit(make, credentials):
    credentials.set_password(PASSWORD)
    app = make(login_tries=3)
    seen = []

    def guess(number):
        seen.append(log_in(app.test_client(), f"guess {number}").status_code)

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(seen) == [401] * 3 + [429] * 5


def test_guessing_tokens_is_slowed_but_a_right_one_is_not(make, credentials):
    token = credentials.add_token("laptop")
    client = make(login_tries=3).test_client()
    codes = [client.get("/api/jobs", headers=bearer(f"mf_{n}")).status_code for n in range(5)]
    assert codes == [401, 401, 401, 429, 429]
    assert client.get("/api/jobs", headers=bearer(token)).status_code == 200


def test_addresses_of_one_ipv6_network_are_one(make, credentials):
    client = make(login_tries=1).test_client()
    credentials.add_token("laptop")

    def guess(address):
        answer = client.get("/api/jobs", headers=bearer("x"), environ_base={"REMOTE_ADDR": address})
        return answer.status_code

    assert [guess(f"2001:db8::{n}") for n in (1, 2)] == [401, 429]
    assert guess("2001:db8:0:1::1") == 401


def test_uploads_are_counted(make):
    client = make(uploads=2).test_client()
    headers = {"X-CSRFToken": csrf(client)}
    codes = [client.post("/api/jobs", headers=headers).status_code for _ in range(3)]
    assert codes == [400, 400, 429]
    answer = client.post("/upload", headers=headers)
    assert (answer.status_code, "Too many uploads" in answer.text) == (429, True)


def test_every_view_that_takes_files_is_counted(app):
    for endpoint in ("api.create", "pages.upload"):
        assert app.view_functions[endpoint].upload


# --- other computers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [{"host": "0.0.0.0"}, {"host": "192.168.1.5"}, {"host": "example.org"},
     {"trusted_hosts": "forge.example"}, {"proxy": "127.0.0.1"}, {"https": True}],
)  # fmt: skip
def test_others_may_come_in_only_when_there_is_something_to_know(make, credentials, values):
    with pytest.raises(UserError, match="host_needs_password"):
        create_app(Settings(data=credentials.path.parent, **values))
    credentials.add_token("laptop")
    client = make(**values).test_client()
    assert client.get("/").status_code == 303
    credentials.remove_token("laptop")  # while it runs: nobody can come in, rather than all
    assert client.get("/").status_code == 303


def test_names_of_this_host_are_answered_and_no_others(make, credentials):
    credentials.set_password(PASSWORD)
    client = make(host="::1", trusted_hosts="forge.example, 192.0.2.1").test_client()
    for name in ("localhost", "[::1]:8080", "FORGE.example:443", "192.0.2.1"):
        assert client.get("/login", headers={"Host": name}).status_code == 200, name
    for name in ("evil.example", "x.forge.example", "[::2]", "forge.example.evil.example"):
        answer = client.get("/login", headers={"Host": name})
        assert (answer.status_code, answer.mimetype) == (400, "text/plain"), name
        assert "host_name_untrusted" in answer.text
        assert "Set-Cookie" not in answer.headers


def test_a_believed_proxy_says_who_asks_and_nobody_else_does(tmp_path, free_port, credentials):
    requests = pytest.importorskip("requests")
    credentials.add_token("laptop")
    for proxy, expected in (("127.0.0.1", [401, 401]), ("", [401, 429])):
        settings = Settings(data=tmp_path / "data", port=free_port, proxy=proxy, login_tries=1)
        with running_host(settings) as url:
            codes = [
                requests.get(f"{url}/api/jobs", timeout=60,
                             headers={**bearer("x"), "X-Forwarded-For": f"192.0.2.{n}"}).status_code
                for n in (1, 2)
            ]  # fmt: skip
        assert codes == expected


@pytest.fixture
def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
