"""Who sends a job, so that submitters take turns: a token's holder, else a browser's session."""

from __future__ import annotations

import hashlib
import secrets

from flask import request, session


def submitter() -> str:
    """Return a name that is the same for every job of one holder of a token or of one browser."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return "token " + hashlib.sha256(b"submitter " + token.strip().encode()).hexdigest()[:12]
    if "submitter" not in session:
        session["submitter"] = secrets.token_hex(6)
    return f"browser {session['submitter']}"
