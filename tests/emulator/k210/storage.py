"""What hangs on the SPI buses of a board: the NOR flash and the SD card."""

from __future__ import annotations

from collections import Counter

WRITE_ENABLE, WRITE_DISABLE, VOLATILE_ENABLE = 0x06, 0x04, 0x50
PROGRAM = (0x02, 0x32)
READS = (0x03, 0x0B, 0x3B, 0x6B, 0xBB, 0xEB)
ERASES = {0x20: 4096, 0x52: 32768, 0xD8: 65536, 0xC7: 0, 0x60: 0}
STATUS_WRITES = {0x01: 0, 0x31: 1, 0x11: 2}
JEDEC = b"\xef\x40\x18"
"""Winbond, 16 MiB: W25Q128, which Sipeed's boards carry."""


class NorFlash:
    """A W25Q128. Programming only clears bits; erasing sets them. Both take no time."""

    def __init__(self, size: int = 16 << 20) -> None:
        self.bytes = bytearray(b"\xff" * size)
        self.commands: Counter[int] = Counter()
        self.status = [0, 2, 0]  # quad mode is on, as the boards are delivered
        self._enabled = False
        self._sent = bytearray()
        self._given = 0

    def select(self) -> None:
        """Begin a command."""
        self._sent = bytearray()
        self._given = 0

    def take(self, byte: int) -> None:
        """Take a byte of the command, its address or its data."""
        self._sent.append(byte & 0xFF)
        self._given = 0

    def deselect(self) -> None:
        """Carry out a command that writes."""
        sent, self._sent = self._sent, bytearray()
        if not sent:
            return
        command = sent[0]
        self.commands[command] += 1
        if command in (WRITE_ENABLE, VOLATILE_ENABLE):
            self._enabled = True
            return
        if self._enabled:
            self._write(command, sent)
        self._enabled = False if command not in READS else self._enabled

    def _write(self, command: int, sent: bytearray) -> None:
        address = int.from_bytes(sent[1:4], "big") % len(self.bytes)
        if command in STATUS_WRITES:
            first = STATUS_WRITES[command]
            for at, value in enumerate(sent[1:3]):
                number = min(first + at, 2)
                self.status[number] = value & ~3 if number == 0 else value
        elif command in PROGRAM:  # wraps inside its page of 256 bytes
            page = address & ~0xFF
            for at, value in enumerate(sent[4:]):
                self.bytes[page | address + at & 0xFF] &= value
        elif command in ERASES:
            size = ERASES[command] or len(self.bytes)
            first = address & ~(size - 1)
            self.bytes[first : first + size] = b"\xff" * size

    def give(self, count: int) -> bytes:
        """Return the next bytes of the answer to what was sent."""
        command = self._sent[0] if self._sent else 0xFF
        at, self._given = self._given, self._given + count
        if command in READS:
            first = int.from_bytes(self._sent[1:4], "big") + at
            first %= len(self.bytes)
            data = bytes(self.bytes[first : first + count])
            return data + bytes(self.bytes[: count - len(data)])  # reads on at the start
        answers = {
            0x9F: JEDEC,
            0x90: bytes([JEDEC[0], 0x17]),
            0x05: bytes([self.status[0] | (2 if self._enabled else 0)]),
            0x35: bytes([self.status[1]]),
            0x15: bytes([self.status[2]]),
            0x4B: bytes.fromhex("d1602c1a834f5a27"),
            0xAB: b"\x17",
        }
        answer = answers.get(command, b"\xff")
        return bytes(answer[(at + i) % len(answer)] for i in range(count))

    def exchange(self, byte: int) -> int:
        """Clock one byte both ways."""
        if self._sent and self._sent[0] in (0x9F, 0x05, 0x35, 0x15):
            return self.give(1)[0]
        self.take(byte)
        return 0xFF


CSD = (0x40, 0x0E, 0, 0x32, 0x5B, 0x59, 0, 0, 0, 0, 0x7F, 0x80, 0x0A, 0x40, 0, 1)
CID = b"\x03SDVK210\x10\x00\x00\x00\x01\x01\x60\x01"
DATA_TOKEN, DATA_ACCEPTED = 0xFE, 0x05
CHIP_SELECT = 29
"""GPIOHS number of the card's chip select in MaixPy."""


class SdCard:
    """An SDHC card in SPI mode over `image`. Commands are framed by the chip select's GPIO."""

    def __init__(self, image: bytearray) -> None:
        self.image = image
        self.writes = 0
        self._idle, self._application = True, False
        self._answer = bytearray()
        self._command = bytearray()
        self._reading: int | None = None
        self._writing: tuple[int, bytearray | None, bool] | None = None

    def chip_select(self, level: int) -> None:
        """Forget a command that was begun when the select goes high."""
        if level:
            self._answer, self._command = bytearray(), bytearray()
            self._reading = self._writing = None

    def select(self) -> None:
        """Do nothing: the controller's own select is not wired to the card."""

    def deselect(self) -> None:
        """Do nothing: the controller's own select is not wired to the card."""

    def take(self, byte: int) -> None:
        """Take a byte of a command or of a block."""
        if self._writing is not None:
            self._take_data(byte)
        elif self._command or byte & 0xC0 == 0x40:
            self._command.append(byte)
            if len(self._command) == 6:
                command, self._command = self._command, bytearray()
                self._do(command[0] & 63, int.from_bytes(command[1:5], "big"))

    def _take_data(self, byte: int) -> None:
        assert self._writing is not None
        block, data, many = self._writing
        if data is None:
            if byte == DATA_TOKEN or (many and byte == 0xFC):
                self._writing = (block, bytearray(), many)
            elif many and byte == 0xFD:  # stop token
                self._writing = None
                self._answer += b"\x00\xff"
            return
        data.append(byte)
        if len(data) == 514:
            self.image[block * 512 : block * 512 + 512] = data[:512]
            self.writes += 1
            self._writing = (block + 1, None, True) if many else None
            self._answer += bytes((DATA_ACCEPTED, 0x00, 0xFF))

    def _do(self, command: int, argument: int) -> None:
        application, self._application = self._application, False
        state = b"\x01" if self._idle else b"\x00"
        self._answer += b"\xff"
        if command == 0:
            self._idle = True
            self._answer += b"\x01"
        elif command == 8:
            self._answer += state + bytes((0, 0, argument >> 8 & 15, argument & 255))
        elif command == 55:
            self._application = True
            self._answer += state
        elif command == 41 and application:
            self._idle = False
            self._answer += b"\x00"
        elif command == 58:
            self._answer += state + b"\xc0\xff\x80\x00"
        elif command in (9, 10):
            self._answer += b"\x00\xff\xfe" + (self._csd() if command == 9 else CID) + b"\0\0"
        elif command in (17, 18):
            self._answer += b"\x00" + self._block(argument)
            self._reading = argument + 1 if command == 18 else None
        elif command in (24, 25):
            self._answer += b"\x00"
            self._writing = (argument, None, command == 25)
        elif command == 12:
            self._reading, self._answer = None, bytearray(b"\x00")
        elif command in (13, 16, 59) or (command == 23 and application):
            self._answer += b"\x00"
        else:
            self._answer += b"\x04"  # illegal command

    def _csd(self) -> bytes:
        size = len(self.image) // 512 // 1024 - 1
        csd = bytearray(CSD)
        csd[7:10] = size.to_bytes(3, "big")
        return bytes(csd)

    def _block(self, number: int) -> bytes:
        data = bytes(self.image[number * 512 : number * 512 + 512])
        return b"\xff\xfe" + data + b"\x12\x34" if len(data) == 512 else b"\xff\x08"

    def give(self, count: int) -> bytes:
        """Return the next bytes of the answer."""
        while len(self._answer) < count and self._reading is not None:
            self._answer += self._block(self._reading)
            self._reading += 1
        data = bytes(self._answer[:count])
        del self._answer[:count]
        return data.ljust(count, b"\xff")

    def exchange(self, byte: int) -> int:
        """Clock one byte both ways."""
        answer = self.give(1)[0]
        self.take(byte)
        return answer
