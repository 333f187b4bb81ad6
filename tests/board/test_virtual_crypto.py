"""The virtual board's AES engine, fuses and raw flash: as MaixPy has them, with its traps."""

import pytest

from host.emulator import board as virtual

HEAD = b"""
import ucryptolib, uctypes
from ubinascii import hexlify, unhexlify
def show(data):
    print(hexlify(data).decode())
KEY = unhexlify("000102030405060708090a0b0c0d0e0f")
TEXT = unhexlify("00112233445566778899aabbccddeeff")
SLOT = {"slot": 0x0C | uctypes.UINT32}
CLOCKS = {"bus": 0x28 | uctypes.UINT32, "devices": 0x2C | uctypes.UINT32}
otp, clock = uctypes.struct(0x50420000, SLOT), uctypes.struct(0x50440000, CLOCKS)
aes = ucryptolib.aes
"""
FIPS_197 = "69c4e0d86a7b0430d8cdb78070b4c55a"
CLOCKS_ON = b"clock.bus |= 1 << 4\nclock.devices |= 1 << 27\n"


def run(body, **setup):
    said = virtual.run(HEAD + body, card=None, until_ms=1000, **setup).stdout
    return [line for line in said.splitlines() if not line.startswith("[Warning]")]


def test_the_known_answer_of_fips_197():
    assert run(b"show(aes(KEY, 3).encrypt(TEXT))\nshow(aes(KEY, 2, bytes(16)).encrypt(TEXT))") == [
        FIPS_197, FIPS_197,
    ]  # fmt: skip


def test_nothing_is_chained_between_calls_and_there_is_a_default_iv():
    body = b"""
one = aes(KEY, 2, bytes(16))
show(one.encrypt(TEXT)); show(one.encrypt(TEXT))
show(aes(KEY, 2).encrypt(TEXT)); show(aes(KEY, 2, bytes(range(16))).encrypt(TEXT))
"""
    first, second, default, counted = run(body)
    assert first == second == FIPS_197 and default == counted != first


def test_the_key_is_kept_by_pointer():
    body = b"key = bytearray(16)\none = aes(key, 3)\nkey[:] = KEY\nshow(one.encrypt(TEXT))"
    assert run(body) == [FIPS_197]


def test_in_place_and_into_a_buffer():
    body = b"""
buffer = bytearray(aes(KEY, 3).encrypt(TEXT * 3))
aes(KEY, 3).decrypt(buffer, buffer)
print(bytes(buffer) == TEXT * 3)
try:
    aes(KEY, 3).decrypt(buffer, bytearray(16))
except ValueError as error:
    print(error.args[0].replace(" ", "-"))
"""
    assert run(body) == ["True", "output-too-small"]


def test_the_key_in_the_fuses_is_used_while_the_slot_is_on():
    body = CLOCKS_ON + (
        b"one = aes(bytes(16), 3)\nfor on in (0, 1, 0):\n"
        b"    otp.slot = on\n    show(one.encrypt(TEXT))\n"
    )
    burnt = run(body, otp_key=bytes(range(16)))
    assert burnt[1] == FIPS_197 and burnt[0] == burnt[2] != FIPS_197
    assert len(set(run(body))) == 1, "a slot that nothing is burnt in is 16 zero bytes"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"aes(KEY, 1)", "GCM"),
        (b"aes(memoryview(KEY), 3)", "pointer"),
        (b"aes(KEY, 3).encrypt(memoryview(bytes(33))[1:17])", "words"),
        (b"aes(KEY, 3).encrypt(TEXT, memoryview(bytearray(20))[2:18])", "words"),
        (b"otp.slot = 1\naes(KEY, 3).encrypt(TEXT)", "clock of OTP is off"),
        (CLOCKS_ON + b"otp.slot = 1\naes(KEY * 2, 3).encrypt(TEXT)", "AES-128"),
        (b"uctypes.struct(0x80000000, SLOT)", "no such registers"),
        (b"uctypes.struct(0x50420000, {'mode': 8 | uctypes.UINT32})", "no register"),
        (b"uctypes.struct(0x50420000, SLOT, uctypes.LITTLE_ENDIAN)", "NATIVE"),
        (b"from Maix import utils\nutils.flash_read(0xFFFFFF, 2)", "end of the flash"),
    ],
)
def test_what_the_board_gets_wrong_is_refused(body, why):
    with pytest.raises(virtual.BoardError, match=why):
        run(body)


def test_the_raw_flash():
    body = (
        b"from Maix import utils\n"
        b"for at in (0x2FFFFE, 0x300000, 0x300002):\n    show(utils.flash_read(at, 4))\n"
    )
    models = {0x300000: b"\1\2\3", 0x400000: b"\4"}
    assert run(body, flash_models=models) == ["ffff0102", "010203ff", "03ffffff"]
