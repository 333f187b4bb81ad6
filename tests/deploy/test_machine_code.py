"""Machine codes: what is read, and that typing mistakes are found."""

import itertools

import pytest

from host.deploy import machine_code as room
from host.errors import UserError

CODE = room.of_board(bytes(range(32)))
TEXT = "E641-E809-0F5A-FD09-A40E-6B95-D7B7-81A5-40DB"
DIGITS = TEXT.replace("-", "")
HEX = "0123456789ABCDEF"


def refused(text):
    with pytest.raises(UserError) as error:
        room.parse(text)
    shown = str(error.value)
    assert not any(group in shown for group in TEXT.split("-")), "the code is in the message"
    return error.value.code


def test_a_known_board():
    assert CODE.text == TEXT
    assert room.of_board(bytes(32)).text != TEXT


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        DIGITS.lower(),
        f"  {TEXT.replace('-', ' ')}\r\n",
        TEXT.replace("-", "\n"),
        TEXT.replace("-", "\u2013"),
        f"Machine code: {TEXT}",
        TEXT.replace("0", "O").replace("1", "l"),
        "E641 E809 0F5A\nFD09 A40E 6B95\nD7B7 81A5 40DB",
    ],
)
def test_what_people_type_is_read(text):
    assert room.parse(text) == CODE


def test_the_value_is_not_in_the_repr():
    assert CODE.value.hex() not in repr(CODE).lower() and str(CODE.value) not in repr(CODE)


def test_every_wrong_digit_is_found():
    for at, digit in itertools.product(range(36), HEX):
        if digit != DIGITS[at]:
            assert refused(DIGITS[:at] + digit + DIGITS[at + 1 :]) == "machine_code_check"


def test_every_exchange_of_neighbours_is_found():
    for at in range(35):
        a, b = DIGITS[at : at + 2]
        if a != b:
            assert refused(DIGITS[:at] + b + a + DIGITS[at + 2 :]) == "machine_code_check"


def test_exchanged_groups_are_found():
    groups = TEXT.split("-")
    for a, b in itertools.combinations(range(9), 2):
        order = list(groups)
        order[a], order[b] = order[b], order[a]
        assert refused(" ".join(order)) == "machine_code_check"


def test_other_texts_are_named():
    assert refused("") == "machine_code_length"
    assert refused(DIGITS[:-1]) == "machine_code_length"
    assert refused(DIGITS + "0") == "machine_code_length"
    assert refused(DIGITS[:32]) == "machine_code_length"
    assert refused(DIGITS[:-1] + "G") == "machine_code_characters"
    assert refused("\u4e00" * 36) == "machine_code_characters"
    assert refused("\uff10" * 36) == "machine_code_characters"
