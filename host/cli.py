"""`maixforge`: the same functions as the pages, from a terminal.

Exit codes: 0 done, 1 the data or the model cannot be used (or a fault of ours), 2 wrong usage.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from . import __version__, config
from .cli_access import password, token
from .cli_board import board, card, collector
from .cli_data import convert
from .cli_flash import doctor, encrypt_option, flash, fuse_key_of
from .cli_keys import keygen, keys
from .cli_kmodel import kmodel
from .cli_project import export_job, import_job
from .cli_remote import download, list_jobs, refuse_elsewhere, remote_option, status, train_there
from .cli_show import say_sealed, show, show_jobs, summary
from .cli_sim import sim
from .command import (
    ExistingPath,
    PathType,
    Size,
    command,
    fit_option,
    json_option,
    seal_option,
    task_fit_option,
)
from .errors import Finding, UserError
from .i18n import LANGUAGES, N_
from .terminal import Terminal


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="maixforge")
@click.option("--lang", type=click.Choice(LANGUAGES), help="Language of messages.")
@click.option("-v", "--verbose", is_flag=True, help="Show where a fault of MaixForge happened.")
@remote_option
@click.pass_context
def main(context: click.Context, lang: str | None, verbose: bool, host: str) -> None:
    """Turn labelled pictures into a model that runs on a Kendryte K210 board."""
    refuse_elsewhere(context)


@main.command()
@click.argument("folder", type=ExistingPath)
@click.option("-o", "--out", type=PathType, required=True, help="The zip to write.")
@click.option("--size", default=224, show_default=True, help="Width and height in pixels.")
@fit_option
@json_option
@command
def prepare(terminal: Terminal, folder: Path, out: Path, size: int, fit: Any) -> None:
    """Bring a FOLDER of pictures, classes or boxes, to size and zip it; originals stay."""
    from .datasets import prepare as room  # noqa: PLC0415
    from .jobs.submit import rules_of  # noqa: PLC0415

    rules = rules_of(config.load())
    with terminal.progress(N_("Prepare")) as bar:
        made = room.prepare(
            folder,
            out,
            size,
            fit,
            rules=rules,
            progress=lambda done, total: bar.update(done / max(total, 1)),
        )
    terminal.findings(made.findings)
    unit = N_("boxes") if made.task == "detect" else N_("pictures")
    terminal.table([N_("class"), unit], made.counts.items())
    terminal.say(N_("Written: {path} ({size} kB)"), path=made.path, size=made.bytes // 1000)
    terminal.result(
        {
            "zip": str(made.path),
            "bytes": made.bytes,
            "labels": list(made.labels),
            "counts": made.counts,
            "findings": [one.as_dict(terminal.language) for one in made.findings],
        }
    )


@main.command()
@click.argument("data", type=PathType)
@json_option
@command
def check(terminal: Terminal, data: Path) -> int:
    """Check DATA, a zip or a folder of class folders or of boxes; say all that is wrong."""
    from .jobs import receive, submit  # noqa: PLC0415

    settings = config.load()
    findings, task, labels, counts, samples = (), "", (), {}, ()
    with tempfile.TemporaryDirectory(prefix="maixforge-") as folder:
        try:
            limits, rules = submit.limits_of(settings), submit.rules_of(settings)
            dataset = receive.look(data, Path(folder), limits, rules)
            findings, task, labels = dataset.findings, dataset.task, dataset.labels
            counts, samples = dataset.counts(), dataset.samples
        except UserError as error:
            findings = error.findings
    terminal.findings(findings)
    if counts:
        unit = N_("boxes") if task == "detect" else N_("pictures")
        terminal.table([N_("class"), unit], counts.items())
    if task == "detect":
        empty = sum(not sample.boxes for sample in samples)
        text = N_("{pictures} pictures, {empty} of them without boxes")
        terminal.say(text, pictures=len(samples), empty=empty)
    bad = any(one.severity == "error" for one in findings)
    terminal.say(N_("This cannot be trained yet.") if bad else N_("This can be trained."))
    terminal.result(
        {
            "task": task,
            "labels": list(labels),
            "counts": counts,
            "pictures": len(samples),
            "findings": [one.as_dict(terminal.language) for one in findings],
        }
    )
    return int(bad)


@main.command()
@click.argument("data", type=PathType)
@click.option("-o", "--out", type=PathType, required=True, help="Folder for everything made.")
@click.option("--test", type=PathType, help="Held-back data to judge the model on as well.")
@click.option(
    "--preset",
    type=click.Choice(["fast", "balanced", "best"]),
    default="balanced",
    show_default=True,
    help="How long to train.",
)
@click.option("--seed", default=0, show_default=True, help="Same seed, same model.")
@click.option("--name", default="", help="Name of the model (default: that of the data).")
@click.option(
    "--size", type=Size(), default="224", show_default=True, help="Input, e.g. 224 or 320x240."
)
@task_fit_option
@click.option("--backbone", default="", help="Network, e.g. mobilenet_1.0_cut11.")
@click.option("--firmware", default="", help="MaixPy build of the board (see firmware/).")
@seal_option
@click.option("--canmv", is_flag=True, help="Also make a kmodel V5 for CanMV (needs nncase).")
@click.option(
    "--set", "overrides", multiple=True, metavar="KNOB=VALUE", help="Any training knob, repeatable."
)
@json_option
@command
def train(
    terminal: Terminal,
    data: Path,
    out: Path,
    test: Path | None,
    seal: str,
    overrides: tuple[str, ...],
    **choices: Any,
) -> None:
    """Train on DATA and write kmodel, SD zip, kfpkg and report into OUT.

    Folders of pictures make a classifier, pictures with boxes a detector.
    """
    from dataclasses import asdict  # noqa: PLC0415

    from .jobs import findings, pipeline, sealing, submit  # noqa: PLC0415
    from .jobs.doubts import doubts  # noqa: PLC0415
    from .jobs.order import output_folder, parse_overrides  # noqa: PLC0415
    from .jobs.spec import JobSpec  # noqa: PLC0415

    if terminal.host:
        given = {"test": test, "seal": seal, "overrides": overrides, **choices}
        train_there(terminal, data, out, given)
        return
    settings = config.load()
    choices["fit"] = choices["fit"] or ""
    name = choices.pop("name") or submit.plain_name(data.resolve().name)
    spec = JobSpec(
        source=str(data.resolve()),
        test=str(test.resolve()) if test else "",
        name=name,
        overrides=parse_overrides(overrides),
        limits=asdict(submit.limits_of(settings)),
        rules=asdict(submit.rules_of(settings)),
        firmware_folder=str(settings.firmware.resolve()),
        nncase_python=settings.nncase_python,
        data_folder=str(settings.data.resolve()),
        # The name as it is stored: what was typed may have been a machine code.
        seal=sealing.usable(settings.data, seal).name if seal else "",
        **choices,
    )
    folder = output_folder(out, spec)
    with terminal.progress(N_("Receive")) as bar:
        result = pipeline.run(folder, spec, lambda event: show(terminal, bar, event))
    for part in (result, result.get("canmv", {}), result.get("seal", {})):
        for key in part.keys() & {"kmodel", "sd_zip", "kfpkg", "kmx"}:
            part[key] = str(folder / part[key])
    said = [*doubts(result), *findings.from_json(result.get("canmv_problems", []))]
    terminal.findings(said)
    summary(terminal, result)
    terminal.result({**result, "findings": [one.as_dict(terminal.language) for one in said]})


main.add_command(convert)
main.add_command(kmodel)
main.add_command(collector)
main.add_command(card)
main.add_command(board)
main.add_command(flash)
main.add_command(doctor)
main.add_command(sim)
main.add_command(keygen)
main.add_command(keys)
main.add_command(export_job)
main.add_command(import_job)
main.add_command(password)
main.add_command(token)
main.add_command(status)
main.add_command(download)


@main.command()
@click.argument("model", type=ExistingPath)
@click.option("-o", "--out", type=PathType, required=True, help="Folder for SD zip and kfpkg.")
@click.option("--labels", type=ExistingPath, required=True, help="Labels, one a line.")
@click.option("--name", default="", help="Name of the model.")
@click.option("--firmware", default="", help="MaixPy build of the board (see firmware/).")
@click.option("--board", default="", help="Board, e.g. m5stickv (default: found at run time).")
@click.option("--rotation", type=click.IntRange(0, 3), help="Rotation of the screen, 0 to 3.")
@click.option("--mirror/--no-mirror", default=False, help="Mirror the camera's picture.")
@click.option("--flip/--no-flip", default=False, help="Turn the camera's picture upside down.")
@click.option("--threshold", default=0.5, show_default=True, help="Least score shown as sure.")
@click.option("--anchors", default="", help="Of a YOLOv2 detector: ten numbers, in grid cells.")
@click.option("--nms", default=0.3, show_default=True, help="Largest overlap of a class's boxes.")
@seal_option
@encrypt_option
@json_option
@command
def package(
    terminal: Terminal,
    model: Path,
    out: Path,
    labels: Path,
    anchors: str,
    name: str,
    firmware: str,
    seal: str,
    encrypt: str,
    **board: Any,
) -> None:
    """Pack a kmodel MODEL for a board: SD zip and kfpkg; with --anchors it is a detector."""
    from .deploy import firmware as builds  # noqa: PLC0415
    from .deploy import kfpkg, sdcard  # noqa: PLC0415
    from .deploy import package as room  # noqa: PLC0415
    from .jobs import sealing  # noqa: PLC0415
    from .jobs.tryout import parse_anchors, read_labels  # noqa: PLC0415

    entry = sealing.usable(config.load().data, seal) if seal else None
    fuses = fuse_key_of(encrypt) if encrypt else None
    packed = room.create(
        out / "package",
        model.read_bytes(),
        name=name or model.stem,
        labels=read_labels(labels),
        anchors=parse_anchors(anchors).tolist() if anchors else (),
        firmware=firmware or builds.DEFAULT,
        options=room.BoardOptions(**board),
        key=entry.key if entry else None,
    )
    image = builds.find(config.load().firmware, builds.get(packed.firmware))
    sd_zip = sdcard.build(packed, out / "sd.zip")
    flash = kfpkg.build(packed, out / "model.kfpkg", image, fuses)
    terminal.say(N_("SD card: unpack {path} to the card's root"), path=sd_zip)
    terminal.say(N_("Flash:   {path}"), path=flash)
    made: dict[str, Any] = {"sd_zip": str(sd_zip), "kfpkg": str(flash)}
    if entry:
        made["seal"] = sealing.described(entry, packed)
        say_sealed(terminal, made["seal"])
    terminal.result(made)


@main.command()
@command
def serve(terminal: Terminal) -> None:
    """Open the host's pages at http://127.0.0.1:8080/ (settings: MAIXFORGE_HOST and others)."""
    from .server import serve as run  # noqa: PLC0415
    from .web.access import is_exposed  # noqa: PLC0415

    settings = config.load()
    if is_exposed(settings) and not settings.https:
        terminal.findings([Finding("host_not_encrypted", severity="warning")])
    run(
        settings,
        lambda url: terminal.say(N_("MaixForge is ready: {url} (stop: Ctrl-C)"), url=url),
    )


@main.command()
@json_option
@command
def jobs(terminal: Terminal) -> None:
    """List the jobs of the host in this folder, or with --host of that one."""
    if terminal.host:
        list_jobs(terminal)
        return
    from .jobs.store import Store  # noqa: PLC0415

    with closing(Store(config.load().data)) as store:
        show_jobs(terminal, [vars(job) for job in store.jobs()])


if __name__ == "__main__":
    sys.exit(main())
