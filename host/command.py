"""What every command of the terminal has: its output, its exit code, common options."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .errors import UserError
from .terminal import Terminal

PathType = click.Path(path_type=Path)
ExistingPath = click.Path(path_type=Path, exists=True)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
fit_option = click.option(
    "--fit",
    type=click.Choice(["crop", "letterbox"]),
    default="crop",
    show_default=True,
    help="Cut the middle of a picture, or keep all of it between grey bars.",
)


task_fit_option = click.option(
    "--fit",
    type=click.Choice(["crop", "letterbox"]),
    help="Cut pictures (usual for classifiers) or keep all between grey bars (for detectors).",
)


seal_option = click.option(
    "--seal", default="", metavar="NAME", help="Seal the model for this board (see keys list)."
)


class Size(click.ParamType):
    """A side in pixels, or width x height."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | tuple[int, int]:
        """Return 224 for "224", (320, 240) for "320x240"."""
        parts = str(value).lower().split("x")
        if len(parts) > 2 or not all(part.isdecimal() for part in parts):
            self.fail(f"{value!r}: 224 or 320x240", param, ctx)
        sides = [int(part) for part in parts]
        return (sides[0], sides[1]) if len(sides) == 2 else sides[0]


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Give a command its terminal and turn errors into findings and exit codes."""

    @functools.wraps(function)
    @click.pass_context
    def run(context: click.Context, /, *args: Any, **values: Any) -> None:
        choices = context.find_root().params
        as_json = bool(values.pop("as_json", False))
        terminal = Terminal(as_json=as_json, language=choices["lang"] or "", host=choices["host"])
        try:
            code = function(terminal, *args, **values)
        except UserError as error:
            terminal.failed(error)
            code = 1
        except (click.ClickException, click.Abort):  # wrong usage, or "no" to a question
            raise
        except Exception as error:  # the last resort: no traceback unless asked for
            if choices["verbose"]:
                raise
            terminal.failed(_last_resort(error))
            code = 1
        context.exit(code or 0)

    return run


def _last_resort(error: Exception) -> UserError:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and missing.partition(".")[0] != "host":
        return UserError("library_missing", missing)
    if isinstance(error, OSError) and error.filename is not None:
        path = error.filename2 or error.filename
        return UserError("path_unusable", str(path), reason=error.strerror or str(error))
    return UserError("internal_error", reason=f"{type(error).__name__}: {error}")
