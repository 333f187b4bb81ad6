"""What a person gives the virtual board: folders for card and camera, key presses as text."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from ...errors import UserError
from ..boards import Board
from .fat import FAT32_BYTES

PRESSES = {"short": 150, "long": 1000, "longer": 2500}
"""Milliseconds that a key is down."""
PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
CARD_LIMIT = 256 << 20
NOT_IN_A_NAME = frozenset('\\:*?"<>|')


def key_pins(board: Board) -> dict[str, int]:
    """Return the pins of a board's keys: "enter", also "next" and "back" where it has them."""
    if board.name == "m5stickv":
        return {"enter": 36, "next": 37}
    keys = board.config.get("board_info", {})
    pins = {role: keys[role.upper()] for role in ("enter", "next", "back") if role.upper() in keys}
    return pins or {"enter": keys.get("BOOT_KEY", 16)}


def parse_keys(text: str, board: Board) -> list[tuple[int, int, int]]:
    """Read "1000:enter:short,2500:enter:long" into (ms, pin, level) changes.

    A press is short, long, longer, a number of ms, or "down" and "up" on their own. A key is a role
    of the board or a pin.

    Raises:
        UserError: sim_keys, sim_key_missing.
    """
    pins = key_pins(board)
    roles = ", ".join(pins)
    changes: list[tuple[int, int, int]] = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        pieces = part.split(":")
        if len(pieces) != 3 or not pieces[0].isdecimal():
            raise UserError("sim_keys", found=part, roles=roles)
        at, key, press = int(pieces[0]), pieces[1].lower(), pieces[2].lower()
        if not key.isdecimal() and key not in pins:
            raise UserError("sim_key_missing", found=key, roles=roles)
        pin = int(key) if key.isdecimal() else pins[key]
        if press in ("down", "up"):
            changes.append((at, pin, int(press == "up")))
        elif press in PRESSES or (press.isdecimal() and int(press) > 0):
            end = at + (PRESSES.get(press) or int(press))
            changes += [(at, pin, 0), (end, pin, 1)]
        else:
            raise UserError("sim_keys", found=part, roles=roles)
    return sorted(changes)


def read_card(folder: Path) -> dict[str, bytes]:
    """Read what shall be on the card; empty folders too, as "name/".

    Raises:
        UserError: sim_card_large, sim_card_name.
    """
    paths = sorted(folder.rglob("*"))
    size = sum(path.stat().st_size for path in paths if path.is_file())
    if size > CARD_LIMIT:
        raise UserError("sim_card_large", size=size >> 20, limit=CARD_LIMIT >> 20)
    files: dict[str, bytes] = {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if not name.isascii() or NOT_IN_A_NAME & set(name):
            raise UserError("sim_card_name", name)
        if path.is_file():
            files[name] = path.read_bytes()
        elif path.is_dir() and not any(path.iterdir()):
            files[f"{name}/"] = b""
    return files


def card_bytes(files: dict[str, bytes]) -> int:
    """Return the size of a card with room for `files` and for what a script adds."""
    needed = sum(len(data) + 4096 for data in files.values())
    return max(FAT32_BYTES, needed + (16 << 20)) >> 9 << 9


def read_camera(folder: Path) -> list[Image.Image]:
    """Read the pictures that the camera shall see, by name.

    Raises:
        UserError: sim_no_pictures.
    """
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    paths = [path for path in paths if path.suffix.lower() in PICTURES]
    pictures = []
    for path in paths:
        try:
            with Image.open(path) as picture:
                pictures.append(ImageOps.fit(picture.convert("RGB"), (640, 480)))
        except (OSError, Image.DecompressionBombError):
            continue  # what cannot be read cannot be seen
    if not pictures:
        raise UserError("sim_no_pictures", str(folder))
    return pictures
