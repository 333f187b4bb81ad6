"""Bytes that look like a kmodel and like MaixPy firmware."""

import struct

from host.kmodel import ModelInfo

LABELS = ("cat", "dog", "bird")
BANNER = b"MicroPython v0.6.2-84-g8fcd84a58 on 2022-05-05; Sipeed_M1 with kendryte-k210"


def make_kmodel(size: int = 300_000, main_memory: int = 150_000) -> bytes:
    """A kmodel's header and noise behind it; `info_of` says what a real reader would say."""
    body = bytes((i * 7919 >> 3) & 255 for i in range(4096))
    data = struct.pack("<7I", 3, 1, 0, 1, 0, main_memory, 1) + body * (size // 4096 + 1)
    return data[:size]


def info_of(data: bytes, classes: int = 3, size: tuple[int, int] = (224, 224)) -> ModelInfo:
    main_memory = struct.unpack_from("<I", data, 20)[0]
    outputs = (4 * classes,)
    return ModelInfo(*size, 3, len(data), main_memory, len(data) + main_memory, 1, outputs)


def make_firmware(size: int = 700_000, text: bytes = b"ERR: only support kmodel V3\0") -> bytes:
    data = bytes.fromhex("21a8efbeadde0100") + BANNER + b"\0" + text
    return data + bytes(i % 251 for i in range(1000)) * ((size - len(data)) // 1000)
