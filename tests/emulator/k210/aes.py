"""AES in hardware: ECB and CBC with 128, 192 or 256 bits, or with the key in the OTP's slot.

Source: `aes.h` and `aes.c` of Kendryte's SDK; `gb_otp_en` of the OTP gives the engine the slot's
key (the boot ROM and Canaan's two-stage loader use it so). GCM and the DMA are not modelled.
"""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import Any

from Crypto.Cipher import AES

from .device import ClockedDevice, blocks, registers

AES_CLOCK = 1 << 19
ECB, CBC = 0, 1
FIFO = 20
"""Words that the engine takes before some are read: the driver works in pieces of 80 bytes."""


class Aes(ClockedDevice):
    """Takes text in words of little endian, gives as many back."""

    NAME, BASE = "AES", 0x50450000
    CLOCKS = MappingProxyType({"clk_en_peri": AES_CLOCK})
    REGISTERS = blocks(
        registers("key0 key1 key2 key3 encrypt_sel mode_ctl iv0 iv1 iv2 iv3 endian finish"),
        registers("dma_sel aad_num - pc_num text_data aad_data tag_chk data_in_flag", 0x30),
        registers("in_tag0 in_tag1 in_tag2 in_tag3 out_data aes_en data_out_flag", 0x50),
        registers("tag_in_flag tag_clear out_tag0 out_tag1 out_tag2 out_tag3", 0x6C),
        registers("key4 key5 key6 key7", 0x84),
    )

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self.dead = False
        """Whether the engine never answers."""
        self.uses_slot = True
        """Whether it heeds `gb_otp_en` at all."""
        self.reset()

    def reset(self) -> None:
        """Forget everything, as SYSCTL's reset of the engine does."""
        self.values = dict.fromkeys(self.values, 0)
        self._cipher: Any = None
        self._input: list[int] = []
        self._output: list[int] = []
        self._taken = 0

    def _key(self) -> bytes:
        size = 4 + 2 * (self.values["mode_ctl"] >> 3 & 3)
        if self.uses_slot and self.chip.otp.values["gb_otp_en"]:
            assert size == 4, "the OTP's slot holds a key of 128 bits"
            return self.chip.otp.aes_key
        assert size <= 8, "the AES engine has no such key size"
        return self._words("key", size)

    def _words(self, name: str, count: int) -> bytes:
        # The last four bytes are in the first register.
        words = [self.values[f"{name}{at}"] for at in reversed(range(count))]
        return struct.pack(f"<{count}I", *words)

    def write_aes_en(self, value: int) -> None:
        self.values["aes_en"] = value
        if not value & 1:
            return
        mode = self.values["mode_ctl"]
        for refused, what in (
            (mode & 7 not in (ECB, CBC), "a mode that is neither ECB nor CBC"),
            (mode >> 5, "a byte order in its mode register"),
            (not self.values["endian"] & 1, "words of big endian"),
            (self.values["dma_sel"], "the DMA"),
        ):
            if refused:
                raise AssertionError(f"the AES engine was given {what}, which is not modelled")
        if mode & 7 == CBC:
            self._cipher = AES.new(self._key(), AES.MODE_CBC, self._words("iv", 4))
        else:
            self._cipher = AES.new(self._key(), AES.MODE_ECB)
        self._taken = 0

    def read_data_in_flag(self) -> int:
        room = len(self._input) + len(self._output) < FIFO
        return int(self._cipher is not None and room and not self.dead)

    def write_text_data(self, value: int) -> None:
        if not self.read_data_in_flag():
            if self.dead:
                return
            raise AssertionError("the AES engine was given a word that it did not ask for")
        self._taken += 4
        if self._taken > self.values["pc_num"] + 1:
            raise AssertionError("the AES engine was given more than pc_num says")
        self._input.append(value)
        if len(self._input) == 4:
            block = struct.pack("<4I", *self._input)
            decrypt = self.values["encrypt_sel"] & 1
            done = self._cipher.decrypt(block) if decrypt else self._cipher.encrypt(block)
            self._output += struct.unpack("<4I", done)
            self._input = []
            self.values["finish"] = int(self._taken == self.values["pc_num"] + 1)

    def read_data_out_flag(self) -> int:
        return int(bool(self._output))

    def read_out_data(self) -> int:
        return self._output.pop(0) if self._output else 0
