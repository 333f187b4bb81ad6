"""A K210 that is asked by kflash: the mask ROM's ISP and kflash's stub, as protocol models.

The frames are SLIP; a request is u16 op, u16 0, u32 CRC-32 of the rest, u32 address, u32 length,
data (little endian); an answer is op and code, 0xE0 for success.
"""

from __future__ import annotations

import struct
import zlib

OK, BAD_LENGTH, BAD_SUM, BAD_COMMAND, NOT_READY, BAD_WRITE = 0xE0, 0xE1, 0xE2, 0xE3, 0xE4, 0xE6
RAM, RAM_BYTES, FLASH_BYTES = 0x80000000, 8 << 20, 16 << 20


def framed(*values: int) -> bytes:
    data = bytes(values).replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + data + b"\xc0"


class Isp:
    """What answers: `take` bytes, fetch them from `out`.

    `flash` is what lies in the flash; `writes` lists (address, data). `program` is what the ROM
    was told to start. `touch(address, data)` may change a piece on its way into the flash, return
    the code of an error, or None: the board is dead.
    """

    def __init__(self):
        self.flash = bytearray(b"\xff" * FLASH_BYTES)
        self.writes: list[tuple[int, bytes]] = []
        self.touch = lambda address, data: data
        self.reset()

    def reset(self):
        self.baud = 115200
        self.booted = self.ready = self.rebooted = False
        self.program = b""
        self.out = bytearray()
        self._in = bytearray()
        self._ram: dict[int, bytes] = {}

    def take(self, data: bytes):
        self._in += data
        while self._in.count(b"\xc0") >= 2:
            start = self._in.index(b"\xc0")
            end = self._in.index(b"\xc0", start + 1)
            frame = bytes(self._in[start + 1 : end])
            if not frame:  # the end of a frame that began before there was a board
                del self._in[start : start + 1]
                continue
            del self._in[: end + 1]
            self._request(frame.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb"))

    def _answer(self, op, code):
        self.out += framed(op, code)

    def _request(self, frame):
        op = frame[0]
        handler = getattr(self, f"_op_{op:02x}", None)
        if handler is None or (op >= 0xD0) != self.booted:
            self._answer(op, BAD_COMMAND)
        elif op in (0xC2, 0xD2, 0xD5):
            handler(0, b"")
        elif len(frame) < 16 or zlib.crc32(frame[8:]) != struct.unpack_from("<I", frame, 4)[0]:
            self._answer(op, BAD_SUM)
        else:
            handler(struct.unpack_from("<I", frame, 8)[0], frame[12:])

    def _data(self, op, rest):
        length, data = struct.unpack_from("<I", rest)[0], rest[4:]
        if length != len(data):
            self._answer(op, BAD_LENGTH)
            return None
        return data

    def _op_c2(self, address, rest):
        self._answer(0xC2, OK)

    def _op_c3(self, address, rest):
        data = self._data(0xC3, rest)
        if data is not None:
            assert len(data) <= 1024 and RAM <= address <= RAM + RAM_BYTES - len(data)
            self._ram[address] = data
            self._answer(0xC3, OK)

    def _op_c5(self, address, rest):
        assert address == RAM and self._ram
        memory = bytearray(max(at + len(data) for at, data in self._ram.items()) - RAM)
        for at, data in self._ram.items():
            memory[at - RAM : at - RAM + len(data)] = data
        self.program = bytes(memory)
        self.booted, self.baud = True, 115200

    def _op_c6(self, address, rest):
        self.baud = struct.unpack_from("<I", rest, 4)[0]

    def _op_d2(self, address, rest):
        self._answer(0xD2, OK)

    def _op_d6(self, address, rest):
        self.baud = struct.unpack_from("<I", rest, 4)[0]

    def _op_d7(self, address, rest):
        self.ready = True
        self._answer(0xD7, OK)

    def _op_d4(self, address, rest):
        data = self._data(0xD4, rest)
        if data is None:
            return
        touched = self.touch(address, data)
        if isinstance(touched, int):
            self._answer(0xD4, touched)
        elif not self.ready:
            self._answer(0xD4, NOT_READY)
        elif address + len(data) > FLASH_BYTES:
            self._answer(0xD4, BAD_WRITE)
        elif touched is not None:  # None: the board died
            self.flash[address : address + len(data)] = touched
            self.writes.append((address, data))
            self._answer(0xD4, OK)

    def _op_d5(self, address, rest):
        self.rebooted = True
        self._answer(0xD5, OK)


class IspPort(Isp):
    """Stands in for `serial.Serial`."""

    def __init__(self, *args, **keywords):
        super().__init__()
        self.baudrate = 115200

    def isOpen(self):
        return True

    def open(self):
        raise AssertionError("the port is open")

    def close(self):
        pass

    def setDTR(self, on):
        pass

    setRTS = setDTR

    def flushInput(self):
        self.out.clear()

    def flushOutput(self):
        pass

    def read(self, count=1):
        data = bytes(self.out[:count])
        del self.out[:count]
        return data

    def write(self, data):
        self.take(data)
        return len(data)

    def written(self) -> bytes:
        """The flash from address 0 to the last byte that was written."""
        return bytes(self.flash[: max(a + len(d) for a, d in self.writes)])
