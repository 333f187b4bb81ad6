"""What a virtual board is given (`Scenario`), and how it is run."""

from __future__ import annotations

import json
import os
import platform
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import util
from pathlib import Path
from typing import Any

from PIL import Image

from ...errors import UserError
from ..boards import BIT, BUILDS, Board
from . import fat
from .host import Host
from .kpu import Scores
from .result import Frame, Result, Text, Write

FIRMWARE = Path(__file__).with_name("firmware")
FOR_THE_HOST = frozenset(("board", "card", "card_image", "flash", "flash_models", "camera", "kpu"))
"""Fields of a scenario that MicroPython is not told as they are."""


class BoardError(AssertionError):
    """The virtual board refused what a script did, or the script hung or left an exception."""


@dataclass(frozen=True)
class Scenario:
    """A board, what lies on its card, and what happens to it. Times are ms of virtual time.

    The card
        card: its files by path ("folder/" makes an empty folder), None for no card.
        card_image: a whole card instead, such as `Result.card_image` of an earlier run; without
            an MBR and a FAT partition it is not mounted. card_bytes: size of a new card; FAT32
            from FAT32_BYTES on, smaller ones FAT12 or FAT16.
        card_at_ms: when the firmware has mounted it; from 3001 on the firmware has given up, and
            the card is only seen after machine.SDCard.remount(). card_out_ms, card_back_ms:
            when it is pulled and put back; until a remount every access then fails with errno 5.
        card_read_only: every write fails. write_error_at, write_errors: from that block write
            on (counted from 1), so many fail. power_off_at_write: that block write and all after
            it do not happen; the script ends there.
    The flash
        flash: files in /flash. flash_models: kmodels, plain or sealed, by address.
    The chip
        unique_id: 32 bytes, or None. otp_key: the 16 bytes that are burnt in; None: no fuse is.
    The camera
        camera: pictures (any size; scaled to the frame), one a snapshot, the last repeats; with
            camera_ms each is seen for so long instead, over and over.
        camera_error: what sensor.reset() raises. camera_dies_ms: from then on snapshots time out.
        camera_back_ms: from then on reset() works again. frame_memory: bytes for its frames.
    The KPU
        kpu: "card": the simulator runs the model that the script loads; a kmodel's bytes: it
            runs this one instead; else the outputs, or a function of the uint8 (h, w, 3) picture.
        model_input: size of the input where `kpu` gives outputs. load_error: an error code that
            every load gives. model_memory: bytes free for models.
    What happens
        keys: (ms, pin, level) changes. touches: (ms, x, y) of a finger, (ms, None, None) when it
            is lifted; None for a board without touch screen. until_ms: when Ctrl-C comes; 3 s
            later the power goes.
    The rest
        board, build: see `boards`; the default build is the board's own. heap: bytes for the
        script. measure_heap: collect at every large call and keep the high-water mark.
        keep_pictures: False keeps the texts of the screens only, for long runs.
    """

    card: Mapping[str, bytes] | None = field(default_factory=dict)
    card_image: bytes | None = None
    card_at_ms: int = 0
    card_out_ms: int | None = None
    card_back_ms: int | None = None
    card_bytes: int = 8 << 20
    card_read_only: bool = False
    write_error_at: int = 0
    write_errors: int = 1
    power_off_at_write: int = 0
    flash: Mapping[str, bytes] = field(default_factory=dict)
    flash_models: Mapping[int, bytes] = field(default_factory=dict)
    unique_id: bytes | None = bytes(range(32))
    otp_key: bytes | None = None
    board: Board = BIT
    build: str = ""
    camera: Sequence[Image.Image] = ()
    camera_ms: int = 0
    camera_error: str = ""
    camera_dies_ms: int | None = None
    camera_back_ms: int | None = None
    frame_memory: int = 2 << 20
    kpu: Scores | bytes | str = (1.0,)
    model_input: tuple[int, int] = (224, 224)
    model_memory: int = 4 << 20
    load_error: int = 0
    keys: Sequence[tuple[int, int, int]] = ()
    touches: Sequence[tuple[int, int | None, int | None]] | None = None
    until_ms: int = 3000
    frame_ms: int = 40
    forward_ms: int = 38
    display_ms: int = 12
    load_ms: int = 420
    heap: int = 500_000
    measure_heap: bool = False
    keep_pictures: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.kpu, str) and self.kpu != "card":
            raise ValueError(f"kpu={self.kpu!r}: a word can only be 'card'")
        if self.build and self.build not in BUILDS:
            raise ValueError(f"no build {self.build!r}; there are {', '.join(BUILDS)}")


def fake_kmodel(main_memory: int = 200_000, size: int = 4096, version: int = 3) -> bytes:
    """Return bytes with a kmodel's header and nothing behind it; enough for the virtual KPU."""
    return struct.pack("<7I", version, 1, 0, 1, 0, main_memory, 1).ljust(size, b"\0")


def available() -> bool:
    """Tell whether MicroPython for this platform is installed."""
    return util.find_spec("micropython_unix") is not None


def run(script: bytes, *, check: bool = True, timeout: float = 60, **setup: Any) -> Result:
    """Run `script` as boot.py of a virtual board set up by `Scenario(**setup)`.

    Args:
        script: one file, as `host.deploy.board.render` makes it.
        check: raise when the script did what a board gets wrong or let an exception out.
        timeout: seconds of real time.
        setup: fields of `Scenario`.

    Raises:
        BoardError: it hung; or see `check`.
        UserError: there is no MicroPython for this platform.
    """
    if not available():
        raise UserError("no_micropython", platform=f"{sys.platform} {platform.machine()}")
    scenario = Scenario(**setup)
    with tempfile.TemporaryDirectory(prefix="board") as name:
        work = Path(name)
        image = _write_work(work, script, scenario)
        host = Host(scenario, image)
        stdout = _run_micropython(work, host, timeout)
        journal = work / "journal"
        writes = _read_journal(journal.read_bytes() if journal.exists() else b"")
    if host.end is None:
        raise BoardError(f"MicroPython stopped:\n{stdout}")
    ended = host.end["ended"]
    if check and ended.startswith(("refused", "error")):
        raise BoardError(f"{ended}\n{stdout}")
    return Result(
        ended=ended,
        ms=host.end["ms"],
        frames=tuple(
            Frame(ms, image, tuple(Text(*text) for text in texts))
            for ms, image, texts in host.frames
        ),
        stdout=stdout,
        models=host.models,
        loaded=tuple(host.loaded),
        heap_used=host.end["heap_used"],
        heap_kept=host.end["heap_kept"],
        heap_high=host.end["heap_high"] if scenario.measure_heap else 0,
        **_same_clock(host.card, writes),
    )


def _same_clock(card: bytes, writes: tuple[Write, ...]) -> dict[str, Any]:
    """Return the card before and the writes, the computer's clock taken out of its folders."""
    after = bytearray(card)
    for write in writes:
        after[write.block * fat.BLOCK : (write.block + 1) * fat.BLOCK] = write.data
    before = bytearray(card)
    for block in fat.directory_blocks(card):
        at = slice(block * fat.BLOCK, (block + 1) * fat.BLOCK)
        before[at] = fat.with_board_time(card[at])
    folders = fat.directory_blocks(after)
    journal = tuple(
        replace(one, data=fat.with_board_time(one.data)) if one.block in folders else one
        for one in writes
    )
    return {"card_before": bytes(before), "journal": journal}


def _read_journal(data: bytes) -> tuple[Write, ...]:
    step = 8 + fat.BLOCK
    heads = (struct.unpack_from("<II", data, at) for at in range(0, len(data), step))
    return tuple(
        Write(block, ms, data[at + 8 : at + step])
        for at, (block, ms) in zip(range(0, len(data), step), heads, strict=True)
    )


def _write_work(work: Path, script: bytes, scenario: Scenario) -> Path | None:
    """Write what MicroPython reads; return the file that is the card, None for no card."""
    for folder in ("flash", "card"):
        (work / folder).mkdir()
    (work / "boot.py").write_bytes(script)
    for folder, files in (("flash", scenario.flash), ("card", scenario.card or {})):
        for name, data in files.items():
            path = work / folder / name
            if name.endswith("/"):
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    image = work / "card.img"
    if scenario.card_image is not None:
        image.write_bytes(scenario.card_image)
    elif scenario.card is not None:
        with image.open("wb") as blank:
            big = scenario.card_bytes >= fat.FAT32_BYTES
            blank.write((fat.fat32 if big else fat.blank)(scenario.card_bytes))
            blank.truncate(fat.FIRST * fat.BLOCK + scenario.card_bytes)
    (work / "config.json").write_text(json.dumps(_config(scenario, work, image)))
    return image if image.exists() else None


def _config(scenario: Scenario, work: Path, image: Path) -> dict[str, Any]:
    board = scenario.board
    panel = {"kind": board.name, "size": board.panel, "in_config": board.in_config}
    head = scenario.card_image
    if head is None:
        head = fat.blank(scenario.card_bytes).ljust(fat.FIRST * 512 + scenario.card_bytes, b"\0")
    return {
        **{
            one.name: getattr(scenario, one.name)
            for one in fields(scenario)
            if one.name not in FOR_THE_HOST
        },
        "script": str(work / "boot.py"),
        "work": str(work),
        "card_image": str(image) if image.exists() else None,
        "card_blocks": fat.partition(head),
        "fill_card": scenario.card_image is None,
        "formatted": scenario.card_bytes >= fat.FAT32_BYTES,
        "panel": {**panel, "keywords": dict(board.lcd_keywords)},
        "cameras": board.cameras,
        "build": scenario.build or board.build,
        "board_config": dict(board.config),
        "keys": [list(key) for key in scenario.keys],
        "touches": None if scenario.touches is None else [list(one) for one in scenario.touches],
        "unique_id": None if scenario.unique_id is None else list(scenario.unique_id),
        "otp_key": None if scenario.otp_key is None else list(scenario.otp_key),
    }


def _run_micropython(work: Path, host: Host, timeout: float) -> str:
    """Run the board's MicroPython with `host` answering on two pipes; return what it printed."""
    ask_read, ask_write = os.pipe()
    answer_read, answer_write = os.pipe()
    command = [sys.executable, "-m", "micropython_unix", "-X", "heapsize=3M"]
    command += [str(FIRMWARE / "start.py"), str(ask_write), str(answer_read)]
    printed = work / "printed"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [*command, str(work / "config.json")],
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(ask_write, answer_read),
            cwd=work,
        )
    host.process = process
    os.close(ask_write)
    os.close(answer_read)
    thread = threading.Thread(target=host.serve, args=(ask_read, answer_write), daemon=True)
    thread.start()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired as late:
        process.kill()
        process.wait()
        text = printed.read_text(errors="replace")
        raise BoardError(f"no end after {timeout} s of real time:\n{text[-4000:]}") from late
    thread.join(10)
    if host.error is not None:
        raise host.error
    return printed.read_text(errors="replace")
