"""Who may use the host: a password and tokens, kept as hashes in a file of the data folder.

A password is hashed by scrypt (slow, with salt). A token is 256 random bits, so that guessing it
is hopeless and one SHA-256 will do. Both are compared in constant time.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hmac import compare_digest
from pathlib import Path
from threading import Lock
from typing import Any

from werkzeug.security import check_password_hash, generate_password_hash

from ..errors import UserError
from ..files import atomic_write

NAME = "access.json"
LOGGED_OUT = "logged_out.json"
PASSWORD_MIN, PASSWORD_MAX = 8, 256
"""Characters of a password; scrypt would hash longer ones all the same."""
TOKEN_PREFIX = "mf_"  # noqa: S105 - what it begins with, so that a leaked one is recognized
TOKEN_BYTES = 32
NAME_MAX = 40


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept. `made` is its day in ISO 8601, UTC."""

    name: str
    hash: str
    made: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the file says; `password` is werkzeug's "scrypt:..." or empty."""

    password: str = ""
    tokens: tuple[Token, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.password or self.tokens)

    def token(self, text: str) -> Token | None:
        """Return the token that `text` is, if it is one."""
        given = _sha256(text)
        return next((one for one in self.tokens if compare_digest(one.hash, given)), None)

    def mark_of(self, text: str) -> str:
        """Return the mark of the password or token that `text` is, "" when it is none."""
        token = self.token(text)
        if token:
            return _mark(token.hash)
        right = self.password and len(text) <= PASSWORD_MAX
        return _mark(self.password) if right and check_password_hash(self.password, text) else ""

    def has_mark(self, mark: str) -> bool:
        """Say whether the password or token with this mark is still in force."""
        hashes = (self.password, *(one.hash for one in self.tokens))
        return any(compare_digest(_mark(one).encode(), mark.encode()) for one in hashes if one)


class Credentials:
    """The file; read again when it has changed, so that a running host follows."""

    def __init__(self, data: Path) -> None:
        self.path = data / NAME
        self._seen: tuple[object, Known] = (None, Known())

    def known(self) -> Known:
        """Return what is in force.

        Raises:
            UserError: `access_file_broken`; nobody is let in because a file is damaged.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return Known()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._seen[0] != stamp:
            self._seen = (stamp, self._read())
        return self._seen[1]

    def set_password(self, text: str) -> None:
        """Keep the hash of a password; an empty one takes it away.

        Raises:
            UserError: `password_length`.
        """
        if text and not PASSWORD_MIN <= len(text) <= PASSWORD_MAX:
            raise UserError("password_length", found=len(text), low=PASSWORD_MIN, high=PASSWORD_MAX)
        hashed = generate_password_hash(text, "scrypt") if text else ""
        self._write(replace(self.known(), password=hashed))

    def add_token(self, name: str) -> str:
        """Make a token and return it; only its hash is kept.

        Raises:
            UserError: `token_name_wrong` or `token_exists`.
        """
        known = self.known()
        if not name.strip() or len(name) > NAME_MAX or not name.isprintable():
            raise UserError("token_name_wrong", needed=NAME_MAX)
        if any(one.name == name for one in known.tokens):
            raise UserError("token_exists", name)
        text = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        made = datetime.now(UTC).date().isoformat()
        self._write(replace(known, tokens=(*known.tokens, Token(name, _sha256(text), made))))
        return text

    def remove_token(self, name: str) -> None:
        """Take a token away; whoever has it is refused from now on.

        Raises:
            UserError: `token_missing`.
        """
        known = self.known()
        kept = tuple(one for one in known.tokens if one.name != name)
        if kept == known.tokens:
            raise UserError("token_missing", name)
        self._write(replace(known, tokens=kept))

    def _read(self) -> Known:
        try:
            value = json.loads(self.path.read_bytes())
            return Known(str(value["password"]), tuple(Token(**one) for one in value["tokens"]))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError("access_file_broken", str(self.path)) from error

    def _write(self, known: Known) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self.path, _json(asdict(known)), mode=0o600)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError("data_folder_unwritable", str(self.path), reason=reason) from error


class LoggedOut:
    """Sessions that were ended: their cookies, which somebody may have copied, are worth nothing.

    Each is kept until its cookie would have run out anyway.
    """

    def __init__(self, data: Path, seconds: float) -> None:
        self._path = data / LOGGED_OUT
        self._seconds = seconds
        self._one = Lock()
        self._until: dict[str, float] = {}
        try:
            self._until = {str(k): float(v) for k, v in json.loads(self._path.read_bytes()).items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise UserError("access_file_broken", str(self._path)) from error

    def __contains__(self, session_id: str) -> bool:
        return _sha256(session_id) in self._until

    def add(self, session_id: str) -> None:
        """End a session for good."""
        now = time.time()
        with self._one:
            kept = {key: until for key, until in self._until.items() if until > now}
            self._until = {**kept, _sha256(session_id): now + self._seconds}
            atomic_write(self._path, _json(self._until), mode=0o600)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _mark(hashed: str) -> str:
    """Return what a session says of the password or token that opened it; tells nothing of it."""
    return _sha256(f"session:{hashed}")[:32]


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=1).encode()
