"""The key of one board: 16 bytes for AES-128, and the number that names it.

Of a *bound* board the key follows from its machine code, on the board as here. Of a *burnt* board
it is random and in the chip's fuses, where the AES engine uses it and software cannot read it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

from Crypto.Cipher import AES

from ..errors import UserError
from .machine_code import MachineCode, Strength

__all__ = ["BLANK_ID", "KEY_BYTES", "WEIGHTS", "BoardKey", "Strength", "board_id", "id_of_code"]

KEY_BYTES = 16
KEY_DOMAIN = b"KMX1-KEY"
ID_DOMAIN = b"KMX1-ID"
WEIGHTS = range(40, 89)
"""One-bits of a key for the fuses: of random keys all but one in 85,000. Far fewer or more speak
rather for broken random numbers, or for zeros sent by mistake, than for chance."""
BLANK_ID = bytes.fromhex("eb6dd01fdff73c4fa1bbb723c4c89679")
"""The board id of 16 zero bytes: what the AES engine gives with a slot that nothing is burnt in."""


@dataclass(frozen=True, slots=True)
class BoardKey:
    """A board's key. `key` (16 bytes) is secret and never shows in the repr."""

    strength: Strength
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"a board key has {KEY_BYTES} bytes, not {len(self.key)}")

    @classmethod
    def new(cls) -> BoardKey:
        """Draw a key for the fuses from the system's random numbers."""
        while True:
            key = cls("burnt", secrets.token_bytes(KEY_BYTES))
            if key.weight in WEIGHTS:
                return key

    @classmethod
    def of_code(cls, code: MachineCode) -> BoardKey:
        """Return the key of the bound board that shows `code`.

        Raises:
            UserError: `machine_code_burnt`: the code names a key in fuses and leads to none.
        """
        if code.strength != "bound":
            raise UserError("machine_code_burnt")
        return cls("bound", hashlib.sha256(KEY_DOMAIN + code.value).digest()[:KEY_BYTES])

    @property
    def board_id(self) -> bytes:
        """The 16 bytes that name the board, see the function of that name."""
        return board_id(self.key)

    @property
    def code(self) -> str:
        """The machine code of a burnt board as people type it.

        "" for a bound board: its code leads to the key and cannot be had from it.
        """
        return MachineCode(self.board_id, "burnt").text if self.strength == "burnt" else ""

    @property
    def weight(self) -> int:
        """How many bits of the key are one, i.e. would be burnt."""
        return int.from_bytes(self.key, "big").bit_count()


def board_id(key: bytes) -> bytes:
    """Return SHA-256("KMX1-ID" + AES-128-CBC(key, IV 0, 16 zero bytes))[:16].

    The board computes it through its AES engine without knowing the key; nobody gets from it to
    the key. It stands in the header of sealed models.
    """
    answer = AES.new(key, AES.MODE_CBC, iv=bytes(16)).encrypt(bytes(16))
    return hashlib.sha256(ID_DOMAIN + answer).digest()[:16]


def id_of_code(code: MachineCode) -> bytes:
    """Return the board id (16 bytes) of the board that shows `code`, of either strength."""
    return code.value if code.strength == "burnt" else BoardKey.of_code(code).board_id
