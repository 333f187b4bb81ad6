"""keygen against boards that are silent, chatty, hostile or liars: scripted, no program runs."""

import json
import traceback

import pytest

from host.deploy import keygen as room
from host.deploy.board_key import BLANK_ID, BoardKey
from host.deploy.key_store import KeyStore, StoredKey
from host.errors import UserError

CHIP = "9f86d081" * 8
KEY = BoardKey("burnt", bytes.fromhex("00112233445566778899aabbccddeeff"))
STATUS = {
    "reply": "status",
    "ok": True,
    "unique_id": CHIP,
    "machine_code": BLANK_ID.hex(),
    "state": "blank",
    "functions": dict.fromkeys(room.FUNCTIONS, "clear"),
    "burn": "any_key",
    "why": "",
}
LOCKS = {**STATUS["functions"], "key_write_off": "set", "test_mode_off": "set"}


class Script:
    """A serial port whose far end answers each command from a list: bytes, objects, exceptions."""

    def __init__(self, **answers):
        self.answers = answers
        self.sent, self.out = [], b""

    def write(self, data):
        self.sent.append(data)
        answer = self.answers.get(data.split()[0].decode().lower(), b"")
        answer = answer(data) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        lines = answer if isinstance(answer, list) else [answer]
        for line in lines:
            self.out += line if isinstance(line, bytes) else json.dumps(line).encode() + b"\r\n"

    def flush(self):
        pass

    def reset_input_buffer(self):
        self.out = b""

    def read_until(self, end, size):
        found = self.out.find(end)
        cut = min(found + 1 if found >= 0 else len(self.out), size)
        data, self.out = self.out[:cut], self.out[cut:]
        return data


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(room, "ASK_SECONDS", 0.02)
    monkeypatch.setattr(room, "WORK_SECONDS", 0.02)


@pytest.fixture
def store(tmp_path):
    return KeyStore(tmp_path)


def refused(function, *args, **values):
    with pytest.raises(UserError) as error:
        function(*args, **values)
    return error.value


def status_of(answer):
    return room.Program(Script(status=answer), "port").status()


def burn(store, **answers):
    program = room.Program(Script(**{"status": STATUS, **answers}), "port")
    slot = program.status()
    plan = room.plan(slot, store)
    return room.perform(program, slot, plan, store, name="door", word="BURN")


def code_of_sent(data):
    return BoardKey("burnt", bytes.fromhex(data.split()[3].decode())).board_id.hex()


def burnt(data):
    return {"reply": "burn", "ok": True, "machine_code": code_of_sent(data)}


# Who is there?


def test_a_board_that_says_nothing_is_asked_four_times():
    line = Script()
    assert refused(room.Program(line).status).code == "keygen_silent"
    assert line.sent == [b"\nSTATUS\n"] * 4
    assert refused(status_of, b"\x00\xff\r\n").code == "keygen_silent"


@pytest.mark.parametrize("said", [
    b"[MAIXPY] Pll0:freq:832000000\r\n>>> \r\n", b"x" * 5000, b"[" * 3000 + b"\n", b"{}\n", b"7\n",
    b'{"reply":"burn","ok":true}\n', b'{"reply":["status"]}\n', b"\xff\xfe{\n", b"no end of line",
    b"\x1b[2J\x07\n",
])  # fmt: skip
def test_something_else_is_there(said):
    error = refused(status_of, said)
    assert error.code == "keygen_garbled" and len(str(error)) < 500
    assert str(error).replace("\n", "").isprintable()


def test_a_late_answer_among_noise_counts():
    noise = [b"~\x00\n", {"reply": "unknown", "ok": False, "error": "characters"}]
    greeting = {"maixforge": "keygen", "version": 1}
    assert status_of([*noise, greeting, STATUS]).chip == CHIP


def test_another_version_is_refused():
    assert refused(status_of, {"maixforge": "keygen", "version": 2}).code == "keygen_version"


WRONG = [None, 7, "", "zz", [], {}, "AB" * 32, "ab" * 16, "ab" * 33]


@pytest.mark.parametrize("member", ["unique_id", "machine_code", "state", "functions", "burn"])
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_a_status_that_is_none(member, wrong):
    if (member, wrong) == ("machine_code", "ab" * 16):
        return
    assert refused(status_of, {**STATUS, member: wrong}).code == "keygen_garbled"
    absent = {key: value for key, value in STATUS.items() if key != member}
    assert refused(status_of, absent).code == "keygen_garbled"


@pytest.mark.parametrize("error", [None, 7, "no_such_word", "silent", [], {"a": 1}], ids=repr)
def test_an_error_that_nobody_knows(error):
    answer = {"reply": "status", "ok": False, "error": error, "written": ["?"]}
    assert refused(status_of, answer).code == "keygen_unknown"
    assert refused(status_of, {**STATUS, "ok": 1, "error": "read"}).code == "keygen_read"


def test_why_it_cannot_be_burnt(store):
    for why in ("clock", "slot_unclear", "cipher_off"):
        slot = status_of({**STATUS, "burn": "no", "why": why})
        assert refused(room.plan, slot, store).code == f"keygen_{why}"
    slot = status_of({**STATUS, "burn": "no", "why": "../../etc"})
    assert refused(room.plan, slot, store).code == "keygen_unknown"


# Liars and accidents


def test_a_board_that_shows_another_code_is_not_locked(store):
    script = {"burn": {"reply": "burn", "ok": True, "machine_code": "ab" * 16}}
    assert refused(burn, store, **script, lock=AssertionError("locked")).code == "keygen_differs"
    assert store.get("door").state == "pending"


def test_a_board_that_only_says_that_it_locked(store):
    lock = lambda data: {"reply": "lock", "ok": True, "machine_code": data.split()[1].decode()}  # noqa: E731
    assert refused(burn, store, burn=burnt, lock=lock).code == "keygen_not_locked"
    assert store.get("door").state == "burnt"


def test_a_board_that_locks_is_stored_as_locked(store):
    slot = dict(STATUS)

    def do(data):
        slot.update(machine_code=code_of_sent(data), functions=LOCKS, state="locked")
        return burnt(data)

    lock = lambda data: {"reply": "lock", "ok": True, "machine_code": data.split()[1].decode()}  # noqa: E731
    made = burn(store, status=lambda data: slot, burn=do, lock=lock)
    assert (made.state, made.chip, made.jtag_closed) == ("locked", CHIP, False)


@pytest.mark.parametrize(("answer", "code"), [
    (b"", "keygen_lost"),
    (OSError(5, "Input/output error"), "keygen_lost"),
    (TypeError("closed"), "keygen_lost"),
    ({"event": "trap", "cause": "05"}, "keygen_trap"),
    ({"reply": "unknown", "ok": False, "error": "line_too_long"}, "keygen_confused"),
    ({"reply": "burn", "ok": True}, "keygen_garbled"),
    ({"reply": "burn", "ok": False, "error": "crc"}, "keygen_crc"),
])  # fmt: skip
def test_accidents_leave_the_key_pending(store, answer, code):
    assert refused(burn, store, burn=answer).code == code
    assert store.get("door").state == "pending"


def test_ctrl_c_in_the_middle(store):
    def interrupted(data):
        raise KeyboardInterrupt

    assert refused(burn, store, burn=interrupted).code == "keygen_lost"
    assert store.get("door").state == "pending"


def test_a_name_that_is_taken_burns_nothing(store):
    store.add(StoredKey.new("Door", KEY))
    assert refused(burn, store, burn=AssertionError("sent")).code == "key_name_taken"


@pytest.mark.parametrize("written", [None, {}, [], {"key_bits": 7}, {"functions": "x"}], ids=repr)
def test_what_was_written_is_told_in_words(store, written):
    answer = {"reply": "burn", "ok": False, "error": "write", "written": written}
    error = refused(burn, store, burn=answer)
    known = isinstance(written, dict)
    assert ("not known" not in error.findings[0].text("found")) == known
    assert error.findings[0].text("found") != error.findings[0].text("found", "zh")


# Interrupted burns


def test_every_part_of_a_key_is_recognised(store):
    entry = StoredKey.new("door", KEY)
    store.add(entry)
    ids = room._ids_on_the_way(KEY)
    assert len(ids) == KEY.weight == 64 and KEY.board_id in ids and BLANK_ID not in ids
    for one in ids:
        slot = status_of(
            {**STATUS, "machine_code": one.hex(), "state": "burnt", "burn": "same_key"}
        )
        assert room.plan(slot, store) == room.Plan("finish", entry)


# Secrets


def test_no_error_holds_the_key(store):
    sent = []

    def failing(kind):
        def answer(data):
            sent.append(data.split()[3].decode())
            raise kind

        return answer

    texts = []
    for kind in (OSError(5, "I/O error"), KeyboardInterrupt(), TypeError("closed")):
        error = refused(burn, store, burn=failing(kind))
        texts += [str(error), repr(error), "".join(traceback.format_exception(error))]
        store.forget("door")
    slot = status_of(STATUS)
    texts += [repr(slot), repr(room.plan(slot, store)), repr(room.Program(Script()))]
    assert len(sent) == 3
    for text in texts:
        assert not [key for key in (*sent, CHIP) if key in text.lower()], text
