"""What came of a run of the virtual board."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from . import fat


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
class Write:
    """One 512-byte block that reached the card: its number, the virtual time, its bytes."""

    block: int
    ms: int
    data: bytes


@dataclass(frozen=True)
class Result:
    """What the board did.

    Attributes:
        ended: "returned", "power off", "exit ...", "interrupted", "refused: ..." or "error: ...".
        ms: virtual time of the end.
        frames: the screen after every change.
        stdout: what came over the serial port.
        models: models still loaded at the end; `loaded`: paths and addresses, in order.
        heap_used: bytes of heap at the end, garbage included; heap_kept: without garbage, both
            beyond what was there before the script. heap_high: the most that was alive at any
            screen, picture or model call; 0 without `measure_heap`.
        card_before: the card when the board was switched on, b"" for none.
        journal: every block written to the card, in order.
    """

    ended: str
    ms: int
    frames: tuple[Frame, ...]
    stdout: str
    models: int
    loaded: tuple[str | int, ...]
    heap_used: int
    heap_kept: int
    heap_high: int
    card_before: bytes = field(repr=False)
    journal: tuple[Write, ...] = field(repr=False)

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

    # The card

    @property
    def writes(self) -> int:
        """Blocks of 512 bytes that were written to the card."""
        return len(self.journal)

    def card_after(self, writes: int) -> bytes:
        """Return the card as it is when the power goes after so many block writes."""
        image = bytearray(self.card_before)
        for write in self.journal[:writes]:
            image[write.block * fat.BLOCK : (write.block + 1) * fat.BLOCK] = write.data
        return bytes(image)

    def cards_after_each_write(self) -> Iterator[tuple[int, bytes]]:
        """Yield (n, card after n block writes) for n from 0 to all: every point of power-off."""
        image = bytearray(self.card_before)
        yield 0, bytes(image)
        for number, write in enumerate(self.journal, 1):
            image[write.block * fat.BLOCK : (write.block + 1) * fat.BLOCK] = write.data
            yield number, bytes(image)

    @cached_property
    def card_image(self) -> bytes:
        """The card at the end; give it to the next run as `card_image=`."""
        return self.card_after(self.writes)

    @cached_property
    def card(self) -> fat.Contents:
        """The card at the end, read by the host: files, folders, what is wrong with it."""
        return fat.read(self.card_image)

    @property
    def files(self) -> Mapping[str, bytes]:
        """The files on the card at the end."""
        try:
            return self.card.files
        except fat.FatError:
            return {}

    def save_frames(self, folder: Path) -> list[Path]:
        """Write the screens as PNGs for a person to look at."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{n:03d}-{frame.ms}ms.png" for n, frame in enumerate(self.frames)]
        for path, frame in zip(paths, self.frames, strict=True):
            frame.image.save(path)
        return paths

    def save_gif(self, path: Path, speed: float = 1.0) -> None:
        """Write the run as an animated GIF in its own time; a frame stands at least 20 ms."""
        if not self.frames:
            return
        size = self.last.image.size
        ends = [frame.ms for frame in self.frames[1:]] + [max(self.ms, self.frames[-1].ms + 1000)]
        shown = [(f, end - f.ms) for f, end in zip(self.frames, ends, strict=True)]
        shown = [(f, ms) for f, ms in shown if f.image.size == size and ms > 0]
        first, *rest = [frame.image.quantize(128) for frame, _ in shown]
        first.save(
            path,
            save_all=True,
            append_images=rest,
            duration=[max(20, min(int(ms / speed), 60_000)) for _, ms in shown],
            loop=0,
        )
