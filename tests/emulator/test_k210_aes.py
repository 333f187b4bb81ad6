"""The AES engine of the virtual K210, against NIST's vectors and pycryptodome."""

import random
import struct

import pytest

pytest.importorskip("unicorn", reason="no unicorn on this platform")

from Crypto.Cipher import AES
from k210 import Chip
from k210.aes import AES_CLOCK, FIFO, Aes
from k210.otp import APB1_CLOCK, KEY, OTP_CLOCK

OFFSETS = {name: offset for offset, name in Aes.REGISTERS.items()}
# NIST SP 800-38A: the keys of F.1 and F.2, the IV, the first block, and what becomes of it.
PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
IV = bytes(range(16))
VECTORS = [
    ("2b7e151628aed2a6abf7158809cf4f3c",
     "3ad77bb40d7a3660a89ecaf32466ef97", "7649abac8119b246cee98e9b12e9197d"),
    ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
     "bd334f1d6e45f25ff712a214571fa5cc", "4f021db243bc633d7178183a9fa071e8"),
    ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     "f3eed1bdb5d2a03c064b5a7e3db181f8", "f58c4c04d6e5f1ba779eabfb5f7bfbd6"),
]  # fmt: skip


@pytest.fixture
def chip():
    chip = Chip()
    chip.sysctl.values.update(clk_en_peri=AES_CLOCK | OTP_CLOCK, clk_en_cent=APB1_CLOCK)
    return chip


def put(chip, name, value):
    chip.aes.write(OFFSETS[name], 4, value)


def get(chip, name):
    return chip.aes.read(OFFSETS[name], 4)


def start(chip, key, size, iv=b"", decrypt=False):
    """Do what aes_init of the SDK does."""
    put(chip, "endian", 1)
    words = struct.unpack(f"<{len(key) // 4}I", key)
    for at, word in enumerate(reversed(words)):
        put(chip, f"key{at}", word)
    for at, word in enumerate(reversed(struct.unpack(f"<{len(iv) // 4}I", iv))):
        put(chip, f"iv{at}", word)
    put(chip, "mode_ctl", (len(key) // 8 - 2) << 3 | bool(iv))
    put(chip, "encrypt_sel", int(decrypt))
    put(chip, "pc_num", size - 1)
    put(chip, "aes_en", 1)


def process(chip, data):
    """Do what aes_process of the SDK does: pieces of 80 bytes."""
    out = b""
    for at in range(0, len(data), 80):
        words = struct.unpack(f"<{len(data[at : at + 80]) // 4}I", data[at : at + 80])
        for word in words:
            assert get(chip, "data_in_flag")
            put(chip, "text_data", word)
        for _ in words:
            assert get(chip, "data_out_flag")
            out += struct.pack("<I", get(chip, "out_data"))
    return out


@pytest.mark.parametrize(("key", "ecb", "cbc"), VECTORS)
def test_nist_vectors(chip, key, ecb, cbc):
    for iv, cipher in ((b"", ecb), (IV, cbc)):
        start(chip, bytes.fromhex(key), 16, iv)
        assert process(chip, PLAIN).hex() == cipher
        start(chip, bytes.fromhex(key), 16, iv, decrypt=True)
        assert process(chip, bytes.fromhex(cipher)) == PLAIN
        assert get(chip, "finish") == 1


@pytest.mark.parametrize("size", [16, 80, 96, 400])
def test_as_pycryptodome_has_it(chip, size):
    source = random.Random(size)
    for bits in (128, 192, 256):
        key, data = source.randbytes(bits // 8), source.randbytes(size)
        start(chip, key, size, IV)
        assert process(chip, data) == AES.new(key, AES.MODE_CBC, IV).encrypt(data)
        start(chip, key, size, decrypt=True)
        assert process(chip, data) == AES.new(key, AES.MODE_ECB).decrypt(data)


def test_the_slot_is_the_key_while_the_otp_says_so(chip):
    key, other = bytes(range(16)), b"\xee" * 16
    chip.otp.bytes[KEY:] = key
    enable = next(at for at, name in chip.otp.REGISTERS.items() if name == "gb_otp_en")
    for selected, used in ((1, key), (0, other)):
        chip.otp.write(enable, 4, selected)
        chip.aes.reset()  # the selection survives it, as the boot ROM's order of steps needs
        start(chip, other, 16, bytes(16))
        assert process(chip, PLAIN) == AES.new(used, AES.MODE_ECB).encrypt(PLAIN)


def test_a_key_may_be_seen_only_after_a_reset(chip):
    chip.otp.key_at_reset_only = True
    chip.otp.bytes[KEY:] = b"k" * 16
    assert chip.otp.aes_key == bytes(16)
    chip.otp.reset()
    assert chip.otp.aes_key == b"k" * 16


def test_no_more_is_taken_than_fits(chip):
    start(chip, bytes(16), 1000)
    for _ in range(FIFO):
        put(chip, "text_data", 0)
    assert not get(chip, "data_in_flag")
    with pytest.raises(AssertionError, match="did not ask"):
        put(chip, "text_data", 0)


def test_what_is_not_modelled_says_so(chip):
    start(chip, bytes(16), 16)
    for register, value, said in (
        ("mode_ctl", 2, "ECB nor CBC"), ("mode_ctl", 1 << 5, "byte order"),
        ("endian", 0, "endian"), ("dma_sel", 1, "DMA"),
    ):  # fmt: skip
        put(chip, register, value)
        with pytest.raises(AssertionError, match=said):
            put(chip, "aes_en", 1)
        chip.aes.reset()
        put(chip, "endian", 1)
    put(chip, "pc_num", 3)
    put(chip, "aes_en", 1)
    put(chip, "text_data", 0)
    with pytest.raises(AssertionError, match="pc_num"):
        put(chip, "text_data", 0)
    chip.sysctl.values["clk_en_peri"] = 0
    with pytest.raises(AssertionError, match="clock"):
        get(chip, "finish")
