"""What the commands print: one JSON object on stdout, everything for people on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .errors import Finding, UserError, describe
from .i18n import default_language, translator

PIPE_WIDTH = 160
MARKS = {"error": "[bold red]✗[/]", "warning": "[yellow]![/]", "note": "[dim]·[/]"}


class Terminal:
    """Output of one command in one language; `as_json` keeps stdout for one object.

    `host` is the address of the host that shall do the work, "" for this computer.
    """

    def __init__(self, *, as_json: bool, language: str = "", host: str = "") -> None:
        self.as_json = as_json
        self.host = host
        self.language = language or default_language()
        self.tr = translator(self.language)
        # Names of files are no markup: "[b].py", and "ms:key:press" has no emoji in it.
        # A terminal is asked for its width; into a file or a pipe rows go unbroken.
        width = None if sys.stderr.isatty() else PIPE_WIDTH
        self.console = Console(stderr=True, highlight=False, width=width, markup=False, emoji=False)

    def result(self, value: Mapping[str, Any]) -> None:
        """Print the result object (with `--json` only)."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False), file=sys.stdout, flush=True)

    def say(self, text: str, **values: object) -> None:
        """Print a line for people, in their language."""
        self.console.print(self.tr(text).format(**values), soft_wrap=True)

    def findings(self, findings: Iterable[Finding]) -> None:
        """Print findings, errors first."""
        for finding in sorted(findings, key=lambda one: list(MARKS).index(one.severity)):
            self.console.print(MARKS[finding.severity], end=" ", markup=True)
            self.console.print(describe(finding, self.language), soft_wrap=True)

    def failed(self, error: UserError) -> None:
        """Print an error for people and, with `--json`, as the one object."""
        self.findings(error.findings)
        self.result(
            {
                "ok": False,
                "error": error.code,
                "findings": [one.as_dict(self.language) for one in error.findings],
            }
        )

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """Print a table whose column heads are translated."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for number, column in enumerate(columns):
            table.add_column(self.tr(column), justify="left" if number == 0 else "right")
        for row in rows:
            table.add_row(*map(str, row))
        self.console.print(table)

    @contextmanager
    def progress(self, what: str) -> Iterator[Bar]:
        """Show a progress bar while the block runs."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
        )
        with Progress(*columns, console=self.console) as progress:
            yield Bar(progress, self.tr(what))


class Bar:
    """A running progress bar."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=1.0, detail="")

    def update(self, fraction: float, what: str = "", detail: str = "") -> None:
        """Set the fraction done (0..1), the words before and behind the bar."""
        changes: dict[str, Any] = {"completed": fraction, "detail": detail}
        if what:
            changes["description"] = what
        self._progress.update(self._task, **changes)
