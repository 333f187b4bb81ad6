"""How a training and its result look in a terminal, wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .i18n import N_
from .terminal import Bar, Terminal

STEPS = {
    "receive": N_("Receive"),
    "check": N_("Check"),
    "train": N_("Train"),
    "compile": N_("Compile"),
    "evaluate": N_("Evaluate"),
    "seal": N_("Seal"),
    "package": N_("Package"),
}

STRENGTHS = {"bound": N_("bound, no fuse"), "burnt": N_("burnt into the chip")}

EPOCH = {"loss": N_("loss"), "valid_accuracy": N_("accuracy"), "valid_map50": "mAP50"}
"""What is told of an epoch."""


def show(terminal: Terminal, bar: Bar, event: Mapping[str, Any]) -> None:
    """Bring the bar to where an event of a job says that it is."""
    values = event.get("values", {})
    parts = [f"{int(values['epoch'])}/{int(values['epochs'])}"] if "epochs" in values else []
    for name, text in EPOCH.items():
        if name in values:
            parts.append(f"{terminal.tr(text)} {values[name]:.3f}")
    if event.get("eta_seconds") is not None:
        left = terminal.tr(N_("about {n} s left"))
        parts.append(left.format(n=round(event["eta_seconds"])))
    bar.update(event["fraction"], terminal.tr(STEPS[event["step"]]), "  ".join(parts))


def show_jobs(terminal: Terminal, jobs: Sequence[Mapping[str, Any]]) -> None:
    """List jobs, given as the API gives them."""
    rows = [(one["id"], one["name"], terminal.tr(one["state"]), percent(one)) for one in jobs]
    terminal.table([N_("job"), N_("name"), N_("state"), N_("done")], rows)
    keys = ("id", "name", "state", "fraction")
    terminal.result({"jobs": [{key: one[key] for key in keys} for one in jobs]})


def percent(job: Mapping[str, Any]) -> str:
    """Return how much of a job is done."""
    return f"{100 * job['fraction']:.0f} %"


def summary(terminal: Terminal, result: Mapping[str, Any]) -> None:
    """Say how good a model is, how large, and where its files are."""
    detects = result["task"] == "detect"
    rows = _boxes_rows(terminal, result) if detects else _accuracy_rows(terminal, result)
    rows += [
        (terminal.tr(N_("kmodel, bytes")), f"{result['kmodel_bytes']:,}"),
        (terminal.tr(N_("RAM on the board, bytes")), f"{result['ram_bytes']:,}"),
        (terminal.tr(N_("estimated ms a picture")), f"{result['ms']:.0f}"),
        (terminal.tr(N_("seconds")), f"{result['seconds']:.0f}"),
    ]
    terminal.table(["", ""], rows)
    terminal.say(N_("SD card: unpack {path} to the card's root"), path=result["sd_zip"])
    terminal.say(N_("Flash:   {path}"), path=result["kfpkg"])
    if "seal" in result:
        say_sealed(terminal, result["seal"])


def say_sealed(terminal: Terminal, seal: Mapping[str, Any]) -> None:
    """Say for which board a model is sealed, and what may be handed on."""
    strength = terminal.tr(STRENGTHS[seal["strength"]])
    terminal.say(
        N_("Sealed for {board} ({board_id}...; {strength}). Hand on these two files only: the "
           "folder keeps the plain m.kmodel. What the seal is worth: docs/sealing.md"),
        **{**seal, "strength": strength},
    )  # fmt: skip


def _accuracy_rows(terminal: Terminal, result: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [
        (terminal.tr(N_("accuracy, float")), f"{result['float']['accuracy']:.3f}"),
        (terminal.tr(N_("accuracy, INT8 on the simulated K210")),
         f"{result['int8']['accuracy']:.3f}"),
    ]  # fmt: skip
    for name, text in (("float", N_("held-back data, float")), ("int8", N_("held-back, INT8"))):
        if "test" in result:
            rows.append((terminal.tr(text), f"{result['test'][name]:.3f}"))
    if "canmv" in result:
        made = result["canmv"]
        text = terminal.tr(N_("kmodel V5 for CanMV, in nncase's simulator, {n} pictures"))
        rows.append((text.format(n=made["pictures"]), f"{made['accuracy']:.3f}"))
    return rows


def _boxes_rows(terminal: Terminal, result: Mapping[str, Any]) -> list[tuple[str, str]]:
    def both(figures: Mapping[str, Any], name: str) -> str:
        return " | ".join(f"{figures[kind][name]:.3f}" for kind in ("float", "int8"))

    heads = {"map50": N_("mAP50, float | INT8 on the simulated K210"),
             "map": N_("mAP50-95, float | INT8")}  # fmt: skip
    rows = [(terminal.tr(text), both(result, name)) for name, text in heads.items()]
    if "test" in result:
        rows.append((terminal.tr(N_("held-back mAP50, float | INT8")),
                     both(result["test"], "map50")))  # fmt: skip
    settings = f"{result['threshold']:g}, {result['nms']:g}"
    return [*rows, (terminal.tr(N_("threshold and NMS in boot.py")), settings)]
