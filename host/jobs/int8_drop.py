"""When a job says that quantization costs its network too much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Finding

POINTS = 2.0
"""Points of accuracy that INT8 may lose before there is a warning; one picture is no reason to."""


def int8_drop(result: Mapping[str, Any]) -> list[Finding]:
    """Return the warning that the kmodel answers worse than the float network, or none.

    Args:
        result: of a job (see `result_types.Result`); both accuracies are those on the pictures
            that were never trained on.
    """
    float_percent, int8_percent = (100 * result[kind]["accuracy"] for kind in ("float", "int8"))
    drop = float_percent - int8_percent
    # Results without a report are taken for those of many pictures.
    pictures = result.get("report", {}).get("int8", {}).get("pictures", 1000)
    if drop <= POINTS or round(drop / 100 * pictures) <= 1:
        return []
    values = {"drop": drop, "float": float_percent, "int8": int8_percent}
    params = {name: f"{value:.1f}" for name, value in values.items()}
    return [Finding("int8_drop", severity="warning", params={**params, "allowed": f"{POINTS:.0f}"})]
