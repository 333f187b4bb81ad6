"""Machine codes: what a board is called by where people type or scan it.

A code is 32 hex digits and 4 check digits. There are two kinds, which the check digits tell apart:

* bound, no fuse: SHA-256("KMX1-BOUND" + machine.unique_id())[:16], shown by
  `board/keygen/machine_code.py`. It leads to the key of models sealed for that board.
* burnt: the `board_id` of a key in the chip's fuses, shown by `maixforge keygen`. It leads to no
  key, but it names the board.

Both are treated like keys: never in logs, addresses or reports.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal

from ..errors import UserError

Strength = Literal["bound", "burnt"]

DOMAIN = b"KMX1-BOUND"
LETTERS: dict[Strength, bytes] = {"bound": b"B", "burnt": b"F"}
"""What the check digits begin with. One CRC is never that of both, as it is of equal lengths."""
VALUE_BYTES = 16
DIGITS = 2 * VALUE_BYTES + 4
_SPACING = re.compile(r"[\s\-\u2010-\u2015\u2212_.:]+")
_LABEL = re.compile(r"^machine\s*code\s*[:：]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MachineCode:
    """A code whose check digits are right. `value` (16 bytes) never shows in its repr."""

    value: bytes = field(repr=False)
    strength: Strength = "bound"

    @property
    def text(self) -> str:
        """The code as the board shows it: nine groups of four capital hex digits."""
        digits = self.value.hex().upper() + check_digits(self.value, self.strength)
        return "-".join(digits[at : at + 4] for at in range(0, DIGITS, 4))


def of_board(unique_id: bytes) -> MachineCode:
    """Return the code of the board whose `machine.unique_id()` (32 bytes) is `unique_id`."""
    return MachineCode(hashlib.sha256(DOMAIN + unique_id).digest()[:VALUE_BYTES])


def check_digits(value: bytes, strength: Strength = "bound") -> str:
    """Return the check digits: CRC-16 (polynomial 0x1021, start 0xFFFF) of a letter and `value`.

    The letter is B for "bound" and F for "burnt", by a fuse.
    It finds every wrong digit, every two digits exchanged that stand beside each other, and all
    but one of 65,536 other mistakes.
    """
    crc = 0xFFFF
    for byte in LETTERS[strength] + value:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return f"{crc:04X}"


def parse(text: str) -> MachineCode:
    """Read a code as people type, paste or scan it: any case, blanks, hyphens, line ends.

    The letters O, I and L, which are no hex digits, are read as 0 and 1. The text itself is in no
    error: a mistyped code is most of a key.

    Raises:
        UserError: `machine_code_characters`, `machine_code_length` or `machine_code_check`.
    """
    digits = _SPACING.sub("", _LABEL.sub("", text.strip())).upper()
    digits = digits.translate(str.maketrans("OIL", "011"))
    wrong = sum(digit not in "0123456789ABCDEF" for digit in digits)
    if wrong:
        raise UserError("machine_code_characters", found=wrong)
    if len(digits) != DIGITS:
        raise UserError("machine_code_length", found=len(digits), needed=DIGITS)
    value = bytes.fromhex(digits[: 2 * VALUE_BYTES])
    for strength in LETTERS:
        if check_digits(value, strength) == digits[2 * VALUE_BYTES :]:
            return MachineCode(value, strength)
    raise UserError("machine_code_check")
