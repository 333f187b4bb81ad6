"""A real SMTP server for tests, and what a mail that it got says."""

import email
import email.policy
import ssl
import threading
import warnings
from contextlib import contextmanager

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD = "forge", "open sesame"
SENDER, READER = "forge@school.example", "teacher@school.example"


class Handler:
    """Takes mails. `answers` are given to the first ones instead; each may be a status, or
    "hang up" when the whole mail is there, or the same with "keep": nobody can know."""

    def __init__(self):
        self.mails, self.logins, self.encrypted, self.answers = [], [], [], []
        self.refused = ()
        self.hang_up_within = 0
        self.go_on, self.has_it = threading.Event(), threading.Event()
        self.go_on.set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return f"550 5.1.1 <{address}> is unknown here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = self.answers.pop(0) if self.answers else "250 keep"
        if "keep" in answer:
            self.encrypted.append(session.ssl is not None)
            self.mails.append(envelope)
        if "hang up" in answer:
            server.transport.abort()
        self.has_it.set()
        while not self.go_on.is_set():
            await _nap()
        return answer

    def login(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password))
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)


async def _nap():
    import asyncio

    await asyncio.sleep(0.02)


class Server(Controller):
    """Listens on a free port; speaks TLS from the first byte (`tls`), after STARTTLS, or never."""

    def __init__(self, handler, tls, context, login):
        self.rules = {"tls_context": context} if tls == "starttls" else {}
        if login:  # inside of TLS from the first byte aiosmtpd takes itself for unprotected
            required = {"auth_required": True, "auth_require_tls": tls == "starttls"}
            self.rules |= {"authenticator": handler.login, **required}
        wrapped = context if tls == "tls" else None
        super().__init__(handler, hostname="127.0.0.1", port=0, ssl_context=wrapped)

    def factory(self):
        with warnings.catch_warnings(action="ignore"):  # of logins without TLS
            return HangingUp(self.handler, hostname="mail.test", **self.rules)

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class HangingUp(SMTP):
    """Hangs up in the middle of a mail when its handler says so."""

    def data_received(self, data):
        super().data_received(data)
        handler = self.event_handler
        if handler.hang_up_within and self.envelope and self.envelope.rcpt_tos and len(data) > 500:
            handler.hang_up_within -= 1
            self.transport.abort()


@contextmanager
def mail_server(handler, tls="none", authority=None, login=False, name="localhost"):
    """Run a server and yield the settings that lead to it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (authority or trustme.CA()).issue_cert(name).configure_cert(context)
    server = Server(handler, tls, context, login)
    server.start()
    try:
        place = {"smtp_host": "localhost", "smtp_port": server.port, "smtp_security": tls}
        yield {**place, "mail_from": SENDER}
    finally:
        handler.go_on.set()
        server.stop()


def opened(envelope):
    """A mail as a program for mails reads it."""
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


def texts(message):
    """Plain text and HTML of a mail."""
    return [message.get_body((kind,)).get_content() for kind in ("plain", "html")]


def attachments(message):
    """The files of a mail by name."""
    return {one.get_filename(): one.get_content() for one in message.iter_attachments()}
