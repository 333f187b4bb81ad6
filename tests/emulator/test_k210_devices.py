"""Each peripheral of the virtual K210 by itself, driven through its registers."""

import hashlib
import struct

import numpy as np
import pytest
from Crypto.Cipher import AES

pytest.importorskip("unicorn", reason="no unicorn on this platform")

import itertools

from k210 import Chip, UnknownRegisterError
from k210.camera import OV2640_ADDRESS, Ov2640
from k210.memory import RAM, UNCACHED
from k210.panel import Panel
from k210.rig import firmware_image
from k210.storage import NorFlash, SdCard


@pytest.fixture
def chip():
    return Chip()


def reg(device, name):
    return next(offset for offset, known in device.REGISTERS.items() if known == name)


def put(device, name, value):
    device.write(reg(device, name), 4, value)


def get(device, name):
    return device.read(reg(device, name), 4)


def test_memory_is_the_same_at_both_addresses(chip):
    chip.memory.write(RAM + 100, b"abc")
    assert chip.memory.read(UNCACHED + 100, 3) == b"abc"
    with pytest.raises(IndexError):
        chip.memory.read(RAM + (8 << 20) - 2, 3)


def test_a_register_that_nobody_described_stops_the_run(chip):
    chip.sysctl.values.update(clk_en_peri=0xFFFFFFFF, clk_en_cent=0xFFFFFFFF)
    known_holes = {"PLIC": 0x1FFF00, "DMAC": 0xF8, "KPU": 0x48, "FPIOA": 0x100}
    for device in chip.devices:
        hole = known_holes.get(device.name, 0xFF8)
        with pytest.raises(UnknownRegisterError, match=device.name):
            device.read(hole, 4)
        with pytest.raises(UnknownRegisterError, match=device.name):
            device.write(hole, 4, 1)


def test_devices_do_not_overlap(chip):
    spans = sorted((d.base, d.base + d.SIZE, d.name) for d in chip.devices)
    for (_, end, one), (start, _, other) in itertools.pairwise(spans):
        assert end <= start, (one, other)


# Interrupts and time


def test_plic_gives_the_most_important_source_once(chip):
    plic = chip.plic
    for source, priority in ((11, 1), (33, 3)):
        plic.write(4 * source, 4, priority)
    plic.write(0x2000, 4, 1 << 11)
    plic.write(0x2004, 4, 1 << 33 - 32)
    plic.update({11: True, 33: True})
    assert plic.best(0) == 33 and plic.best(1) == 0
    assert plic.read(0x200004, 4) == 33
    plic.update({11: True, 33: True})  # claimed: not again before it is completed
    assert plic.read(0x200004, 4) == 11
    assert plic.read(0x200004, 4) == 0
    plic.write(0x200004, 4, 33)
    plic.update({11: True, 33: True})
    assert plic.best(0) == 33
    plic.write(0x200000, 4, 3)  # a threshold hides it
    assert plic.best(0) == 0


def test_clint_raises_the_timer_when_its_time_has_come(chip):
    assert chip.clint.pending(0) == 0
    put(chip.clint, "cmp0", 10)
    put(chip.clint, "cmp0_high", 0)
    assert chip.clint.pending(0) == 0
    chip.instructions = 10 * 50
    assert chip.clint.pending(0) == 1 << 7 and chip.clint.pending(1) == 0
    put(chip.clint, "msip1", 1)
    assert chip.clint.pending(1) == 1 << 3
    assert get(chip.clint, "mtime") == 10


# Serial ports


def test_uarths_sends_and_receives(chip):
    sent = bytearray()
    chip.uarths.send = sent.append
    for byte in b"ok":
        put(chip.uarths, "txdata", byte)
    assert sent == b"ok" and get(chip.uarths, "rxdata") == 1 << 31
    chip.uarths.type(b"A")
    assert not chip.uarths.line()
    put(chip.uarths, "ie", 2)
    assert chip.uarths.line() and get(chip.uarths, "rxdata") == ord("A")
    assert not chip.uarths.line()


def test_uart3_keeps_its_divider_apart_from_its_data(chip):
    uart, sent = chip.uart[2], bytearray()
    uart.send = sent.append
    put(uart, "lcr", 0x80)
    put(uart, "data", 5)
    put(uart, "lcr", 3)
    put(uart, "data", ord("x"))
    assert sent == b"x"
    assert get(uart, "lsr") & 0x60 == 0x60
    put(uart, "ier", 0x81)  # with this bit, bit 5 of LSR means "full"
    assert get(uart, "lsr") & 0x20 == 0
    uart.type(b"y")
    assert uart.line() and get(uart, "lsr") & 1 and get(uart, "data") == ord("y")


# Flash


def flash_command(flash, *data, answer=0):
    flash.select()
    for byte in data:
        flash.take(byte)
    result = flash.give(answer)
    flash.deselect()
    return result


def test_flash_programs_only_zeros_and_erases_to_ones():
    flash = NorFlash(1 << 16)
    flash_command(flash, 0x02, 0, 0x10, 0, 0x0F)
    assert flash.bytes[0x1000] == 0xFF, "written without write enable"
    flash_command(flash, 0x06)
    flash_command(flash, 0x02, 0, 0x10, 0xFF, 0x0F, 0xF0)
    assert flash.bytes[0x10FF] == 0x0F and flash.bytes[0x1000] == 0xF0, "wraps inside the page"
    flash_command(flash, 0x06)
    flash_command(flash, 0x02, 0, 0x10, 0, 0x0F)
    assert flash.bytes[0x1000] == 0, "programming only clears bits"
    assert flash_command(flash, 0x03, 0, 0x10, 0xFF, answer=2) == b"\x0f\xff"
    flash_command(flash, 0x06)
    flash_command(flash, 0x20, 0, 0x12, 0x34)
    assert flash.bytes[0x1000:0x2000] == b"\xff" * 4096
    assert flash_command(flash, 0x9F, answer=3) == b"\xef\x40\x18"


def test_flash_reads_on_at_its_start(chip):
    flash = NorFlash(256)
    flash.bytes[:] = bytes(range(256))
    assert flash_command(flash, 0x03, 0, 0, 0xFE, answer=4) == b"\xfe\xff\x00\x01"


def test_flash_through_the_controller_and_dma(chip):
    chip.flash.bytes[0x123:0x133] = bytes(range(16))
    spi = chip.spi[3]
    put(spi, "ctrlr0", 3 << 10 | 7)  # command, then receive; frames of 8 bits
    put(spi, "ctrlr1", 15)
    base = chip.dmac.base - chip.dmac.base + 0x100
    for offset, value in ((0x00, spi.base + 0x60), (0x08, RAM), (0x10, 15)):
        chip.dmac.write(base + offset, 8, value)
    chip.dmac.write(base + 0x18, 8, 1 << 4)  # the source does not move; bytes
    chip.dmac.write(base + 0x80, 8, 3)
    chip.dmac.write(0x18, 4, 0x101)
    put(spi, "ssienr", 1)
    for byte in (0x03, 0, 1, 0x23):
        spi.outgoing.append(byte)
    put(spi, "ser", 1)
    assert chip.memory.read(RAM, 16) == bytes(range(16))
    assert chip.dmac.line(0) and not chip.dmac.enabled
    chip.dmac.write(base + 0x98, 8, 3)
    assert not chip.dmac.line(0)


# Card


def card_command(card, number, argument=0):
    for byte in (0x40 | number, *argument.to_bytes(4, "big"), 0xFF):
        card.take(byte)


def test_card_wakes_up_and_tells_its_size():
    card = SdCard(bytearray(4 << 20))
    card_command(card, 0)
    assert card.give(2) == b"\xff\x01"
    card_command(card, 8, 0x1AA)
    assert card.give(6) == b"\xff\x01\x00\x00\x01\xaa"
    card_command(card, 41)
    assert card.give(2) == b"\xff\x04", "ACMD41 without CMD55"
    card_command(card, 55)
    card.give(2)
    card_command(card, 41)
    assert card.give(2) == b"\xff\x00"
    card_command(card, 9)
    csd = card.give(4 + 16)[4:]
    assert (int.from_bytes(csd[7:10], "big") + 1) * 512 * 1024 == 4 << 20


def test_card_reads_and_writes_blocks():
    card = SdCard(bytearray(1 << 20))
    card.image[512:1024] = bytes(range(256)) * 2
    card_command(card, 17, 1)
    assert card.give(4 + 512 + 2)[4:-2] == bytes(range(256)) * 2
    card_command(card, 24, 3)
    card.give(2)
    for byte in (0xFF, 0xFE, *bytes([7]) * 512, 0, 0):
        card.take(byte)
    assert card.give(1)[0] & 0x1F == 0x05
    assert card.image[3 * 512 : 4 * 512] == b"\x07" * 512 and card.writes == 1


def test_card_forgets_a_broken_command():
    card = SdCard(bytearray(1 << 20))
    for byte in (0x40, 0, 0):
        card.take(byte)
    card.chip_select(1)
    card_command(card, 0)
    assert card.give(2) == b"\xff\x01"


# Camera and screen


def test_camera_answers_with_its_identity(chip):
    bus = chip.i2c[2]
    bus.slaves[OV2640_ADDRESS] = Ov2640()
    put(bus, "tar", 0x21)
    put(bus, "data_cmd", 0)
    assert get(bus, "tx_abrt_source") == 1
    get(bus, "clr_tx_abrt")
    put(bus, "tar", OV2640_ADDRESS)
    for value in (0xFF, 1, 0x0A, 0x100):
        put(bus, "data_cmd", value)
    assert get(bus, "tx_abrt_source") == 0
    assert get(bus, "rxflr") == 1 and get(bus, "data_cmd") == 0x26


def test_a_frame_reaches_the_screen_buffer_and_the_kpu(chip):
    dvp = chip.dvp
    picture = np.random.default_rng(1).integers(0, 256, (8, 32, 3), np.uint8)
    dvp.frames = lambda width, height: picture[:height, :width]
    put(dvp, "cfg", 8 << 20 | 1 << 12 | 0x100 | 0xC | 0x3)  # 32 x 8, both outputs, interrupts
    for name, at in (("rgb_addr", 0), ("r_addr", 0x1000), ("g_addr", 0x2000), ("b_addr", 0x3000)):
        put(dvp, name, UNCACHED + at)
    dvp.tick()
    assert get(dvp, "sts") == 1 and dvp.line()
    put(dvp, "sts", 0x30002 | 1)  # start converting; the start flag is cleared by writing 1
    assert get(dvp, "sts") == 0x10000 and not dvp.line()
    chip.instructions += 50 * dvp.PERIOD
    dvp.tick()
    assert get(dvp, "sts") & 0x100 and dvp.line()
    for plane, at in enumerate((0x1000, 0x2000, 0x3000)):
        assert chip.memory.read(RAM + at, 256) == picture[..., plane].tobytes()
    words = np.frombuffer(chip.memory.read(RAM, 512), "<u2").reshape(-1, 2)[:, ::-1].reshape(8, 32)
    assert (words >> 11 == picture[..., 0] >> 3).all() and (
        words & 31 == picture[..., 2] >> 3
    ).all()


def test_screen_paints_a_window():
    panel = Panel()
    for command, data in ((0x2A, b"\0\x02\0\x03"), (0x2B, b"\0\x01\0\x02"), (0x2C, b"\xf8\0" * 4)):
        panel.data_select(0)
        panel.take(command)
        panel.data_select(1)
        for byte in data:
            panel.take(byte)
    shown = panel.picture(5, 4)
    assert (shown[1:3, 2:4] == (248, 0, 0)).all() and shown.sum() == 4 * 248


# Small ones


def test_gpiohs_shows_keys_and_tells_listeners(chip):
    chip.fpioa.values["pin16"] = 24  # GPIOHS0
    levels = []
    chip.gpiohs.listeners.append((5, levels.append))
    chip.hold(16, 0)
    assert get(chip.gpiohs, "input_val") & 1 == 0
    chip.hold(16, 1)
    assert get(chip.gpiohs, "input_val") & 1 == 1
    for value in (1 << 5, 1 << 5, 0):
        put(chip.gpiohs, "output_val", value)
    assert levels == [1, 0]
    with pytest.raises(AssertionError, match="pin 17"):
        chip.hold(17, 0)


def test_sysctl_resets_and_its_plls_are_locked(chip):
    assert get(chip.sysctl, "pll_lock") & 3 == 3
    put(chip.sysctl, "soft_reset", 1)
    assert chip.reset_requested


def padded(message):
    zeros = -(len(message) + 9) % 64
    return message + b"\x80" + bytes(zeros) + struct.pack(">Q", 8 * len(message))


@pytest.mark.parametrize("message", [b"", b"abc", bytes(55), bytes(56), bytes(range(200))])
def test_sha256_of_a_padded_message(chip, message):
    sha = next(device for device in chip.devices if device.name == "SHA256")
    data = padded(message)
    put(sha, "blocks", len(data) // 64)
    put(sha, "control", 1)
    for (word,) in struct.iter_unpack("<I", data):
        put(sha, "data_in", word)
    assert get(sha, "control") & 1
    digest = struct.pack("<8I", *(get(sha, f"result{7 - at}") for at in range(8)))
    assert digest == hashlib.sha256(message).digest()


def test_boot_rom_checks_the_firmware(chip):
    image = firmware_image(b"\x13\0\0\0" * 100)
    chip.flash.bytes[: len(image)] = image
    chip.boot_flash()
    assert chip.memory.read(RAM, 4) == b"\x13\0\0\0"
    chip.flash.bytes[50] ^= 1
    with pytest.raises(AssertionError, match="SHA-256"):
        chip.boot_flash()


@pytest.mark.parametrize("function", [None, 8])
def test_boot_rom_decrypts_with_the_key_in_the_slot(chip, function):
    key = bytes(range(16))
    image = encrypted_image(b"\x13\0\0\0" * 101, key)
    chip.flash.bytes[: len(image)] = image
    chip.otp.bytes[0x3FF0:] = key
    if function:  # "firmware cipher off": what is stored is started as it is
        chip.otp.bytes[0x3FE0 + function // 4] = 3 << 2 * (function % 4)
        chip.otp.reset()
    chip.boot_flash()
    assert (chip.memory.read(RAM, 404) == b"\x13\0\0\0" * 101) is (function is None)


def test_boot_rom_knows_the_known_answer(chip):
    # Made with kflash's own code from the bytes 00 to 27 (hex).
    image = bytes.fromhex(
        "0330000000279fb74a7572135e8f9b8ef6d1eee0037dfbc4e6d6fd255bc29d75359052c9eb0aa125a0f029e51d"
        "5d212329e10389f21cb19b244bb4f21bc1d7c3f5cc2a760bc11efb6811ac1a622bedde9ad322f8d7"
    )
    chip.flash.bytes[: len(image)] = image
    chip.otp.bytes[0x3FF0:] = bytes.fromhex("00112233445566778899aabbccddeeff")
    chip.boot_flash()
    assert chip.memory.read(RAM, 48) == bytes(range(0x28)) + bytes(8)


def test_a_pinned_chip_starts_one_image_only(chip):
    image = firmware_image(b"\x13\0\0\0" * 100)
    chip.flash.bytes[: len(image)] = image
    chip.otp.bytes[0x3FE2] = 3 << 2
    chip.otp.reset()
    with pytest.raises(AssertionError, match="pinned"):
        chip.boot_flash()
    chip.otp.bytes[0x3DB0:0x3DD0] = image[-32:]
    chip.boot_flash()


def encrypted_image(code, key):
    payload = AES.new(key, AES.MODE_CBC, bytes(16)).encrypt(code + bytes(-len(code) % 16))
    image = struct.pack("<BI", 3, len(payload)) + payload
    return image + hashlib.sha256(image).digest()


# Clocks


def test_a_pll_locks_with_power_and_out_of_reset(chip):
    sysctl = chip.sysctl
    assert get(sysctl, "pll_lock") & 3 == 3 and sysctl.cpu_hz == 390_000_000
    assert sysctl.apb1_hz == 195_000_000
    with pytest.raises(AssertionError, match="no clock"):
        put(sysctl, "pll0", 0)
        _ = sysctl.cpu_hz
    put(sysctl, "clk_sel0", 0)
    assert sysctl.cpu_hz == 26_000_000
    put(sysctl, "pll1", 1 << 21 | 1 << 20)
    assert get(sysctl, "pll_lock") >> 8 & 3 == 0
    put(sysctl, "pll1", 1 << 21)
    assert get(sysctl, "pll_lock") >> 8 & 3 == 3
    sysctl.plls_lock = False
    assert get(sysctl, "pll_lock") == 0


def test_uarths_knows_its_rate(chip):
    put(chip.uarths, "div", 3384)
    assert abs(chip.uarths.baud - 115200) < 100
