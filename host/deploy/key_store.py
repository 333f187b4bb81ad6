"""The keys of boards on this computer: one file a board, readable by its owner only.

A burnt key exists twice in the world: in the chip, where nobody can read it, and here. So a file is
on the disk before the first fuse is burnt, nothing is overwritten, and what is damaged is named.
"""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ..errors import Finding, UserError
from ..files import atomic_write, sync_folder
from .board_key import BoardKey, id_of_code
from .machine_code import MachineCode

State = Literal["bound", "pending", "burnt", "locked"]

FOLDER_MODE, FILE_MODE = 0o700, 0o600
SUFFIX = ".json"
FORMAT = {"format": "maixforge board key", "version": 1}
FILE_BYTES_MAX = 4096
STATES: tuple[State, ...] = ("bound", "pending", "burnt", "locked")
"""In their order. pending: perhaps burnt, in part or wholly; burnt: the board answered with this
key; locked: it can be neither changed nor read out any more. Bound keys are in no fuse."""
_NAME = re.compile(r"\w(?:[\w -]{0,38}\w)?")
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A board's key under the name that its owner chose.

    `chip` is the chip's unique id (64 hex digits) where it was read, else ""; `made` is the time
    in UTC as ISO 8601.
    """

    name: str
    key: BoardKey
    state: State
    chip: str = field(default="", repr=False)
    jtag_closed: bool = False
    made: str = ""

    @classmethod
    def new(cls, name: str, key: BoardKey, chip: str = "") -> StoredKey:
        """Return the entry of a key that was made now.

        Raises:
            UserError: `key_name`.
        """
        state: State = "bound" if key.strength == "bound" else "pending"
        made = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(checked_name(name), key, state, chip=chip, made=made)

    @property
    def burnable(self) -> bool:
        """Whether the key is, or may be, in fuses: then nobody can get it back from the board."""
        return self.state != "bound"


class KeyStore:
    """The folder `<data>/keys`. It is made when the first key is added.

    `findings` tells what was mended on opening, to be shown.

    Raises:
        UserError: `keys_folder`: the folder is another user's, a link, or cannot be closed to
            others.
    """

    def __init__(self, data: Path) -> None:
        self.folder = (data / "keys").absolute()
        self.findings: list[Finding] = []
        if os.path.lexists(self.folder):
            self._close_to_others(self.folder, FOLDER_MODE)
            for path in self._paths():
                self._close_to_others(path, FILE_MODE)

    # Reading

    def look(self) -> tuple[list[StoredKey], list[Finding]]:
        """Return the keys, sorted by name, and what is wrong with the files of others."""
        keys: list[StoredKey] = []
        wrong: list[Finding] = []
        for path in self._paths():
            try:
                keys.append(self._read(path))
            except UserError as error:
                wrong += error.findings
        return keys, wrong

    def entries(self) -> list[StoredKey]:
        """Return the keys whose files are sound, sorted by name."""
        return self.look()[0]

    def get(self, name: str) -> StoredKey:
        """Return a key by its name or by its board id as 32 hex digits.

        Raises:
            UserError: `key_unknown`, `key_damaged`.
        """
        path, wanted = self._path_of(name), _folded(name)
        if path:
            return self._read(path)
        if _ID.fullmatch(wanted):
            found = self.by_id(bytes.fromhex(wanted))
            if found:
                return found
        raise self._unknown(name)

    def by_id(self, board_id: bytes) -> StoredKey | None:
        """Return the key whose board id (16 bytes) is `board_id`."""
        return next((one for one in self.entries() if one.key.board_id == board_id), None)

    def by_code(self, code: MachineCode) -> StoredKey:
        """Return the key of the board that shows `code`.

        Raises:
            UserError: `machine_code_burnt` or `key_unknown`: there is none.
        """
        found = self.by_id(id_of_code(code))
        if not found:
            raise UserError("machine_code_burnt") if code.strength == "burnt" else self._unknown()
        return found

    def refuse_taken(self, name: str) -> None:
        """Do nothing when no key has this name, in capital or small letters.

        Raises:
            UserError: `key_name_taken`.
        """
        if self._path_of(name):
            raise UserError("key_name_taken", _showable(name))

    # Writing

    def add(self, entry: StoredKey) -> None:
        """Store a key; it is on the disk when this returns.

        Raises:
            UserError: `key_name`, `key_name_taken`, `key_there`.
        """
        checked_name(entry.name)
        self.refuse_taken(entry.name)
        same = self.by_id(entry.key.board_id)
        if same:
            raise UserError("key_there", same.name)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        self._close_to_others(self.folder, FOLDER_MODE)
        sync_folder(self.folder.parent)
        path = self.folder / (entry.name + SUFFIX)
        try:
            atomic_write(path, as_bytes(entry), mode=FILE_MODE, replace=False)
        except FileExistsError:
            raise UserError("key_name_taken", entry.name) from None

    def advance(
        self, entry: StoredKey, state: State, *, chip: str = "", jtag_closed: bool = False
    ) -> StoredKey:
        """Note that a key got further; no note is ever taken back. Return the entry as stored.

        Raises:
            UserError: `key_unknown`, `key_damaged`, or `key_there`: there is another key by now.
        """
        here = self.get(entry.name)
        if here.key != entry.key:
            raise UserError("key_there", entry.name)
        changed = replace(
            here,
            state=max(here.state, state, key=STATES.index),
            chip=here.chip or chip,
            jtag_closed=here.jtag_closed or jtag_closed,
        )
        if changed != here:
            atomic_write(self.folder / (here.name + SUFFIX), as_bytes(changed), mode=FILE_MODE)
        return changed

    def forget(self, name: str) -> None:
        """Delete a key's file, sound or damaged.

        Raises:
            UserError: `key_unknown`.
        """
        path = self._path_of(name)
        if not path:
            raise self._unknown(name)
        path.unlink()
        sync_folder(self.folder)

    # Inside

    def _paths(self) -> list[Path]:
        found = self.folder.glob(f"[!.]*{SUFFIX}")
        return sorted(found, key=lambda path: (_folded(path.stem), path.stem))

    def _path_of(self, name: str) -> Path | None:
        wanted = _folded(name)
        return next((path for path in self._paths() if _folded(path.stem) == wanted), None)

    def _unknown(self, name: str = "") -> UserError:
        names = ", ".join(path.stem for path in self._paths()) or "-"
        return UserError("key_unknown", _showable(name), names=names)

    def _read(self, path: Path) -> StoredKey:
        try:
            data = path.read_bytes() if path.stat().st_size <= FILE_BYTES_MAX else b""
            return from_record(path.stem, json.loads(data))
        except OSError as error:
            raise UserError("key_damaged", path.name, reason=error.strerror or "") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            # "from None": the error of the JSON reader carries the whole text.
            raise UserError("key_damaged", path.name, reason="-") from None

    def _close_to_others(self, path: Path, mode: int) -> None:
        """Take everybody else's rights away; tell of it, as somebody may have looked."""
        if os.name != "posix":
            return
        found = path.lstat()
        is_right = stat.S_ISDIR if mode == FOLDER_MODE else stat.S_ISREG
        if not is_right(found.st_mode) or found.st_uid != os.geteuid():
            raise UserError("keys_folder", str(path))
        if not found.st_mode & 0o077:
            return
        path.chmod(mode)
        if path.lstat().st_mode & 0o077:  # e.g. FAT, which has no rights
            raise UserError("keys_folder", str(path))
        self.findings.append(
            Finding("keys_were_open", str(path), "warning", {"mode": f"{found.st_mode & 0o777:o}"})
        )


def checked_name(name: str) -> str:
    """Return a board's name as it is stored: letters and digits of any script, blank, - and _.

    Raises:
        UserError: `key_name`.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not _NAME.fullmatch(name) or _ID.fullmatch(_folded(name)):
        raise UserError("key_name", _showable(name))
    return name


def as_record(entry: StoredKey) -> dict[str, Any]:
    """Return what a file holds of a key: all but its name. This is secret."""
    return {
        **FORMAT,
        "strength": entry.key.strength,
        "state": entry.state,
        "key": entry.key.key.hex(),
        "board_id": entry.key.board_id.hex(),
        "chip": entry.chip,
        "jtag_closed": entry.jtag_closed,
        "made": entry.made,
    }


def from_record(name: str, record: Mapping[str, Any]) -> StoredKey:
    """Read what `as_record` made.

    Raises:
        ValueError, KeyError, TypeError: it is something else, or damaged.
    """
    strength, state = record["strength"], record["state"]
    texts = [record[part] for part in ("key", "board_id", "chip", "made")]
    if (
        any(record[part] != value for part, value in FORMAT.items())
        or strength not in ("bound", "burnt")
        or state not in STATES
        or (strength == "bound") != (state == "bound")
        or not all(isinstance(text, str) for text in texts)
        or not re.fullmatch(r"([0-9a-f]{64})?", record["chip"])
        or len(record["made"]) > 40
        or not isinstance(record["jtag_closed"], bool)
    ):
        raise ValueError("no key of a board")
    key = BoardKey(strength, bytes.fromhex(record["key"]))
    if key.board_id.hex() != record["board_id"]:
        raise ValueError("the key is not the board's")
    return StoredKey(name, key, state, record["chip"], record["jtag_closed"], record["made"])


def as_bytes(entry: StoredKey) -> bytes:
    """Return a key's file."""
    return (json.dumps(as_record(entry), indent=1) + "\n").encode("ascii")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _showable(name: str) -> str:
    """Return a name for a message; "" for what may be a code or a key typed in its place."""
    return "" if re.search(r"(?:[0-9a-fA-F][\W_]*){20}", name) else name[:60]
