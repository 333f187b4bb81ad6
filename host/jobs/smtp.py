"""One mail to the mail server of the settings, and what is told when it does not take it."""

from __future__ import annotations

import os
import re
import smtplib
import ssl
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email import policy
from email.message import EmailMessage
from pathlib import Path

from ..config import PREFIX, Settings, is_loopback
from ..errors import UserError

TIMEOUT = 60.0
"""Seconds that the server has for each of its answers."""
LATER = ("mail_unreachable", "mail_put_off")
"""Failures after which it is worth trying again; the others need a person."""
SAID_LENGTH = 300
"""Characters of a server's answer that are shown."""


def check(settings: Settings) -> None:
    """Do nothing when mails can be sent by these settings, or are not wanted.

    Raises:
        UserError: `mail_setting_missing`, `mail_password_open`, `mail_file_unreadable`,
            `mail_password_odd` or `mail_login_open`.
    """
    if not settings.smtp_host:
        return
    if not settings.mail_from:
        raise UserError("mail_setting_missing", f"{PREFIX}MAIL_FROM")
    if settings.smtp_user:
        _password(settings)
        if settings.smtp_security == "none" and not is_loopback(settings.smtp_host):
            raise UserError("mail_login_open", f"{PREFIX}SMTP_SECURITY")
    _trust(settings)


def try_out(settings: Settings) -> None:
    """Connect and log in as for a mail, but send none.

    Raises:
        UserError: as `check` and `deliver`.
    """
    with _session(settings):
        pass


def deliver(settings: Settings, message: EmailMessage, claim: Callable[[], bool]) -> bool:
    """Hand `message` to the server; return False when `claim`, asked last of all, says no.

    Until the dot that ends the message a server has not taken it (RFC 5321, 4.1.1.4); so `claim`
    is called before the dot, and what goes wrong earlier has sent nothing for certain.

    Raises:
        UserError: as `check`; `mail_unreachable`, `mail_put_off`, `mail_refused`,
            `mail_login_refused`, `mail_certificate`, `mail_tls`; `mail_unsure` when the dot was
            sent and no answer came.
    """
    data = re.sub(rb"(?m)^\.", b"..", message.as_bytes(policy=policy.SMTP))
    with _session(settings) as smtp:
        size = [f"size={len(data)}"] if smtp.has_extn("size") else []
        _require(smtp.mail(settings.mail_from, size), 250)
        _require(smtp.rcpt(message["To"].addresses[0].addr_spec), 250, 251)
        _require(smtp.docmd("DATA"), 354)
        smtp.send(data)
        if not claim():
            smtp.close()
            return False
        try:
            smtp.send(b".\r\n")
            reply = smtp.getreply()
        except (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException, OSError) as error:
            raise UserError("mail_unsure", _place(settings), reason=str(error)) from error
        _require(reply, 250)
    return True


@contextmanager
def _session(settings: Settings) -> Iterator[smtplib.SMTP]:
    """Yield a connection that is logged in; what fails in the block is explained, too."""
    check(settings)
    with _explained(settings):
        smtp = _connected(settings)
        try:
            if settings.smtp_security == "starttls":
                smtp.starttls(context=_trust(settings))
            smtp.ehlo_or_helo_if_needed()
            if settings.smtp_user:
                _login(smtp, settings)
            yield smtp
            with suppress(OSError):
                smtp.quit()
        finally:
            smtp.close()  # and no QUIT in the middle of a message


def _connected(settings: Settings) -> smtplib.SMTP:
    place = settings.smtp_host, settings.smtp_port
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(*place, timeout=TIMEOUT, context=_trust(settings))
    return smtplib.SMTP(*place, timeout=TIMEOUT)


def _login(smtp: smtplib.SMTP, settings: Settings) -> None:
    try:
        smtp.login(settings.smtp_user, _password(settings))
    except smtplib.SMTPAuthenticationError as error:
        code = "mail_put_off" if 400 <= error.smtp_code < 500 else "mail_login_refused"
        raise UserError(code, _place(settings), reason=_said(error)) from error
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException as error:  # the server offers no login, or none that we know
        reason = {"reason": str(error)[:SAID_LENGTH]}
        raise UserError("mail_login_refused", _place(settings), **reason) from error


def _require(reply: tuple[int, bytes], *codes: int) -> None:
    if reply[0] not in codes:
        raise smtplib.SMTPResponseException(*reply)


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    place = _place(settings)
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise UserError("mail_certificate", place, reason=error.verify_message) from error
    except (ssl.SSLError, smtplib.SMTPNotSupportedError) as error:
        raise UserError("mail_tls", place, reason=str(error), security=settings.smtp_security) \
            from error  # fmt: skip
    except smtplib.SMTPResponseException as error:
        code = "mail_put_off" if 400 <= error.smtp_code < 500 else "mail_refused"
        raise UserError(code, place, reason=_said(error)) from error
    except (OSError, UnicodeError) as error:
        raise UserError("mail_unreachable", place, reason=str(error) or type(error).__name__) \
            from error  # fmt: skip


def _said(error: smtplib.SMTPResponseException) -> str:
    """Return a server's answer as one line."""
    raw = error.smtp_error
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    line = "".join(one if one.isprintable() else " " for one in text)
    return f"{error.smtp_code} {line}"[:SAID_LENGTH]


def _place(settings: Settings) -> str:
    return f"{settings.smtp_host}:{settings.smtp_port}"


def _password(settings: Settings) -> str:
    text = settings.smtp_password
    if settings.smtp_password_file:
        text = _owners_file(Path(settings.smtp_password_file))
    if not text:
        raise UserError("mail_setting_missing", f"{PREFIX}SMTP_PASSWORD_FILE")
    if not text.isascii():  # smtplib sends no other
        raise UserError("mail_password_odd", f"{PREFIX}SMTP_PASSWORD_FILE")
    return text


def _owners_file(path: Path) -> str:
    """Return the first line of a file that nobody else can read."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
                raise UserError("mail_password_open", str(path), mode=f"{stat.S_IMODE(mode):04o}")
            return file.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError("mail_password_odd", str(path)) from error
    except OSError as error:
        raise UserError("mail_file_unreadable", str(path), reason=error.strerror or "") from error


def _trust(settings: Settings) -> ssl.SSLContext:
    """Return what is believed about servers: certificates are always checked."""
    try:
        return ssl.create_default_context(cafile=settings.smtp_ca or None)
    except OSError as error:  # ssl.SSLError: it holds no certificate
        reason = error.strerror or str(error)
        raise UserError("mail_file_unreadable", settings.smtp_ca, reason=reason) from error
