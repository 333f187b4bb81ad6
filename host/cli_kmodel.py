"""`maixforge kmodel`: commands for people who bring a network or a kmodel of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .command import ExistingPath, command, fit_option, json_option
from .terminal import Terminal


@click.group()
def kmodel() -> None:
    """Look into kmodel files."""


@kmodel.command()
@click.argument("model", type=ExistingPath)
@click.argument("images", type=ExistingPath, nargs=-1, required=True)
@click.option("--labels", type=ExistingPath, help="Labels, one a line (default: beside MODEL).")
@click.option("--anchors", default="", help="Ten numbers: show the boxes of a YOLOv2 model.")
@click.option("--threshold", default=0.5, show_default=True, help="Least score of a box.")
@click.option("--nms", default=0.3, show_default=True, help="Largest overlap of boxes (IoU).")
@fit_option
@json_option
@command
def simulate(terminal: Terminal, model: Path, images: tuple[Path, ...], **options: Any) -> None:
    """Run IMAGES through a kmodel V3 exactly as a K210 would, and show what it answers."""
    from .jobs.tryout import try_out  # noqa: PLC0415

    answers = try_out(model, images, **options)
    for answer in answers:
        found = answer.get("boxes", [answer] if "score" in answer else [])
        texts = [f"{one['label']} {one['score']:.3f}" for one in found]
        terminal.say("{image}: {texts}", image=answer["image"], texts=", ".join(texts) or "-")
    terminal.result({"images": answers})
