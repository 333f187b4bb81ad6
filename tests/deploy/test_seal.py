"""Sealed models: the known answer, every byte changed, and no key or model in what is written."""

import hashlib
import random
import struct

import pytest

from host.deploy import machine_code, seal
from host.deploy.board_key import BoardKey
from host.emulator.board import fat
from host.errors import UserError

KEY = BoardKey("burnt", bytes.fromhex("00112233445566778899aabbccddeeff"))
BOUND = BoardKey.of_code(machine_code.of_board(bytes(range(32))))
CHUNK = seal.CHUNK
SMALL = b"\x03\0\0\0" + bytes(range(250))


def shake(text, size):
    return hashlib.shake_256(text).digest(size)


def refused(data, key=KEY):
    """The code of the error that unsealing gives; "" when the file is taken."""
    try:
        seal.unseal(bytes(data), key)
    except UserError as error:
        return error.code
    return ""


def changed(data, at, mask):
    return data[:at] + bytes((data[at] ^ mask,)) + data[at + 1 :]


def test_the_known_answer():
    model = struct.pack("<I", 3) + shake(b"model", 100_003)
    keys = seal.ModelKeys(shake(b"r1", 16), shake(b"r2", 32), shake(b"r3", 16))
    data = seal.seal(model, KEY, keys)
    assert KEY.board_id.hex() == "b669ed4e2f017226c344ba6c2bb5942e"
    assert len(data) == seal.sealed_bytes(len(model)) == 164_352
    expected = "8dd8bf5bdf40c8043f2f2ab43270b00073e20da51b08100b46d222af892d12b8"
    assert hashlib.sha256(data).hexdigest() == expected
    assert seal.unseal(data, KEY) == model


@pytest.mark.parametrize("key", [KEY, BOUND], ids=lambda key: key.strength)
@pytest.mark.parametrize(
    "size", [1, 28, 511, 512, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1, 3 * CHUNK, 6 << 20]
)
def test_models_of_every_size_come_back(key, size):
    model = shake(b"m%d" % size, size)
    data = seal.seal(model, key)
    assert len(data) == seal.sealed_bytes(size)
    assert seal.unseal(data, key) == model


def test_the_volume_is_read_by_an_independent_reader():
    for size in (1, CHUNK, CHUNK + 1, 2_000_003, 6 << 20):
        clusters = -(-size // CHUNK)
        model = shake(b"x", size).ljust(CHUNK * clusters, b"\0")
        volume = seal._volume(size) + model
        card = fat.blank(len(volume)).ljust(fat.FIRST * 512, b"\0") + volume
        contents = fat.read(card)
        assert contents.problems == () and contents.lost == 0
        assert contents.files == {"M": model[:size]}


def test_equal_input_gives_equal_bytes_and_every_difference_another_file():
    model = shake(b"a", 70_000)
    same_key = BoardKey("bound", KEY.key)
    files = [seal.seal(*one) for one in ((model, KEY), (model, same_key), (model, BOUND))]
    files.append(seal.seal(model[:-1] + b"!", KEY))
    assert files[0] == seal.seal(model, BoardKey("burnt", KEY.key))
    cut = [data[104:].split(b"\0" * 64)[0] for data in files]  # table, HMAC
    assert len(set(cut)) == 4
    salts, wrapped = ({data[a:b] for data in files} for a, b in ((40, 56), (56, 104)))
    assert len(salts) == len(wrapped) == 4
    payloads = [data[seal.payload_at(4) :] for data in files]
    chunks = [one[at : at + CHUNK] for one in payloads for at in range(0, len(one), CHUNK)]
    assert len(set(chunks)) == len(chunks) == 16


def test_neither_key_nor_code_nor_model_is_in_the_file():
    code = machine_code.of_board(bytes(range(32)))
    model = shake(b"b", 200_000)
    data = seal.seal(model, BOUND)
    keys = seal.ModelKeys.derive(BOUND, model)
    for secret in (BOUND.key, code.value, keys.encrypt, keys.mac, keys.mac[:16]):
        assert secret not in data
    assert not any(model[at : at + 16] in data for at in range(0, len(model) - 16, 97))
    said = repr((BOUND, keys))
    assert not any(one.hex() in said or repr(one)[2:-1] in said for one in (BOUND.key, keys.mac))


# Every byte


def test_every_bit_of_header_table_hmac_and_padding_counts():
    data = seal.seal(SMALL, KEY)
    assert seal.payload_at(2) == 512
    for at in range(512):
        for mask in (*(1 << bit for bit in range(8)), 3, 255):
            assert refused(changed(data, at, mask)) == "sealed_damaged", (at, mask)


def test_every_byte_of_the_payload_counts():
    data, chance = seal.seal(SMALL, KEY), random.Random(1)
    assert len(data) == 512 + 2 * CHUNK
    for at in range(512, len(data)):
        assert refused(changed(data, at, chance.randrange(1, 256))) == "sealed_damaged", at


def test_whatever_is_cut_off_or_added_is_found():
    data, chance = seal.seal(SMALL, KEY), random.Random(2)
    cuts = {*range(600), *chance.sample(range(len(data)), 400), len(data) - 1, 512 + CHUNK}
    for size in cuts:
        assert refused(data[:size]) == "sealed_damaged", size
    for more in (b"\0", b"x", bytes(512), bytes(CHUNK)):
        assert refused(data + more) == "sealed_damaged"


def test_damage_is_seen_without_a_key():
    data, chance = seal.seal(SMALL, KEY), random.Random(3)
    assert seal.check(data) == KEY.board_id
    places = [0, 8, 11, 12, 16, 110, 130, 190, 300, *chance.sample(range(512, len(data)), 200)]
    for at in places:
        with pytest.raises(UserError, match="damaged"):
            seal.check(changed(data, at, 0x80))
    for wrong in (b"", data[:-1], data + b"\0"):
        with pytest.raises(UserError):
            seal.check(wrong)


def test_chunks_cannot_change_places_nor_come_from_another_model():
    model = shake(b"c", 3 * CHUNK)
    data, start = seal.seal(model, KEY), seal.payload_at(4)
    parts = [data[start + CHUNK * n : start + CHUNK * (n + 1)] for n in range(4)]
    assert refused(data[:start] + b"".join((parts[0], parts[2], parts[1], parts[3])))
    table = [data[128 + 32 * n : 160 + 32 * n] for n in range(4)]
    with_table = data[:128] + b"".join((table[0], table[2], table[1], table[3])) + data[256:start]
    assert refused(with_table + b"".join((parts[0], parts[2], parts[1], parts[3])))
    other = seal.seal(shake(b"d", 3 * CHUNK), KEY)
    assert refused(data[:start] + other[start:]) == "sealed_damaged"
    assert refused(data[:128] + other[128:]) == "sealed_damaged"


# Another board


def test_another_board_is_told_apart_from_damage():
    data = seal.seal(SMALL, KEY)
    near = bytearray(KEY.key)
    near[15] ^= 1
    for key in (BOUND, BoardKey("burnt", bytes(near)), BoardKey("burnt", bytes(16))):
        assert refused(data, key) == "sealed_for_another_board"
        assert refused(seal.seal(SMALL, key)) == "sealed_for_another_board"


def test_the_wrong_strength_is_refused():
    # One key in both strengths does not happen; were it so, the header would still not fit.
    assert refused(seal.seal(SMALL, KEY), BoardKey("bound", KEY.key)) == "sealed_damaged"
    assert refused(seal.seal(SMALL, BOUND), KEY) == "sealed_for_another_board"


def test_what_is_no_sealed_model_is_refused():
    for data in (b"", SMALL, bytes(2 * CHUNK), seal.MAGIC * 10_000):
        assert refused(data) == "sealed_damaged"


def test_nothing_and_too_much_cannot_be_sealed():
    with pytest.raises(ValueError, match="empty"):
        seal.seal(b"", KEY)
    with pytest.raises(ValueError, match="too many"):
        seal._volume((seal.CLUSTERS_MAX + 1) * CHUNK)
