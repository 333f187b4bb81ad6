"""A virtual board that runs the very keygen.bin of the project, for the tests beside this file."""

from __future__ import annotations

import hashlib
import json
import zlib
from functools import lru_cache
from pathlib import Path

from Crypto.Cipher import AES
from k210 import Chip
from k210.hart import patched
from k210.memory import RAM
from k210.otp import FUNCTIONS, KEY

FOLDER = Path(__file__).resolve().parents[2] / "firmware" / "keygen"
IMAGE = FOLDER / "keygen.bin"
FACTORY = slice(0x3D90, 0x3DB0)
NAMES = (
    "blank_test_off", "ram_bisr_off", "key_write_off", "key_verify_off", "jtag_off",
    "i2c2axi_off", "test_mode_off", "isp_off", "cipher_off", "pinned_firmware",
)  # fmt: skip
BLANK = bytes(16)
KEY_A = bytes.fromhex("00112233445566778899aabbccddeeff")
KEY_B = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f1")
NOTHING = {"key_bits": "none", "functions": []}
RAM_USED = 0x10000
"""More than the program and its stack need."""


def code_of(key: bytes) -> str:
    """The machine code of a slot with this key, worked out by other means than the firmware's."""
    answer = AES.new(key, AES.MODE_CBC, bytes(16)).encrypt(bytes(16))
    return hashlib.sha256(b"KMX1-ID" + answer).hexdigest()[:32]


def part_of(key: bytes, ones: int) -> bytes:
    """The first so many ones of a key, as a power cut leaves them."""
    bits = [bit for bit in range(128) if key[bit // 8] >> bit % 8 & 1][:ones]
    return sum(1 << bit for bit in bits).to_bytes(16, "little")


def weight(key: bytes) -> int:
    """The number of ones."""
    return int.from_bytes(key, "big").bit_count()


@lru_cache(maxsize=1)
def image() -> bytes:
    """The program as Chip.load would put it into the RAM; that takes its time."""
    return patched(IMAGE.read_bytes())


class Keygen:
    """The chip with the program in its RAM, waiting for commands.

    Whatever the program says must come at 115200 baud, as lines of JSON, and must not have the key
    in it: `ask` checks that.

    Args:
        slot: what is in the key slot.
        fuses: of functions by name: 1, 2 (one of the two) or 3.
    """

    def __init__(self, slot: bytes = BLANK, **fuses: int) -> None:
        self.chip = Chip()
        self.otp = self.chip.otp
        self.otp.bytes[FACTORY] = bytes(range(0x20, 0x40))
        self.otp.bytes[KEY:] = slot
        for name, pair in fuses.items():
            number = NAMES.index(name)
            self.otp.bytes[FUNCTIONS + number // 4] |= pair << 2 * (number % 4)
        self.said = bytearray()
        self.secrets = {KEY_A, KEY_B}
        self.chip.uarths.send = self._hear
        self.chip.uarths.starving = self.chip.end_slice  # nothing comes but from `ask`
        self.power_cycle()

    def _hear(self, byte: int) -> None:
        assert abs(self.chip.uarths.baud / 115200 - 1) < 0.005
        self.said.append(byte)

    def power_cycle(self) -> None:
        """Start the program anew: nothing is left but the fuses."""
        self.chip.memory.write(RAM, b"\xa5" * RAM_USED)
        self.chip.memory.write(RAM, image())
        for hart in self.chip.harts:
            hart.restart()
        self.otp.reset()
        self.otp.trouble = lambda _event: ""
        self.chip.aes.reset()
        self.chip.uarths.received.clear()
        self.said.clear()
        self.greeting = self.listen("maixforge")[-1]

    def listen(self, member: str) -> list[dict]:
        """Run until a line with this member comes; return what was said up to there."""
        self.said.clear()
        wanted = f'{{"{member}":'.encode()
        ended = self.chip.run(lambda: self.said.endswith(b"\n") and wanted in self.said, 20)
        assert ended == "until", f"{ended}; it said {bytes(self.said)!r}"
        lines = [json.loads(line) for line in self.said.decode("ascii").splitlines()]
        assert [member in line for line in lines] == [False] * (len(lines) - 1) + [True]
        self._check_secrets()
        switches = {name: self.otp.values[name] for name in ("gb_otp_en", "data_blk_ctrl")}
        assert switches == {"gb_otp_en": 0, "data_blk_ctrl": 0}
        return lines

    def _check_secrets(self) -> None:
        said = bytes(self.said)
        for key in self.secrets:
            for at in range(0, 16, 4):
                piece = key[at : at + 4]
                assert piece not in said and piece.hex().encode() not in said.lower()

    def ask(self, line: str | bytes) -> dict:
        """Send a line; return the reply."""
        self.chip.uarths.type((line.encode() if isinstance(line, str) else line) + b"\n")
        return self.listen("reply")[-1]

    def status(self) -> dict:
        """Return the reply to STATUS."""
        return self.ask("STATUS")

    @property
    def unique_id(self) -> str:
        """What MaixPy's machine.unique_id() would give."""
        return hashlib.sha256(self.otp.bytes[FACTORY]).hexdigest()

    def burn_line(self, key: bytes) -> str:
        """The command that burns a key into this board."""
        return f"BURN BURN {self.unique_id[:8]} {key.hex()} {zlib.crc32(key):08x}"

    def burn(self, key: bytes) -> dict:
        """Return the reply to BURN."""
        self.secrets.add(key)
        return self.ask(self.burn_line(key))

    def lock(self, key: bytes, jtag: str = "keep") -> dict:
        """Return the reply to LOCK."""
        return self.ask(f"LOCK {code_of(key)} {jtag}")

    @property
    def functions(self) -> list[str]:
        """Names of the functions whose two fuses are both blown."""
        fuses = int.from_bytes(self.otp.bytes[FUNCTIONS : FUNCTIONS + 16], "little")
        assert fuses >> 20 == 0, "a function that has no name was touched"
        return [name for number, name in enumerate(NAMES) if fuses >> 2 * number & 3 == 3]
