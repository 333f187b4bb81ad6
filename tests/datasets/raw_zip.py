"""A zip writer that lies on demand, for hostile archives that `zipfile` would not write."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Entry:
    """A member; what is None is told truly."""

    name: str | bytes
    data: bytes = b"hello"
    method: int = 8
    flags: int = 0x800
    attributes: int = 0o100644 << 16
    system: int = 3
    crc: int | None = None
    size: int | None = None
    packed_size: int | None = None
    local_name: bytes | None = None
    offset: int | None = None
    extra: bytes = b""
    packed: bytes | None = None

    def raw_name(self) -> bytes:
        return self.name.encode() if isinstance(self.name, str) else self.name

    def payload(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method != 8:
            return self.data
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
        return squeeze.compress(self.data) + squeeze.flush()

    def numbers(self) -> tuple[int, int, int]:
        """CRC, packed size, size, as the headers tell them."""
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        packed = len(self.payload()) if self.packed_size is None else self.packed_size
        return crc, packed, len(self.data) if self.size is None else self.size


def local(entry: Entry) -> bytes:
    name = entry.raw_name() if entry.local_name is None else entry.local_name
    numbers = entry.numbers()
    header = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 20, entry.flags, entry.method, 0, 33, *numbers, len(name), 0
    )
    return header + name + entry.payload()


def central(entry: Entry, offset: int) -> bytes:
    name = entry.raw_name()
    made_by = entry.system << 8 | 20
    start = struct.pack(
        "<4s6H3L", b"PK\1\2", made_by, 20, entry.flags, entry.method, 0, 33, *entry.numbers()
    )
    end = struct.pack("<5H2L", len(name), len(entry.extra), 0, 0, 0, entry.attributes, offset)
    return start + end + name + entry.extra


def raw_zip(entries: list[Entry], **lies: int) -> bytes:
    """Return a zip of `entries`; `lies` may replace count, size and offset of the end record."""
    body, table = bytearray(), bytearray()
    for entry in entries:
        offset = len(body) if entry.offset is None else entry.offset
        table += central(entry, offset)
        if entry.offset is None:
            body += local(entry)
    count = lies.get("count", len(entries))
    size, start = lies.get("size", len(table)), lies.get("offset", len(body))
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, start, 0)
    return bytes(body + table + end)


def write_raw(path: Path, *entries: Entry, **lies: int) -> Path:
    path.write_bytes(raw_zip(list(entries), **lies))
    return path
