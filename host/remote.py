"""A host elsewhere, as `maixforge --host` drives it: the same API as the pages (docs/api.md).

The token comes from `MAIXFORGE_TOKEN` or from a file that nobody else can read; never from the
command line, which every user of a computer can list. It goes to the named host only.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import click
import requests
from requests.auth import AuthBase

from . import __version__
from .config import TOKEN, TOKEN_FILE, is_loopback
from .errors import Finding, UserError
from .files import atomic_path

API = 1
"""The version of the API that this client speaks."""
CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
STREAM_SECONDS = 35.0
"""A living stream says something every ten seconds."""
LOST_SECONDS = 300.0
"""How long a lost host is looked for before we give up; its job goes on without us."""
RETRY_SECONDS = 2.0
BLOCK = 64 * 1024
PLAIN_FILE = re.compile(r"\w[\w.-]*")
VISIBLE = re.compile("[!-~]*")
TOKENS = "tokens"
"""The file of tokens in the user's configuration folder."""


class Told(Finding):
    """A finding of the host, whose texts came with it, in our language."""

    def text(self, part: Literal["what", "found", "needed", "fix"], language: str = "en") -> str:
        """Return what the host said."""
        return str(self.params.get(part, ""))


def told(findings: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Return the findings of an answer."""
    return [
        Told(str(one["code"]), str(one["path"]), one["severity"], params=one) for one in findings
    ]


def address_of(text: str) -> str:
    """Return the address of a host as it is used: "http://10.0.0.5:8080".

    Raises:
        UserError: `remote_address_wrong`.
    """
    try:
        parts = urlsplit(text.strip())
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise UserError("remote_address_wrong") from None
    extra = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not parts.hostname or extra:
        raise UserError("remote_address_wrong")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}{port}"


def token_for(address: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the token for the host at `address`, "" when there is none.

    The file has a line `ADDRESS TOKEN` for each host; lines that begin with # are for people.

    Raises:
        UserError: `token_file_open` when others can read the file, `token_file_wrong`.
    """
    environment = os.environ if environment is None else environment
    if environment.get(TOKEN):
        return environment[TOKEN].strip()
    named = environment.get(TOKEN_FILE)
    path = Path(named) if named else Path(click.get_app_dir("maixforge")) / TOKENS
    if not named and not path.exists():
        return ""
    try:
        open_to_others = os.name == "posix" and path.stat().st_mode & 0o077
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UserError("token_file_wrong", str(path)) from None
    if open_to_others:
        raise UserError("token_file_open", str(path))
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise UserError("token_file_wrong", str(path))
        if address_of(words[0]) == address:
            return words[1]
    return ""


class _Bearer(AuthBase):
    """The token of a request. As `auth`, so that no .netrc of the user takes its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Remote:
    """One host. Every method raises UserError: what the host says, or why it cannot be asked."""

    def __init__(self, address: str, token: str = "", language: str = "en") -> None:
        self.address = address_of(address)
        if not VISIBLE.fullmatch(token):  # else the library would tell it in its error
            raise UserError("token_wrong")
        self._session = requests.Session()
        self._session.auth = _Bearer(token)
        self._session.headers["Accept-Language"] = language
        self._session.headers["User-Agent"] = f"maixforge/{__version__}"

    @property
    def readable(self) -> bool:
        """Say whether others in the network could read what is sent."""
        name = urlsplit(self.address).hostname or ""
        return self.address.startswith("http:") and not is_loopback(name)

    def about(self) -> dict[str, Any]:
        """Return what host this is.

        Raises:
            UserError: `remote_version`: it speaks another API.
        """
        answer = self._json("GET", "/api/host")
        if answer.get("api") != API:
            versions = {"version": answer.get("version", "?"), "ours": __version__}
            raise UserError("remote_version", self.address, **versions)
        return answer

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs, newest first."""
        return self._json("GET", "/api/jobs")["jobs"]

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job with its result."""
        return self._json("GET", _place(job_id))

    def upload(self, path: Path, name: str) -> dict[str, Any]:
        """Send the data set in a zip as a new job called `name` and return it."""
        with path.open("rb") as file:
            files = {"file": (f"{name}.zip", file, "application/zip")}
            return self._json("POST", "/api/jobs", files=files)

    def start(self, job_id: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Put a job in the queue."""
        return self._json("POST", f"{_place(job_id)}/start", json=dict(options))

    def delete(self, job_id: str) -> None:
        """Delete a job."""
        self._json("DELETE", _place(job_id))

    def follow(self, job_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield a job's events from the first one on until it has ended; see `host.web.events`.

        A lost connection is taken up again where it broke off, for `LOST_SECONDS`.
        """
        last, heard = 0, time.monotonic()
        while True:
            try:
                for number, name, data in self._stream(job_id, last):
                    heard, last = time.monotonic(), number or last
                    if name:
                        yield name, data
                    if name == "end":
                        return
            except UserError as error:
                lost = error.code in ("remote_unreachable", "streams_busy")
                if not lost or time.monotonic() - heard > LOST_SECONDS:
                    raise
            time.sleep(RETRY_SECONDS)

    def download(self, job_id: str, name: str, folder: Path) -> Path:
        """Fetch a file of a result into `folder`; it is there whole or not at all."""
        if not PLAIN_FILE.fullmatch(name):
            raise UserError("remote_not_maixforge", self.address, reason=ascii(name)[:80])
        folder.mkdir(parents=True, exist_ok=True)
        with (
            self._ask("GET", f"{_place(job_id)}/files/{name}", stream=True) as response,
            atomic_path(folder / name) as path,
            path.open("wb") as file,
            self._explained(),
        ):
            for block in response.iter_content(BLOCK):
                file.write(block)
        return folder / name

    def _stream(self, job_id: str, last: int) -> Iterator[tuple[int, str, dict[str, Any]]]:
        headers = {"Last-Event-ID": str(last)}
        timeout = (CONNECT_SECONDS, STREAM_SECONDS)
        address = f"{_place(job_id)}/events"
        with (
            self._ask("GET", address, headers=headers, stream=True, timeout=timeout) as response,
            self._explained(),
        ):
            yield from _messages(response.iter_lines(chunk_size=1))

    def _json(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        with self._ask(method, path, **rest) as response:
            return self._parsed(response)

    def _ask(self, method: str, path: str, **rest: Any) -> requests.Response:
        rest = {"timeout": (CONNECT_SECONDS, READ_SECONDS), "allow_redirects": False, **rest}
        with self._explained():
            response = self._session.request(method, self.address + path, **rest)
        if not response.ok or response.is_redirect:
            with response:
                said = self._parsed(response)
                if said.get("ok") is not False or not said.get("findings"):
                    raise self._foreign(response)
                raise UserError.of(told(said["findings"]))
        return response

    def _parsed(self, response: requests.Response) -> dict[str, Any]:
        try:
            with self._explained():
                value = response.json()
        except ValueError:
            raise self._foreign(response) from None
        if not isinstance(value, dict):
            raise self._foreign(response)
        return value

    def _foreign(self, response: requests.Response) -> UserError:
        reason = f"{response.status_code} {response.reason}"
        return UserError("remote_not_maixforge", self.address, reason=reason)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what goes wrong on the way into findings."""
        try:
            yield
        except requests.exceptions.JSONDecodeError:
            raise
        except requests.exceptions.SSLError as error:
            raise UserError("remote_tls", self.address, reason=_why(error)) from error
        except (requests.RequestException, UnicodeError) as error:
            raise UserError("remote_unreachable", self.address, reason=_why(error)) from error


def _place(job_id: str) -> str:
    """Return the address of a job; what is no job's number finds none."""
    return f"/api/jobs/{quote(job_id, safe='')}"


def _messages(lines: Iterable[bytes]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield id, name and data of each server-sent event; a comment is one without a name."""
    number, name, data = 0, "", ""
    for line in lines:
        key, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if key == "id":
            number = int(value) if value.isdecimal() else 0
        elif key == "event":
            name = value
        elif key == "data":
            data += value
        elif not line and data:
            yield number, name, json.loads(data)
            number, name, data = 0, "", ""
        elif not key:
            yield 0, "", {}


def _why(error: Exception) -> str:
    """Return the innermost reason of a failed request, without the address, in one line."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return " ".join(str(text).split())[:200]
