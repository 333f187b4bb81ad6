"""The shape of a message to the user: what, found, needed, what to do next."""

from __future__ import annotations

from dataclasses import dataclass


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "extract, translate later"
    """Mark `text` for extraction; it is translated when it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the catalogue; every field is a `str.format` template in English.

    `what` says what is wrong, `found` what was there, `needed` what is asked for and
    `fix` what to do next. `found` and `needed` may be empty.
    """

    what: str
    found: str
    needed: str
    fix: str
