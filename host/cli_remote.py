"""`maixforge --host URL`: train, jobs, status and download, done by a host elsewhere."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from . import config
from .cli_show import percent, show, show_jobs, summary
from .command import PathType, command, json_option
from .errors import Finding, UserError
from .files import write_zip
from .i18n import N_
from .remote import Remote, address_of, token_for, told
from .terminal import Terminal

COMMANDS = frozenset({"train", "jobs", "status", "download"})
"""What a host elsewhere can do; everything else is done here."""
SENT = ("preset", "seed", "name", "size", "fit", "backbone", "firmware", "seal", "canmv")
"""Options of `train` that a host takes as they are."""


def remote_option(function: Any) -> Any:
    """Add --host to the group of all commands."""
    text = "Let the host at this address do it: train, jobs, status, download."
    return click.option("--host", default="", metavar="URL", help=text)(function)


def refuse_elsewhere(context: click.Context) -> None:
    """Stop a command that no host elsewhere can do.

    Raises:
        click.UsageError: it would silently run here.
    """
    if context.params["host"] and context.invoked_subcommand not in COMMANDS:
        names = ", ".join(sorted(COMMANDS))
        raise click.UsageError(f"--host is for: {names}; {context.invoked_subcommand} runs here.")


def connect(terminal: Terminal) -> Remote:
    """Return the host that is asked: that of --host, else the one that runs here.

    Raises:
        UserError: it cannot be used; see `Remote`.
    """
    address = address_of(terminal.host or _here(config.load()))
    remote = Remote(address, token_for(address), terminal.language)
    if remote.readable:
        terminal.findings([Finding("host_not_encrypted", severity="warning")])
    remote.about()
    return remote


def train_there(terminal: Terminal, data: Path, out: Path, given: Mapping[str, Any]) -> None:
    """Send `data`, train it there, show how it goes, and fetch the files into `out`."""
    options = _options(given)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError("output_folder_used", str(out))
    remote = connect(terminal)
    job = _send(terminal, remote, data)
    try:
        if not job.get("trainable", True):  # it is mended here, where the pictures are
            raise UserError.of(told(job["findings"]))
        remote.start(job["id"], options)
    except UserError:
        remote.delete(job["id"])
        raise
    with _told_where(terminal, remote, job["id"]):
        done = _watch(terminal, remote, job["id"])
        files = _fetch(terminal, remote, done, out)
    result = dict(done["result"] or {})
    result |= {key: str(files[name]) for key, name in FILES.items() if name in files}
    terminal.findings(told(done["findings"]))
    summary(terminal, result)
    terminal.result({**result, "job": job["id"], "files": _texts(files)})


FILES = {"sd_zip": "sd.zip", "kfpkg": "model.kfpkg", "kmodel": "m.kmodel"}
"""Keys of a result, and the names under which the host gives those files away."""


def list_jobs(terminal: Terminal) -> None:
    """List the jobs of the host."""
    show_jobs(terminal, connect(terminal).jobs())


@click.command()
@click.argument("job")
@json_option
@command
def status(terminal: Terminal, job: str) -> None:
    """Show how a JOB of the host stands (of --host, else of the one that runs here)."""
    row = connect(terminal).job(job)
    rows = [
        (N_("name"), row["name"]),
        (N_("state"), terminal.tr(row["state"])),
        (N_("done"), percent(row)),
    ]
    if row["position"] is not None:
        rows.append((N_("jobs before this one"), row["position"]))
    if row["eta_seconds"] is not None:
        rows.append((N_("seconds left"), f"{row['eta_seconds']:.0f}"))
    if row["files"]:
        rows.append((N_("files"), ", ".join(row["files"])))
    terminal.table(["", ""], [(terminal.tr(name), value) for name, value in rows])
    terminal.findings(told([*row["failure"], *row["findings"]]))
    terminal.result(row)


@click.command()
@click.argument("job")
@click.option("-o", "--out", type=PathType, required=True, help="Folder for the files.")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@json_option
@command
def download(terminal: Terminal, job: str, out: Path, force: bool) -> None:
    """Fetch the files of a JOB that is done (of --host, else of the one that runs here)."""
    remote = connect(terminal)
    row = remote.job(job)
    if not row["files"]:
        raise UserError("job_state_wrong", job, state=row["state"], needed=N_("done"))
    there = [name for name in row["files"] if (out / name).exists()]
    if there and not force:
        raise UserError("download_exists", str(out / there[0]))
    files = _fetch(terminal, remote, row, out)
    for path in files.values():
        terminal.say(N_("Written: {path} ({size} kB)"), path=path, size=path.stat().st_size // 1000)
    terminal.result({"job": job, "files": _texts(files)})


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the API's `start` takes, of what was typed."""
    from .jobs.order import parse_overrides  # noqa: PLC0415

    if given["test"]:
        raise UserError("remote_option", "--test")
    source = click.get_current_context().get_parameter_source
    options = {name: given[name] for name in SENT if source(name) != ParameterSource.DEFAULT}
    if isinstance(options.get("size"), tuple):
        options["size"] = "{}x{}".format(*options["size"])
    elif "size" in options:
        options["size"] = f"{options['size']}x{options['size']}"
    return options | parse_overrides(given["overrides"])


def _send(terminal: Terminal, remote: Remote, data: Path) -> dict[str, Any]:
    """Send a zip, or a folder as one."""
    limit = remote.about()["upload_bytes"]
    with (
        tempfile.TemporaryDirectory(prefix="maixforge-") as folder,
        terminal.progress(N_("Send")) as bar,
    ):
        path = data
        if data.is_dir():
            path = Path(folder) / "data.zip"
            inside = (one for one in data.rglob("*") if one.is_file())
            members = {one.relative_to(data).as_posix(): one for one in inside}
            write_zip(path, members, compress=False)
        elif not zipfile.is_zipfile(data):
            raise UserError("remote_data_wrong", str(data))
        size = path.stat().st_size
        if size > limit:
            sizes = {"found": f"{size / 2**20:.1f}", "needed": f"{limit / 2**20:.1f}"}
            raise UserError("upload_too_large", str(data), **sizes)
        sent = remote.upload(path, data.resolve().name.removesuffix(".zip"))
        bar.update(1.0)
    return sent


def _watch(terminal: Terminal, remote: Remote, job_id: str) -> dict[str, Any]:
    """Show how a job goes until it has ended, and return it.

    Raises:
        UserError: what it failed of, or `remote_cancelled`.
    """
    with terminal.progress(N_("Waiting")) as bar:
        for name, data in remote.follow(job_id):
            if name == "progress" and "step" in data and "fraction" in data:
                show(terminal, bar, data)
            elif name == "state" and data.get("position"):
                bar.update(0.0, detail=terminal.tr(N_("jobs before this one: {n}")).format(
                    n=data["position"]))  # fmt: skip
    job = remote.job(job_id)
    if job["state"] == "cancelled":
        raise UserError("remote_cancelled", job_id)
    if job["failure"]:
        raise UserError.of(told(job["failure"]))
    return job


def _fetch(
    terminal: Terminal, remote: Remote, job: Mapping[str, Any], out: Path
) -> dict[str, Path]:
    files: dict[str, Path] = {}
    with terminal.progress(N_("Download")) as bar:
        for number, name in enumerate(job["files"], 1):
            files[name] = remote.download(job["id"], name, out)
            bar.update(number / len(job["files"]))
    return files


@contextmanager
def _told_where(terminal: Terminal, remote: Remote, job_id: str) -> Iterator[None]:
    """Say where the job goes on when we do not wait for it any longer."""
    try:
        yield
    except (KeyboardInterrupt, UserError) as error:
        if isinstance(error, KeyboardInterrupt) or error.code == "remote_unreachable":
            terminal.say(N_("The host goes on with the job: maixforge --host {host} status {job}"),
                         host=remote.address, job=job_id)  # fmt: skip
        raise


def _here(settings: config.Settings) -> str:
    """Return the address of the host with these settings, for a program on its computer."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only compared
    name = everywhere.get(settings.host, settings.host).strip("[]")
    return f"http://{f'[{name}]' if ':' in name else name}:{settings.port}"


def _texts(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: str(path) for name, path in files.items()}
