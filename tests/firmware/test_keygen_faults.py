"""The key generator where things go wrong: power cuts at every step, bad fuses, dead parts."""

from collections import Counter

import pytest

pytest.importorskip("unicorn", reason="no unicorn on this platform")

from k210.otp import KEY, Event, PowerLostError
from keygen_board import BLANK, KEY_A, KEY_B, NOTHING, Keygen, code_of, part_of, weight

LOCK_ORDER = ["key_write_off", "test_mode_off", "jtag_off"]


class Once:
    """Trouble in one step out of many; without a number it only counts the steps."""

    def __init__(self, otp, event=None, number=0, what=""):
        self.wanted, self.what = (event, number), what
        self.steps = Counter()
        otp.trouble = self

    def __call__(self, event):
        self.steps[event] += 1
        return self.what if self.wanted == (event, self.steps[event]) else ""

    @property
    def points(self):
        return [(event, n) for event, times in self.steps.items() for n in range(1, times + 1)]


def fresh(board, slot=BLANK):
    """Another chip with nothing but this in its slot."""
    board.otp.bytes[0x3FD0:] = bytes(0x20) + slot
    board.power_cycle()


def points_of(board, line):
    """Every step that a command does."""
    counting = Once(board.otp)
    assert board.ask(line)["ok"]
    return counting.points


def cut(board, line, event, number):
    """Lose the power in a step; then the board is switched on again."""
    Once(board.otp, event, number, "power")
    with pytest.raises(PowerLostError):
        board.ask(line)
    written = len(board.otp.pulses)
    board.power_cycle()
    return written


def ones_in(board):
    return weight(board.otp.slot)


# Power


def test_power_lost_at_every_step_of_burning():
    board = Keygen()
    line = board.burn_line(KEY_A)
    points = points_of(board, line)
    assert Counter(event for event, _ in points)[Event.PULSED] == weight(KEY_A)
    seen = set()
    for event, number in points:
        fresh(board)
        written = cut(board, line, event, number)
        assert board.otp.slot == part_of(KEY_A, written), (event, number)
        assert board.functions == []
        seen.add(written)
        _go_on(board, KEY_A, KEY_B)
    assert seen == set(range(weight(KEY_A) + 1))
    assert len(points) > 250


def _go_on(board, key, other):
    part = board.otp.slot
    reply = board.status()
    assert reply["machine_code"] == code_of(part)
    assert reply["state"] == ("burnt" if any(part) else "blank")
    if any(part):
        assert board.burn(other) == {
            "reply": "burn", "ok": False, "error": "not_blank", "written": NOTHING,
        }  # fmt: skip
        assert board.lock(key)["ok"] is (part == key)
        if part == key:
            return
    assert board.otp.slot == part and board.functions == []
    reply = board.burn(key)
    assert reply["ok"] and reply["machine_code"] == code_of(key)
    assert reply["written"]["key_bits"] == ("some" if any(part) else "all")
    assert board.otp.slot == key and len(board.otp.pulses) == weight(key) - weight(part)


def test_the_self_repair_that_a_power_cut_prevented_is_made_up_for():
    board = Keygen()
    line = board.burn_line(KEY_A)
    cut(board, line, Event.REPAIR_WRITE, 2)  # the first was for the first fuse
    assert board.otp.slot == KEY_A
    counting = Once(board.otp)
    assert board.ask(line)["written"] == NOTHING
    assert counting.steps[Event.REPAIR_WRITE] == counting.steps[Event.REPAIR_READ] == 1


def test_power_lost_twice():
    board = Keygen()
    line = board.burn_line(KEY_B)
    for first in range(1, weight(KEY_B), 9):
        for second in range(1, weight(KEY_B) - first, 11):
            fresh(board)
            cut(board, line, Event.PULSED, first)
            cut(board, line, Event.PULSED, second)
            assert board.otp.slot == part_of(KEY_B, first + second)
            assert board.ask(line)["ok"] and board.otp.slot == KEY_B


def test_a_part_fits_the_keys_that_begin_like_it_and_no_others():
    # Two keys with the same first eight bytes: up to there a half burnt board takes either.
    other = KEY_A[:8] + KEY_B[8:]
    common = weight(KEY_A[:8])
    board = Keygen()
    for ones in range(weight(KEY_A) + 1):
        fresh(board, part_of(KEY_A, ones))
        reply = board.burn(other)
        fits = part_of(KEY_A, ones) == part_of(other, ones)
        assert fits or ones > common
        assert reply["ok"] is fits
        assert board.otp.slot == (other if fits else part_of(KEY_A, ones))


@pytest.mark.parametrize("wrong", [1 << 0, 1 << 60, 1 << 127])
def test_a_bit_that_is_not_of_the_key_is_refused(wrong):
    value = int.from_bytes(part_of(KEY_A, 30), "little") ^ wrong
    board = Keygen(value.to_bytes(16, "little"))
    assert board.burn(KEY_A)["error"] == "not_blank"
    assert board.otp.pulses == []


@pytest.mark.parametrize("jtag", ["keep", "jtag"])
def test_power_lost_at_every_step_of_locking(jtag):
    order = LOCK_ORDER[: 2 + (jtag == "jtag")]
    line = f"LOCK {code_of(KEY_A)} {jtag}"
    board = Keygen(KEY_A)
    points = points_of(board, line)
    assert Counter(event for event, _ in points)[Event.PULSED] == 2 * len(order)
    for event, number in points:
        fresh(board, KEY_A)
        written = cut(board, line, event, number)
        assert board.functions == sorted_like(board, order[: written // 2]), (event, number)
        states = board.status()["functions"]
        half = [name for name, state in states.items() if state == "half"]
        assert half == order[written // 2 : written // 2 + written % 2]
        reply = board.ask(line)
        assert reply["ok"]
        assert set(reply["written"]["functions"]) == set(order[written // 2 :])
        assert board.functions == sorted_like(board, order)
        assert board.otp.slot == KEY_A and len(board.otp.pulses) == 2 * len(order) - written
        assert board.status()["state"] == "locked"
    assert len(points) > 40


def sorted_like(board, names):
    """Names in the order of `board.functions`."""
    return [name for name in board.status()["functions"] if name in names]


# Steps that fail


def burn_faults():
    total = weight(KEY_A)
    for number in (1, 2, total // 2, total):
        yield Event.ADDRESS, number, "refused", "address"
        yield Event.PULSE, number, "failed", "write"
        yield Event.ADDRESS, number, "stuck", "busy"
    yield Event.REPAIR_WRITE, 1, "failed", "repair"
    yield Event.REPAIR_WRITE, 1, "stuck", "busy"
    yield Event.REPAIR_READ, 1, "stuck", "busy"
    yield Event.COMPARE, 1, "failed", "compare"
    yield Event.COMPARE, 1, "stuck", "busy"
    for number in (1, 32, 33, 35):
        yield Event.READ, number, "refused", "read"
        yield Event.READ, number, "stuck", "read"
    yield Event.READY, 1, "stuck", "read"
    yield Event.READY, 36, "stuck", "busy"
    yield Event.READY, 40, "stuck", "busy"


def test_every_step_of_burning_that_fails_says_so_and_can_be_repeated():
    board = Keygen()
    line = board.burn_line(KEY_A)
    for event, number, what, error in burn_faults():
        fresh(board)
        Once(board.otp, event, number, what)
        reply = board.ask(line)
        assert (reply["ok"], reply["error"]) == (False, error), (event, number, what)
        assert reply["written"]["functions"] == [] == board.functions
        assert board.otp.slot == part_of(KEY_A, ones_in(board))
        bits = reply["written"]["key_bits"]
        if error == "read":
            assert bits == "none" and board.otp.pulses == []
        else:
            late = event == Event.COMPARE
            assert bits == ("all" if late else "some"), (event, number, what)
        board.otp.trouble = lambda _event: ""
        assert board.ask(line)["ok"] and board.otp.slot == KEY_A


def test_every_fuse_that_fails_stops_the_writing_there():
    board = Keygen()
    line = board.burn_line(KEY_A)
    for number in range(1, weight(KEY_A) + 1):
        fresh(board)
        Once(board.otp, Event.PULSE, number, "failed")
        reply = board.ask(line)
        assert reply["error"] == "write" and reply["written"]["key_bits"] == "some"
        assert board.otp.slot == part_of(KEY_A, number - 1) and board.functions == []


@pytest.mark.parametrize(
    ("event", "number", "what", "error"),
    [
        (Event.ADDRESS, 1, "refused", "address"),
        (Event.PULSE, 1, "failed", "write"),
        (Event.PULSE, 2, "failed", "write"),
        (Event.REPAIR_WRITE, 1, "failed", "repair"),
        (Event.REPAIR_READ, 1, "stuck", "busy"),
        (Event.READ, 1, "refused", "read"),
    ],
)
def test_a_step_of_locking_that_fails_says_so(event, number, what, error):
    board = Keygen(KEY_A)
    Once(board.otp, event, number, what)
    reply = board.lock(KEY_A)
    assert (reply["ok"], reply["error"]) == (False, error)
    touched = [] if error == "read" else ["key_write_off"]
    assert reply["written"] == {"key_bits": "none", "functions": touched}
    assert set(board.functions) <= {"key_write_off"}
    board.power_cycle()
    assert board.lock(KEY_A)["ok"] and board.otp.slot == KEY_A


def test_a_function_that_does_not_read_back_is_not_taken_for_set():
    board = Keygen(KEY_A)
    board.otp._program = lambda address, bit: None
    reply = board.lock(KEY_A)
    assert reply["error"] == "not_set"
    assert reply["written"]["functions"] == ["key_write_off"]


# Parts that fail


def test_a_key_that_is_seen_only_after_a_reset():
    board = Keygen()
    board.otp.key_at_reset_only = True
    for ones in (1, weight(KEY_A)):  # the first fuse alone, then the rest
        reply = board.burn(KEY_A)
        assert (reply["ok"], reply["error"]) == (False, "known_answer")
        assert reply["written"] == {"key_bits": "some", "functions": []}
        assert board.otp.slot == part_of(KEY_A, ones) and board.functions == []
        board.power_cycle()
        assert board.status()["machine_code"] == code_of(part_of(KEY_A, ones))
    assert board.burn(KEY_A)["written"] == NOTHING
    assert board.lock(KEY_A)["ok"]


def test_an_engine_that_sees_the_slot_in_another_order_costs_one_fuse():
    board = Keygen()
    board.chip.aes._key = lambda key=board.chip.aes._key: key()[::-1] if _selected(board) else key()
    assert board.burn(KEY_A)["error"] == "known_answer"
    assert board.otp.slot == part_of(KEY_A, 1)
    board.power_cycle()
    assert board.burn(KEY_A)["error"] == "not_blank"
    assert board.otp.slot == part_of(KEY_A, 1)


def _selected(board):
    return board.otp.values["gb_otp_en"]


def test_a_slot_that_does_not_hold_what_was_written():
    board = Keygen()
    write = board.otp._program

    def wrong(address, bit):  # one bit lands in another place
        write(address, bit ^ (address == KEY + 7 and bit == 0))

    board.otp._program = wrong
    reply = board.burn(KEY_A)
    assert reply["error"] == "compare" and board.functions == []


@pytest.mark.parametrize("slot", [BLANK, KEY_A])
def test_an_engine_that_ignores_the_slot_is_not_believed(slot):
    board = Keygen(slot)
    board.chip.aes.uses_slot = False
    reply = board.status()
    assert (reply["burn"], reply["why"]) == ("no", "slot_unclear")
    assert board.burn(KEY_A)["error"] == "slot_unclear"
    assert board.lock(KEY_A)["error"] == "slot_unclear"
    assert board.otp.pulses == []


@pytest.mark.parametrize("how", ["dead", "wrong"])
def test_an_engine_that_fails_is_not_believed(how):
    board = Keygen()
    if how == "dead":
        board.chip.aes.dead = True
    else:
        board.chip.aes._key = lambda: b"x" * 16
    for line in ("STATUS", board.burn_line(KEY_A), f"LOCK {code_of(KEY_A)} keep"):
        reply = board.ask(line)
        assert reply["error"] == "engine" and reply["written"] == NOTHING
    assert board.otp.pulses == []


@pytest.mark.parametrize(
    ("select", "pll"),
    [(0x249, None), (0, 0), (1 | 3 << 1 | 7 << 6, None), (1, 1 << 21 | 1 << 25 | 30 << 4)],
)
def test_the_clock_is_the_same_whatever_it_was(select, pll):
    board = Keygen()
    clocks = board.chip.sysctl.values
    clocks.update(clk_sel0=select, clk_en_peri=0, clk_en_cent=0, pll0=pll or clocks["pll0"])
    board.power_cycle()  # Keygen checks the baud rate of every byte
    assert board.greeting["version"] == 1
    assert board.chip.sysctl.cpu_hz == 390_000_000
    assert board.chip.sysctl.apb1_hz / board.otp.values["thershold"] < 12.5e6
    assert board.burn(KEY_A)["ok"]


def test_without_its_pll_the_board_talks_but_blows_no_fuse():
    board = Keygen(KEY_A)
    board.chip.sysctl.plls_lock = False
    board.power_cycle()
    assert board.chip.sysctl.cpu_hz == 26_000_000
    reply = board.status()
    assert reply["machine_code"] == code_of(KEY_A)
    assert (reply["burn"], reply["why"]) == ("no", "clock")
    assert board.burn(KEY_A)["error"] == "clock" == board.lock(KEY_A)["error"]
    assert board.otp.pulses == []


def test_a_trap_is_told():
    board = Keygen()
    board.chip.harts[0].pc = 0x10000000  # nothing is there
    assert board.listen("event") == [{"event": "trap", "cause": "01"}]
    board.chip.run(lambda: False, 0.05)
    assert board.said.count(b"\n") == 1 and board.chip.harts[0].sleeping
    assert board.otp.pulses == []
