"""Keys of boards sealed with a passphrase: a file for another computer, or for a drawer.

    0   8   "MFKEYS" and version 1 (u16, little endian)
    8   1   log2 of scrypt's N; r = 8 and p = 1 belong to the version
    9   16  salt
    25  12  nonce
    37  n   ChaCha20-Poly1305 of the keys as JSON; bytes 0 to 36 are authenticated with it
    ... 16  tag
    ... 32  SHA-256 of everything before it

The hash at the end is no protection. It tells a damaged file from a wrong passphrase, which the tag
alone cannot. Salt and nonce are drawn anew, so two exports of the same keys differ.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from Crypto.Cipher import ChaCha20_Poly1305

from ..errors import UserError
from .key_store import KeyStore, StoredKey, as_record, checked_name, from_record

SUFFIX = ".mfkeys"
PASSPHRASE_LENGTH = 10
"""Fewest characters. scrypt makes a guess cost 128 MiB and about half a second, no more."""
LOG_N = 17
LOG_N_READ = range(15, 20)
"""What is read: at most 512 MiB and some seconds, however hostile the file."""
BYTES_MAX = 1 << 20

_HEAD = struct.Struct("<6sHB16s12s")
_MAGIC, _VERSION, _R, _P = b"MFKEYS", 1, 8, 1
_TAG, _SUM = 16, 32


def seal(keys: Sequence[StoredKey], passphrase: str) -> bytes:
    """Return a file with `keys` that opens with `passphrase`.

    Raises:
        UserError: `passphrase_short`.
    """
    if len(passphrase) < PASSPHRASE_LENGTH:
        raise UserError("passphrase_short", found=len(passphrase), least=PASSPHRASE_LENGTH)
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    head = _HEAD.pack(_MAGIC, _VERSION, LOG_N, salt, nonce)
    records = [{"name": one.name, **as_record(one)} for one in keys]
    cipher = _cipher(passphrase, salt, nonce, LOG_N)
    cipher.update(head)
    body, tag = cipher.encrypt_and_digest(json.dumps(records).encode())
    whole = head + body + tag
    return whole + hashlib.sha256(whole).digest()


def unseal(data: bytes, passphrase: str) -> list[StoredKey]:
    """Return the keys of a file that `seal` made.

    Raises:
        UserError: what `check` raises; `key_file_passphrase`: the passphrase is another, or
            somebody changed file and hash on purpose.
    """
    log_n, salt, nonce = check(data)
    cipher = _cipher(passphrase, salt, nonce, log_n)
    cipher.update(data[: _HEAD.size])
    end = len(data) - _SUM - _TAG
    try:
        text = cipher.decrypt_and_verify(data[_HEAD.size : end], data[end : end + _TAG])
    except ValueError:
        raise UserError("key_file_passphrase") from None
    try:
        records = json.loads(text)
        if not isinstance(records, list):
            raise TypeError("no list of keys")
        keys = [from_record(checked_name(one.pop("name")), one) for one in records]
        if len({one.key for one in keys}) + len({one.name for one in keys}) != 2 * len(keys):
            raise ValueError("twice the same board or name")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError("key_file_damaged") from None
    return keys


def read(path: Path) -> bytes:
    """Return a file's bytes for `unseal` after `check`, so that nobody is asked in vain.

    Raises:
        UserError: what `check` raises.
    """
    if path.stat().st_size > BYTES_MAX:
        raise UserError("key_file_unknown")
    data = path.read_bytes()
    check(data)
    return data


def check(data: bytes) -> tuple[int, bytes, bytes]:
    """Return log2 N, salt and nonce of a file that can be opened; no passphrase is needed.

    Raises:
        UserError: `key_file_unknown`, `key_file_newer`, `key_file_damaged` (changed by accident),
            `key_file_costly` (it asks for more memory than is given to it).
    """
    if not data.startswith(_MAGIC):
        raise UserError("key_file_unknown")
    if not _HEAD.size + _TAG + _SUM <= len(data) <= BYTES_MAX:
        raise UserError("key_file_damaged")
    if hashlib.sha256(data[:-_SUM]).digest() != data[-_SUM:]:
        raise UserError("key_file_damaged")
    _, version, log_n, salt, nonce = _HEAD.unpack_from(data)
    if version != _VERSION:
        raise UserError("key_file_newer", found=version, known=_VERSION)
    if log_n not in LOG_N_READ:
        raise UserError("key_file_costly", found=log_n, least=LOG_N_READ[0], most=LOG_N_READ[-1])
    return log_n, salt, nonce


def take_in(store: KeyStore, keys: Sequence[StoredKey], name: str = "") -> dict[str, str]:
    """Add imported keys to `store`, all or, if one is refused, none.

    A key that is here already keeps its name here and only learns how far it got.

    Args:
        store: where they go.
        keys: what `unseal` returned.
        name: for a file of one key: the name to give it here.

    Returns: for each name here "added", "same" or "updated".

    Raises:
        UserError: `key_name_taken` (by another board), `key_import_name` (`name` for several).
    """
    if name and len(keys) != 1:
        raise UserError("key_import_name", found=len(keys))
    wanted = [(checked_name(name or one.name), one) for one in keys]
    here = {one.key.board_id: one for one in store.entries()}
    fresh = [(n, one) for n, one in wanted if one.key.board_id not in here]
    for taken, _ in fresh:
        store.refuse_taken(taken)
    done: dict[str, str] = {}
    for _, one in wanted:
        older = here.get(one.key.board_id)
        if older:
            newer = store.advance(older, one.state, chip=one.chip, jtag_closed=one.jtag_closed)
            done[older.name] = "same" if newer == older else "updated"
    for own, one in fresh:
        store.add(StoredKey(own, one.key, one.state, one.chip, one.jtag_closed, one.made))
        done[own] = "added"
    return done


def _cipher(
    passphrase: str, salt: bytes, nonce: bytes, log_n: int
) -> ChaCha20_Poly1305.ChaCha20Poly1305Cipher:
    # NFKC: the same passphrase typed on another system may come as other code points.
    text = unicodedata.normalize("NFKC", passphrase).encode()
    # OpenSSL's scrypt by way of the standard library; pycryptodome's takes Latin-1 texts only.
    memory = 129 * _R * (1 << log_n)
    key = hashlib.scrypt(text, salt=salt, n=1 << log_n, r=_R, p=_P, maxmem=memory, dklen=32)
    return ChaCha20_Poly1305.new(key=key, nonce=nonce)
