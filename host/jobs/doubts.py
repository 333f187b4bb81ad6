"""What a job says of its own result: warnings that are no reason to have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Finding
from ..trainer.detect_evaluate import ROOM

POINTS = 2.0
"""Points of accuracy that INT8 may lose before there is a warning; one picture is no reason to."""
MAP_POINTS = 3.0
"""Points of mAP50 that it may lose."""


def doubts(result: Mapping[str, Any]) -> list[Finding]:
    """Return the warnings about a job's result (see `result_types.Result`)."""
    return [*int8_drop(result), *crowded(result)]


def int8_drop(result: Mapping[str, Any]) -> list[Finding]:
    """Return the warning that the kmodel answers worse than the float network, or none.

    Accuracies and mAP50 are those on the pictures that were never trained on.
    """
    if result.get("task") == "detect":
        name, allowed, code = "map50", MAP_POINTS, "int8_drop_map50"
    else:
        name, allowed, code = "accuracy", POINTS, "int8_drop"
    float_percent, int8_percent = (100 * result[kind][name] for kind in ("float", "int8"))
    drop = float_percent - int8_percent
    # Results without a report are taken for those of many pictures.
    pictures = result.get("report", {}).get("int8", {}).get("pictures", 1000)
    one_picture = name == "accuracy" and round(drop / 100 * pictures) <= 1
    if drop <= allowed or one_picture:
        return []
    values = {"drop": drop, "float": float_percent, "int8": int8_percent}
    params = {name: f"{value:.1f}" for name, value in values.items()}
    return [Finding(code, severity="warning", params={**params, "allowed": f"{allowed:.0f}"})]


def crowded(result: Mapping[str, Any]) -> list[Finding]:
    """Return the warning that the threshold is higher than the best because of the firmware."""
    if not result.get("report", {}).get("int8", {}).get("crowded"):
        return []
    params = {"room": ROOM, "threshold": f"{result['threshold']:g}"}
    return [Finding("boxes_no_room", severity="warning", params=params)]
