"""The host's side of the virtual board: camera, panel, JPEG and the numbers of the KPU."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...errors import UserError
from . import kpu

if TYPE_CHECKING:
    from .scenario import Scenario

FRAME = (320, 240)


def to_565(image: Image.Image) -> bytes:
    """Return RGB565 pixels, byte-swapped as the firmware keeps them."""
    r, g, b = (np.asarray(image.convert("RGB"), np.uint16)[..., i] for i in range(3))
    return ((r >> 3) << 11 | (g >> 2) << 5 | b >> 3).astype(">u2").tobytes()


def from_565(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """Return uint8 (h, w, 3); 5 and 6 bits are spread over 8 as the firmware's tables do."""
    v = np.frombuffer(data, ">u2").reshape(size[1], size[0]).astype(np.uint16)
    r, g, b = v >> 11, v >> 5 & 63, v & 31
    return np.stack([r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2], -1).astype(np.uint8)


def font_bits() -> bytes:
    """Return 95 letters, 12 bytes each, from the bitmap font that comes with Pillow."""
    font = ImageFont.load_default_imagefont()
    rows = bytearray()
    for code in range(32, 127):
        cell = Image.new("1", (8, 12))
        ImageDraw.Draw(cell).text((1, 0), chr(code), fill=1, font=font)
        rows += cell.tobytes()
    return bytes(rows)


def test_picture(number: int) -> Image.Image:
    """Return a plain camera picture when a scenario gives none: a gradient that changes."""
    x = np.linspace(60, 200, FRAME[0])[None, :].repeat(FRAME[1], 0)
    y = np.linspace(40, 160, FRAME[1])[:, None].repeat(FRAME[0], 1)
    return Image.fromarray(np.stack([x, y, 0 * x + 90 + number % 60], -1).astype(np.uint8))


def _overlap(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


class Host:
    """Answers the questions of one virtual board and keeps what it saw."""

    def __init__(self, scenario: Scenario, card_path: Path | None) -> None:
        self.scenario = scenario
        self.frames: list[tuple[int, Image.Image, list[list[Any]]]] = []
        self.loaded: list[str | int] = []
        self.card = b""
        self.process: subprocess.Popen[bytes] | None = None
        self._card_path = card_path
        self._models: dict[int, kpu.Loaded] = {}
        self._pieces: list[bytes] = []
        self.end: dict[str, Any] | None = None
        self.error: BaseException | None = None
        self._panel = Image.new("RGB", FRAME)
        self._snapshots = 0
        self._camera_input: np.ndarray | None = None
        self._camera_key: tuple[int, str] | None = None
        self._camera_pixels = b""

    def serve(self, read: int, write: int) -> None:
        """Answer on the two pipe ends until the board closes its own."""
        with os.fdopen(read, "rb") as requests, os.fdopen(write, "wb", buffering=0) as answers:
            try:
                while head := requests.read(8):
                    facts_size, data_size = struct.unpack("<II", head)
                    kind, facts = json.loads(requests.read(facts_size))
                    answer, data = getattr(self, f"_on_{kind}")(facts, requests.read(data_size))
                    text = json.dumps(answer).encode()
                    message = memoryview(struct.pack("<II", len(text), len(data)) + text + data)
                    while message:
                        message = message[answers.write(message) :]
            except BrokenPipeError:  # the board's power went; `end` stays None if it crashed
                return
            except BaseException as error:
                self.error = error

    def _on_font(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        bits = np.unpackbits(np.frombuffer(font_bits(), np.uint8)).reshape(-1, 12, 8)
        large = bits.repeat(facts["scale"], 1).repeat(facts["scale"], 2)
        return {}, np.packbits(large, -1).tobytes()

    @property
    def models(self) -> int:
        """Models that are loaded."""
        return len(self._models)

    def _on_ready(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        self.card = self._card_path.read_bytes() if self._card_path else b""
        return {}, b""

    def _on_end(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        self.end = facts
        if facts["ended"] == "power off" and self.process:
            self.process.kill()
        return {}, b""

    # The camera

    def _on_snapshot(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        pictures = self.scenario.camera
        number, self._snapshots = self._snapshots, self._snapshots + 1
        now, each = facts.pop("ms"), self.scenario.camera_ms
        if pictures and each:
            shown = now // each % len(pictures)
        else:
            shown = min(number, len(pictures) - 1) if pictures else number
        key = (shown, json.dumps(facts))
        if key != self._camera_key:
            self._camera_pixels = self._photo(shown, facts)
            self._camera_key = key
        width, height = facts["window"][2:]
        self._camera_input = from_565(self._camera_pixels, (width, height))
        return {}, self._camera_pixels

    def _photo(self, number: int, facts: dict) -> bytes:
        pictures = self.scenario.camera
        picture = pictures[number] if pictures else test_picture(number)
        x, y, w, h = facts["window"]
        picture = picture.convert("RGB").resize(facts["size"]).crop((x, y, x + w, y + h))
        if facts["mirror"]:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if facts["flip"]:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        return to_565(picture)

    # Pictures in files

    def _on_decode(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        try:
            picture = Image.open(io.BytesIO(data))
            picture.load()
        except OSError:
            return {"error": 1}, b""
        if picture.info.get("progressive"):
            return {"error": 0, "size": (0, 0)}, b""
        return {"error": 0, "size": picture.size}, to_565(picture)

    def _on_encode(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        buffer = io.BytesIO()
        picture = Image.fromarray(from_565(data, facts["size"]))
        picture.save(buffer, "JPEG", quality=facts["quality"])
        return {}, buffer.getvalue()

    # The screen

    def _photograph(self, facts: dict, texts: list[list[Any]]) -> tuple[Any, bytes]:
        if not self.scenario.keep_pictures:
            if not self.frames or self.frames[-1][2] != texts:
                self.frames.append((facts["ms"], self._panel, texts))
            return {}, b""
        if self.frames and self.frames[-1][2] == texts:
            old = self.frames[-1][1]
            if old.size == self._panel.size and old.tobytes() == self._panel.tobytes():
                return {}, b""
        self.frames.append((facts["ms"], self._panel.copy(), texts))
        return {}, b""

    def _on_panel(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        pixel = struct.pack("<H", facts["color"])
        color = tuple(int(v) for v in from_565(pixel, (1, 1))[0, 0])
        self._panel = Image.new("RGB", tuple(facts["size"]), color)
        return self._photograph(facts, [])

    def _on_display(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        kept: list[list[Any]] = []
        if facts["pad"]:
            if self.scenario.keep_pictures:
                self._panel = Image.new("RGB", self._panel.size)
        elif self.frames:
            box = (*facts["at"], *facts["size"])
            kept = [text for text in self.frames[-1][2] if not _overlap(box, text)]
        if self.scenario.keep_pictures:
            picture = Image.fromarray(from_565(data, facts["size"]))
            self._panel.paste(picture, tuple(facts["at"]))
        return self._photograph(facts, kept + facts["texts"])

    def _on_text(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        ink, paper = (
            tuple(int(v) for v in from_565(struct.pack("<H", c), (1, 1))[0, 0])
            for c in facts["colors"]
        )
        x, y = facts["at"]
        box = [x, y, 8 * len(facts["text"]), 16]
        draw = ImageDraw.Draw(self._panel)
        draw.rectangle((x, y, x + box[2] - 1, y + 15), fill=paper)
        font = ImageFont.load_default_imagefont()
        for number, letter in enumerate(facts["text"]):
            draw.text((x + 8 * number + 1, y + 2), letter, fill=ink, font=font)
        texts = self.frames[-1][2] if self.frames else []
        return self._photograph(facts, [*texts, [*box, facts["text"]]])

    # The KPU

    def _on_model_start(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        self._pieces = []
        return {}, b""

    def _on_model_piece(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        self._pieces.append(data)
        return {}, b""

    def _on_load(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        source, wanted = facts["source"], self.scenario.kpu
        in_flash = self.scenario.flash_models
        file = in_flash.get(source, b"\xff" * 64) if isinstance(source, int) else self._file()
        model = b"" if wanted == "card" else wanted if isinstance(wanted, bytes) else None
        free = self.scenario.model_memory - self._model_bytes()
        try:
            loaded = kpu.load(source, file, free, model)
        except UserError as error:
            return {"damaged": kpu.why_damaged(error)}, b""
        if isinstance(loaded, int):
            return {"error": loaded}, b""
        number = len(self.loaded)
        self.loaded.append(source)
        self._models[number] = loaded
        return {"error": 0, "model": number, "input": self._input_of(loaded)}, b""

    def _on_flash_read(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        start, size = facts["address"], facts["size"]
        found = bytearray(b"\xff" * size)
        for address, model in self.scenario.flash_models.items():
            first, end = max(start, address), min(start + size, address + len(model))
            if first < end:
                found[first - start : end - start] = model[first - address : end - address]
        return {}, bytes(found)

    def _file(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def _model_bytes(self) -> int:
        return sum(one.memory for one in self._models.values())

    def _input_of(self, loaded: kpu.Loaded) -> tuple[int, int, int]:
        width, height = self.scenario.model_input
        return (3, height, width) if loaded.simulator is None else loaded.input_shape

    def _on_freed(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        del self._models[facts["model"]]
        return {}, b""

    def _outputs(self, facts: dict, data: bytes) -> tuple[kpu.Loaded, list[np.ndarray]]:
        picture = self._camera_input if facts["camera"] else from_565(data, facts["size"])
        assert picture is not None
        loaded = self._models[facts["model"]]
        scores = self.scenario.kpu
        return loaded, kpu.run(loaded, () if isinstance(scores, str | bytes) else scores, picture)

    def _on_forward(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        _, outputs = self._outputs(facts, data)
        if not 0 <= facts["output"] < len(outputs):
            return {"refused": f"the model has no output {facts['output']}"}, b""
        values = outputs[facts["output"]]
        return {"type": "B" if values.dtype == np.uint8 else "f"}, values.tobytes()

    def _on_yolo(self, facts: dict, data: bytes) -> tuple[Any, bytes]:
        loaded, outputs = self._outputs(facts, data)
        if loaded.simulator is None:
            return {"refused": "run_yolo2 needs a real model: kpu='card' or a kmodel"}, b""
        try:
            found = kpu.boxes(loaded, outputs[0], *facts["yolo"])
        except ValueError as error:
            return {"refused": f"run_yolo2: {error}"}, b""
        if len(found) > kpu.OBJECTS:
            text = f"run_yolo2 found {len(found)} objects: more than 10 overwrite other memory"
            return {"refused": text}, b""
        return {"boxes": found}, b""
