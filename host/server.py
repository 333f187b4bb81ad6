"""The host: a Flask app, its queue, and waitress to serve them."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import sys
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any

from flask import Flask
from flask_babel import Babel
from flask_bootstrap import Bootstrap5
from waitress.server import BaseWSGIServer, MultiSocketServer, create_server

from .config import Settings
from .errors import UserError
from .i18n import LOCALE_DIR
from .jobs import smtp
from .jobs.outbox import Outbox
from .jobs.queue import JobQueue
from .jobs.store import Store
from .web import (
    access,
    api,
    boards,
    capture,
    collector,
    compare,
    data,
    deploy,
    events,
    expecting,
    judged,
    keeping,
    language,
    mailing,
    pages,
    problems,
    scanning,
    security,
    tryit,
    uploads,
)
from .web.state import KEY, Host

LOG = logging.getLogger(__name__)
SPARE_THREADS = 16
"""Threads for pages and uploads beside those that live streams may hold."""
BODY_FACTOR = 4
"""Bodies up to so many times the upload limit are read to be refused with a finding; waitress
itself closes the connection of larger ones."""


def create_app(settings: Settings) -> Flask:
    """Return the app with its store and its queue; the queue does not work before `start`.

    Raises:
        UserError: `data_folder_unwritable`, `host_needs_password` or `access_file_broken`.
    """
    app = Flask(__name__, template_folder="web/templates", static_folder="web/static")
    store = Store(settings.data)
    app.extensions[KEY] = Host(settings, store, JobQueue(store, settings))
    app.request_class = uploads.UploadRequest
    app.config.update(_configuration(settings))
    Bootstrap5(app)
    Babel(app, locale_selector=language.choose)
    app.before_request(language.remember)
    access.Access(settings).register(app)
    app.after_request(security.add_headers)
    problems.register(app)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(collector.blueprint)
    app.register_blueprint(data.blueprint)
    app.register_blueprint(capture.blueprint)
    app.register_blueprint(mailing.blueprint)
    app.register_blueprint(tryit.blueprint)
    app.register_blueprint(scanning.blueprint)
    app.register_blueprint(boards.blueprint)
    app.register_blueprint(expecting.blueprint)
    app.register_blueprint(deploy.blueprint)
    app.register_blueprint(keeping.blueprint)
    app.register_blueprint(judged.blueprint)
    app.register_blueprint(compare.blueprint)
    return app


def _configuration(settings: Settings) -> dict[str, object]:
    return {
        "SECRET_KEY": security.secret_key(settings.secret_key_path),
        "SESSION_COOKIE_NAME": "maixforge",
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.https,
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=settings.session_hours),
        "MAX_CONTENT_LENGTH": settings.upload_bytes + uploads.FORM_SPARE,
        "MAX_FORM_PARTS": settings.members + 16,
        "WTF_CSRF_TIME_LIMIT": None,  # a page may stay open over night
        "BOOTSTRAP_SERVE_LOCAL": True,
        "BABEL_DEFAULT_LOCALE": "en",
        "BABEL_TRANSLATION_DIRECTORIES": str(LOCALE_DIR),
    }


def serve(settings: Settings, ready: Callable[[str], None] = lambda url: None) -> None:
    """Serve pages and run jobs until SIGINT or SIGTERM; `ready` is called with the address.

    Raises:
        UserError: `data_folder_in_use`, `data_folder_unwritable`, `port_in_use`, or what is wrong
            with the settings of the mail server.
    """
    smtp.check(settings)
    app = create_app(settings)
    queue: JobQueue = app.extensions[KEY].queue
    queue.start()
    outbox = Outbox(queue.store, settings, address(settings))
    outbox.start()
    try:
        server = listen(app, settings)
        _end_on_signals(queue)
        ready(address(settings))
        server.run()
    finally:
        outbox.stop()
        queue.stop()
        app.extensions[KEY].store.close()


def listen(app: Flask, settings: Settings) -> BaseWSGIServer | MultiSocketServer:
    """Return a waitress server that listens already; `run` serves until it is closed.

    Raises:
        UserError: `port_in_use`.
    """
    try:
        return create_server(
            app,
            host=settings.host,
            port=settings.port,
            threads=events.STREAMS + SPARE_THREADS,
            connection_limit=1000,
            ident="",
            **_believed(settings),
            max_request_body_size=BODY_FACTOR * (settings.upload_bytes + uploads.FORM_SPARE),
        )
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise UserError("port_in_use", port=settings.port, reason=str(error)) from error
        raise


def _believed(settings: Settings) -> dict[str, Any]:
    """Return whose X-Forwarded-For and -Proto waitress takes over; it clears all others."""
    if not settings.proxy:
        return {}
    headers = {"x-forwarded-for", "x-forwarded-proto"}
    return {"trusted_proxy": settings.proxy, "trusted_proxy_headers": headers}


def address(settings: Settings) -> str:
    """Return the host's address for a browser; of 0.0.0.0 and ::, this computer's name."""
    everywhere = settings.host in ("0.0.0.0", "::")  # noqa: S104 - only compared
    name = socket.gethostname() if everywhere else settings.host
    return f"http://{f'[{name}]' if ':' in name else name}:{settings.port}/"


def _end_on_signals(queue: JobQueue) -> None:
    def end(_signal: int, _frame: FrameType | None) -> None:
        queue.interrupt()  # open streams end now, else waitress waits for them
        sys.exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
