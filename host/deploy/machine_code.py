"""Machine codes: what `board/keygen/machine_code.py` shows and a person types or scans.

A code is 32 hex digits and 4 check digits. It belongs to the strength "bound, no fuse": the value
is SHA-256("KMX1-BOUND" + machine.unique_id())[:16], computed on the board, and leads to the key of
models sealed for that board. It is to be treated like a key: never in logs, addresses or reports.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from ..errors import UserError

DOMAIN = b"KMX1-BOUND"
VALUE_BYTES = 16
DIGITS = 2 * VALUE_BYTES + 4
_SPACING = re.compile(r"[\s\-\u2010-\u2015\u2212_.:]+")
_LABEL = re.compile(r"^machine\s*code\s*[:：]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MachineCode:
    """A code whose check digits are right. `value` (16 bytes) never shows in its repr."""

    value: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The code as the board shows it: nine groups of four capital hex digits."""
        digits = self.value.hex().upper() + check_digits(self.value)
        return "-".join(digits[at : at + 4] for at in range(0, DIGITS, 4))


def of_board(unique_id: bytes) -> MachineCode:
    """Return the code of the board whose `machine.unique_id()` (32 bytes) is `unique_id`."""
    return MachineCode(hashlib.sha256(DOMAIN + unique_id).digest()[:VALUE_BYTES])


def check_digits(value: bytes) -> str:
    """Return the four check digits: CRC-16 (polynomial 0x1021, start 0xFFFF) of "B" and `value`.

    It finds every wrong digit, every two digits exchanged that stand beside each other, and all
    but one of 65,536 other mistakes.
    """
    crc = 0xFFFF
    for byte in b"B" + value:
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
    if check_digits(value) != digits[2 * VALUE_BYTES :]:
        raise UserError("machine_code_check")
    return MachineCode(value)
