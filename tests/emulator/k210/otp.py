"""One-time programmable memory: the read path. Programming it is refused.

Offsets and procedures were read from the OTP driver in the history of Kendryte's SDK: in mode 0 a
program waits for `adr_in_flag`, writes a bit address to `apb_adr`, waits for `data_rdy` and finds
the byte in `data`, or `wrg_adr_flag` set.
"""

from __future__ import annotations

from .device import Device, registers

SIZE = 0x4000
KEY = 0x3FF0
"""The AES key lies here to the end; it never reads back."""
READ = 0


class Otp(Device):
    """128 kbit; `bytes` may be filled before the chip starts."""

    NAME, BASE = "OTP", 0x50420000
    REGISTERS = registers(
        "ceb test_mode mode gb_otp_en dat_in_finish bisr_fail test_step pwrrdy last_dat data "
        "pwr_mode in_dat apb_adr td_result data_acp_flag adr_in_flag wr_result thershold "
        "bisr_finish key_cmp_result cmp_key cmp_result_rdy cle data_blk_ctrl wrg_adr_flag "
        "pro_wrong status pro_adr blank_finish bisr2otp_en cpu_ctrl web rstb seltm readen pgmen "
        "dle din cpumpen cle_cpu ceb_cpu adr_cpu dat_cpu data_rdy"
    )

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self.bytes = bytearray(SIZE)

    def read_adr_in_flag(self) -> int:
        return 1

    def read_data_rdy(self) -> int:
        ready, self.values["data_rdy"] = self.values["data_rdy"], 0
        return ready

    def write_apb_adr(self, value: int) -> None:
        if self.values["mode"] != READ:
            raise AssertionError("this virtual chip's OTP cannot be programmed")
        address = value // 8
        self.values["wrg_adr_flag"] = int(address >= KEY)
        self.values["data"] = self.bytes[address] if address < KEY else 0
        self.values["data_rdy"] = 1

    def write_dat_in_finish(self, value: int) -> None:
        if value:
            raise AssertionError("this virtual chip's OTP cannot be programmed")
