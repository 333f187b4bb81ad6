"""Commands that write a board's flash, and the one that looks whether everything is in place."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from . import config
from .command import PathType, command, json_option
from .errors import UserError
from .i18n import N_
from .terminal import Terminal

encrypt_option = click.option(
    "--encrypt", default="", metavar="NAME",
    help="Encrypt the firmware with the burnt key of this board (see keys list).",
)  # fmt: skip
OK = "[green]✓[/]"


@click.command()
@click.argument("port")
@click.argument("file", type=PathType)
@click.option("--board", default="", help="Board, e.g. dock, bit_mic, m5stickv (default: found).")
@click.option("--baud", type=click.IntRange(9600, 4_000_000), default=1_500_000, show_default=True,
              help="Bits a second while writing.")  # fmt: skip
@click.option("--slow", is_flag=True, help="115200 bits a second from end to end.")
@click.option("--verify", is_flag=True, help="Let the board's MaixPy read the flash back.")
@click.option("--no-write", is_flag=True, help="Compare only, as --verify, and write nothing.")
@encrypt_option
@click.option("-y", "--yes", is_flag=True, help="Write in spite of warnings.")
@json_option
@command
def flash(
    terminal: Terminal,
    port: str,
    file: Path,
    encrypt: str,
    *,
    yes: bool,
    verify: bool,
    no_write: bool,
    **how: Any,
) -> None:
    """Write FILE (kfpkg, firmware .bin, kmodel) into the flash of the board at PORT.

    PORT is e.g. /dev/ttyUSB0 or COM3; "auto" takes the one with a board's USB chip.
    """
    from .deploy import flash as room  # noqa: PLC0415
    from .deploy import flash_file, flash_verify, serial_port  # noqa: PLC0415

    room.wiring(how["board"])
    parts = flash_file.read(file)
    if encrypt:
        parts = flash_file.encrypted(parts, fuse_key_of(encrypt))
    if not no_write:
        terminal.findings(parts.findings)
        _ask(terminal, asks=bool(parts.findings) and not yes)
    port = serial_port.find() if port == "auto" else port
    rows = [(one.name, f"{one.address:#x}", f"{len(one.flashed):,}") for one in parts.parts]
    terminal.table([N_("part"), N_("address"), N_("bytes")], rows)
    if not no_write:
        with terminal.progress(N_("Put the board into its loader")) as bar:
            room.write(port, parts, progress=bar.update, **how)
        terminal.say(N_("Written: {size} bytes. The board starts again."), size=f"{parts.bytes:,}")
    answer = {
        "port": port,
        "bytes": parts.bytes,
        "written": not no_write,
        "parts": [
            {"name": one.name, "address": one.address, "bytes": len(one.flashed)}
            for one in parts.parts
        ],
        "findings": [one.as_dict(terminal.language) for one in parts.findings],
    }
    if verify or no_write:
        with terminal.progress(N_("Wait for MaixPy, then read back")) as bar:
            made = flash_verify.verify(port, parts, bar.update)
        terminal.say(N_("Read back and compared: {size} bytes."), size=f"{made.compared:,}")
        for name in made.left_out:
            terminal.say(N_("Not compared, since MaixPy writes there itself: {name}"), name=name)
        answer |= {"verified": made.compared, "left_out": list(made.left_out)}
    terminal.result(answer)


def fuse_key_of(name: str) -> bytes:
    """Return the key that is in the fuses of a board of the key store."""
    from .deploy.firmware_image import fuse_key  # noqa: PLC0415
    from .deploy.key_store import KeyStore  # noqa: PLC0415

    return fuse_key(KeyStore(config.load().data).get(name))


def _ask(terminal: Terminal, *, asks: bool) -> None:
    if not asks:
        return
    if not sys.stdin.isatty():
        raise UserError("flash_needs_yes")
    click.confirm(terminal.tr(N_("Write there all the same?")), abort=True, err=True)


@click.command()
@click.argument("card", type=PathType, required=False)
@json_option
@command
def doctor(terminal: Terminal, card: Path | None) -> int:
    """Check Python, disk, memory, firmware files, serial ports, and the CARD mounted there."""
    from .doctor import checks  # noqa: PLC0415

    found = []
    for check in checks(config.load(), card):
        found.append(check)
        if check.finding:
            terminal.findings([check.finding])
        else:
            terminal.console.print(OK, end=" ", markup=True)
            terminal.say(check.text, **check.values)
    bad = any(check.state == "bad" for check in found)
    if bad:
        terminal.say(N_("Something is in the way: see the lines with a cross."))
    rows = [_row(check, terminal) for check in found]
    terminal.result({"ok": not bad, "checks": rows})
    return int(bad)


def _row(check: Any, terminal: Terminal) -> dict[str, Any]:
    text = terminal.tr(check.text).format(**check.values) if check.text else ""
    finding = check.finding.as_dict(terminal.language) if check.finding else None
    return {"state": check.state, "text": text, "finding": finding}
