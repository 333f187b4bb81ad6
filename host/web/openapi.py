"""What every route of the API says of itself, and the OpenAPI 3.1 document made of that.

A view below /api is described by its docstring (first line: summary) and by `describe`. How to
describe a new one is in docs/api.md; a test finds routes that are not described.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import getdoc
from typing import Any, TypeVar, get_args

from apispec import APISpec
from flask import Flask
from werkzeug.routing import Rule

from .. import __version__
from ..jobs.events import STEPS
from ..jobs.store import STATES, MailState

Schema = Mapping[str, Any]
"""A JSON Schema, as OpenAPI 3.1 takes it."""
View = TypeVar("View", bound=Callable[..., Any])

PREFIX = "/api/"
TEXT: Schema = {"type": "string"}
TRUE: Schema = {"type": "boolean", "const": True}
BYTES: Schema = {"type": "string", "format": "binary"}
_PLACE = re.compile(r"<([^:<>]+:)?([^<>]+)>")
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def ref(name: str) -> Schema:
    """Return a schema that is one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def many(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def closed(**properties: Schema) -> Schema:
    """Return the schema of an object that has all of `properties`, and perhaps more."""
    return {"type": "object", "properties": properties, "required": [*properties]}


def answer(**properties: Schema) -> Schema:
    """Return the schema of a success: `ok` and `properties`, all of them always there."""
    return closed(ok=TRUE, **properties)


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


_TIME: Schema = _or_null({"type": "string", "format": "date-time"})
_FINDING = {
    "code": {**TEXT, "description": "What it is, in one word that never changes."},
    "severity": {"type": "string", "enum": ["error", "warning", "note"]},
    "what": {**TEXT, "description": "In the language of the request, like the next ones."},
    "path": {**TEXT, "description": "Where: a file of the data set, a field, a setting."},
    "found": TEXT,
    "needed": TEXT,
    "fix": {**TEXT, "description": "What to do next."},
}
MAIL: Schema = {
    "type": ["object", "null"],
    "description": "The mail that tells of the job's end, when one was asked for.",
    "properties": {
        "to": {**TEXT, "description": "Its address, but for most of the name."},
        "state": {"type": "string", "enum": [one for one in get_args(MailState) if one]},
        "next": _TIME,
        "findings": many(ref("Finding")),
    },
    "required": ["to", "state", "next", "findings"],
}
_JOB = {
    "id": TEXT,
    "name": TEXT,
    "state": {"type": "string", "enum": [*STATES]},
    "step": {"type": "string", "enum": ["", *STEPS]},
    "fraction": {"type": "number", "minimum": 0, "maximum": 1},
    "eta_seconds": _or_null({"type": "number"}),
    "position": {**_or_null({"type": "integer"}), "description": "Jobs before this one."},
    "starts_in": {
        **_or_null({"type": "number"}),
        "description": "Seconds until a waiting job starts, where that can be known.",
    },
    "created": _TIME,
    "started": _TIME,
    "ended": _TIME,
    "options": {"type": "object"},
    "task": {"type": "string", "enum": ["classify", "detect"]},
    "labels": many(TEXT),
    "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
    "pictures": {"type": "integer"},
    "trainable": {"type": "boolean", "description": "Whether no finding is an error."},
    "files": {**many(TEXT), "description": "What can be downloaded now."},
    "findings": many(ref("Finding")),
    "failure": many(ref("Finding")),
    "mail": MAIL,
}
SCHEMAS: Mapping[str, Schema] = {
    "Finding": closed(**_FINDING),
    "Error": closed(
        ok={"type": "boolean", "const": False},
        error={**TEXT, "description": "The code of the first finding."},
        findings={**many(ref("Finding")), "minItems": 1},
    ),
    "JobRow": closed(**_JOB),
    "Job": {"allOf": [answer(), {"$ref": "#/components/schemas/JobRow"}]},
}
"""The shapes that several routes share."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What `describe` keeps of one view."""

    success: Schema
    status: int
    kind: str
    body: Schema | None
    kinds: tuple[str, ...]
    query: Mapping[str, Schema]


def describe(
    success: Schema | None = None,
    *,
    status: int = 200,
    kind: str = "application/json",
    body: Schema | None = None,
    kinds: tuple[str, ...] = ("application/json", *FORMS),
    query: Mapping[str, Schema] | None = None,
) -> Callable[[View], View]:
    """Describe a view: its answer's schema (default: `ok` alone), status and media type.

    `body` is the schema of what it takes in one of the media types `kinds`, `query` those of
    its optional parameters. Failures need no words: they all have the one shape `Error`.
    """

    def keep(view: View) -> View:
        kept = Operation(success or answer(), status, kind, body, kinds, query or {})
        vars(view)["operation"] = kept
        return view

    return keep


def routes(app: Flask) -> Iterator[tuple[Rule, str, Operation | None]]:
    """Yield every rule below /api with each of its methods, and what its view says of itself."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda one: one.rule):
        if rule.rule.startswith(PREFIX):
            said = getattr(app.view_functions[rule.endpoint], "operation", None)
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method, said


def path_of(rule: Rule) -> str:
    """Return a rule's address as OpenAPI writes it: /api/jobs/{job_id}."""
    return _PLACE.sub(r"{\2}", rule.rule)


def document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document of the routes of `app`."""
    spec = APISpec("MaixForge", __version__, "3.1.0", info={"description": _ABOUT})
    for name, schema in SCHEMAS.items():
        spec.components.schema(name, dict(schema))
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    cookie = {"type": "apiKey", "in": "cookie", "name": app.config["SESSION_COOKIE_NAME"]}
    spec.components.security_scheme("session", cookie)
    for rule, method, said in routes(app):
        if said:
            spec.path(path_of(rule), operations={method.lower(): _operation(app, rule, said)})
    return {**spec.to_dict(), "security": [{"token": []}, {"session": []}, {}]}


def summary(app: Flask, rule: Rule) -> str:
    """Return the first line of a view's docstring."""
    return (getdoc(app.view_functions[rule.endpoint]) or "").partition("\n")[0]


def _operation(app: Flask, rule: Rule, said: Operation) -> dict[str, Any]:
    text = (getdoc(app.view_functions[rule.endpoint]) or "").partition("\n")[2].strip()
    made: dict[str, Any] = {
        "operationId": rule.endpoint,
        "summary": summary(app, rule),
        "parameters": [*_places(rule), *_query(said)],
        "responses": {
            str(said.status): _response("Done.", said.kind, said.success),
            "default": _response("It failed; why is in the findings.", "application/json",
                                 ref("Error")),
        },
    }  # fmt: skip
    if text:
        made["description"] = text
    if said.body is not None:
        made["requestBody"] = {"content": {kind: {"schema": said.body} for kind in said.kinds}}
    return made


def _response(text: str, kind: str, schema: Schema) -> dict[str, Any]:
    return {"description": text, "content": {kind: {"schema": schema}}}


def _places(rule: Rule) -> Iterator[dict[str, Any]]:
    for converter, name in _PLACE.findall(rule.rule):
        schema = {"type": "integer", "minimum": 0} if converter == "int:" else TEXT
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query(said: Operation) -> Iterator[dict[str, Any]]:
    for name, schema in said.query.items():
        yield {"name": name, "in": "query", "schema": schema}


_ABOUT = """\
Success is `{"ok": true, ...}`, failure always the shape `Error`, with texts in the language of
the request (`Accept-Language`). A program sends `Authorization: Bearer TOKEN`; a page sends its
session's cookie and, with whatever changes something, the header `X-CSRFToken`."""
