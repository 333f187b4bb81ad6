"""KMX1: a kmodel sealed with the key of one board.

Stock MaixPy loads no such file. `board/kit/unseal.py` mounts it on the board as a small read-only
FAT volume that is decrypted as it is read, and `KPU.load` reads the model from there.

All numbers are little-endian; offsets and sizes are bytes:

| offset | size | what |
|---|---|---|
| 0 | 8 | `KMXBOX1` and a zero byte |
| 8 | 2, 1, 1 | version 1, suite 1 (below), source of the board's key: 1 fuses, 2 machine code |
| 12 | 4, 4, 4 | bytes of a chunk (32,768), number of chunks n, bytes of the model |
| 24 | 16 | `board_id` of the key |
| 40 | 16 | salt |
| 56 | 48 | AES-128-CBC(board key, IV 0) of the encryption key (16) and the MAC key (32) |
| 104 | 24 | zero |
| 128 | 32 n | SHA-256 of each encrypted chunk |
| | 32 | HMAC-SHA256(MAC key, everything before it), zeros up to a multiple of 512 |
| | 32,768 n | the chunks: AES-128-CBC(encryption key, IV SHA-256(salt, number of the chunk)[:16]) |

Chunk 0 is the volume's metadata (`_volume`), the others are the model and zeros. Every byte of a
file counts: one that is changed, missing or too many is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from Crypto.Cipher import AES

from ..errors import UserError
from .board_key import BoardKey, Strength

MAGIC = b"KMXBOX1\0"
VERSION, SUITE = 1, 1
SOURCES: dict[Strength, int] = {"burnt": 1, "bound": 2}
CHUNK = 32768
SECTOR = 512
DIGEST = 32
HEADER = struct.Struct("<8sHBBIII16s16s48s24s")
"""Magic, version, suite, source, chunk, chunks, model bytes, board id, salt, wrapped keys, zero."""
DERIVE = b"KMX1-DERIVE"
NO_IV = bytes(16)


@dataclass(frozen=True, slots=True)
class ModelKeys:
    """What one model is sealed with: AES key (16 bytes), HMAC key (32), salt (16, no secret)."""

    encrypt: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    salt: bytes

    @classmethod
    def derive(cls, key: BoardKey, model: bytes) -> ModelKeys:
        """Return the keys of `model` for one board: HMAC-SHA256(board key, label, its SHA-256).

        They are derived, not drawn, so that a job that starts again makes the same file.
        """

        def part(label: bytes) -> bytes:
            text = DERIVE + label + hashlib.sha256(model).digest() + bytes((SOURCES[key.strength],))
            return hmac.digest(key.key, text, "sha256")

        return cls(part(b"-ENC")[:16], part(b"-MAC"), part(b"-SALT")[:16])


def seal(model: bytes, key: BoardKey, keys: ModelKeys | None = None) -> bytes:
    """Return `model` (at least one byte) as a KMX1 file for the board that has `key`.

    Equal arguments give equal bytes. `keys` are derived from both unless a test gives them.
    """
    if not model:
        raise ValueError("an empty model cannot be sealed")
    keys = keys or ModelKeys.derive(key, model)
    plain = [_volume(len(model))]
    plain += [model[at : at + CHUNK].ljust(CHUNK, b"\0") for at in range(0, len(model), CHUNK)]
    chunks = [_chunk_cipher(keys, number).encrypt(one) for number, one in enumerate(plain)]
    wrapped = _wrap_cipher(key).encrypt(keys.encrypt + keys.mac)
    head = HEADER.pack(
        MAGIC, VERSION, SUITE, SOURCES[key.strength], CHUNK, len(chunks), len(model),
        key.board_id, keys.salt, wrapped, bytes(24),
    )  # fmt: skip
    signed = head + b"".join(hashlib.sha256(one).digest() for one in chunks)
    start = signed + hmac.digest(keys.mac, signed, "sha256")
    return start.ljust(payload_at(len(chunks)), b"\0") + b"".join(chunks)


def unseal(data: bytes, key: BoardKey) -> bytes:
    """Return the model of a KMX1 file, all of whose bytes are as they were written.

    Raises:
        UserError: `sealed_damaged` or `sealed_for_another_board`.
    """
    count, size = _layout(data)
    keys = _verified_keys(data, count, key)
    plain = []
    for number, chunk in enumerate(_chunks(data, count)):
        _require_digest(data, number, chunk)
        plain.append(_chunk_cipher(keys, number).decrypt(chunk))
    return b"".join(plain[1:])[:size]


def check(data: bytes) -> bytes:
    """Return the board id (16 bytes) of a KMX1 file that is whole, as far as is seen without keys.

    Damage is found, forgery is not: the header's HMAC needs the board's key.

    Raises:
        UserError: `sealed_damaged`.
    """
    count, _ = _layout(data)
    for number, chunk in enumerate(_chunks(data, count)):
        _require_digest(data, number, chunk)
    return HEADER.unpack_from(data)[7]


def payload_at(chunks: int) -> int:
    """Return the offset of the first chunk in a file of so many."""
    return -(-(HEADER.size + DIGEST * (chunks + 1)) // SECTOR) * SECTOR


def sealed_bytes(model_bytes: int) -> int:
    """Return the size of the file that a model of so many bytes becomes."""
    chunks = 1 - (-model_bytes // CHUNK)
    return payload_at(chunks) + CHUNK * chunks


def _layout(data: bytes) -> tuple[int, int]:
    """Return chunks and bytes of the model, when what needs no key to be checked is right."""
    if len(data) < HEADER.size:
        raise _damaged()
    magic, version, suite, source, chunk, count, size, *_, zero = HEADER.unpack_from(data)
    if (magic, version, suite, chunk) != (MAGIC, VERSION, SUITE, CHUNK) or any(zero):
        raise _damaged()
    if source not in SOURCES.values() or size < 1 or count != 1 - (-size // CHUNK):
        raise _damaged()
    end = HEADER.size + DIGEST * (count + 1)
    if len(data) != sealed_bytes(size) or any(data[end : payload_at(count)]):
        raise _damaged()
    return count, size


def _verified_keys(data: bytes, count: int, key: BoardKey) -> ModelKeys:
    """Unwrap the keys and prove header and table with them."""
    end = HEADER.size + DIGEST * count
    head = list(HEADER.unpack_from(data))
    unwrapped = _wrap_cipher(key).decrypt(head[9])
    keys = ModelKeys(unwrapped[:16], unwrapped[16:], head[8])
    named = head[3], head[7]
    ours = SOURCES[key.strength], key.board_id
    # Were the file ours but for the board that it names, then just that was changed.
    head[3], head[7] = ours
    signed = HEADER.pack(*head) + data[HEADER.size : end]
    proved = hmac.compare_digest(hmac.digest(keys.mac, signed, "sha256"), data[end : end + DIGEST])
    if proved and named == ours:
        return keys
    raise _damaged() if proved or named[1] == ours[1] else UserError("sealed_for_another_board")


def _require_digest(data: bytes, number: int, chunk: bytes) -> None:
    place = HEADER.size + DIGEST * number
    if hashlib.sha256(chunk).digest() != data[place : place + DIGEST]:
        raise _damaged()


def _chunks(data: bytes, count: int) -> Iterator[bytes]:
    start = payload_at(count)
    return (data[at : at + CHUNK] for at in range(start, start + CHUNK * count, CHUNK))


def _chunk_cipher(keys: ModelKeys, number: int):  # noqa: ANN202 - pycryptodome names no type
    iv = hashlib.sha256(keys.salt + struct.pack("<I", number)).digest()[:16]
    return AES.new(keys.encrypt, AES.MODE_CBC, iv=iv)


def _wrap_cipher(key: BoardKey):  # noqa: ANN202
    return AES.new(key.key, AES.MODE_CBC, iv=NO_IV)


def _damaged() -> UserError:
    return UserError("sealed_damaged")


# The volume: FAT12 (Microsoft's "FAT: General Overview of On-Disk Format"), clusters of a chunk.

SECTORS_OF_CHUNK = CHUNK // SECTOR
ROOT_ENTRIES = 16
MEDIA = 0xF8
READ_ONLY_FILE = 0x21
CLUSTERS_MAX = 4084
"""With more it would be a FAT16."""


def _volume(size: int) -> bytes:
    """Return the first chunk: boot sector, one FAT and the root folder with the file `M`.

    They end where the first cluster begins, at the second chunk, so a cluster is a chunk.
    """
    clusters = -(-size // CHUNK)
    if clusters > CLUSTERS_MAX:
        raise ValueError(f"{size} bytes are too many for a sealed model")
    fat_sectors = ((clusters + 2) * 3 // 2 + SECTOR) // SECTOR
    root_sectors = ROOT_ENTRIES * 32 // SECTOR
    reserved = SECTORS_OF_CHUNK - root_sectors - fat_sectors
    total = SECTORS_OF_CHUNK * (1 + clusters)
    small, large = (total, 0) if total < 1 << 16 else (0, total)
    boot = struct.pack(
        "<3s8sHBHBHHBHHHIIBBBI11s8s", b"\xeb\x3c\x90", b"MSDOS5.0", SECTOR, SECTORS_OF_CHUNK,
        reserved, 1, ROOT_ENTRIES, small, MEDIA, fat_sectors, 63, 255, 0, large, 0x80, 0, 0x29, 0,
        b"KMX        ", b"FAT12   ",
    )  # fmt: skip
    boot = boot.ljust(SECTOR - 2, b"\0") + b"\x55\xaa"
    entry = struct.pack("<11sB14xHI", b"M          ", READ_ONLY_FILE, 2, size)
    chunk = boot.ljust(reserved * SECTOR, b"\0")
    chunk += _fat12(clusters).ljust(fat_sectors * SECTOR, b"\0") + entry
    return chunk.ljust(CHUNK, b"\0")


def _fat12(clusters: int) -> bytes:
    """Return the table of one file in clusters 2, 3, ..., two links in three bytes."""
    links = [0xF00 | MEDIA, 0xFFF, *range(3, clusters + 2), 0xFFF, 0]
    pairs = zip(links[::2], links[1::2], strict=False)
    return b"".join((low | high << 12).to_bytes(3, "little") for low, high in pairs)
