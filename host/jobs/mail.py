"""What is written to somebody whose job has ended: text, the same as HTML, perhaps the SD zip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Any

from ..config import Settings, is_loopback
from ..datasets.limits import MIB
from ..errors import describe
from ..files import file_inside
from ..i18n import N_, translator
from . import findings
from .doubts import doubts
from .store import Job, now

READY, FAILED = N_("{name}: the model is ready"), N_("{name}: the training could not be finished")
ATTACHED = N_("The attached zip belongs unpacked to the root of the SD card.")
ON_PAGE = N_("What the board needs can be downloaded from the job's page.")
NEARBY = N_("The address works on the computer where MaixForge runs.")
WHY = N_("You get this mail once, because this address was given when the training was started.")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said: `rows` are names and values, `notes` findings as blocks of lines."""

    title: str
    rows: list[tuple[str, str]]
    notes: list[str]
    lines: list[str]
    link: str

    def text(self) -> str:
        """Return it as plain text."""
        rows = "\n".join(f"{name}: {value}" for name, value in self.rows)
        return "\n\n".join(one for one in (self.title, rows, *self.notes, self.link, *self.lines)
                           if one) + "\n"  # fmt: skip

    def html(self, language: str) -> str:
        """Return it as HTML without anything from elsewhere."""
        cell = '<tr><th align="left">{}</th><td>{}</td></tr>'
        rows = "\n".join(cell.format(escape(name), escape(value)) for name, value in self.rows)
        link = escape(self.link)
        parts = [
            f"<h1>{escape(self.title)}</h1>",
            f'<table cellpadding="4">\n{rows}\n</table>' if rows else "",
            *(f"<pre>{escape(one)}</pre>" for one in self.notes),
            f'<p><a href="{link}">{link}</a></p>',
            *(f"<p>{escape(one)}</p>" for one in self.lines),
        ]
        body = "\n".join(one for one in parts if one)
        return f'<!doctype html>\n<html lang="{language}">\n<body>\n{body}\n</body>\n</html>\n'


def compose(job: Job, folder: Path, settings: Settings, address: str) -> EmailMessage:
    """Return the mail about a job that is done or failed.

    `address` is that of the pages when `settings.public_url` is empty. Nothing of a machine code
    or key is in a row or a package, so none is in a mail.
    """
    language = job.mail_info.get("language", "en")
    attachment = _attachment(job, folder, settings.mail_attachment)
    letter = _letter(job, language, settings.public_url or address, attachment is not None)
    message = EmailMessage()
    message["Subject"] = f"MaixForge - {letter.title}"
    message["From"] = Address("MaixForge", addr_spec=settings.mail_from)
    message["To"] = Address(addr_spec=job.mail)
    message["Date"] = format_datetime(now())
    message["Message-ID"] = _message_id(job, settings)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence shall answer
    message["Content-Language"] = language
    message.set_content(letter.text(), cte="base64")
    message.add_alternative(letter.html(language), subtype="html", cte="base64")
    if attachment is not None:
        name = f"{_line(job.name)}-sd.zip"
        message.add_attachment(attachment, maintype="application", subtype="zip", filename=name)
    return message


def _letter(job: Job, language: str, base: str, attached: bool) -> Letter:
    tr, done = translator(language), job.state == "done"
    name = _line(job.name)
    told = doubts(job.result) if done else findings.from_json(job.failure)
    host = base.partition("://")[2].partition("/")[0]
    nearby = is_loopback(host.rpartition(":")[0] or host)
    lines = [ATTACHED if attached else ON_PAGE] if done else []
    return Letter(
        title=tr(READY if done else FAILED).format(name=name),
        rows=[(tr(one), value) for one, value in _rows(job.result, language)] if done else [],
        notes=[describe(one, language) for one in told],
        lines=[tr(one) for one in [*lines, *([NEARBY] if nearby else []), WHY]],
        link=f"{base.rstrip('/')}/jobs/{job.id}",
    )


def _rows(result: Mapping[str, Any], language: str) -> Iterator[tuple[str, str]]:
    """Yield the figures of a result with their names, which are to be translated."""
    tr = translator(language)
    both = tr(N_("{int8} % on the simulated K210 (INT8), {float} % before quantization"))
    key = "map50" if "map50" in result["int8"] else "accuracy"
    percents = {kind: f"{100 * result[kind][key]:.1f}" for kind in ("int8", "float")}
    yield N_("Classes"), ", ".join(result["labels"])
    name = N_("mAP50 on pictures it was not trained on")
    yield name if key == "map50" else N_("Accuracy on pictures it was not trained on"), \
        both.format(**percents)  # fmt: skip
    yield N_("A picture on the board (estimate)"), f"{result['ms']:.0f} ms"
    yield N_("Model file (kmodel V3)"), f"{result['kmodel_bytes'] / MIB:.2f} MB"
    yield N_("Memory that it takes on the board"), f"{result['ram_bytes'] / MIB:.2f} MB"
    if "seal" in result:
        yield N_("Sealed for the board"), result["seal"]["board"]


def _attachment(job: Job, folder: Path, limit: int) -> bytes | None:
    """Return the SD zip of a done job unless it is larger than `limit` bytes or gone."""
    if job.state != "done":
        return None
    path = file_inside(folder, job.result.get("sd_zip", ""))
    return path.read_bytes() if path and path.stat().st_size <= limit else None


def _message_id(job: Job, settings: Settings) -> str:
    """Return an id that is the same for each attempt, new for another run of the job."""
    run = int(job.queued.timestamp() * 1000) if job.queued else 0
    return f"<{job.id}.{run}@{settings.mail_from.rpartition('@')[2]}>"


def _line(text: str) -> str:
    """Return `text` without whatever could end a line of a header."""
    return "".join(one if one.isprintable() else " " for one in text)
