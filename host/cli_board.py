"""Commands for the board's side: collector cards, mounted cards, the board on its serial port."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from . import config
from .command import ExistingPath, PathType, command, json_option
from .errors import UserError
from .i18n import N_
from .terminal import Terminal

TASKS = ("classify", "detect")


def collector_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a collector card is made of."""
    choices = (
        click.option("--task", type=click.Choice(TASKS), default="classify", show_default=True,
                     help="One class a picture, or boxes drawn on it."),
        click.option("--classes", default="", help="Class names with commas between them."),
        click.option("--name", default="dataset", show_default=True, help="Name of the data set."),
        click.option("--board", default="", help="Board, e.g. m5stickv (default: found there)."),
        click.option("--wanted", type=int, help="Pictures or boxes of each class to reach."),
        click.option("--rotation", type=click.IntRange(0, 3), help="Rotation of the screen."),
        click.option("--mirror", is_flag=True, help="Mirror the camera's picture."),
        click.option("--flip", is_flag=True, help="Turn the camera's picture upside down."),
    )  # fmt: skip
    for choice in reversed(choices):
        function = choice(function)
    return function


def _collector_files(classes: str, task: Any, **values: Any) -> dict[str, bytes]:
    from .deploy.collector import files  # noqa: PLC0415
    from .jobs.collect import order, split_names  # noqa: PLC0415

    return files(order(config.load(), task, values.pop("name"), split_names(classes), **values))


@click.command()
@collector_options
@click.option("-o", "--out", type=PathType, required=True, help="The zip to write.")
@json_option
@command
def collector(terminal: Terminal, out: Path, **values: Any) -> None:
    """Make the card that lets a board collect pictures: a zip for the card's root."""
    from .files import write_zip  # noqa: PLC0415

    files = _collector_files(**values)
    write_zip(out, files)
    terminal.say(N_("SD card: unpack {path} to the card's root"), path=out)
    terminal.result({"zip": str(out), "files": sorted(files)})


@click.command()
@click.argument("folder", type=PathType)
@click.option("--package", type=ExistingPath, help="sd.zip of a training, or a collector's zip.")
@collector_options
@click.option("-y", "--yes", is_flag=True, help="Replace files without asking.")
@json_option
@command
def card(
    terminal: Terminal, folder: Path, package: Path | None, yes: bool, **values: Any
) -> int | None:
    """Write a package or a collector (--classes ...) to the card mounted at FOLDER."""
    from .deploy import card as room  # noqa: PLC0415

    if bool(package) == bool(values["classes"]):
        text = N_("Give --package ZIP, or --classes for a collector, and not both.")
        raise click.UsageError(terminal.tr(text))
    files = room.read_package(package) if package else _collector_files(**values)
    here = room.inspect(folder)
    found = room.problems(here, files)
    errors = [one for one in found if one.severity == "error"]
    if errors:
        raise UserError.of(found)
    terminal.findings(found)
    changes = room.changes(here, files)
    replaced = [one.name for one in changes if one.what == "replaced"]
    _ask(terminal, replaced, asks=bool(replaced or not here.mounted) and not yes)
    wanted = {one.name: files[one.name] for one in changes if one.what != "same"}
    if wanted:
        with terminal.progress(N_("Write the card")) as bar:
            room.write(here, wanted, lambda done, total: bar.update(done / total))
    words = {"new": N_("new"), "same": N_("there already"), "replaced": N_("replaced")}
    rows = [(one.name, f"{one.bytes:,}", terminal.tr(words[one.what])) for one in changes]
    terminal.table([N_("file"), N_("bytes"), ""], rows)
    terminal.say(N_("Read back and compared. Eject the card before you pull it out."))
    if not package:
        left = room.inspect(folder).pictures
        terminal.say(N_("There is room for about {n} pictures."), n=f"{left:,}")
    facts = {"device": here.device, "file_system": here.file_system, "table": here.table}
    terminal.result(
        {
            **facts,
            "files": {one.name: one.what for one in changes},
            "findings": [one.as_dict(terminal.language) for one in found],
        }
    )
    return None


def _ask(terminal: Terminal, replaced: list[str], *, asks: bool) -> None:
    """Ask before files are replaced or a folder that is no card is filled."""
    if not asks:
        return
    names = ", ".join(replaced)
    if not sys.stdin.isatty():
        if replaced:
            raise UserError("card_would_replace", names=names)
        return
    text = terminal.tr(N_("Replace {names}?")).format(names=names) if replaced else ""
    click.confirm(text or terminal.tr(N_("Write there all the same?")), abort=True, err=True)


@click.group()
def board() -> None:
    """Files and scripts of a board on its serial port (MaixPy v1)."""


port_option = click.option("-p", "--port", default="", help="Serial port (default: looked for).")


@board.command()
@json_option
@command
def ports(terminal: Terminal) -> None:
    """List the serial ports, those that may be a board first."""
    from .deploy.serial_port import ports as found  # noqa: PLC0415

    rows = found()
    columns = [N_("port"), N_("USB chip of a board"), N_("name")]
    terminal.table(columns, [(one.name, one.bridge or "-", one.description) for one in rows])
    terminal.result({"ports": [{"port": one.name, "chip": one.bridge} for one in rows]})


@board.command()
@click.argument("path", default="/sd")
@port_option
@json_option
@command
def ls(terminal: Terminal, path: str, port: str) -> None:
    """List PATH of the board, e.g. /sd/maixforge or /flash."""
    from .deploy import serial_files, serial_port  # noqa: PLC0415

    with serial_port.connected(port or serial_port.find()) as link:
        found = serial_files.listing(link, path)
    terminal.table(
        [N_("bytes"), N_("path")],
        [("-" if one.folder else f"{one.bytes:,}", one.path + "/" * one.folder) for one in found],
    )
    rows = [{"path": one.path, "bytes": one.bytes, "folder": one.folder} for one in found]
    terminal.result({"entries": rows})


@board.command()
@click.argument("files", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1,
                required=True)  # fmt: skip
@click.argument("target")
@port_option
@json_option
@command
def put(terminal: Terminal, files: tuple[Path, ...], target: str, port: str) -> None:
    """Copy FILES to TARGET on the board, e.g. boot.py to /sd or /flash."""
    from .deploy import serial_files, serial_port  # noqa: PLC0415

    total = sum(one.stat().st_size for one in files)
    _say_how_long(terminal, total, serial_files)
    folder = target if len(files) == 1 else target.rstrip("/") + "/"
    done: list[str] = []
    with serial_port.connected(port or serial_port.find()) as link:
        for one in files:
            with terminal.progress(one.name) as bar:
                done.append(serial_files.put(link, one, folder, _shown(terminal, bar)))
    terminal.say(N_("On the board, compared by CRC-32: {paths}"), paths=", ".join(done))
    terminal.result({"paths": done, "bytes": total})


@board.command()
@click.argument("path")
@click.argument("folder", type=PathType, default=Path())
@port_option
@json_option
@command
def pull(terminal: Terminal, path: str, folder: Path, port: str) -> None:
    """Copy PATH of the board, a file or a whole folder, into FOLDER.

    Started again it goes on where it was.
    """
    from .deploy import serial_files, serial_port  # noqa: PLC0415

    with serial_port.connected(port or serial_port.find()) as link:
        total = sum(one.bytes for one in serial_files.tree(link, path))
        _say_how_long(terminal, total, serial_files)
        with terminal.progress(N_("Copy from the board")) as bar:
            made = serial_files.pull(link, path, folder, _shown(terminal, bar))
    terminal.say(
        N_("{copied} files copied to {folder}, {kept} were there already ({rate} kB/s)"),
        copied=len(made.copied),
        kept=len(made.kept),
        folder=folder,
        rate=f"{made.rate / 1000:.1f}",
    )
    terminal.result(
        {
            "folder": str(folder),
            "copied": list(made.copied),
            "kept": list(made.kept),
            "bytes": made.bytes,
            "bytes_per_second": round(made.rate),
        }
    )


@board.command()
@click.argument("script", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@port_option
@command
def run(terminal: Terminal, script: Path, port: str) -> None:
    """Run SCRIPT on the board without storing it; Ctrl-C stops it there, too."""
    from .deploy import serial_files, serial_port  # noqa: PLC0415

    def show(data: bytes) -> None:
        sys.stdout.write(data.decode("utf-8", "replace").replace("\r\n", "\n"))
        sys.stdout.flush()

    with serial_port.connected(port or serial_port.find()) as link:
        failed = serial_files.run(link, script.read_bytes(), show)
    if failed:
        sys.stdout.write(failed.replace("\r\n", "\n"))
        last = (failed.strip().splitlines() or ["?"])[-1]
        raise UserError("board_script_failed", script.name, reason=last)


def _say_how_long(terminal: Terminal, size: int, room: Any) -> None:
    if size < room.SLOW_BYTES:
        return
    terminal.say(
        N_(
            "{size} kB over the serial port take about {minutes} minutes. A card reader takes "
            "seconds; Ctrl-C stops, and the same command goes on later."
        ),
        size=f"{size // 1000:,}",
        minutes=f"{max(1, round(room.seconds(size) / 60))}",
    )


def _shown(terminal: Terminal, bar: Any) -> Callable[[int, int, float], None]:
    """Return what shows the bar with the measured rate and the time that is left."""
    left_text = terminal.tr(N_("about {n} s left"))

    def show(done: int, total: int, rate: float) -> None:
        left = left_text.format(n=round((total - done) / rate)) if rate else ""
        shown = f"{rate / 1000:.1f} kB/s" if rate else ""
        bar.update(done / max(total, 1), detail=f"{shown}  {left}")

    return show
