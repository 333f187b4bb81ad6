"""The session key and the headers that keep pages to themselves."""

from __future__ import annotations

import os
import re
import secrets
import socket
import tempfile
from pathlib import Path

import psutil
from flask import Response, current_app, request

from ..config import Settings, is_loopback
from ..files import sync_folder

KEY_BYTES = 32

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Bootstrap's own style sheet holds its icons as data:
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing inline, nothing from elsewhere."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

CAMERA_PAGES = frozenset(
    {"capture.page", "tryit.page", "tryit.show", "pages.job", "deploy.page", "deploy.pack"}
)
"""Views whose pages may ask the visitor for the camera."""


STRICT_TRANSPORT = "max-age=31536000"
"""A year: a browser that has seen us behind https comes by https only."""


def add_headers(response: Response) -> Response:
    """Add the security headers; what is not a static file is never kept by a browser."""
    response.headers.update(HEADERS)
    if request.endpoint in CAMERA_PAGES:
        policy = HEADERS["Permissions-Policy"].replace("camera=()", "camera=(self)")
        response.headers["Permissions-Policy"] = policy
    if current_app.config["SESSION_COOKIE_SECURE"]:
        response.headers["Strict-Transport-Security"] = STRICT_TRANSPORT
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def own_names(settings: Settings) -> frozenset[str]:
    """Return the names and addresses under which this host may be called.

    A foreign page could otherwise reach us under a name of its own (DNS rebinding).
    """
    names = {"localhost", "127.0.0.1", "[::1]", _written(settings.host)}
    if not is_loopback(settings.host):
        names |= {socket.gethostname(), f"{socket.gethostname()}.local"}
        for interface in psutil.net_if_addrs().values():
            names |= {_written(one.address) for one in interface}
    names |= {_written(one.strip()) for one in settings.trusted_hosts.split(",") if one.strip()}
    return frozenset(name.lower() for name in names)


def name_of(host: str) -> str:
    """Return the name in a Host header, without the port."""
    return re.sub(r":\d*$", "", host).lower()


def _written(address: str) -> str:
    """Return an address as it stands in a URL: IPv6 between brackets."""
    return f"[{address.strip('[]')}]" if address.count(":") > 1 else address


def secret_key(path: Path) -> bytes:
    """Return the key in `path`; on the first start it is made there, readable by its owner only.

    A file that is too short to be a key is replaced: it would let sessions be forged.
    """
    if path.exists() and len(key := path.read_bytes()) >= KEY_BYTES:
        return key
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".key.", dir=path.parent)  # mode 0600
    key = secrets.token_bytes(KEY_BYTES)
    with os.fdopen(handle, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
    sync_folder(path.parent)
    return key
