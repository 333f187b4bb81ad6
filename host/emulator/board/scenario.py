"""What a virtual board is given (`Scenario`) and what came of it (`Result`)."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .host import Host

FIRMWARE = Path(__file__).with_name("firmware")
Scores = Sequence[float] | Callable[[np.ndarray], Sequence[float]]


class BoardError(AssertionError):
    """The virtual board refused what a script did, or the script hung or left an exception."""


@dataclass(frozen=True)
class Board:
    """One kind of board: its panel (width, height as the firmware's default rotation has it) and
    its config.json; `in_config` says that config.json has the "lcd" entry."""

    name: str
    panel: tuple[int, int]
    config: Mapping[str, Any] = field(default_factory=dict)
    in_config: bool = False


BIT = Board("bit", (320, 240))
CUBE = Board("cube", (240, 240), {"type": "cube", "board_info": {"BOOT_KEY": 16}}, True)
AMIGO = Board("amigo", (480, 320), {"type": "amigo", "board_info": {"BOOT_KEY": 23}}, True)
M5STICKV = Board("m5stickv", (240, 135))


@dataclass(frozen=True)
class Text:
    """A text on the screen: panel pixels of its box, and what it says."""

    x: int
    y: int
    width: int
    height: int
    text: str


@dataclass(frozen=True)
class Frame:
    """The screen after a change, at `ms` of virtual time."""

    ms: int
    image: Image.Image
    texts: tuple[Text, ...]

    def says(self, *parts: str) -> bool:
        """Tell whether all `parts` stand somewhere in the texts, line breaks ignored."""
        whole = " ".join(text.text for text in self.texts)
        return all(part in whole for part in parts)


@dataclass(frozen=True)
class Scenario:
    """A board, what lies on its card, and what happens to it.

    card: files on the card by path, None for no card. `card_at_ms`: when the firmware has
    mounted it. flash: files in /flash. flash_models: kmodels in the flash by address.
    camera: pictures (any size; scaled to the 320x240 frame), one a snapshot, the last repeats.
    camera_error: what sensor.reset() raises. camera_dies_ms: from then on snapshots time out.
    kpu: the model's outputs, or a function of its uint8 (h, w, 3) input picture.
    load_error: a KPU error code that every load gives. model_memory: bytes free for a model.
    keys: (ms, pin, level) changes. until_ms: when Ctrl-C comes; 3 s later the power goes.
    heap: bytes of MicroPython heap for the script.
    """

    card: Mapping[str, bytes] | None = field(default_factory=dict)
    card_at_ms: int = 0
    card_bytes: int = 8 << 20
    flash: Mapping[str, bytes] = field(default_factory=dict)
    flash_models: Mapping[int, bytes] = field(default_factory=dict)
    board: Board = BIT
    camera: Sequence[Image.Image] = ()
    camera_error: str = ""
    camera_dies_ms: int | None = None
    frame_memory: int = 2 << 20
    kpu: Scores = (1.0,)
    model_input: tuple[int, int] = (224, 224)
    model_memory: int = 4 << 20
    load_error: int = 0
    keys: Sequence[tuple[int, int, int]] = ()
    until_ms: int = 3000
    frame_ms: int = 40
    forward_ms: int = 38
    display_ms: int = 12
    load_ms: int = 420
    heap: int = 500_000


@dataclass(frozen=True)
class Result:
    """What the board did. `models` is the number of models still loaded at the end; `files` is
    the card afterwards; `heap_used` counts bytes of heap, garbage included."""

    ended: str
    ms: int
    frames: tuple[Frame, ...]
    stdout: str
    models: int
    loaded: tuple[str | int, ...]
    files: Mapping[str, bytes]
    heap_used: int
    heap_kept: int

    @property
    def last(self) -> Frame:
        """The screen at the end."""
        return self.frames[-1]

    @property
    def texts(self) -> list[str]:
        """Every text that was ever shown, in order, without repeats."""
        return list(dict.fromkeys(t.text for frame in self.frames for t in frame.texts))

    def json_lines(self) -> list[dict[str, Any]]:
        """The lines on the serial port that are JSON objects."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]

    def save_frames(self, folder: Path) -> list[Path]:
        """Write the screens as PNGs for a person to look at."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{n:03d}-{frame.ms}ms.png" for n, frame in enumerate(self.frames)]
        for path, frame in zip(paths, self.frames, strict=True):
            frame.image.save(path)
        return paths


def fake_kmodel(main_memory: int = 200_000, size: int = 4096, version: int = 3) -> bytes:
    """Return bytes with a kmodel's header and nothing behind it; enough for the virtual KPU."""
    return struct.pack("<7I", version, 1, 0, 1, 0, main_memory, 1).ljust(size, b"\0")


def run(script: bytes, *, check: bool = True, timeout: float = 60, **setup: Any) -> Result:
    """Run `script` as boot.py of a virtual board set up by `Scenario(**setup)`.

    Raises:
        BoardError: it hung; or, with `check`, it did what a board gets wrong or let an
            exception out.
    """
    scenario = Scenario(**setup)
    with tempfile.TemporaryDirectory(prefix="board") as name:
        work = Path(name)
        _write_work(work, script, scenario)
        host = Host(scenario)
        stdout = _run_micropython(work, host, timeout)
        files = {
            str(path.relative_to(work / "card_after")): path.read_bytes()
            for path in sorted((work / "card_after").rglob("*"))
            if path.is_file()
        }
    if host.end is None:
        raise BoardError(f"MicroPython stopped:\n{stdout}")
    ended = host.end["ended"]
    if check and ended.startswith(("refused", "error")):
        raise BoardError(f"{ended}\n{stdout}")
    frames = tuple(
        Frame(ms, image, tuple(Text(*text) for text in texts)) for ms, image, texts in host.frames
    )
    return Result(
        ended,
        host.end["ms"],
        frames,
        stdout,
        host.models,
        tuple(host.loaded),
        files,
        host.end["heap_used"],
        host.end["heap_kept"],
    )


def _write_work(work: Path, script: bytes, scenario: Scenario) -> None:
    for folder in ("flash", "card", "card_after"):
        (work / folder).mkdir()
    (work / "flash/.script").write_bytes(script)
    for folder, files in (("flash", scenario.flash), ("card", scenario.card or {})):
        for name, data in files.items():
            path = work / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    image = None
    if scenario.card is not None:
        image = work / "card.img"
        with image.open("wb") as blank:
            blank.truncate(scenario.card_bytes)
    (work / "config.json").write_text(json.dumps(_config(scenario, work, image)))


def _config(scenario: Scenario, work: Path, image: Path | None) -> dict[str, Any]:
    passed = (
        "card_at_ms camera_error camera_dies_ms frame_memory model_input model_memory load_error"
        " until_ms frame_ms forward_ms display_ms load_ms heap keys"
    )
    board = scenario.board
    panel = {"kind": board.name, "size": board.panel, "in_config": board.in_config}
    return {
        **{name: getattr(scenario, name) for name in passed.split()},
        "work": str(work),
        "card_image": str(image) if image else None,
        "panel": panel,
        "board_config": dict(board.config),
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
