"""The host's side of keygen against the very program, in the RAM of a virtual K210."""

import hashlib
from dataclasses import replace

import pytest
from k210.otp import FUNCTIONS, KEY, Event, PowerLostError, Trouble
from keygen_board import FACTORY, KEY_A, KEY_B, Keygen, part_of

from host.deploy import keygen as room
from host.deploy import machine_code
from host.deploy.board_key import BLANK_ID, BoardKey
from host.deploy.key_store import KeyStore, StoredKey
from host.errors import UserError

LOCKED = ["key_write_off", "test_mode_off"]


class Line:
    """A serial port whose far end is the program: `sent` and `said` are all that went over it."""

    def __init__(self, board, before=lambda line: None):
        self.board, self.before = board, before
        self.sent, self.said, self.at = [], bytearray(), 0
        board.chip.uarths.send = self.said.append

    def write(self, data):
        self.before(data)
        self.sent.append(data)
        self.board.chip.uarths.type(data)

    def flush(self):
        pass

    def reset_input_buffer(self):
        self.at = len(self.said)

    def read_until(self, end, size):
        try:
            self.board.chip.run(lambda: end in self.said[self.at :], 1)
        except PowerLostError:
            raise OSError(5, "Input/output error") from None
        start, found = self.at, self.said.find(end, self.at)
        self.at = found + len(end) if found >= 0 else len(self.said)
        return bytes(self.said[start : self.at])


@pytest.fixture
def board():
    return Keygen()


@pytest.fixture
def store(tmp_path):
    return KeyStore(tmp_path / "data")


def burn(board, store, *, close_jtag=False, word="BURN", name="door", line=None, **values):
    """What `maixforge keygen --burn` does."""
    program = room.Program(line or Line(board), "port")
    slot = program.status()
    what = room.plan(slot, store, close_jtag=close_jtag)
    made = room.perform(
        program, slot, what, store, name=name, word=word, close_jtag=close_jtag, **values
    )
    return what.do, made


def restart(board):
    """Take the power away and start the program again."""
    board.chip.uarths.send = board._hear
    board.power_cycle()


def refused(function, *args, **values):
    with pytest.raises(UserError) as error:
        function(*args, **values)
    return error.value


def fail_at(board, event, number, trouble):
    """Let the step `event` go wrong when it comes the `number`th time (from 0)."""
    seen = []

    def decide(now):
        if now == event:
            seen.append(now)
            if len(seen) == number + 1:
                return trouble
        return Trouble.NONE

    board.otp.trouble = decide
    return seen


# Looking


def test_a_dry_run_changes_nothing(board, store):
    before = bytes(board.otp.bytes)
    line = Line(board)
    slot = room.Program(line).status()
    what = room.plan(slot, store)
    assert (slot.state, slot.burn, slot.board_id) == ("blank", "any_key", BLANK_ID)
    assert slot.chip == hashlib.sha256(bytes(range(0x20, 0x40))).hexdigest()
    assert set(slot.functions.values()) == {"clear"}
    assert (what, what.sets(slot, False)) == (room.Plan("burn", None), tuple(LOCKED))
    assert what.sets(slot, True) == (*LOCKED, "jtag_off")
    assert line.sent == [b"\nSTATUS\n"]
    assert bytes(board.otp.bytes) == before and board.otp.pulses == []
    assert not store.folder.exists()


def test_noise_on_the_line_is_ended_first(board):
    board.chip.uarths.type(b"\x00\xff~noise")
    assert room.Program(Line(board)).status().state == "blank"


# Burning


def test_a_key_is_burnt_compared_locked_and_stored(board, store):
    steps, line = [], Line(board)
    do, made = burn(board, store, line=line, progress=steps.append)
    assert (do, made.name, made.state, made.key.strength) == ("burn", "door", "locked", "burnt")
    assert board.otp.slot == made.key.key and board.functions == LOCKED
    assert store.get("door") == made and not made.jtag_closed
    assert made.chip == board.unique_id
    code = machine_code.parse(made.key.code)
    assert f'"machine_code":"{code.value.hex()}"'.encode() in line.said
    assert made.key.key.hex().encode() not in bytes(line.said).lower()
    assert steps == ["checked", "write", "compare", "known_answer", *LOCKED]


def test_the_key_is_on_the_disk_before_it_is_sent(board, store):
    seen = []

    def look(data):
        if data.startswith(b"BURN"):
            (entry,) = KeyStore(store.folder.parent).entries()
            seen.append((entry.state, entry.key.key.hex().encode() in data, board.otp.slot))

    burn(board, store, line=Line(board, look))
    assert seen == [("pending", True, bytes(16))]


def test_jtag_is_closed_only_when_asked(board, store):
    _, made = burn(board, store, close_jtag=True)
    assert made.jtag_closed and sorted(board.functions) == sorted([*LOCKED, "jtag_off"])


def test_jtag_may_be_closed_later(board, store):
    burn(board, store)
    restart(board)
    assert room.plan(room.Program(Line(board)).status(), store).do == "nothing"
    do, made = burn(board, store, close_jtag=True)
    assert do == "lock" and made.jtag_closed and "jtag_off" in board.functions
    assert store.get("door") == made


@pytest.mark.parametrize("word", ["", "burn", "BURN ", "yes", "BURN\nBURN"])
def test_another_word_burns_nothing_and_sends_nothing(board, store, word):
    line = Line(board)
    assert refused(burn, board, store, word=word, line=line).code == "keygen_word"
    assert (
        line.sent == [b"\nSTATUS\n"] and board.otp.slot == bytes(16) and not store.folder.exists()
    )


def test_the_program_itself_refuses_another_word(board):
    program = room.Program(Line(board))
    error = refused(program.burn, program.status(), BoardKey("burnt", KEY_A), "burn", print)
    assert error.code == "keygen_word" and "nothing was burnt" in str(error)
    assert board.otp.slot == bytes(16) and board.functions == []


# Interrupted


@pytest.mark.parametrize("ones", [0, 1, 17, 39])
def test_unplugged_in_the_middle_and_completed(board, store, ones):
    fail_at(board, Event.PULSE, ones, Trouble.POWER)
    assert refused(burn, board, store).code == "keygen_lost"
    (pending,) = store.entries()
    assert pending.state == "pending" and board.otp.slot == part_of(pending.key.key, ones)
    assert board.functions == []
    restart(board)
    do, made = burn(board, store, name="another name")
    assert do == ("finish" if ones else "burn")
    assert made == replace(pending, state="locked") == store.get("door")
    assert board.otp.slot == pending.key.key and board.functions == LOCKED
    assert len(store.entries()) == 1


@pytest.mark.parametrize("fuses", range(5))
def test_unplugged_while_it_locks_and_completed(board, store, fuses):
    seen = fail_at(board, Event.PULSE, 10_000, Trouble.POWER)

    def at_the_lock(data):
        if data.startswith(b"LOCK"):
            assert store.get("door").state == "burnt"
            fail_at(board, Event.PULSE, fuses, Trouble.POWER)

    if fuses < 4:
        error = refused(burn, board, store, line=Line(board, at_the_lock))
        assert error.code == "keygen_lost" and seen
        assert store.get("door").state == "burnt"
    else:  # everything was burnt; only the answer was lost
        burn(board, store)
        path = store.folder / "door.json"
        path.write_text(path.read_text().replace('"locked"', '"burnt"'))
    restart(board)
    program = room.Program(Line(board))
    what = room.plan(program.status(), store)
    assert what.do == {0: "finish", 4: "nothing"}.get(fuses, what.do)
    assert what.do in ("finish", "lock", "nothing") and what.entry == store.get("door")
    if what.do != "nothing":
        burn(board, store)
        assert store.get("door").state == "locked"
    assert board.functions == LOCKED and board.otp.slot == what.entry.key.key


def test_an_engine_that_sees_a_key_only_after_a_reset(board, store):
    board.otp.key_at_reset_only = True
    for _ in ("after the first fuse", "after the last"):
        error = refused(burn, board, store)
        assert error.code == "keygen_known_answer" and "bits of the key were burnt" in str(error)
        assert store.get("door").state == "pending" and board.functions == []
        restart(board)
    do, made = burn(board, store)
    assert (do, made.state, board.functions) == ("finish", "locked", LOCKED)


# Boards that are refused


def test_half_of_a_key_that_is_not_here(board, store):
    store.add(StoredKey.new("other", BoardKey("burnt", KEY_B)))
    store.add(StoredKey.new("bound", BoardKey("bound", KEY_A)))  # is in no fuse
    board.otp.bytes[KEY:] = part_of(KEY_A, 20)
    restart(board)
    before = bytes(board.otp.bytes)
    assert refused(burn, board, store).code == "keygen_foreign_key"
    assert bytes(board.otp.bytes) == before and len(store.entries()) == 2
    store.forget("bound")
    store.add(StoredKey.new("imported", BoardKey("burnt", KEY_A)))
    assert burn(board, store)[1].name == "imported"


def test_a_locked_board_whose_key_is_or_is_not_here(board, store, tmp_path):
    _, made = burn(board, store)
    restart(board)
    slot = room.Program(Line(board)).status()
    assert room.plan(slot, store) == room.Plan("nothing", made)
    empty = KeyStore(tmp_path / "elsewhere")
    assert refused(room.plan, slot, empty).code == "keygen_locked_unknown"


def test_a_locked_slot_without_a_key(store):
    board = Keygen(key_write_off=3, test_mode_off=3)
    assert refused(burn, board, store).code == "keygen_locked_blank"


@pytest.mark.parametrize("pair", [1, 2, 3])
@pytest.mark.parametrize("name", ["key_write_off", "key_verify_off", "cipher_off"])
def test_function_bits_that_forbid_it(store, name, pair):
    board = Keygen(**{name: pair})
    slot = room.Program(Line(board)).status()
    assert slot.functions[name] == ("set" if pair == 3 else "half")
    assert refused(burn, board, store).code == f"keygen_{name}"
    assert board.otp.slot == bytes(16) and not store.folder.exists()


def test_a_board_that_was_swapped_meanwhile(board, store):
    def swap(data):
        if data.startswith(b"BURN"):
            board.otp.bytes[FACTORY] = bytes(range(32))

    error = refused(burn, board, store, line=Line(board, swap))
    assert error.code == "keygen_id" and board.otp.slot == bytes(16)


def test_a_pending_key_of_this_chip_is_used_again(board, store):
    mine = replace(StoredKey.new("mine", BoardKey("burnt", KEY_A)), chip=board.unique_id)
    store.add(StoredKey.new("another", BoardKey("burnt", KEY_B), "00" * 32))
    store.add(mine)
    do, made = burn(board, store)
    assert (do, made.name, board.otp.slot) == ("burn", "mine", KEY_A)


# A chip that fails


@pytest.mark.parametrize(("event", "trouble", "code", "said"), [
    (Event.PULSE, Trouble.FAILED, "write", "bits of the key were burnt"),
    (Event.ADDRESS, Trouble.REFUSED, "address", "bits of the key were burnt"),
    (Event.ADDRESS, Trouble.STUCK, "busy", "bits of the key were burnt"),
    (Event.REPAIR_WRITE, Trouble.FAILED, "repair", "the key"),
    (Event.COMPARE, Trouble.FAILED, "compare", "the whole key was burnt"),
])  # fmt: skip
def test_failures_of_the_chip_lock_nothing(board, store, event, trouble, code, said, monkeypatch):
    fail_at(board, event, 0, trouble)
    error = refused(burn, board, store)
    assert error.code == f"keygen_{code}" and said in str(error), str(error)
    assert board.functions == [] and store.get("door").state == "pending"
    assert board.otp.bytes[FUNCTIONS:KEY] == bytes(16)


def test_a_lock_that_does_not_hold(board, store):
    def at_the_lock(data):
        if data.startswith(b"LOCK"):
            fail_at(board, Event.PULSE, 0, Trouble.FAILED)

    error = refused(burn, board, store, line=Line(board, at_the_lock))
    assert error.code == "keygen_write" and store.get("door").state == "burnt"
    assert "at least one bit of the lock" in str(error)
    restart(board)
    assert burn(board, store)[1].state == "locked"


def test_every_error_of_the_program_is_explained(root):
    text = (root / "firmware" / "keygen" / "README.md").read_text()
    table = text[text.index("| `error` |") : text.index("What is no command")]
    named = {
        word.strip("`")
        for row in table.splitlines()[2:]
        for word in row.split("|")[1:2]
        for word in word.split()
    }
    assert named == room.ERRORS
    for word in named:
        error = UserError(f"keygen_{word}", state=room.NOTHING)
        assert error.findings[0].text("what", "zh") != error.findings[0].text("what")
        assert error.findings[0].text("found", "zh") == "没有烧写任何东西"
