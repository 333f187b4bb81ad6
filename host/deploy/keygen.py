"""Drives the key generator of `firmware/keygen/`: look at a board's fuses, burn a key, lock it.

The protocol is described in `firmware/keygen/README.md`. The key is on this computer's disk before
it is sent, so that no accident leaves a board with a key that nobody has.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import serial

from ..errors import UserError
from ..i18n import N_
from . import flash, serial_port
from .board_key import BLANK_ID, KEY_BYTES, BoardKey, board_id
from .key_store import KeyStore, StoredKey
from .machine_code import MachineCode

IMAGE = Path(__file__).resolve().parents[2] / "firmware" / "keygen" / "keygen.bin"
VERSION = 1
WORD = "BURN"
"""What a person has to type before a fuse is touched."""
FUNCTIONS = (
    "key_write_off", "test_mode_off", "jtag_off", "key_verify_off", "cipher_off", "isp_off",
    "pinned_firmware", "blank_test_off", "ram_bisr_off", "i2c2axi_off",
)  # fmt: skip
"""The chip's function bits; the program burns the first two and, if asked, the third."""
LOCKS = FUNCTIONS[:2]
JTAG = "jtag_off"
NOTHING = N_("nothing was burnt")
ERRORS = {
    "usage", "word", "id", "crc", "weight", "key_write_off", "key_verify_off", "cipher_off",
    "not_blank", "slot_unclear", "engine", "read", "busy", "address", "write", "repair", "compare",
    "known_answer", "blank", "code", "not_set", "clock",
}  # fmt: skip
"""What the program can refuse with; `keygen_<word>` is the message."""
ASK_SECONDS, ASK_TIMES = 3.0, 4
WORK_SECONDS = 30.0
"""Longest silence while fuses are burnt. A pulse takes less than a millisecond."""
LINE_BYTES_MAX = 2048

Progress = Callable[[str], None]
"""Called with each step ("write", "compare", ...) as in the protocol."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What a board said of its fuses. `chip` is its unique id, 64 hex digits."""

    chip: str = field(repr=False)
    board_id: bytes = field(repr=False)
    state: Literal["blank", "burnt", "locked"]
    functions: Mapping[str, str]
    burn: Literal["any_key", "same_key", "no"]
    why: str

    @property
    def locked(self) -> bool:
        """Whether the key can be neither changed nor read out any more."""
        return self.state == "locked"

    @property
    def code(self) -> str:
        """The machine code of what is in the slot, as people type it."""
        return MachineCode(self.board_id, "burnt").text

    @property
    def jtag_closed(self) -> bool:
        """Whether both fuses of the JTAG bit are burnt."""
        return self.functions[JTAG] == "set"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: burn (or go on burning) and lock, only lock, or nothing.

    `entry` is the key of the store that it is about; None: one will be made.
    """

    do: Literal["burn", "finish", "lock", "nothing"]
    entry: StoredKey | None

    def sets(self, slot: Slot, close_jtag: bool) -> tuple[str, ...]:
        """Return the function bits that it will burn."""
        if self.do == "nothing":
            return ()
        wanted = (*LOCKS, JTAG) if close_jtag else LOCKS
        return tuple(one for one in wanted if slot.functions[one] != "set")


@contextmanager
def running(port: str, board: str = "", *, already: bool = False) -> Iterator[Program]:
    """Yield the program on the board at `port`, started in its RAM; the flash is not touched.

    Args:
        port: the serial port.
        board: one of `flash.BOARDS`, "" to try the wirings in turn.
        already: it was started before; nothing is loaded.

    Raises:
        UserError: `keygen_image_missing`, what `flash.run_in_ram` or opening the port raises, and
            `keygen_lost` when the port goes away.
    """
    if already:
        opened = serial_port.opened(port)
    else:
        try:
            image = IMAGE.read_bytes()
        except OSError as error:
            raise UserError("keygen_image_missing", str(IMAGE), reason=error.strerror) from error
        opened = flash.run_in_ram(port, image, board)
    with opened as line:
        yield Program(line, port)


class Program:
    """The running program. `line` is an open serial port with a timeout of about a second."""

    def __init__(self, line: serial.Serial, port: str = "") -> None:
        self._line, self._port = line, port

    def status(self) -> Slot:
        """Ask for the state of the fuses; nothing is changed.

        Raises:
            UserError: `keygen_silent`, `keygen_garbled`, `keygen_version`, `keygen_lost`, or what
                the program refuses with.
        """
        heard = b""
        for _ in range(ASK_TIMES):
            self._send(b"\nSTATUS")  # the first line end ends what noise there was
            for line in self._lines(ASK_SECONDS, whole=True):
                heard += line
                answer = _parsed(line)
                if answer.get("maixforge") == "keygen" and answer.get("version") != VERSION:
                    raise UserError("keygen_version", self._port, known=VERSION)
                if answer.get("reply") == "status":
                    self._refuse_failure(answer)
                    return self._slot(answer)
        if not heard.strip(b"\0\r\n\xff"):
            raise UserError("keygen_silent", self._port)
        text = "".join(chr(byte) if 32 <= byte < 127 else " " for byte in heard[-80:])
        raise UserError("keygen_garbled", self._port, said=" ".join(text.split())[-60:] or "?")

    def burn(self, slot: Slot, key: BoardKey, word: str, progress: Progress) -> bytes:
        """Burn `key` into the board that `slot` is of; return the board id that the chip shows.

        Raises:
            UserError: what the program refuses with, `keygen_lost`, `keygen_confused`,
                `keygen_trap`.
        """
        digest = f"{zlib.crc32(key.key):08x}"
        fields = (WORD, word, slot.chip[:8], key.key.hex(), digest)
        return self._work(fields, "burn", progress)

    def lock(self, code: bytes, close_jtag: bool, progress: Progress) -> bytes:
        """Lock the slot whose board id is `code`; return the board id that the chip shows.

        Raises:
            UserError: as for `burn`.
        """
        fields = ("LOCK", code.hex(), "jtag" if close_jtag else "keep")
        return self._work(fields, "lock", progress)

    def _work(self, fields: tuple[str, ...], reply: str, progress: Progress) -> bytes:
        with self._explained():
            self._line.reset_input_buffer()  # answers to a STATUS that was asked twice
        self._send(" ".join(fields).encode("ascii"))
        for line in self._lines(WORK_SECONDS):
            answer = _parsed(line)
            if answer.get("event") == reply:
                progress(str(answer.get("step", ""))[:20])
            elif answer.get("event") == "trap":
                raise UserError("keygen_trap", self._port, cause=str(answer.get("cause"))[:8])
            elif answer.get("reply") == reply:
                self._refuse_failure(answer)
                return self._hex(answer, "machine_code", 32)
            elif answer.get("reply") == "unknown":
                raise UserError("keygen_confused", self._port)
        raise UserError("keygen_lost", self._port, reason=f"- ({WORK_SECONDS:.0f} s)")

    def _send(self, command: bytes) -> None:
        with self._explained():
            self._line.write(command + b"\n")
            self._line.flush()

    def _lines(self, seconds: float, *, whole: bool = False) -> Iterator[bytes]:
        """Yield lines until `seconds` pass without one, or, with `whole`, `seconds` in all."""
        end, got = time.monotonic() + seconds, b""
        while time.monotonic() < end:
            with self._explained():
                got += self._line.read_until(b"\n", LINE_BYTES_MAX)
            if got.endswith(b"\n") or len(got) >= LINE_BYTES_MAX:
                yield got
                got = b""
                if not whole:
                    end = time.monotonic() + seconds
        if got and whole:
            yield got

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, TypeError) as error:  # TypeError: pyserial's port was closed meanwhile
            raise UserError("keygen_lost", self._port, reason=str(error)[:100]) from error
        except KeyboardInterrupt as error:
            raise UserError("keygen_lost", self._port, reason="Ctrl-C") from error

    def _refuse_failure(self, answer: Mapping[str, Any]) -> None:
        if answer.get("ok") is True:
            return
        word = answer.get("error")
        state = _written(answer.get("written"))
        if isinstance(word, str) and word in ERRORS:
            raise UserError(f"keygen_{word}", self._port, state=state)
        raise UserError("keygen_unknown", self._port, state=state)

    def _slot(self, answer: Mapping[str, Any]) -> Slot:
        functions = answer.get("functions")
        if (
            not isinstance(functions, dict)
            or any(functions.get(one) not in ("clear", "half", "set") for one in FUNCTIONS)
            or answer.get("state") not in ("blank", "burnt", "locked")
            or answer.get("burn") not in ("any_key", "same_key", "no")
        ):
            raise UserError("keygen_garbled", self._port, said="-")
        return Slot(
            self._hex(answer, "unique_id", 64).hex(),
            self._hex(answer, "machine_code", 32),
            answer["state"],
            {one: functions[one] for one in FUNCTIONS},
            answer["burn"],
            str(answer.get("why", "")),
        )

    def _hex(self, answer: Mapping[str, Any], name: str, digits: int) -> bytes:
        text = answer.get(name)
        if not isinstance(text, str) or not re.fullmatch(f"[0-9a-f]{{{digits}}}", text):
            raise UserError("keygen_garbled", self._port, said="-")
        return bytes.fromhex(text)


def plan(slot: Slot, store: KeyStore, *, close_jtag: bool = False) -> Plan:
    """Return what `perform` would do with a board whose fuses are as in `slot`.

    A burn that was interrupted is known by its key: it is in the store, and the slot holds it or
    the first bits of it. A pending key of this very chip is used again rather than a new one made.

    Raises:
        UserError: nothing can be done: `keygen_locked_blank`, `keygen_locked_unknown`,
            `keygen_foreign_key`, or `keygen_<why>`, see `Slot.why`.
    """
    keys = [one for one in store.entries() if one.burnable]
    if slot.board_id == BLANK_ID:
        if slot.locked:
            raise UserError("keygen_locked_blank")
        _refuse_why(slot)
        mine = (one for one in keys if one.chip == slot.chip and one.state == "pending")
        return Plan("burn", next(mine, None))
    whole = next((one for one in keys if one.key.board_id == slot.board_id), None)
    if slot.locked:
        if not whole:
            raise UserError("keygen_locked_unknown", str(store.folder))
        more = close_jtag and not slot.jtag_closed
        return Plan("lock" if more else "nothing", whole)
    if whole and slot.why == "key_write_off":  # the locking was interrupted
        return Plan("lock", whole)
    part = whole or next((one for one in keys if slot.board_id in _ids_on_the_way(one.key)), None)
    if not part:
        raise UserError("keygen_foreign_key", str(store.folder))
    _refuse_why(slot)
    return Plan("finish", part)


def perform(
    program: Program,
    slot: Slot,
    what: Plan,
    store: KeyStore,
    *,
    name: str,
    word: str,
    close_jtag: bool = False,
    progress: Progress = lambda step: None,
) -> StoredKey:
    """Do what `plan` said: burn the key, compare, lock, read back. Return the key as stored.

    Args:
        program: the program on the board.
        slot: what it said before.
        what: what `plan` returned.
        store: a new key is in it, pending and on the disk, before it is sent.
        name: name of a new key; one that is there keeps its own.
        word: what the person typed.
        close_jtag: close JTAG, too.
        progress: told of every step.

    Raises:
        UserError: `keygen_word` (nothing was sent), `key_name`, `key_name_taken`,
            `keygen_differs`, `keygen_not_locked`, and what `Program` raises.
    """
    if word != WORD:
        raise UserError("keygen_word", state=NOTHING)
    entry = what.entry
    if entry is None:
        entry = StoredKey.new(name, BoardKey.new(), slot.chip)
        store.add(entry)
    if what.do in ("burn", "finish"):
        if program.burn(slot, entry.key, word, progress) != entry.key.board_id:
            raise UserError("keygen_differs")
        entry = store.advance(entry, "burnt", chip=slot.chip)
    program.lock(entry.key.board_id, close_jtag, progress)
    after = program.status()
    closed = after.jtag_closed or not close_jtag
    if after.board_id != entry.key.board_id or not after.locked or not closed:
        raise UserError("keygen_not_locked")
    return store.advance(entry, "locked", chip=slot.chip, jtag_closed=after.jtag_closed)


def _written(written: object) -> str:
    """Return in words what a failed command says that it changed."""
    if not isinstance(written, dict):
        return N_("it is not known what was burnt")
    if written.get("key_bits") == "all":
        return N_("the whole key was burnt, the lock was not")
    if written.get("key_bits") == "some":
        return N_("bits of the key were burnt, the lock was not")
    if written.get("functions"):
        return N_("the key was left alone; at least one bit of the lock was burnt")
    return NOTHING


def _refuse_why(slot: Slot) -> None:
    if slot.burn == "no":
        known = slot.why in ERRORS
        raise UserError(f"keygen_{slot.why}" if known else "keygen_unknown", state=NOTHING)


def _ids_on_the_way(key: BoardKey) -> set[bytes]:
    """Return the board ids of all that the slot holds while `key` is being burnt.

    The program writes the ones from bit 0 of the first byte to bit 7 of the last.
    """
    partial, found = bytearray(KEY_BYTES), set()
    for bit in range(8 * KEY_BYTES):
        if key.key[bit // 8] >> bit % 8 & 1:
            partial[bit // 8] |= 1 << bit % 8
            found.add(board_id(bytes(partial)))
    return found


def _parsed(line: bytes) -> Mapping[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        answer = json.loads(line)
        if isinstance(answer, dict):
            return answer
    return {}
