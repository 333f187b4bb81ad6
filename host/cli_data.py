"""`maixforge convert`: pictures with boxes from any format to another."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from . import config
from .command import PathType, command, json_option
from .errors import Finding, UserError
from .i18n import N_
from .terminal import Terminal


@click.command()
@click.argument("source", metavar="IN", type=PathType)
@click.argument("out", type=PathType)
@click.option("--to", type=click.Choice(["voc", "yolo", "coco"]), required=True, help="Format.")
@json_option
@command
def convert(terminal: Terminal, source: Path, out: Path, to: Any) -> None:
    """Write the pictures with boxes of IN, a zip or a folder, to the new folder OUT."""
    from .datasets import formats, intake  # noqa: PLC0415
    from .datasets.formats.export import save  # noqa: PLC0415
    from .jobs.submit import limits_of  # noqa: PLC0415

    limits = limits_of(config.load())
    with tempfile.TemporaryDirectory(prefix="maixforge-") as folder:
        dataset = formats.load(intake.receive(source, Path(folder), limits), limits, Path(folder))
        if dataset.errors():
            raise UserError.of(sorted(dataset.findings, key=lambda one: one.severity))
        with terminal.progress(N_("Convert")) as bar:
            left_out = save(dataset, out, to, lambda done, total: bar.update(done / max(total, 1)))
    findings = [*dataset.findings]
    if left_out:
        params = {"count": len(left_out), "found": ", ".join(left_out[:10])}
        findings.append(Finding("picture_unreadable", left_out[0], "warning", params))
    terminal.findings(findings)
    counts = dataset.counts()
    pictures = len(dataset.samples) - len(left_out)
    terminal.table([N_("class"), N_("boxes")], counts.items())
    terminal.say(N_("Written: {path} ({pictures} pictures)"), path=out, pictures=pictures)
    terminal.result(
        {
            "folder": str(out),
            "format": to,
            "labels": list(dataset.labels),
            "counts": counts,
            "pictures": pictures,
            "findings": [one.as_dict(terminal.language) for one in findings],
        }
    )
