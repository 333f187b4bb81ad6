"""The OTP of the virtual K210, driven step by step as the SDK's driver drives it."""

import pytest

pytest.importorskip("unicorn", reason="no unicorn on this platform")

from k210 import Chip, UnknownRegisterError
from k210.otp import APB1_CLOCK, FUNCTIONS, KEY, OTP_CLOCK, PROTECTION, Event, Otp, PowerLostError

LIMIT = 50
KEY_BYTES = bytes(range(0x10, 0x20))


class TimeoutOfDriver(Exception):
    """A flag did not come."""


class Driver:
    """Reads and writes as otp.c does."""

    def __init__(self, chip):
        self.otp = chip.otp
        self.offsets = {name: offset for offset, name in Otp.REGISTERS.items()}
        chip.sysctl.values.update(clk_en_peri=OTP_CLOCK, clk_en_cent=APB1_CLOCK)
        self.set(cpu_ctrl=0, thershold=21, data_blk_ctrl=0, gb_otp_en=0, pwr_mode=0)

    def set(self, **registers):
        for name, value in registers.items():
            self.otp.write(self.offsets[name], 4, value)

    def get(self, name):
        return self.otp.read(self.offsets[name], 4)

    def wait(self, name):
        for polls in range(LIMIT):
            if value := self.get(name):
                self.polls = polls
                return value
        raise TimeoutOfDriver(name)

    def read(self, address, count=1):
        self.set(cle=0, mode=0, wrg_adr_flag=0, ceb=0)
        found = b""
        for at in range(address, address + count):
            self.wait("adr_in_flag")
            if at == address + count - 1:
                self.set(last_dat=1)
            self.set(apb_adr=8 * at)
            self.wait("data_rdy")
            if self.get("wrg_adr_flag"):
                return None
            found += bytes([self.get("data")])
        return found

    def write(self, address, data):
        self.set(cle=0, mode=1, data_acp_flag=0, wrg_adr_flag=0, ceb=0)
        for bit in range(8 * len(data)):
            last, one = bit == 8 * len(data) - 1, data[bit // 8] >> bit % 8 & 1
            if not one and not last:
                continue
            self.wait("adr_in_flag")
            self.set(apb_adr=8 * address + bit, in_dat=one)
            if last:
                self.set(last_dat=1)
            self.set(dat_in_finish=1)
            answer = self.wait("data_acp_flag")
            if self.get("wrg_adr_flag"):
                return "address"
            if answer == 1:
                return "write"
            self.set(data_acp_flag=0)
        return self.repair(0) or self.repair(1)

    def repair(self, step):
        self.set(cle=1, mode=2, test_mode=0x30, test_step=step, ceb=0)
        self.wait("bisr_finish")
        self.set(bisr_finish=0)
        return "repair" if step == 0 and self.get("pro_wrong") else ""

    def compare(self, key):
        self.set(key_cmp_result=0)
        for at in range(0, 16, 4):
            self.set(cmp_key=int.from_bytes(key[at : at + 4], "big"))
        return self.wait("key_cmp_result")

    def function(self, number):
        self.set(data_blk_ctrl=1)
        answer = self.write(FUNCTIONS + number // 4, bytes([3 << 2 * (number % 4)]))
        self.set(data_blk_ctrl=0)
        return answer


@pytest.fixture
def chip():
    return Chip()


@pytest.fixture
def driver(chip):
    return Driver(chip)


def go_wrong(otp, event, what, times=1):
    left = [times]

    def trouble(step):
        if step != event:
            return ""
        left[0] -= 1
        return what if left[0] == 0 else ""

    otp.trouble = trouble


def test_what_is_written_is_read(driver):
    assert driver.write(0x3B10, b"\x01\x80\xa5") == ""
    assert driver.read(0x3B0F, 5) == b"\0\x01\x80\xa5\0"
    assert driver.otp.pulses == [
        8 * 0x3B10,
        8 * 0x3B11 + 7,
        *(8 * 0x3B12 + n for n in (0, 2, 5, 7)),
    ]


def test_a_fuse_never_goes_back(driver):
    driver.write(0x3B10, b"\xf0")
    assert driver.write(0x3B10, b"\x0c") == ""
    assert driver.read(0x3B10) == b"\xfc"
    driver.otp.reset()
    driver.set(thershold=21)
    assert driver.read(0x3B10) == b"\xfc"


def test_every_step_takes_a_while(driver):
    driver.set(cle=0, mode=0, ceb=0)
    assert driver.get("adr_in_flag") == 0
    driver.wait("adr_in_flag")
    assert driver.polls == Otp.BUSY - 1
    driver.set(last_dat=1, apb_adr=0)
    assert driver.get("data_rdy") == 0
    assert driver.wait("data_rdy") == 1
    assert driver.get("ceb") == 1, "the operation ended itself"


def test_the_key_slot_cannot_be_read_but_compared(driver):
    assert driver.write(KEY, KEY_BYTES) == ""
    assert driver.otp.slot == KEY_BYTES
    for address in range(KEY, KEY + 16):
        assert driver.read(address) is None
        assert driver.get("data") == 0
    assert driver.compare(KEY_BYTES) == 2
    assert driver.compare(KEY_BYTES[::-1]) == 1
    assert KEY_BYTES[:4] not in bytes(
        byte for value in driver.otp.values.values() for byte in value.to_bytes(4, "big")
    )


def test_key_write_off_and_key_verify_off(driver):
    driver.write(KEY, KEY_BYTES)
    assert driver.function(2) == ""
    driver.read(FUNCTIONS)  # puts it in force
    assert driver.write(KEY, b"\xff" * 16) == "address"
    assert driver.otp.slot == KEY_BYTES
    assert driver.compare(KEY_BYTES) == 2
    assert driver.function(3) == ""
    driver.read(FUNCTIONS)
    assert driver.compare(KEY_BYTES) == 3 and driver.compare(b"x" * 16) == 3


@pytest.mark.parametrize("number", [0, 2, 9, 31, 32, 63])
def test_a_function_is_two_fuses_and_in_force_when_it_was_read(driver, number):
    flags = "reg_flag_low" if number < 32 else "reg_flag_high"
    assert driver.function(number) == ""
    assert driver.get(flags) == 0
    driver.read(FUNCTIONS + number // 4)
    assert driver.get(flags) == 1 << number % 32
    assert driver.otp.is_set(number)


def test_one_fuse_of_two_is_not_set(driver):
    driver.set(data_blk_ctrl=1)
    assert driver.write(FUNCTIONS, b"\x10") == ""
    driver.otp.reset()
    driver.set(thershold=21)
    assert driver.get("reg_flag_low") == 0


def test_function_and_protect_bits_need_their_switch(driver):
    assert driver.write(FUNCTIONS, b"\x30") == "address"
    assert driver.write(PROTECTION, b"\x03") == "address"
    assert not any(driver.otp.bytes)


@pytest.mark.parametrize(
    ("block", "inside", "outside"),
    [(0, 0, 1024), (14, 14 * 1024, 0x3AD0), (16, 0x3AD0, 0x3AE0), (17, 0x3AEF, 0x3ADF)],
)
def test_a_protected_block_cannot_be_written(driver, block, inside, outside):
    driver.set(data_blk_ctrl=1)
    assert driver.write(PROTECTION + block // 4, bytes([3 << 2 * (block % 4)])) == ""
    driver.set(data_blk_ctrl=0)
    driver.otp.reset()
    driver.set(thershold=21)
    assert driver.get("block_flag_low") == 1 << block
    assert driver.write(inside, b"\x01") == "address"
    assert driver.write(outside, b"\x01") == ""
    assert driver.read(inside) == b"\0"


@pytest.mark.parametrize(
    ("event", "what", "answer"),
    [
        (Event.ADDRESS, "refused", "address"),
        (Event.PULSE, "failed", "write"),
        (Event.REPAIR_WRITE, "failed", "repair"),
    ],
)
def test_each_step_of_writing_can_fail(driver, event, what, answer):
    go_wrong(driver.otp, event, what)
    assert driver.write(KEY, KEY_BYTES) == answer
    assert driver.write(KEY, KEY_BYTES) == ""


@pytest.mark.parametrize(
    "event", [Event.READY, Event.ADDRESS, Event.REPAIR_WRITE, Event.REPAIR_READ]
)
def test_each_step_of_writing_can_hang(driver, event):
    go_wrong(driver.otp, event, "stuck")
    with pytest.raises(TimeoutOfDriver):
        driver.write(KEY, KEY_BYTES)


def test_comparing_and_reading_can_fail(driver):
    driver.write(KEY, KEY_BYTES)
    go_wrong(driver.otp, Event.COMPARE, "failed")
    assert driver.compare(KEY_BYTES) == 1
    go_wrong(driver.otp, Event.READ, "refused", 2)
    assert driver.read(0x3D90, 3) is None


@pytest.mark.parametrize("event", [Event.PULSE, Event.PULSED])
def test_power_loss_keeps_what_was_programmed(driver, event):
    go_wrong(driver.otp, event, "power", 3)
    with pytest.raises(PowerLostError):
        driver.write(0x3B10, b"\xff")
    assert driver.otp.bytes[0x3B10] == (0b11 if event == Event.PULSE else 0b111)


def test_a_driver_that_does_not_wait_is_caught(driver):
    with pytest.raises(AssertionError, match="before it asked"):
        driver.set(apb_adr=0)
    with pytest.raises(AssertionError, match="without an address"):
        driver.set(dat_in_finish=1)
    driver.set(cle=0, mode=1, ceb=0)
    driver.wait("adr_in_flag")
    driver.set(apb_adr=8 * 0x3B10, in_dat=1, dat_in_finish=1)
    driver.wait("data_acp_flag")
    driver.wait("adr_in_flag")
    driver.set(apb_adr=8 * 0x3B10 + 1)
    with pytest.raises(AssertionError, match="not cleared"):
        driver.set(dat_in_finish=1)


def test_what_is_not_modelled_says_so(chip, driver):
    for registers, said in (
        ({"cpu_ctrl": 0xCAAC}, "bypass"),
        ({"cle": 1, "mode": 2, "test_mode": 0x24, "ceb": 0}, "not modelled"),
        ({"cle": 0, "mode": 3, "ceb": 0}, "no mode"),
        ({"cle": 1, "mode": 0, "ceb": 0}, "cle"),
        ({"cle": 0, "mode": 0, "thershold": 0, "ceb": 0}, "divider"),
    ):
        with pytest.raises(AssertionError, match=said):
            driver.set(**registers)
    with pytest.raises(UnknownRegisterError):
        chip.otp.read(0xC0, 4)
    chip.sysctl.values["clk_en_peri"] = 0
    with pytest.raises(AssertionError, match="clock"):
        driver.get("status")
