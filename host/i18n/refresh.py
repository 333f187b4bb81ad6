"""Keeps the catalogues complete: `python -m host.i18n.refresh` (or `make translations`).

Takes every marked text of the code into `<language>/LC_MESSAGES/messages.po`, drops what is no
longer used, and compiles it to the `messages.mo` that the host reads. The bytes depend on the
texts only: no dates, no names, no versions, no line numbers.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileParser, write_po

from . import LANGUAGES, LOCALE_DIR

TITLE = "# MaixForge in {language}. Keep it complete with: make translations"
HEADER = {
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Transfer-Encoding": "8bit",
}


class FixedCatalog(Catalog):
    """A catalogue whose header never changes by itself."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """The header's lines; Babel's own have the date and its version."""
        plurals = ("Plural-Forms", self.plural_forms)
        return [("Language", str(self.locale)), *HEADER.items(), plurals]

    @mime_headers.setter
    def mime_headers(self, _: object) -> None:
        """Ignore the header of a file that is read."""


def po_path(language: str) -> Path:
    """Return where the catalogue of `language` lies; the compiled one is beside it."""
    return LOCALE_DIR / language / "LC_MESSAGES" / "messages.po"


def extract() -> Catalog:
    """Return every text of the host's Python files and templates that is marked."""
    with (LOCALE_DIR / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    template = Catalog()
    keywords = {**DEFAULT_KEYWORDS, "N_": None}
    for _, _, texts, _, context in extract_from_dir(LOCALE_DIR.parent, methods, options, keywords):
        template.add(texts, context=context)
    return template


def read(language: str) -> Catalog:
    """Return the catalogue of `language` as its file has it (empty when there is none)."""
    found = FixedCatalog(language, fuzzy=False)
    path = po_path(language)
    if path.exists():
        PoFileParser(found, abort_invalid=True).parse(path.read_bytes().splitlines(keepends=True))
    found.fuzzy = False
    return found


def as_po(found: Catalog) -> bytes:
    """Return the text file of a catalogue, sorted."""
    found.header_comment = TITLE.format(language=found.locale)
    file = BytesIO()
    write_po(file, found, width=100, no_location=True, sort_output=True, ignore_obsolete=True)
    return file.getvalue().rstrip(b"\n") + b"\n"


def as_mo(found: Catalog) -> bytes:
    """Return the compiled file of a catalogue."""
    file = BytesIO()
    write_mo(file, found)
    return file.getvalue()


def unfinished(found: Catalog) -> list[Message]:
    """Return the messages that have no translation, or one that nobody has looked at (fuzzy)."""

    def finished(message: Message) -> bool:
        texts = message.string if message.pluralizable else (message.string,)
        return bool(texts) and all(texts) and not message.fuzzy

    return [message for message in found if message.id and not finished(message)]


def main() -> int:
    """Bring every catalogue up to date; say what a person has to translate. Return 1 then."""
    template, left = extract(), 0
    for language in LANGUAGES[1:]:
        found = read(language)
        found.update(template)
        path = po_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_po(found))
        path.with_suffix(".mo").write_bytes(as_mo(found))
        for message in unfinished(found):
            print(f"{path}: {message.id!r} {'is fuzzy' if message.fuzzy else 'has no translation'}")
            left += 1
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(main())
