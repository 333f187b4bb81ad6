"""Findings as JSON that keeps code and values, so that each reader sees their own language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import Finding


def to_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as JSON values: code, path, severity, params (numbers and texts)."""
    return [
        {
            "code": one.code,
            "path": one.path,
            "severity": one.severity,
            "params": {key: _plain(value) for key, value in one.params.items()},
        }
        for one in findings
    ]


def from_json(values: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Read what `to_json` wrote."""
    return [Finding(one["code"], one["path"], one["severity"], one["params"]) for one in values]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else str(value)
