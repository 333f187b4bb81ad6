"""The door: who is let in, how often somebody may try, login and logout.

Everything is shut when a password is set, or when other computers can reach the host; only the
login page and static files are not. A page comes in by a session, a program by
`Authorization: Bearer TOKEN`. Without a password and on 127.0.0.1 the door is open, as ever.
"""

from __future__ import annotations

import ipaddress
import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    redirect,
    render_template,
    request,
    session,
)
from flask_wtf import CSRFProtect
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from werkzeug.wrappers import Response as BaseResponse

from ..config import Settings, is_loopback
from ..errors import UserError
from . import problems, security
from .credentials import Credentials, LoggedOut

LOG = logging.getLogger(__name__)
KEY = "maixforge-access"
LOGIN_MINUTES = 15
OPEN = frozenset({"static", "bootstrap.static", "access.login", "access.log_in"})
"""Views that anybody may see: without them nobody could log in."""
View = TypeVar("View", bound=Callable[..., Any])

blueprint = Blueprint("access", __name__)


def upload(view: View) -> View:
    """Mark a view that takes uploads: an address may call it `uploads` times an hour."""
    vars(view)["upload"] = True
    return view


class Access:
    """The door of one app."""

    def __init__(self, settings: Settings) -> None:
        self.credentials = Credentials(settings.data)
        self.names = security.own_names(settings)
        self.exposed = is_exposed(settings)
        self.csrf = CSRFProtect()
        hours = timedelta(hours=settings.session_hours)
        self.logged_out = LoggedOut(settings.data, hours.total_seconds())
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._login = RateLimitItemPerMinute(settings.login_tries, LOGIN_MINUTES)
        self._uploads = RateLimitItemPerHour(settings.uploads)
        self._one = Lock()

    def register(self, app: Flask) -> None:
        """Put the door before every view of `app`.

        Raises:
            UserError: `host_needs_password`: others could reach it, and nothing would stop them.
        """
        if self.exposed and not self.credentials.known():
            raise UserError("host_needs_password", "MAIXFORGE_HOST")
        app.extensions[KEY] = self
        app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # the guard asks for it, after the login
        self.csrf.init_app(app)
        app.before_request(self.guard)
        app.context_processor(lambda: {"logged_in": "by" in session, "exposed": self.exposed})
        app.register_blueprint(blueprint)

    def guard(self) -> BaseResponse | None:
        """Let the request in or refuse it, before anything of its body is read."""
        if security.name_of(request.host) not in self.names:
            return problems.plain(UserError("host_name_untrusted", found=request.host))
        if request.routing_exception is not None:
            return None  # there is no such page, which is told next
        by_token = self._has_token()
        if not (by_token or request.endpoint in OPEN or self._may_enter()):
            return self._refuse()
        if getattr(current_app.view_functions[request.endpoint or ""], "upload", False):
            self._count(self._uploads, "uploads_too_many", "upload")
        if by_token:
            g.csrf_valid = True  # no browser sends a token by itself, so no foreign page can
        elif current_app.config["WTF_CSRF_ENABLED"]:
            self.csrf.protect()
        return None

    def enter(self, text: str) -> None:
        """Open a session for whoever knows the password, or a token.

        Raises:
            UserError: `login_wrong`, or `login_too_often` from then on.
        """
        # One at a time: neither parallel guesses nor their scrypt get past the limit.
        with self._one:
            self._test_login()
            mark = self.credentials.known().mark_of(text)
            if not mark:
                self._wrong("password")
                raise UserError("login_wrong")
        language = session.get("lang")
        session.clear()  # nothing of what came before the login lives on
        session.permanent = True
        session.update(by=mark, id=secrets.token_urlsafe(16))
        if language:
            session["lang"] = language

    def leave(self) -> None:
        """End the session, also for a copy of its cookie."""
        if "id" in session:
            self.logged_out.add(session["id"])
        session.clear()

    def _may_enter(self) -> bool:
        known = self.credentials.known()
        if not known.password and not self.exposed:
            return True
        mark, session_id = session.get("by"), session.get("id")
        if not isinstance(mark, str) or not isinstance(session_id, str):
            return False
        return known.has_mark(mark) and session_id not in self.logged_out

    def _has_token(self) -> bool:
        """Say whether the request has a token in force; a wrong one is refused and counted."""
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return False
        if self.credentials.known().token(text.strip()):
            return True
        self._test_login()
        self._wrong("token")
        raise UserError("token_wrong")

    def _refuse(self) -> BaseResponse:
        if problems.asks_api() or request.method not in ("GET", "HEAD"):
            return problems.answer(UserError("login_needed"))
        place = request.full_path.rstrip("?")
        return redirect(_login_url(place if place != "/" else ""), 303)

    def _wrong(self, what: str) -> None:
        LOG.warning("wrong %s from %s", what, request.remote_addr)
        self._limiter.hit(self._login, "login", _address())

    def _test_login(self) -> None:
        if not self._limiter.test(self._login, "login", _address()):
            raise UserError("login_too_often", needed=self._login.amount, minutes=LOGIN_MINUTES)

    def _count(self, item: RateLimitItem, code: str, name: str) -> None:
        if not self._limiter.hit(item, name, _address()):
            raise UserError(code, needed=item.amount)


def is_exposed(settings: Settings) -> bool:
    """Say whether other computers can reach the host, by itself or through a proxy."""
    through = settings.trusted_hosts or settings.proxy or settings.https
    return bool(through) or not is_loopback(settings.host)


@blueprint.get("/login")
def login() -> str:
    """Show the login page."""
    return render_template("login.html", next=_inside(request.args.get("next", "")), findings=())


@blueprint.post("/login")
def log_in() -> BaseResponse:
    """Open a session and go on to where one wanted to go."""
    place = _inside(request.form.get("next", ""))
    try:
        _door().enter(request.form.get("password", ""))
    except UserError as error:
        page = render_template("login.html", next=place, findings=problems.as_dicts(error.findings))
        return problems.finished(Response(page, content_type="text/html; charset=utf-8"), error)
    return redirect(place or "/", 303)


@blueprint.post("/logout")
def logout() -> BaseResponse:
    """End the session."""
    _door().leave()
    return redirect(_login_url(""), 303)


def _door() -> Access:
    return current_app.extensions[KEY]


def _login_url(place: str) -> str:
    return current_app.url_for("access.login", next=place or None)


def _inside(place: str) -> str:
    """Return an address of this host as it is, "" for any other."""
    parts = urlsplit(place) if place.isprintable() else None
    inside = parts and not (parts.scheme or parts.netloc) and place.startswith("/")
    return place if inside and not place.startswith("//") and "\\" not in place else ""


def _address() -> str:
    """Return whose tries are counted: an address, of IPv6 its network, which one home has."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
