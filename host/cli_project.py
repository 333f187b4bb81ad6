"""`maixforge export` and `import`: a job of the host in this folder as one zip, and back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from . import config
from .command import ExistingPath, PathType, command, json_option
from .i18n import N_
from .terminal import Terminal


@click.command("export")
@click.argument("job")
@click.option("-o", "--out", type=PathType, required=True, help="The zip to write.")
@json_option
@command
def export_job(terminal: Terminal, job: str, out: Path) -> None:
    """Write the data, edits and choices of JOB (see jobs) into one zip, for another host."""
    from .jobs import project  # noqa: PLC0415
    from .jobs.store import Store  # noqa: PLC0415

    with closing(Store(config.load().data)) as store:
        path = project.export(store, job, out)
    terminal.say(N_("Project: {path}"), path=path)
    terminal.result({"project": str(path)})


@click.command("import")
@click.argument("project", type=ExistingPath)
@json_option
@command
def import_job(terminal: Terminal, project: Path) -> None:
    """Make a job of PROJECT, a zip that export or a job's page has written."""
    from .jobs import findings  # noqa: PLC0415
    from .jobs import project as room  # noqa: PLC0415
    from .jobs.store import Store  # noqa: PLC0415

    settings = config.load()
    with closing(Store(settings.data)) as store:
        job = room.import_file(store, settings, project)
    terminal.findings(findings.from_json(job.findings))
    ready = N_("Job {job}: {name}, ready to train")
    text = ready if job.trainable else N_("Job {job}: {name}, cannot be trained yet")
    terminal.say(text, job=job.id, name=job.name)
    terminal.result({"job": job.id, "name": job.name, "trainable": job.trainable})
