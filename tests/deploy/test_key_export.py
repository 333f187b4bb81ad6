"""Exports of keys: what opens them, and that wrong, damaged and hostile files are told apart."""

import hashlib
import struct
import time
from dataclasses import replace

import pytest
from Crypto.Cipher import ChaCha20_Poly1305
from Crypto.Protocol import KDF

from host.deploy import key_export as room
from host.deploy.board_key import BoardKey
from host.deploy.key_store import KeyStore, StoredKey
from host.errors import UserError

PASSPHRASE = "five words from a 词表"
ONE = StoredKey.new("door", BoardKey("burnt", bytes(range(16))), "ab" * 32)
TWO = StoredKey.new("前门", BoardKey("bound", bytes(range(1, 17))))


@pytest.fixture
def cheap(monkeypatch):
    monkeypatch.setattr(room, "LOG_N", 15)  # 0.1 s instead of half a second


@pytest.fixture(scope="module")
def sealed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "LOG_N", 15)
        return room.seal([ONE, TWO], PASSPHRASE)


@pytest.fixture
def store(tmp_path):
    return KeyStore(tmp_path)


def refused(function, *args):
    with pytest.raises(UserError) as error:
        function(*args)
    return error.value.code


def summed(body):
    """A file whose hash at the end is right."""
    return body + hashlib.sha256(body).digest()


def test_it_opens_with_its_passphrase(sealed):
    assert room.unseal(sealed, PASSPHRASE) == [ONE, TWO]
    assert room.unseal(sealed, PASSPHRASE.replace("d", "\uff44")) == [ONE, TWO], "NFKC"


def test_two_exports_differ(sealed, cheap):
    assert room.seal([ONE, TWO], PASSPHRASE)[9:] != sealed[9:]


def test_it_is_what_the_description_says():
    """Opened with the other library's scrypt, by hand."""
    sealed = room.seal([ONE, TWO], PASSPHRASE)
    magic, version, log_n, salt, nonce = struct.unpack("<6sHB16s12s", sealed[:37])
    assert (magic, version, log_n) == (b"MFKEYS", 1, 17)
    key = KDF.scrypt(PASSPHRASE.encode(), salt, 32, N=1 << log_n, r=8, p=1)
    cipher = ChaCha20_Poly1305.new(key=key, nonce=nonce)
    cipher.update(sealed[:37])
    assert b'"door"' in cipher.decrypt_and_verify(sealed[37:-48], sealed[-48:-32])


def test_nothing_of_the_keys_shows(sealed):
    for secret in (ONE.key.key, ONE.key.key.hex().encode(), b"door", ONE.key.board_id, b"burnt"):
        assert secret not in sealed


def test_another_passphrase_is_told_from_a_damaged_file(sealed):
    assert refused(room.unseal, sealed, PASSPHRASE + " ") == "key_file_passphrase"
    assert refused(room.unseal, sealed, "") == "key_file_passphrase"
    for at in range(6, len(sealed)):
        flipped = bytearray(sealed)
        flipped[at] ^= 1
        assert refused(room.check, bytes(flipped)) == "key_file_damaged"
    for size in range(6, len(sealed)):
        assert refused(room.check, sealed[:size]) == "key_file_damaged"
    for other in (b"", sealed[:5], b"PK\x03\x04" + bytes(200), sealed[1:]):
        assert refused(room.check, other) == "key_file_unknown"
    assert refused(room.check, sealed + bytes(room.BYTES_MAX)) == "key_file_damaged"


@pytest.mark.parametrize("at", [9, 25, 37, -60, -48, -33])
def test_what_was_changed_on_purpose_does_not_open(sealed, at):
    body = bytearray(sealed[:-32])
    body[at if at > 0 else at + 32] ^= 1
    assert refused(room.unseal, summed(bytes(body)), PASSPHRASE) == "key_file_passphrase"


def test_the_header_is_bound_to_the_content(sealed):
    cheaper = bytearray(sealed[:-32])
    cheaper[8] = 16
    assert refused(room.unseal, summed(bytes(cheaper)), PASSPHRASE) == "key_file_passphrase"


def test_hostile_headers_cost_nothing(sealed):
    start = time.process_time()
    for log_n in (0, 1, 14, 20, 31, 63, 255):
        hostile = bytearray(sealed[:-32])
        hostile[8] = log_n
        assert refused(room.unseal, summed(bytes(hostile)), PASSPHRASE) == "key_file_costly"
    newer = bytearray(sealed[:-32])
    newer[6] = 2
    assert refused(room.unseal, summed(bytes(newer)), PASSPHRASE) == "key_file_newer"
    assert time.process_time() - start < 1, "scrypt ran"


def test_short_passphrases_are_refused():
    assert refused(room.seal, [ONE], "123456789") == "passphrase_short"


def test_files_that_are_too_large_are_not_read(tmp_path, sealed):
    path = tmp_path / "a.mfkeys"
    path.write_bytes(sealed)
    assert room.read(path) == sealed
    path.write_bytes(sealed + bytes(room.BYTES_MAX))
    assert refused(room.read, path) == "key_file_unknown"


@pytest.mark.parametrize("content", [
    b"", b"{}", b"[1]", b"[{}]", b'[{"name": "a"}]', b"[" * 5000,
])  # fmt: skip
def test_a_right_seal_around_nonsense_is_damaged(content, cheap, monkeypatch):
    monkeypatch.setattr(room.json, "dumps", lambda records: content.decode())
    assert refused(room.unseal, room.seal([ONE], PASSPHRASE), PASSPHRASE) == "key_file_damaged"


def test_the_same_board_or_name_twice_is_damaged(cheap):
    for keys in ([ONE, replace(ONE, name="b")], [ONE, replace(TWO, name="door")]):
        assert refused(room.unseal, room.seal(keys, PASSPHRASE), PASSPHRASE) == "key_file_damaged"


# Taking in


def test_new_keys_are_added_once(store):
    assert room.take_in(store, [ONE, TWO]) == {"door": "added", "前门": "added"}
    assert store.entries() == [ONE, TWO]
    assert room.take_in(store, [ONE, TWO]) == {"door": "same", "前门": "same"}


def test_a_key_that_is_here_keeps_its_name_and_learns_its_state(store):
    store.add(replace(ONE, name="mine"))
    assert room.take_in(store, [replace(ONE, state="locked")]) == {"mine": "updated"}
    assert store.get("mine").state == "locked"
    assert room.take_in(store, [ONE]) == {"mine": "same"}
    assert store.get("mine").state == "locked"


def test_a_name_that_is_taken_stops_all_of_it(store):
    store.add(replace(TWO, name="Door"))
    other = StoredKey.new("gate", BoardKey.new())
    assert refused(room.take_in, store, [other, ONE]) == "key_name_taken"
    assert [one.name for one in store.entries()] == ["Door"]
    assert refused(room.take_in, store, [other, ONE], "x") == "key_import_name"
    assert room.take_in(store, [ONE], "porch") == {"porch": "added"}
    assert store.get("porch").key == ONE.key
