"""The languages of MaixForge: English is written in the code, the others in gettext catalogues."""

from __future__ import annotations

import functools
import gettext
import logging
import os
from collections.abc import Callable
from pathlib import Path

from .message import N_, Message

__all__ = ["LANGUAGES", "N_", "Message", "catalogue", "default_language", "translator"]

LANGUAGES = ("en", "zh")
"""Languages that people can choose; the first is the one the code is written in."""

LOCALE_DIR = Path(__file__).parent

LOG = logging.getLogger(__name__)


@functools.cache
def translator(language: str) -> Callable[[str], str]:
    """Return the function that turns an English message into `language` (unknown: English).

    Without its catalogue a language is English, too; the log says so once.
    """
    if language == LANGUAGES[0] or language not in LANGUAGES:
        return str
    try:
        found = gettext.translation("messages", LOCALE_DIR, languages=[language])
    except OSError as error:  # missing or damaged: English pages are better than none
        LOG.warning("the catalogue of %s cannot be read, English is shown: %s", language, error)
        return str
    return lambda text: found.gettext(text) if text else ""  # "" is the catalogue's header


@functools.cache
def catalogue() -> dict[str, Message]:
    """Return every message of the project by its code.

    Raises:
        ValueError: two rooms use one code.
    """
    from .messages import (  # noqa: PLC0415
        access,
        board,
        boxes,
        datasets,
        deploy,
        emulator,
        flashing,
        jobs,
        keys,
        kmodel,
        mail,
        sealing,
        trainer,
        trying,
        web,
    )

    merged: dict[str, Message] = {}
    rooms = (
        access, board, boxes, datasets, deploy, emulator, flashing, jobs, keys, kmodel, mail,
        sealing, trainer, trying, web,
    )  # fmt: skip
    for room in rooms:
        for code, message in room.MESSAGES.items():
            if code in merged:
                raise ValueError(f"message code {code} is defined twice")
            merged[code] = message
    return merged


def default_language() -> str:
    """Return the language for a terminal: `MAIXFORGE_LANG`, else the locale, else English."""
    for name in ("MAIXFORGE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return next((lang for lang in LANGUAGES if value.lower().startswith(lang)), "en")
    return "en"
