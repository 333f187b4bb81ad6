"""The key generator's commands, as the project's keygen.bin answers them on the virtual K210."""

import random
import re
import zlib

import pytest

pytest.importorskip("unicorn", reason="no unicorn on this platform")

from k210.memory import RAM
from keygen_board import (
    BLANK,
    FOLDER,
    KEY_A,
    KEY_B,
    NAMES,
    NOTHING,
    RAM_USED,
    Keygen,
    code_of,
    part_of,
    weight,
)

LOCK_NAMES = ["key_write_off", "test_mode_off"]


@pytest.fixture
def board():
    return Keygen()


def refused(reply, error, command="burn"):
    assert reply == {"reply": command, "ok": False, "error": error, "written": NOTHING}


def test_it_greets_and_waits(board):
    assert board.greeting == {"maixforge": "keygen", "version": 1}
    board.chip.run(lambda: False, 0.05)
    assert board.said.count(b"\n") == 1
    assert board.chip.harts[1].sleeping and not board.chip.notes
    assert not any(board.otp.bytes[0x3FD0:]) and board.otp.pulses == []


def test_the_readme_says_what_the_program_says(board):
    blocks = re.findall(r"^```\n(.*?)^```", (FOLDER / "README.md").read_text(), re.S | re.M)
    assert len(blocks) == 4
    board.secrets.clear()
    for block in blocks:
        command, answer = block.split("\n", 1)
        board.ask(command)
        assert board.said.decode() == answer


# STATUS


def test_a_blank_board(board):
    reply = board.status()
    assert reply["unique_id"] == board.unique_id
    assert reply["machine_code"] == "eb6dd01fdff73c4fa1bbb723c4c89679" == code_of(BLANK)
    assert (reply["state"], reply["burn"], reply["why"]) == ("blank", "any_key", "")
    assert reply["functions"] == dict.fromkeys(NAMES, "clear")
    assert board.otp.pulses == []


def test_a_burnt_and_a_locked_board():
    board = Keygen(KEY_A)
    reply = board.status()
    assert reply["machine_code"] == code_of(KEY_A) == "b669ed4e2f017226c344ba6c2bb5942e"
    assert (reply["state"], reply["burn"], reply["why"]) == ("burnt", "same_key", "")
    board = Keygen(KEY_A, key_write_off=3, test_mode_off=3)
    reply = board.status()
    assert (reply["state"], reply["burn"], reply["why"]) == ("locked", "no", "key_write_off")
    assert reply["machine_code"] == code_of(KEY_A)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pair", [1, 2, 3])
def test_function_bits_are_told(name, pair):
    board = Keygen(**{name: pair})
    reply = board.status()
    stands = {**dict.fromkeys(NAMES, "clear"), name: "set" if pair == 3 else "half"}
    assert reply["functions"] == stands
    matters = name in ("key_write_off", "key_verify_off", "cipher_off")
    assert (reply["burn"], reply["why"]) == (("no", name) if matters else ("any_key", ""))
    if matters:
        refused(board.burn(KEY_A), name)
        assert board.otp.pulses == []
    else:
        assert board.burn(KEY_A)["ok"]


def test_a_function_that_is_in_force_counts_even_if_its_fuses_do_not_say_so(board):
    board.otp._reads[0xBC] = lambda: 1 << 8  # reg_flag_low
    assert board.status()["functions"]["cipher_off"] == "set"
    refused(board.burn(KEY_A), "cipher_off")


# BURN


def test_burning(board):
    reply = board.burn(KEY_A)
    assert reply["ok"] and reply["machine_code"] == code_of(KEY_A)
    assert reply["written"] == {"key_bits": "all", "functions": []}
    assert board.otp.slot == KEY_A and board.functions == []
    assert board.otp.pulses == sorted(board.otp.pulses)
    assert len(board.otp.pulses) == weight(KEY_A)
    board.power_cycle()
    assert board.status()["machine_code"] == code_of(KEY_A)
    assert board.burn(KEY_A)["written"] == NOTHING
    assert board.otp.pulses == []
    refused(board.burn(KEY_B), "not_blank")


def test_nothing_but_the_key_was_written(board):
    before = bytes(board.otp.bytes[:0x3FF0])
    assert board.burn(KEY_A)["ok"]
    assert bytes(board.otp.bytes[:0x3FF0]) == before


@pytest.mark.parametrize("seed", range(20))
def test_any_key_of_the_right_weight(board, seed):
    source = random.Random(seed)
    key = source.randbytes(16)
    assert 40 <= weight(key) <= 88
    assert board.burn(key)["machine_code"] == code_of(key)
    assert board.otp.slot == key


@pytest.mark.parametrize(("ones", "fits"), [(0, 0), (39, 0), (40, 1), (88, 1), (89, 0), (128, 0)])
def test_weight(board, ones, fits):
    key = part_of(b"\xff" * 16, ones)
    board.secrets.clear()  # four zero bytes are no secret
    reply = board.ask(board.burn_line(key))
    if fits:
        assert reply["ok"] and board.otp.slot == key
    else:
        refused(reply, "weight")
        assert board.otp.pulses == []


def test_capital_digits_and_carriage_returns_do(board):
    word, line = board.burn_line(KEY_A).split(" ", 1)
    assert board.ask(f"{word} {line.upper()}\r")["ok"]
    assert board.ask(f"LOCK {code_of(KEY_A).upper()} keep\r")["ok"]


def test_the_key_is_not_left_in_memory(board):
    line = board.burn_line(KEY_A).encode()
    wrong = line.replace(b"BURN BURN", b"BURN burn")
    for said, done in ((line, True), (line, True), (wrong, False)):  # burns, checks, refuses
        assert board.ask(said)["ok"] is done
        memory = board.chip.memory.read(RAM, RAM_USED)
        for at in range(0, 16, 4):
            piece = KEY_A[at : at + 4]
            assert piece not in memory and piece[::-1] not in memory
            assert piece.hex().encode() not in memory


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        (1, "burn", "word"), (1, "YES", "word"), (1, "BURN!", "word"),
        (2, "00000000", "id"), (4, "00000000", "crc"),
        (1, "", "word"), (2, "", "usage"), (2, "72dbb73", "usage"), (2, "72dbb7336", "usage"),
        (3, "", "usage"), (3, KEY_A.hex()[:-1], "usage"), (3, KEY_A.hex() + "0", "usage"),
        (3, "g" + KEY_A.hex()[1:], "usage"), (4, "x", "usage"), (4, "8407759b1", "usage"),
        (4, "8407759b more", "usage"), (4, "8407759b ", "usage"),
    ],
)  # fmt: skip
def test_a_wrong_field_burns_nothing(board, field, value, error):
    fields = board.burn_line(KEY_A).split(" ")
    fields[field] = value
    refused(board.ask(" ".join(fields)), error)
    assert board.otp.pulses == [] and board.otp.slot == BLANK


def test_a_swapped_board_is_refused(board):
    line = board.burn_line(KEY_A)
    board.otp.bytes[0x3D9C] ^= 1
    refused(board.ask(line), "id")


def test_no_single_wrong_character_burns_a_key(board):
    line = board.burn_line(KEY_A)
    tried = 0
    for at in range(len(line)):
        for other in (chr(ord(line[at]) ^ 1), "0", "f", " ", ""):
            changed = line[:at] + other + line[at + 1 :]
            if changed != line:
                assert not board.ask(changed)["ok"], changed
                tried += 1
    assert tried > 200 and board.otp.pulses == []
    assert board.burn(KEY_A)["ok"]


# LOCK


@pytest.mark.parametrize("jtag", ["keep", "jtag"])
def test_locking(jtag):
    board = Keygen(KEY_A)
    names = LOCK_NAMES + ["jtag_off"] * (jtag == "jtag")
    reply = board.lock(KEY_A, jtag)
    assert reply["ok"] and sorted(reply["written"]["functions"]) == sorted(names)
    assert reply["written"]["key_bits"] == "none" and reply["machine_code"] == code_of(KEY_A)
    assert sorted(board.functions) == sorted(names)
    assert len(board.otp.pulses) == 2 * len(names)
    assert board.lock(KEY_A, jtag)["written"] == NOTHING
    assert board.status()["state"] == "locked"
    refused(board.burn(KEY_A), "key_write_off")
    board.power_cycle()
    assert board.lock(KEY_A, jtag)["written"] == NOTHING


def test_jtag_can_be_closed_later():
    board = Keygen(KEY_A)
    assert board.lock(KEY_A)["ok"] and "jtag_off" not in board.functions
    assert board.lock(KEY_A, "jtag")["written"]["functions"] == ["jtag_off"]


def test_the_functions_are_set_in_their_order():
    board = Keygen(KEY_A)
    board.lock(KEY_A, "jtag")
    numbers = [(at - 8 * 0x3FE0) // 2 for at in board.otp.pulses]
    assert numbers == [2, 2, 6, 6, 4, 4]


@pytest.mark.parametrize(
    ("slot", "line", "error"),
    [
        (KEY_A, f"LOCK {code_of(KEY_B)} keep", "code"),
        (KEY_A, f"LOCK {code_of(BLANK)} keep", "code"),
        (part_of(KEY_A, 63), f"LOCK {code_of(KEY_A)} keep", "code"),
        (BLANK, f"LOCK {code_of(BLANK)} keep", "blank"),
        (BLANK, f"LOCK {code_of(KEY_A)} jtag", "blank"),
        (KEY_A, f"LOCK {code_of(KEY_A)}", "usage"),
        (KEY_A, f"LOCK {code_of(KEY_A)} ", "usage"),
        (KEY_A, f"LOCK {code_of(KEY_A)} JTAG", "usage"),
        (KEY_A, f"LOCK {code_of(KEY_A)[:-1]} keep", "usage"),
        (KEY_A, f"LOCK {code_of(KEY_A)} keep keep", "usage"),
        (KEY_A, "LOCK", "usage"),
    ],
)
def test_a_wrong_lock_sets_nothing(slot, line, error):
    board = Keygen(slot)
    refused(board.ask(line), error, "lock")
    assert board.otp.pulses == [] and board.functions == []


# What is no command


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("status", "unknown_command"), ("STATUSES", "unknown_command"), (" ", "unknown_command"),
        (" STATUS", "unknown_command"), ("READ 0x3ff0", "unknown_command"),
        ("x" * 80, "unknown_command"), ("x" * 81, "line_too_long"),
        ("STATUS" * 2000, "line_too_long"),
        (b"STATUS\0", "characters"), (b"\xff\xfe", "characters"), (b"STA\tTUS", "characters"),
        (b"\x7f" + b"x" * 200, "characters"),
    ],
)  # fmt: skip
def test_nonsense_changes_nothing(board, line, error):
    refused(board.ask(line), error, "unknown")
    assert board.status()["state"] == "blank" and board.otp.pulses == []


def test_status_takes_no_argument(board):
    refused(board.ask("STATUS now"), "usage", "status")


def test_empty_lines_get_no_answer(board):
    board.chip.uarths.type(b"\n\r\n\n")
    assert board.status()["ok"]


def test_random_lines_change_nothing(board):
    source = random.Random(6)
    no_ends = [byte for byte in range(256) if byte not in b"\r\n"]
    words = ["STATUS", "BURN", "LOCK", "keep", "jtag", board.unique_id[:8], KEY_A.hex(), "8407759b"]
    for _ in range(150):
        kind = source.random()
        if kind < 0.3:
            line = bytes(source.choices(no_ends, k=source.randrange(1, 120)))
        elif kind < 0.6:
            line = bytes(source.choices(range(32, 127), k=source.randrange(1, 100)))
        else:
            line = " ".join(source.choices(words, k=source.randrange(1, 7))).encode()
        assert board.ask(line)["ok"] is (line == b"STATUS"), line
    assert board.otp.pulses == []
    assert zlib.crc32(KEY_A) == 0x8407759B and board.burn(KEY_A)["ok"]
