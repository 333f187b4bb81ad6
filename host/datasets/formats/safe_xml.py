"""XML of strangers: no document type, no entities, no deep nesting; a small tree of elements."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from .listing import Unreadable

_DEPTH = 32
_CHINESE = re.compile(rb"""^\s*<\?xml[^>]*encoding=["'](gb2312|gbk|gb18030)["']""", re.IGNORECASE)


def parse(data: bytes) -> Element:
    """Return the root of the XML in `data`.

    A document type is refused before it can define an entity, so that nothing can be expanded
    and no file or address can be named.

    Raises:
        Unreadable: `xml_dtd`, `labels_damaged`.
    """
    tree = TreeBuilder()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEPTH:
            raise Unreadable("labels_damaged", f"> {_DEPTH}")
        tree.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        tree.end(tag)

    def refuse(*_: object) -> None:
        raise Unreadable("xml_dtd")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = tree.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        # Expat knows no Chinese encoding; a text that was decoded is read whatever it declares.
        parser.Parse(data.decode("gb18030") if _CHINESE.match(data) else data, True)
        return tree.close()
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Unreadable("labels_damaged", error) from error


def text(element: Element, path: str) -> str:
    """Return the text of the first element at `path`, "" when there is none."""
    return (element.findtext(path) or "").strip()
