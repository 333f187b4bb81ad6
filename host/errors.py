"""The one error type for users, and the finding: one problem with its place and its mend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .i18n import N_, catalogue, translator

Severity = Literal["error", "warning", "note"]

WORDS = ("kind", "needed", "state", "where")
"""Values that are translated when they are words of ours, marked with N_ where they are defined.
`where` may be a template itself: "layer {number}"."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: a code of the catalogue, where it is, and the values of its message.

    `path` is the place as the user knows it (a path inside the data set, a file name, a
    setting); `params` fill the templates of the message with that code.
    """

    code: str
    path: str = ""
    severity: Severity = "error"
    params: Mapping[str, Any] = field(default_factory=dict)

    def text(self, part: Literal["what", "found", "needed", "fix"], language: str = "en") -> str:
        """Return one part of the message in `language`, its values filled in."""
        template = getattr(catalogue()[self.code], part)
        tr = translator(language)
        given = ((key, self.params.get(key)) for key in WORDS)
        words = {key: tr(value) for key, value in given if isinstance(value, str)}
        if "number" in self.params and "where" in words:
            words["where"] = words["where"].format(**self.params)
        return tr(template).format(**{"path": self.path, **self.params, **words})

    def as_dict(self, language: str = "en") -> dict[str, str]:
        """Return the shape that `--json` and the web API print."""
        return {
            "code": self.code,
            "severity": self.severity,
            "what": self.text("what", language),
            "path": self.path,
            "found": self.text("found", language),
            "needed": self.text("needed", language),
            "fix": self.text("fix", language),
        }


class UserError(Exception):
    """Something that the user can mend. Carries one or more findings; never a traceback.

    `UserError("code", path, key=value)` makes one finding; `UserError.of(findings)` carries
    many, e.g. all that is wrong with a data set.
    """

    def __init__(self, code: str, path: str = "", **params: Any) -> None:
        self.findings: tuple[Finding, ...] = (Finding(code, str(path), "error", params),)
        super().__init__(code)

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> UserError:
        """Make one error of several findings (at least one)."""
        collected = tuple(findings)
        error = cls(collected[0].code)
        error.findings = collected
        return error

    @property
    def code(self) -> str:
        """The code of the first finding."""
        return self.findings[0].code

    def __str__(self) -> str:
        return "\n".join(describe(finding) for finding in self.findings)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Put `path` to the findings of the block that name no place themselves."""
    try:
        yield
    except UserError as error:
        found = (replace(one, path=one.path or path) for one in error.findings)
        raise UserError.of(found) from error


def describe(finding: Finding, language: str = "en") -> str:
    """Return a finding as lines for a terminal: what, where, found, needed, what to do next."""
    tr = translator(language)
    d = finding.as_dict(language)
    place = f"{d['path']}: " if d["path"] else ""
    lines = [f"{place}{d['what']} [{d['code']}]"]
    for label, part in ((N_("found"), "found"), (N_("needed"), "needed"), (N_("next"), "fix")):
        if d[part]:
            lines.append(f"  {tr(label)}: {d[part]}")
    return "\n".join(lines)
