"""The settings: one frozen dataclass, read from the environment and an optional TOML file."""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import UserError
from .i18n import LANGUAGES, N_

PREFIX = "MAIXFORGE_"
CONFIG = f"{PREFIX}CONFIG"
"""The variable that names the TOML file; it is no setting itself."""
MAIXPY_BIN = f"{PREFIX}MAIXPY_BIN"
"""The variable that names a MaixPy .bin for the tests on real firmware; no setting either."""
TOKEN, TOKEN_FILE = f"{PREFIX}TOKEN", f"{PREFIX}TOKEN_FILE"
"""The variables of `maixforge --host`, the client of a host; see `host.remote`."""
SMTP_PASSWORD = f"{PREFIX}SMTP_PASSWORD"
"""The variable of a secret; no other process is started with it."""

SMTP_SECURITY = ("starttls", "tls", "none")
_ATOMS = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_DOMAIN = re.compile(r"(?:(?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)*(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_URL = re.compile(r"https?://[^\s/?#@<>\"']+(?:/[^\s?#<>\"']*)?")


def _about(
    text: str, unit: str = "", low: int | None = None, high: int | None = None
) -> dict[str, Any]:
    """Document one setting and, for numbers, its limits (inclusive)."""
    return {"help": text, "unit": unit, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. `docs/settings.md` shows the same table; a test compares.

    A setting `port` is read from `MAIXFORGE_PORT`, else from the key `port` of the TOML file
    that `MAIXFORGE_CONFIG` names, else it has its default.
    """

    data: Path = field(
        default=Path("data"), metadata=_about("Folder for jobs, their pictures and results.")
    )
    host: str = field(
        default="127.0.0.1",
        metadata=_about("Address to listen on; others than this computer need a password."),
    )
    port: int = field(default=8080, metadata=_about("Port to listen on.", low=1, high=65535))
    trusted_hosts: str = field(
        default="",
        metadata=_about("Other names of the host, separated by commas: what stands in its URL."),
    )
    proxy: str = field(
        default="",
        metadata=_about("Address of the reverse proxy that is believed who asks, e.g. 127.0.0.1."),
    )
    https: bool = field(
        default=False,
        metadata=_about("Behind a reverse proxy with TLS: cookies go over https only."),
    )
    session_hours: int = field(
        default=12, metadata=_about("How long a login lasts after the last request.", "hours", 1)
    )
    login_tries: int = field(
        default=10,
        metadata=_about("Wrong passwords or tokens that an address may send in 15 minutes.", "", 1),
    )
    uploads: int = field(
        default=120, metadata=_about("Uploads that an address may send in an hour.", "", 1)
    )
    board_ports: bool = field(
        default=False,
        metadata=_about(
            "Visitors from other computers, too, may use the serial ports of the host's computer."
        ),
    )
    lang: str = field(
        default="",
        metadata=_about("Language of pages: en or zh; empty: what the browser asks for."),
    )
    threads: int = field(
        default=0,
        metadata=_about("Processor threads for one training; 0: all.", "threads", 0, 1024),
    )
    secret_key_file: Path = field(
        default=Path("secret_key"),
        metadata=_about(
            "File of the key that signs sessions, made on first start; inside the data folder "
            "unless the path is absolute."
        ),
    )
    firmware: Path = field(
        default=Path("firmware"),
        metadata=_about("Folder where you put MaixPy firmware files for kfpkg packages."),
    )
    nncase_python: str = field(
        default="",
        metadata=_about(
            "Python 3.7 to 3.10 that has nncase 1.9, for CanMV; empty: looked for (make nncase)."
        ),
    )
    upload_bytes: int = field(
        default=20 * 1024 * 1024, metadata=_about("Largest data set zip.", "bytes", 1)
    )
    members: int = field(
        default=20_000, metadata=_about("Most files inside a data set zip.", "files", 1)
    )
    member_bytes: int = field(
        default=16 * 1024 * 1024,
        metadata=_about("Largest single file inside a zip, unpacked.", "bytes", 1),
    )
    ratio: int = field(
        default=20,
        metadata=_about("Largest unpacked size of a zip in times of its own.", "times", 1),
    )
    pixels: int = field(default=16_000_000, metadata=_about("Largest picture.", "pixels", 1))
    classes_min: int = field(
        default=2, metadata=_about("Fewest classes of a data set.", "classes", 2)
    )
    classes_advised: int = field(
        default=3, metadata=_about("Fewer classes than this give a warning.", "classes", 2)
    )
    classes_max: int = field(
        default=15, metadata=_about("Most classes of a data set.", "classes", 2)
    )
    images_min: int = field(
        default=40, metadata=_about("Fewest pictures of a class.", "pictures", 1)
    )
    images_max: int = field(
        default=2000, metadata=_about("Most pictures of a class.", "pictures", 1)
    )
    boxes_min: int = field(
        default=5, metadata=_about("Fewest boxes of a class, for detection.", "boxes", 1)
    )
    boxes_advised: int = field(
        default=100, metadata=_about("Fewer boxes than this give a warning.", "boxes", 1)
    )
    boxes_max: int = field(
        default=2000, metadata=_about("More boxes than this give a warning.", "boxes", 1)
    )

    keep_days: int = field(
        default=0,
        metadata=_about("Jobs that ended so long ago are deleted; 0: never.", "days", 0),
    )
    keep_jobs: int = field(
        default=0,
        metadata=_about("Of more jobs the oldest are deleted; 0: none is.", "jobs", 0),
    )
    keep_bytes: int = field(
        default=0,
        metadata=_about("When all jobs take more, the oldest are deleted; 0: none.", "bytes", 0),
    )
    smtp_host: str = field(
        default="", metadata=_about("Mail server that takes our mails; empty: none are sent.")
    )
    smtp_port: int = field(
        default=587,
        metadata=_about("Its port: mostly 587 for starttls, 465 for tls.", low=1, high=65535),
    )
    smtp_security: str = field(
        default="starttls", metadata=_about("How it is spoken to: starttls, tls or none.")
    )
    smtp_ca: str = field(
        default="",
        metadata=_about("File of the certificates to trust there; empty: those of this system."),
    )
    smtp_user: str = field(default="", metadata=_about("Name for its login; empty: no login."))
    smtp_password: str = field(
        default="",
        repr=False,
        metadata=_about("Its password, by this variable only; never shown."),
    )
    smtp_password_file: str = field(
        default="",
        metadata=_about("File that holds the password instead, readable by its owner only (0600)."),
    )
    mail_from: str = field(default="", metadata=_about("Address that our mails come from."))
    mail_attachment: int = field(
        default=8 * 1024 * 1024,
        metadata=_about("Largest SD zip that is attached to a mail; 0: none is.", "bytes", 0),
    )
    public_url: str = field(
        default="",
        metadata=_about("Address of the pages as readers of mails reach them, for links."),
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            _check(one.name, getattr(self, one.name), one.metadata)
        if self.lang not in ("", *LANGUAGES):
            raise _invalid("lang", self.lang, ", ".join(LANGUAGES))
        if self.smtp_security not in SMTP_SECURITY:
            raise _invalid("smtp_security", self.smtp_security, ", ".join(SMTP_SECURITY))
        if self.mail_from and not is_mail_address(self.mail_from):
            raise _invalid("mail_from", self.mail_from, N_("a mail address such as a@example.org"))
        if self.public_url and not _URL.fullmatch(self.public_url):
            raise _invalid("public_url", self.public_url, "https://forge.example.org/")

    @property
    def secret_key_path(self) -> Path:
        """Where the session key lies: a relative name is inside the data folder."""
        return self.data / self.secret_key_file


def is_loopback(host: str) -> bool:
    """Return whether `host` names this computer only (the name localhost or an address)."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_mail_address(text: str) -> bool:
    """Return whether `text` is a plain ASCII mail address: no name, no comment, no list."""
    local, _, domain = text.rpartition("@")
    sized = len(local) <= 64 and len(text) <= 254  # RFC 5321, 4.5.3.1
    return sized and bool(_ATOMS.fullmatch(local) and _DOMAIN.fullmatch(domain))


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of `environment` (default: the process's) and of its TOML file.

    Raises:
        UserError: `setting_unknown`, `setting_invalid` or `settings_unreadable`; the finding's
            path is the variable or the file.
    """
    environment = os.environ if environment is None else environment
    values = _from_file(environment[CONFIG]) if environment.get(CONFIG) else {}
    types = {one.name: type(one.default) for one in fields(Settings)}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name in (CONFIG, MAIXPY_BIN, TOKEN, TOKEN_FILE):
            continue
        key = name.removeprefix(PREFIX).lower()
        if key not in types:
            raise UserError("setting_unknown", name, known=", ".join(sorted(types)))
        values[key] = _parse(key, text, types[key])
    return Settings(**values)


def _from_file(name: str) -> dict[str, Any]:
    """Read the TOML file `name`; relative paths in it are relative to the file."""
    path = Path(name)
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError("settings_unreadable", name, reason=str(error)) from error
    types = {one.name: type(one.default) for one in fields(Settings)}
    if "smtp_password" in table:
        raise UserError("setting_secret", name)
    unknown = sorted(set(table) - set(types))
    if unknown:
        raise UserError("setting_unknown", f"{name}: {unknown[0]}", known=", ".join(sorted(types)))
    values = {key: _parse(key, value, types[key]) for key, value in table.items()}
    for key in ("data", "firmware"):
        if key in values:
            values[key] = path.parent / values[key]
    for key in ("nncase_python", "smtp_ca", "smtp_password_file"):
        if values.get(key):
            values[key] = str(path.parent / values[key])
    return values


def _parse(key: str, value: Any, kind: type) -> Any:
    """Turn a text of the environment or a TOML value into the type of its field."""
    if kind is bool:
        try:
            return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
        except KeyError:
            raise _invalid(key, value, "true, false") from None
    if kind is int:
        if isinstance(value, bool) or not str(value).strip().isascii():
            raise _invalid(key, value, N_("a whole number"))
        try:
            return int(str(value).replace("_", ""))
        except ValueError:
            raise _invalid(key, value, N_("a whole number")) from None
    if not isinstance(value, str):
        raise _invalid(key, value, N_("text"))
    if kind is str:
        return value.strip()
    if not value.strip():
        raise _invalid(key, value, N_("the name of a file or folder"))
    return Path(value)


def _check(key: str, value: Any, limits: Mapping[str, Any]) -> None:
    low, high = limits["low"], limits["high"]
    if low is not None and not low <= value <= (high or value):
        needed = f"{low} ... {high}" if high else f">= {low}"
        raise _invalid(key, value, needed)


def _invalid(key: str, value: Any, needed: str) -> UserError:
    return UserError("setting_invalid", f"{PREFIX}{key.upper()}", value=str(value), needed=needed)
