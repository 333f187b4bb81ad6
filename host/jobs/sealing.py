"""The board that a job's model is sealed for. A job knows its name; its key is in the key store."""

from __future__ import annotations

from pathlib import Path

from ..deploy import machine_code, package
from ..deploy.board_key import BoardKey, id_of_code
from ..deploy.key_store import KeyStore, StoredKey
from ..errors import UserError
from .result_types import Sealed
from .spec import JobSpec

NEW_BOARD = "board {digits}"
"""Name of a board that came with nothing but its machine code."""


def entry_of(spec: JobSpec) -> StoredKey | None:
    """Return the board that the job's model is sealed for, None for none.

    Raises:
        UserError: `seal_canmv`, or as `usable`.
    """
    if not spec.seal:
        return None
    if spec.canmv:
        raise UserError("seal_canmv")
    return usable(Path(spec.data_folder), spec.seal)


def usable(data: Path, name: str) -> StoredKey:
    """Return the key of a board by its name or board id, if models may be sealed with it.

    Raises:
        UserError: `key_unknown`, `key_damaged`, `keys_folder`, or `seal_key_pending`: nobody knows
            whether the board really has the key.
    """
    entry = KeyStore(data).get(name)
    if entry.state == "pending":
        raise UserError("seal_key_pending", entry.name)
    return entry


def board_of_code(data: Path, text: str) -> StoredKey:
    """Return the board that shows the machine code `text`; one that is new is stored.

    Raises:
        UserError: `machine_code_...` where the code is mistyped, or is that of a burnt key which
            is not here; `seal_key_pending`.
    """
    code = machine_code.parse(text)
    store = KeyStore(data)
    known = store.by_id(id_of_code(code))
    if known:
        return usable(data, known.name)
    entry = StoredKey.new(_new_name(code), BoardKey.of_code(code))
    store.add(entry)
    return entry


def _new_name(code: machine_code.MachineCode) -> str:
    return NEW_BOARD.format(digits=id_of_code(code).hex()[: package.BOARD_DIGITS])


def names(data: Path) -> list[str]:
    """Return the names of the boards that models may be sealed for.

    Of a folder of keys that cannot be used there are none; who asks for one is told why.
    """
    try:
        return [one.name for one in KeyStore(data).entries() if one.state != "pending"]
    except UserError:
        return []


def known_as(entry: StoredKey | None) -> str:
    """Return what tells a board's key from another one of the same name; no key leads from it."""
    if entry is None:
        return ""
    return f"{entry.key.strength} {entry.key.board_id.hex()[: package.BOARD_DIGITS]}"


def described(entry: StoredKey, packed: package.Package) -> Sealed:
    """Return what a job's result says of its seal; nothing in it leads to a key."""
    assert packed.seal is not None
    return {
        "board": entry.name,
        "board_id": packed.seal.board,
        "strength": packed.seal.strength,
        "kmx": packed.board_file.relative_to(packed.folder.parent).as_posix(),
        "kmx_bytes": packed.seal.bytes,
    }
