"""What the boot ROM starts: an image at flash address 0, plain or encrypted with a key in fuses.

`flags | u32 length | payload | SHA-256 of all that`; bit 0 of the flags: the payload is encrypted,
bit 1: the ROM reads with two data lines (kflash's default). The ROM checks the SHA-256 over the
bytes as they are stored, then decrypts with the key of the chip's fuses: AES-128-CBC, IV of zeros.
As kflash 1.1.6 makes it with `--key`, which it cannot do from a kfpkg or as a library.
"""

from __future__ import annotations

import hashlib
import struct

from Crypto.Cipher import AES

from ..errors import UserError
from .flash_map import HEADER_BYTES
from .key_store import StoredKey

ENCRYPTED, DIO = 1, 2


def plain(code: bytes) -> bytes:
    """Return the boot image of `code`, as kflash makes it of a firmware.bin."""
    return _image(code, DIO)


def encrypted(code: bytes, key: bytes) -> bytes:
    """Return the boot image of `code` that only a chip with `key` (16 bytes) in fuses starts.

    Zeros fill it to a multiple of 16 bytes. Equal input gives equal bytes, and equal beginnings
    of two versions show, because the IV is always zero.
    """
    padded = code + bytes(-len(code) % 16)
    return _image(AES.new(key, AES.MODE_CBC, iv=bytes(16)).encrypt(padded), DIO | ENCRYPTED)


def _image(payload: bytes, flags: int) -> bytes:
    data = struct.pack("<BI", flags, len(payload)) + payload
    return data + hashlib.sha256(data).digest()


def is_encrypted(image: bytes) -> bool:
    """Tell whether a boot image (as `is_image` knows it) has its payload encrypted."""
    return bool(image[0] & ENCRYPTED)


def is_image(data: bytes) -> bool:
    """Tell whether data begins with a boot image whose length and SHA-256 are right."""
    size = length(data)
    return 0 < size <= len(data) - HEADER_BYTES and data.startswith(
        _image(data[5 : 5 + size], data[0])
    )


def length(data: bytes) -> int:
    """Return the payload's length as a boot image tells it, 0 where there is room for none."""
    return struct.unpack_from("<I", data, 1)[0] if len(data) > HEADER_BYTES else 0


def fuse_key(entry: StoredKey) -> bytes:
    """Return the 16 bytes that the boot ROM of this board decrypts with.

    Raises:
        UserError: `firmware_key_bound` (a bound board has no key in fuses: its ROM would decrypt
            with zeros and not start) or `firmware_key_pending` (nobody knows yet whether the key
            is in the fuses).
    """
    if entry.state == "bound":
        raise UserError("firmware_key_bound", entry.name)
    if entry.state == "pending":
        raise UserError("firmware_key_pending", entry.name)
    return entry.key.key
