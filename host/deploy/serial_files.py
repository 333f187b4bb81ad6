"""Files of a board over its REPL: list, put, pull with resuming, run. All with a check sum.

Bytes travel as Base64: MaixPy's REPL is text, and the escapes that mpremote's own copying sends
take two to three times as long at 115200 baud for a JPEG.
"""

from __future__ import annotations

import ast
import base64
import binascii
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files import atomic_write
from .serial_port import BAUD, SerialTransport, TransportExecError

RATE = BAUD / 10 * 3 / 4 * 0.9
"""Bytes a second to count on before any was measured: ten bits a letter, four letters for three
bytes, a tenth for prompts and the card."""
READ_CHUNK = 3072
WRITE_CHUNK = 720
"""Bytes in one command: with Base64 and the call under 1,024 letters, as long as the commands of
mpremote's own copying, which MaixPy takes without flow control."""
SLOW_BYTES = 200_000
"""From here on a person is told how long it takes before it starts (about 25 s)."""
PART = "~part.tmp"

_NUMBER = re.compile(r"^OSError: (?:\[Errno |\()?(\d+)")
_CODES = {2: "board_path_missing", 19: "board_no_card", 28: "board_full"}
_LIST = """\
import uos
p={path!r}
if p!='/' and not uos.stat(p)[0]&0x4000:
 print(('',False,uos.stat(p)[6]))
else:
 for f in uos.ilistdir(p):
  d=f[1]&0x4000!=0
  print((f[0],d,0 if d else uos.stat(p.rstrip('/')+'/'+f[0])[6]))
"""

Progress = Callable[[int, int, float], None]
"""Called with bytes done, bytes of all, and the measured bytes a second (0 at first)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder on the board: path from the root, size in bytes (0 for folders)."""

    path: str
    bytes: int
    folder: bool


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did: files copied and files that were here already, bytes, bytes a second."""

    copied: tuple[str, ...]
    kept: tuple[str, ...]
    bytes: int
    rate: float


def listing(link: SerialTransport, path: str) -> list[Entry]:
    """Return what is in the folder `path`, or the file itself.

    Raises:
        UserError: `board_path_missing`, `board_refused`.
    """
    path = _clean(path)
    with _explained(path):
        answer = link.exec(_LIST.format(path=path))
    rows = sorted(ast.literal_eval(line) for line in answer.decode().splitlines() if line)
    return [
        Entry(f"{path.rstrip('/')}/{name}" if name else path, size, folder)
        for name, folder, size in rows
    ]


def tree(link: SerialTransport, path: str) -> list[Entry]:
    """Return every file below `path`, sorted. Errors as for `listing`."""
    found = []
    for entry in listing(link, path):
        found += tree(link, entry.path) if entry.folder else [entry]
    return found


def put(link: SerialTransport, source: Path, target: str, progress: Progress) -> str:
    """Copy the file `source` to `target` (a path, or a folder of the board); return its path.

    It is written under another name, compared by CRC-32 and renamed, so that a broken connection
    leaves an older file as it was.

    Raises:
        UserError: `board_path_missing`, `board_refused`, `board_copy_differs`.
    """
    data = source.read_bytes()
    target = _target(link, target, source.name)
    folder = target.rpartition("/")[0]
    part = f"{folder}/{PART}"
    meter = _Meter(len(data), progress)
    with _explained(target):
        link.exec(f"import uos, ubinascii\nf=open({part!r},'wb')\nu=ubinascii.a2b_base64")
        for at in range(0, len(data), WRITE_CHUNK):
            chunk = base64.b64encode(data[at : at + WRITE_CHUNK]).decode("ascii")
            link.exec(f"f.write(u('{chunk}'))")
            meter.add(len(data[at : at + WRITE_CHUNK]))
        link.exec("f.close()")
        if _crc(link, part) != binascii.crc32(data):
            link.exec(f"uos.remove({part!r})")
            raise UserError("board_copy_differs", target)
        link.exec(
            f"try:\n uos.rename({part!r},{target!r})\n"
            f"except OSError:\n uos.remove({target!r})\n uos.rename({part!r},{target!r})"
        )  # SPIFFS of /flash renames over nothing
    return target


def pull(link: SerialTransport, source: str, folder: Path, progress: Progress) -> Pulled:
    """Copy the file or the tree `source` into `folder`; what is here already is not sent again.

    A file counts as here when size and CRC-32 are equal. Each arrives under another name and is
    renamed when its CRC-32 is right, so a pull that was interrupted goes on where it was.

    Raises:
        UserError: `board_path_missing`, `board_refused`, `board_copy_differs`,
            `board_name_unsafe` (a name on the card that would leave `folder`).
    """
    source = _clean(source)
    entries = tree(link, source)
    places = {entry.path: _place(entry.path, source, folder) for entry in entries}
    meter = _Meter(sum(entry.bytes for entry in entries), progress)
    copied, kept = [], []
    for entry in entries:
        place = places[entry.path]
        with _explained(entry.path):
            if _is_here(link, entry, place):
                kept.append(entry.path)
                meter.skip(entry.bytes)
                continue
            data = _read(link, entry, meter)
        place.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(place, data)
        copied.append(entry.path)
    return Pulled(tuple(copied), tuple(kept), meter.sent, meter.rate)


def run(link: SerialTransport, script: bytes, show: Callable[[bytes], None]) -> str:
    """Run `script` on the board as if typed; `show` gets what it prints. Return its traceback.

    It ends with the script, or with Ctrl-C here, which stops the script on the board as well.
    """
    link.exec_raw_no_follow(script)
    try:
        _, failed = link.follow(None, lambda data: show(data.replace(b"\x04", b"")))
    except KeyboardInterrupt:
        link.serial.write(b"\x03")
        link.follow(5, lambda data: show(data.replace(b"\x04", b"")))
        raise
    return failed.decode("utf-8", "replace")


def seconds(size: int, rate: float = RATE) -> float:
    """Return how long `size` bytes take."""
    return size / rate


class _Meter:
    """Counts bytes and seconds of what really goes over the wire."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total, self.done, self.sent = total, 0, 0
        self._progress = progress
        self._started = time.monotonic()
        progress(0, total, 0.0)

    @property
    def rate(self) -> float:
        return self.sent / max(time.monotonic() - self._started, 1e-3) if self.sent else 0.0

    def add(self, count: int) -> None:
        self.sent += count
        self.skip(count)

    def skip(self, count: int) -> None:
        self.done += count
        self._progress(self.done, self.total, self.rate)


def _read(link: SerialTransport, entry: Entry, meter: _Meter) -> bytes:
    data = bytearray()
    link.exec(f"import ubinascii\nf=open({entry.path!r},'rb')\nb=ubinascii.b2a_base64")
    while True:
        chunk = base64.b64decode(link.exec(f"print(b(f.read({READ_CHUNK})).decode(),end='')"))
        if not chunk:
            break
        data += chunk
        meter.add(len(chunk))
    link.exec("f.close()")
    if binascii.crc32(data) != _crc(link, entry.path):
        raise UserError("board_copy_differs", entry.path)
    return bytes(data)


def _is_here(link: SerialTransport, entry: Entry, place: Path) -> bool:
    if not place.is_file() or place.stat().st_size != entry.bytes:
        return False
    return binascii.crc32(place.read_bytes()) == _crc(link, entry.path)


def _crc(link: SerialTransport, path: str) -> int:
    """Return the CRC-32 of a file on the board, computed there (MaixPy has ubinascii.crc32)."""
    answer = link.exec(
        f"import ubinascii\nf=open({path!r},'rb')\nc=0\n"
        f"while 1:\n d=f.read(4096)\n if not d:break\n c=ubinascii.crc32(d,c)\n"
        f"f.close()\nprint(c&0xffffffff)"
    )
    return int(answer)


def _target(link: SerialTransport, target: str, name: str) -> str:
    ends_as_folder = target.endswith("/")
    target = _clean(target)
    if target.count("/") == 1 and target in ("/sd", "/flash"):
        return f"{target}/{name}"
    try:
        kind = int(link.exec(f"import uos\nprint(uos.stat({target!r})[0])"))
    except TransportExecError:
        if ends_as_folder:
            raise UserError("board_path_missing", target) from None
        return target
    return f"{target}/{name}" if kind & 0x4000 else target


def _clean(path: str) -> str:
    """Return an absolute path: the board's current folder changes when the card is mounted."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _place(path: str, source: str, folder: Path) -> Path:
    """Return where a file of the board goes. Names on a card are not to be trusted."""
    inside = path[len(source) :].strip("/") or path.rpartition("/")[2]
    parts = inside.split("/")
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        raise UserError("board_name_unsafe", ascii(inside))
    return folder.joinpath(*parts)


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn the board's own exceptions into findings. Error numbers: core/extmod/vfs_fat_file.c."""
    try:
        yield
    except TransportExecError as error:
        last = (error.error_output.strip().splitlines() or ["?"])[-1]
        number = _NUMBER.search(last)
        code = _CODES.get(int(number[1]) if number else 0, "board_refused")
        raise UserError(code, path, reason=last) from error
