"""Board keys: known answers, the two strengths, and that no text holds a key."""

import hashlib

import pytest

from host.deploy import board_key as room
from host.deploy import machine_code
from host.deploy.board_key import BoardKey
from host.errors import UserError

KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
ID = bytes.fromhex("b669ed4e2f017226c344ba6c2bb5942e")


def test_known_board_ids():
    assert room.board_id(KEY) == BoardKey("bound", KEY).board_id == ID
    assert room.board_id(bytes(16)) == room.BLANK_ID


def test_a_bound_key_follows_from_its_code():
    code = machine_code.of_board(bytes(range(32)))
    key = BoardKey.of_code(code)
    assert key.key == hashlib.sha256(b"KMX1-KEY" + code.value).digest()[:16]
    assert (key.strength, key.code) == ("bound", "")
    assert room.id_of_code(code) == key.board_id != code.value


def test_a_burnt_boards_code_is_its_id_and_leads_to_no_key():
    key = BoardKey("burnt", KEY)
    code = machine_code.parse(key.code)
    assert (code.strength, code.value, room.id_of_code(code)) == ("burnt", ID, ID)
    assert code.text == key.code
    with pytest.raises(UserError) as error:
        BoardKey.of_code(code)
    assert error.value.code == "machine_code_burnt"


def test_the_check_digits_tell_the_strengths_apart():
    for value in (bytes(16), ID, KEY, bytes([255] * 16)):
        both = {machine_code.check_digits(value, one) for one in ("bound", "burnt")}
        assert len(both) == 2
        for strength in ("bound", "burnt"):
            code = machine_code.MachineCode(value, strength)
            assert machine_code.parse(code.text) == code


def test_drawn_keys_have_the_weight_that_the_board_takes(monkeypatch):
    draws = [bytes(16), bytes([255] * 16), bytes([255] * 4 + [127] + [0] * 11), KEY]
    monkeypatch.setattr(room.secrets, "token_bytes", lambda count: draws.pop(0)[:count])
    assert BoardKey.new() == BoardKey("burnt", KEY) and not draws
    monkeypatch.undo()
    made = [BoardKey.new() for _ in range(50)]
    assert len({one.key for one in made}) == 50
    assert all(one.strength == "burnt" and 40 <= one.weight <= 88 for one in made)


def test_a_key_of_another_length_is_refused_without_being_shown():
    with pytest.raises(ValueError, match="not 15") as error:
        BoardKey("burnt", KEY[:15])
    assert KEY[:15].hex() not in str(error.value) and repr(KEY[:15]) not in str(error.value)


def test_no_text_of_a_key_holds_it():
    for strength in ("bound", "burnt"):
        key = BoardKey(strength, KEY)
        for text in (repr(key), str(key), f"{key}", repr([key]), repr({"key": key})):
            assert strength in text
            assert KEY.hex() not in text.lower() and repr(KEY) not in text
            assert ID.hex() not in text.lower()
