"""Which language a page speaks: `?lang=`, then the session, the setting, the browser."""

from __future__ import annotations

from flask import request, session
from flask_babel import get_locale

from ..i18n import LANGUAGES
from .state import host

NAMES = {"en": "English", "zh": "中文"}
"""The languages in their own words."""


def remember() -> None:
    """Keep the language that the address asks for; called before every request."""
    asked = request.args.get("lang")
    if asked in LANGUAGES and session.get("lang") != asked:
        session["lang"] = asked


def choose() -> str:
    """Return the language of the current request."""
    if session.get("lang") in LANGUAGES:
        return session["lang"]
    return host().settings.lang or request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def current() -> str:
    """Return the language that the current page is written in."""
    return str(get_locale() or LANGUAGES[0])
