"""`maixforge sim`: board scripts without a board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .command import ExistingPath, PathType, command, json_option
from .emulator.boards import BOARDS, BUILDS
from .errors import UserError
from .i18n import N_
from .terminal import Terminal

MODEL_ADDRESS = 0x300000


@click.group()
def sim() -> None:
    """Try things on a virtual board."""


@sim.command("board")
@click.argument("script")
@click.option("--card", type=ExistingPath, help="Folder that lies on the card; stays as it is.")
@click.option("--no-card", is_flag=True, help="The slot is empty.")
@click.option("--camera", type=ExistingPath, help="Folder of pictures, seen one after the other.")
@click.option("--keys", default="", metavar="MS:KEY:PRESS,...",
              help="Key presses, e.g. 1000:enter:short,2500:enter:long.")  # fmt: skip
@click.option("--model", type=ExistingPath, help="kmodel in the flash at 0x300000.")
@click.option("-o", "--out", type=PathType, required=True, help="Folder for everything seen.")
@click.option("--board", type=click.Choice(list(BOARDS)), default="bit", show_default=True)
@click.option("--build", type=click.Choice(BUILDS), help="Build of MaixPy (default: the board's).")
@click.option("--seconds", type=click.FloatRange(0.1, 600), default=10.0, show_default=True,
              help="When Ctrl-C comes, in the board's time.")  # fmt: skip
@json_option
@command
def run_board(terminal: Terminal, script: str, out: Path, **options: Any) -> None:
    """Run SCRIPT, a bundled file or a name such as collect_classify, as a board's boot.py.

    OUT gets the screens as PNG and as one GIF, the serial output, and what changed on the card.
    """
    from .emulator import board as virtual  # noqa: PLC0415

    if options["card"] and options["no_card"]:
        raise click.UsageError(terminal.tr(N_("--card and --no-card contradict each other.")))
    setup = _setup(options)
    result = virtual.run(_script(script), check=False, timeout=600, **setup)
    written, gone = _write(out, result, setup["card"] or {})
    if not terminal.as_json:
        click.echo(result.stdout, nl=False)
    terminal.table(["", ""], [
        (terminal.tr(N_("the script ended")), result.ended),
        (terminal.tr(N_("time on the board, seconds")), f"{result.ms / 1000:.1f}"),
        (terminal.tr(N_("screens")), len(result.frames)),
        (terminal.tr(N_("files written to the card")), len(written)),
        (terminal.tr(N_("files deleted from the card")), len(gone)),
    ])  # fmt: skip
    terminal.say(N_("Written: {path}"), path=out)
    if result.ended.startswith(("refused", "error")):
        raise UserError("sim_refused", found=result.ended)
    terminal.result(
        {
            "ended": result.ended,
            "ms": result.ms,
            "screens": len(result.frames),
            "texts": result.texts,
            "written": written,
            "deleted": gone,
            "heap_kept": result.heap_kept,
        }
    )


def _script(name: str) -> bytes:
    """Return one file for the board: a bundled one as it is, a script of the project rendered.

    A collector card's boot.py, whose program is bytecode of MicroPython 1.11, becomes the script
    that was compiled: the virtual board's MicroPython is younger and reads no such bytecode.
    """
    from .deploy import board, collector  # noqa: PLC0415

    path = Path(name)
    known = board.scripts()
    if path.is_file() and board.BOARD_DIR not in path.resolve().parents:
        script, module = path.read_bytes(), path.with_name(f"{collector.MODULE}.mpy")
        if f"\n    import {collector.MODULE}\n".encode() not in script or not module.is_file():
            return script
        try:
            return collector.readable(script, module.read_bytes())
        except (ValueError, SyntaxError, KeyError, TypeError) as error:
            raise UserError("sim_compiled", name, reason=str(error)) from error
    stem = path.resolve().relative_to(board.BOARD_DIR).as_posix() if path.is_file() else name
    stem = stem.removesuffix(".py")
    if stem not in known:
        raise UserError("sim_script_unknown", name, names=", ".join(known))
    return board.render(stem, {})


def _setup(options: dict[str, Any]) -> dict[str, Any]:
    from .emulator.board import inputs  # noqa: PLC0415

    board = BOARDS[options["board"]]
    files = inputs.read_card(options["card"]) if options["card"] else {}
    model, until_ms = options["model"], round(options["seconds"] * 1000)
    pictures = inputs.read_camera(options["camera"]) if options["camera"] else []
    return {
        "card": None if options["no_card"] else files,
        "card_bytes": inputs.card_bytes(files),
        "camera": pictures,
        "camera_ms": max(1, until_ms // max(len(pictures), 1)),
        "keys": inputs.parse_keys(options["keys"], board),
        "flash_models": {MODEL_ADDRESS: model.read_bytes()} if model else {},
        "kpu": "card",
        "board": board,
        "build": options["build"] or "",
        "until_ms": until_ms,
    }


def _write(out: Path, result: Any, before: dict[str, bytes]) -> tuple[list[str], list[str]]:
    """Write what was seen; return the files that are new or changed on the card, and the gone."""
    from .files import atomic_write  # noqa: PLC0415

    out.mkdir(parents=True, exist_ok=True)
    for old in (out / "screens").glob("*.png"):
        old.unlink()
    result.save_frames(out / "screens")
    result.save_gif(out / "run.gif")
    atomic_write(out / "serial.txt", result.stdout.encode())
    after = result.files
    written = sorted(name for name, data in after.items() if before.get(name) != data)
    for name in written:
        path = out / "card" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, after[name])
    gone = sorted(name for name in before if name not in after and not name.endswith("/"))
    return written, gone
