"""The boot image, plain and encrypted: known answers, and who may have one."""

import hashlib

import pytest
from Crypto.Cipher import AES

from host.deploy import firmware_image, kfpkg
from host.deploy.board_key import BoardKey
from host.deploy.key_store import StoredKey
from host.errors import UserError

KEY = bytes.fromhex("00112233445566778899aabbccddeeff")


def test_known_answer():
    """Made by kflash 1.1.6 with `--key`; test_flash_board runs it on a larger one."""
    expected = (
        "0330000000"
        "279fb74a7572135e8f9b8ef6d1eee0037dfbc4e6d6fd255bc29d75359052c9eb"
        "0aa125a0f029e51d5d212329e10389f2"
        "1cb19b244bb4f21bc1d7c3f5cc2a760bc11efb6811ac1a622bedde9ad322f8d7"
    )
    assert firmware_image.encrypted(bytes(range(0x28)), KEY).hex() == expected


@pytest.mark.parametrize("size", [1, 15, 16, 17, 70_001])
def test_it_decrypts_to_what_it_was(size):
    code = hashlib.shake_256(b"code").digest(size)
    image = firmware_image.encrypted(code, KEY)
    assert firmware_image.is_image(image) and firmware_image.is_encrypted(image)
    length = firmware_image.length(image)
    assert length % 16 == 0 and len(image) == 37 + length
    stored = image[5 : 5 + length]
    assert size < 15 or code not in image
    got = AES.new(KEY, AES.MODE_CBC, iv=bytes(16)).decrypt(stored)
    assert got == code + bytes(length - size)
    assert image[-32:] == hashlib.sha256(image[:-32]).digest()


def test_plain():
    image = firmware_image.plain(b"abc")
    assert image[:8] == b"\x02\x03\0\0\0abc" and firmware_image.is_image(image)
    assert not firmware_image.is_encrypted(image)


def test_every_flipped_byte_is_no_image():
    image = bytearray(firmware_image.plain(bytes(range(100))))
    for at in range(len(image)):
        image[at] ^= 1
        assert not firmware_image.is_image(bytes(image)), at
        image[at] ^= 1
    assert firmware_image.is_image(bytes(image) + b"more")
    for size in range(len(image)):
        assert not firmware_image.is_image(bytes(image[:size]))


@pytest.mark.parametrize(
    ("strength", "state", "code"),
    [
        ("bound", "bound", "firmware_key_bound"),
        ("burnt", "pending", "firmware_key_pending"),
        ("burnt", "burnt", ""),
        ("burnt", "locked", ""),
    ],
)
def test_only_a_board_whose_key_is_in_its_fuses(strength, state, code):
    entry = StoredKey("bench", BoardKey(strength, KEY), state)
    if not code:
        assert firmware_image.fuse_key(entry) == KEY
        return
    with pytest.raises(UserError) as caught:
        firmware_image.fuse_key(entry)
    assert caught.value.code == code
    assert KEY.hex() not in str(caught.value)


def test_equal_input_gives_equal_kfpkg(make, tmp_path, firmware_file):
    one = kfpkg.build(make("a"), tmp_path / "a.kfpkg", firmware_file, KEY).read_bytes()
    other = kfpkg.build(make("b"), tmp_path / "b.kfpkg", firmware_file, KEY).read_bytes()
    assert one == other != kfpkg.build(make("c"), tmp_path / "c.kfpkg", firmware_file).read_bytes()
