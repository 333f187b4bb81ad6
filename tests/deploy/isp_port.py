"""A serial port with a K210 behind it: the mask ROM's ISP and kflash's stub, as protocol models.

The frames are SLIP; a request is u16 op, u16 0, u32 CRC-32 of the rest, u32 address, u32 length,
data (little endian); an answer is op and code, 0xE0 for success.
"""

from __future__ import annotations

import struct
import zlib

OK, BAD_SUM, BAD_COMMAND, NOT_READY = 0xE0, 0xE2, 0xE3, 0xE4


class IspPort:
    """Stands in for `serial.Serial`. `flash` maps written bytes; `writes` lists (address, data)."""

    def __init__(self, *args, **keywords):
        self.baudrate = 115200
        self.writes: list[tuple[int, bytes]] = []
        self.booted = self.ready = self.rebooted = False
        self._in, self._out = bytearray(), bytearray()
        self._memory = 0

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
        self._out.clear()

    def flushOutput(self):
        pass

    def read(self, count=1):
        data, self._out = bytes(self._out[:count]), self._out[count:]
        return data

    def write(self, data):
        self._in += data
        while self._in.count(b"\xc0") >= 2:
            start = self._in.index(b"\xc0")
            end = self._in.index(b"\xc0", start + 1)
            frame = bytes(self._in[start + 1 : end])
            del self._in[: end + 1]
            self._request(frame.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb"))
        return len(data)

    def _answer(self, op, code):
        self._out += b"\xc0" + bytes((op, code)).replace(b"\xc0", b"\xdb\xdc") + b"\xc0"

    def _request(self, frame):
        op = frame[0]
        handler = getattr(self, f"_op_{op:02x}", None)
        if handler is None:
            self._answer(op, BAD_COMMAND)
        elif op in (0xC2, 0xD2, 0xD5):
            handler(0, b"")
        elif zlib.crc32(frame[8:]) != struct.unpack_from("<I", frame, 4)[0]:
            self._answer(op, BAD_SUM)
        else:
            address, length = struct.unpack_from("<II", frame, 8)
            handler(address, frame[16 : 16 + length])

    def _op_c2(self, address, data):
        self._answer(0xC2, OK)

    def _op_c3(self, address, data):
        assert address >= 0x80000000 and address + len(data) <= 0x80800000
        self._memory += len(data)
        self._answer(0xC3, OK)

    def _op_c5(self, address, data):
        assert address == 0x80000000 and self._memory > 10_000
        self.booted = True

    def _op_d2(self, address, data):
        assert self.booted
        self._answer(0xD2, OK)

    def _op_d7(self, address, data):
        self.ready = True
        self._answer(0xD7, OK)

    def _op_d4(self, address, data):
        if not self.ready:
            self._answer(0xD4, NOT_READY)
            return
        self.writes.append((address, data))
        self._answer(0xD4, OK)

    def _op_d5(self, address, data):
        self.rebooted = True
        self._answer(0xD5, OK)

    def flash(self) -> bytes:
        """Everything written, from address 0 to the last byte; untouched bytes are 0xFF."""
        memory = bytearray(b"\xff" * max(a + len(d) for a, d in self.writes))
        for address, data in self.writes:
            memory[address : address + len(data)] = data
        return bytes(memory)
