"""TFRecord files and the Examples in them, read without TensorFlow and without trust.

A record is its length (8 bytes, little endian), the masked CRC-32C of those, the data, and the
masked CRC-32C of the data (tensorflow/core/lib/io/record_writer.h). The data of an object
detection set are a protobuf `Example`: a map of names to lists of bytes, floats or integers
(tensorflow/core/example/feature.proto).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from .listing import Unreadable

_FRAME = struct.Struct("<QI")
_VARINT, _LONG, _BYTES, _SHORT = 0, 1, 2, 5
_FIELDS = 20_000
"""Fields in one message, at most: enough for 20,000 boxes, read in well under a second."""

Value = int | memoryview
Features = dict[str, list[Value]]
"""The values of each feature as they are stored: texts and pictures as bytes, floats as four
bytes each or many packed, integers as numbers or packed varints."""


def is_records(head: bytes) -> bool:
    """Say whether a file that starts with `head` is a TFRecord file: its first checksum fits."""
    return len(head) >= _FRAME.size and masked_crc(head[:8]) == _FRAME.unpack_from(head)[1]


def masked_crc(data: bytes) -> int:
    """Return the CRC-32C of `data`, rotated and moved as TFRecord stores it."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: Path, most: int) -> Iterator[bytes | Unreadable]:
    """Yield the data of each record, or why it cannot be had.

    Records of more than `most` bytes are not read. After a length that is not to be trusted
    nothing more of the file is.
    """
    with path.open("rb") as file:
        left = path.stat().st_size
        if not left:
            yield Unreadable("record_damaged", "0 bytes")
        while left:
            head = file.read(_FRAME.size)
            if not is_records(head):
                yield Unreadable("record_damaged", "CRC" if len(head) == _FRAME.size else "EOF")
                return
            length = _FRAME.unpack(head)[0]
            left -= _FRAME.size + length + 4
            if left < 0 or length > most:
                yield Unreadable("record_damaged", f"{length} bytes")
                return
            data, crc = file.read(length), file.read(4)
            good = len(crc) == 4 and struct.unpack("<I", crc)[0] == masked_crc(data)
            yield data if good else Unreadable("record_damaged", "CRC")


def example(data: bytes) -> Features:
    """Return the features of an Example.

    Raises:
        Unreadable: `record_damaged`.
    """
    found: Features = {}
    for features in _messages(memoryview(data), 1):
        for entry in _messages(features, 1):
            name = b"".join(bytes(key) for key in _messages(entry, 1))[:200].decode(
                "utf-8", "replace"
            )
            lists = [one for value in _messages(entry, 2) for _, one in _fields(value)]
            found[name] = [
                item for one in lists if isinstance(one, memoryview) for _, item in _fields(one)
            ]
    return found


def floats(values: list[Value]) -> list[float]:
    """Return the numbers of a float feature, packed or not."""
    data = b"".join(bytes(value) for value in values if isinstance(value, memoryview))
    if len(data) % 4 or len(data) > 4 * _FIELDS:
        raise Unreadable("record_damaged", "floats")
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def texts(values: list[Value]) -> list[str]:
    """Return the texts of a bytes feature."""
    return [
        bytes(value[:1000]).decode("utf-8", "replace")
        for value in values
        if isinstance(value, memoryview)
    ]


def integers(values: list[Value]) -> list[int]:
    """Return the numbers of an integer feature, packed or not; negative ones are so again."""
    found: list[int] = []
    for value in values:
        place = 0
        while isinstance(value, memoryview) and place < len(value):
            number, place = _varint(value, place)
            found.append(number)
            if len(found) > _FIELDS:
                raise Unreadable("record_damaged", "integers")
        if isinstance(value, int):
            found.append(value)
    return [number - (1 << 64) if number >= 1 << 63 else number for number in found]


def _messages(data: memoryview, number: int) -> Iterator[memoryview]:
    return (
        value for key, value in _fields(data) if key == number and isinstance(value, memoryview)
    )


def _fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield number and value of each field of a protobuf message."""
    place = 0
    for _ in range(_FIELDS):
        if place >= len(data):
            return
        key, place = _varint(data, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, place = _varint(data, place)
        else:
            length = {_LONG: 8, _SHORT: 4}.get(kind, len(data))
        if place + length > len(data):
            raise Unreadable("record_damaged", "protobuf")
        yield key >> 3, data[place : place + length]
        place += length
    raise Unreadable("record_damaged", f"> {_FIELDS}")


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place
    raise Unreadable("record_damaged", "protobuf")
