"""`maixforge kmodel`: commands for people who bring a network or a kmodel of their own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .command import ExistingPath, PathType, command, fit_option, json_option
from .i18n import N_
from .terminal import Terminal

if TYPE_CHECKING:
    from .kmodel.diff import ArrayChange, Change


@click.group()
def kmodel() -> None:
    """Compile networks of your own; look into kmodel files."""


@kmodel.command("compile")
@click.argument("model", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--calibration", type=ExistingPath, required=True, help="Folder of pictures.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="The kmodel to write.",
)  # fmt: skip
@click.option("--scale", type=float, help="The network reads byte * scale + offset (default: "
              "its own scaling, else 1/255).")  # fmt: skip
@click.option("--offset", type=float, help="See --scale (default: 0).")
@click.option("--copies-ms", type=click.FloatRange(0), help="Milliseconds on the board that finer "
              "first maps may cost (default: 2, and 35 % of the time).")  # fmt: skip
@fit_option
@json_option
@command
def compile_network(
    terminal: Terminal, model: Path, calibration: Path, out: Path, **options: Any
) -> None:
    """Compile MODEL (.keras, .h5, .onnx or .tflite, not quantized) to a kmodel V3."""
    from .jobs.convert import convert  # noqa: PLC0415

    with terminal.progress(N_("Compile")) as bar:
        made = convert(
            model, calibration, out, report=lambda _phase, part: bar.update(part), **options
        )
    findings = made.pop("findings")
    terminal.findings(findings)
    rows = [
        (terminal.tr(N_("input")), "x".join(map(str, made["input"]))),
        (
            terminal.tr(N_("the network reads")),
            f"{_numbers(made['scale'])} * byte + {_numbers(made['offset'])}",
        ),
        (terminal.tr(N_("kmodel, bytes")), f"{made['bytes']:,}"),
        (terminal.tr(N_("RAM on the board, bytes")), f"{made['ram_bytes']:,}"),
        (terminal.tr(N_("estimated ms a picture")), f"{made['ms']:.0f}"),
    ]
    for one in made["agreement"]:
        rows.append((terminal.tr(N_("same answer as the float network")), f"{one['same']:.1%}"))
        rows.append((terminal.tr(N_("mean error of a value")), f"{one['error']:.2%}"))
    terminal.table(["", ""], rows)
    terminal.say(N_("Written: {path}"), path=out)
    terminal.result({**made, "findings": [one.as_dict(terminal.language) for one in findings]})


def _numbers(one: float | list[float]) -> str:
    """Return a number, or one for each colour."""
    if isinstance(one, list):
        return "(" + ", ".join(f"{number:.6g}" for number in one) + ")"
    return f"{one:.6g}"


@kmodel.command()
@click.argument("model", type=ExistingPath)
@click.argument("images", type=ExistingPath, nargs=-1, required=True)
@click.option("--labels", type=ExistingPath, help="Labels, one a line (default: beside MODEL).")
@click.option("--anchors", default="", help="Ten numbers: show the boxes of a YOLOv2 model.")
@click.option("--threshold", default=0.5, show_default=True, help="Least score of a box.")
@click.option("--nms", default=0.3, show_default=True, help="Largest overlap of boxes (IoU).")
@click.option("--draw", type=PathType, help="Folder for the pictures with their boxes (PNG).")
@fit_option
@json_option
@command
def simulate(
    terminal: Terminal, model: Path, images: tuple[Path, ...], draw: Path | None, **options: Any
) -> None:
    """Run IMAGES (or folders) through a kmodel V3 exactly as a K210 would; show its answers."""
    from .jobs.tryout import draw_answers, try_out  # noqa: PLC0415

    answers = try_out(model, images, **options)
    for answer in answers:
        if "map" in answer:
            terminal.say(
                N_("{image}: a map of {shape} values, {least:.3g} to {most:.3g}"),
                image=answer["image"],
                shape="x".join(map(str, answer["map"])),
                least=min(answer["output"]),
                most=max(answer["output"]),
            )
            continue
        found = answer.get("boxes", [answer] if "score" in answer else [])
        texts = [f"{one['label']} {one['score']:.3f}" for one in found]
        terminal.say("{image}: {texts}", image=answer["image"], texts=", ".join(texts) or "-")
    if draw:
        for path in draw_answers(model, answers, options["fit"], draw):
            terminal.say(N_("Written: {path}"), path=path)
    if any("map" in answer for answer in answers):
        terminal.say(N_("If this is a YOLOv2 model, name its --anchors to see boxes."))
    terminal.result({"images": answers})


@kmodel.command()
@click.argument("model", type=ExistingPath)
@json_option
@command
def info(terminal: Terminal, model: Path) -> None:
    """Say what is in MODEL: its layers, what each costs, and which firmware has room for it."""
    from .jobs.model_file import inspect, summary  # noqa: PLC0415

    found = inspect(model)
    terminal.say("{path}: {kind}", path=model.name, kind=found["kind"])
    if "layers" in found:
        terminal.table(LAYER_COLUMNS, map(summary, found["layers"]))
        terminal.table(["", ""], [
            (terminal.tr(N_("file, bytes")), f"{found['file_bytes']:,}"),
            (terminal.tr(N_("main memory, bytes")), f"{found['main_memory']:,}"),
            (terminal.tr(N_("RAM on the board, bytes")), f"{found['ram_bytes']:,}"),
            (terminal.tr(N_("KPU RAM, bytes of 2 MiB")), f"{found['kpu_ram']:,}"),
            (terminal.tr(N_("estimated ms a picture")), f"{found['ms']:.1f}"),
        ])  # fmt: skip
        terminal.table(
            [N_("firmware"), N_("RAM for models"), N_("known as"), N_("fits")],
            [
                (
                    one["name"],
                    f"{one['budget']:,}",
                    terminal.tr(BASES[one["basis"]]),
                    terminal.tr(N_("yes") if one["fits"] else N_("no")),
                )
                for one in found["firmware"]
            ],
        )
    else:
        terminal.say(N_("Stock MaixPy loads kmodel V3; only that is taken apart here."))
    terminal.result(found)


LAYER_COLUMNS = (
    "#", N_("layer"), N_("input"), N_("output"), "M MAC", N_("KPU lines"), "kB", "ms",
)  # fmt: skip
BASES = {
    "measured": N_("measured"),
    "published": N_("published"),
    "estimate": N_("our estimate"),
}


@kmodel.command()
@click.argument("a", type=ExistingPath)
@click.argument("b", type=ExistingPath)
@click.option("--images", type=ExistingPath, multiple=True, help="Pictures (or a folder) for both.")
@json_option
@command
def diff(terminal: Terminal, a: Path, b: Path, images: tuple[Path, ...]) -> None:
    """Show what differs between the kmodels A and B, and how far apart their answers are."""
    from .jobs.model_file import compare  # noqa: PLC0415

    found = compare(a, b, images)
    for change in found.header:
        terminal.say("{change}", change=_change(terminal, change))
    for layer in found.layers:
        inside, outside = ("x".join(map(str, shape)) for shape in layer.shapes)
        what = "; ".join(_change(terminal, one) for one in layer.changes) or terminal.tr(
            N_("only in A") if layer.b is None else N_("only in B")
        )
        here, there = ("-" if one is None else one for one in (layer.a, layer.b))
        terminal.say("{a} | {b}  {kind} {inside} -> {outside}: {what}", a=here, b=there,
                     kind=layer.kind, inside=inside, outside=outside, what=what)  # fmt: skip
    for one in found.outputs:
        if one.largest is None or one.mean is None or one.same_answer is None:
            a_values, b_values = one.values
            terminal.say(N_("Answers cannot be compared: {a} and {b} values"),
                         a=a_values, b=b_values)  # fmt: skip
            continue
        terminal.say(
            N_("Answers: up to {largest} apart, {mean} on average; {same} % the same class"),
            largest=f"{one.largest:.4g}",
            mean=f"{one.mean:.4g}",
            same=f"{100 * one.same_answer:.0f}",
        )
    if found.same_bytes:
        terminal.say(N_("Both files are the same, byte by byte."))
    terminal.result(found.as_dict())


HEADER = {
    "file bytes": N_("file, bytes"),
    "layers": N_("layers"),
    "main memory": N_("main memory, bytes"),
    "outputs": N_("outputs, place and bytes"),
    "lowest line": N_("lowest line of KPU RAM"),
}


def _change(terminal: Terminal, one: Change | ArrayChange) -> str:
    from .kmodel.diff import ArrayChange  # noqa: PLC0415

    what = terminal.tr(HEADER.get(one.what, one.what))
    if isinstance(one, ArrayChange):
        text = terminal.tr(N_("{what}: {differ} of {values} differ, by up to {largest:g}"))
        return text.format(**asdict(one) | {"what": what})
    a, b = (", ".join("{}+{}".format(*pair) for pair in side) if one.what == "outputs" else side
            for side in (one.a, one.b))  # fmt: skip
    return f"{what}: {a} -> {b}"


@kmodel.command("plot")
@click.argument("model", type=ExistingPath)
@click.option("-o", "--out", type=PathType, required=True, help="The PNG to write.")
@click.option("--model", "float_folder", type=ExistingPath,
              help="Folder of its float model, or the network's file.")  # fmt: skip
@click.option("--calibration", type=ExistingPath, help="Folder of pictures to measure errors on.")
@click.option("--scale", type=float, help="As it was compiled; see kmodel compile.")
@click.option("--offset", type=float, help="As it was compiled; see kmodel compile.")
@json_option
@command
def draw(
    terminal: Terminal,
    model: Path,
    out: Path,
    float_folder: Path | None,
    calibration: Path | None,
    scale: float | None,
    offset: float | None,
) -> None:
    """Draw MODEL: time and memory of its layers; with its float model also their error."""
    from .files import atomic_write  # noqa: PLC0415
    from .jobs import model_file  # noqa: PLC0415

    if bool(float_folder) != bool(calibration):
        raise click.UsageError("--model and --calibration belong together")
    atomic_write(out, model_file.draw(model, float_folder, calibration, scale, offset))
    terminal.say(N_("Written: {path}"), path=out)
    terminal.result({"png": str(out)})
