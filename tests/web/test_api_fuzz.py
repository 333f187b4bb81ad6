"""Schemathesis reads the OpenAPI document and sends what it allows, and what it does not.

Whatever comes: no 5xx, no answer that the document does not describe, the one shape of failures.
"""

import io
import logging
import os
from threading import Event
from types import SimpleNamespace

import pytest
import schemathesis
from host_help import dataset_zip, fake_command
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as rules
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.failures import FailureGroup

from host.config import Settings
from host.jobs import queue as queue_module
from host.jobs.boards import Transfer
from host.server import create_app
from host.web import boards, events
from host.web.credentials import Credentials
from host.web.state import KEY

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
"""For each route, of what is allowed and of what is not."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
TRANSFER = "0123456789abcdef"
NAMES = {
    "name": ["m.kmodel", "sd.zip"],
    "number": [0, 1],
    "size": ["small", "large"],
    "transfer_id": [TRANSFER],
}
"""What exists, by its place in an address; it is tried as well as what comes by chance."""


@pytest.fixture
def api(tmp_path, monkeypatch):
    """The document of a host with some jobs, whose token every request has."""
    monkeypatch.setattr(queue_module, "child_command", fake_command)
    monkeypatch.setattr(events, "STREAM_SECONDS", 0.05)
    monkeypatch.setattr(events, "POLL_SECONDS", 0.02)
    data = tmp_path / "data"
    token = Credentials(data).add_token("fuzz")
    app = create_app(Settings(data=data, uploads=100_000, login_tries=100_000))
    headers = {"Authorization": f"Bearer {token}"}
    client = app.test_client()
    jobs = []
    for _ in range(3):
        form = {"file": (io.BytesIO(dataset_zip()), "shapes.zip")}
        jobs.append(client.post("/api/jobs", data=form, headers=headers).json["id"])
    store = app.extensions[KEY].store
    (store.folder(jobs[0]) / "m.kmodel").write_bytes(b"kmodel")
    store.update(jobs[0], state="done", result={"kmodel": "m.kmodel"})
    known = app.extensions[boards.KEY]
    ended = Transfer(TRANSFER, "/dev/ttyUSB0", "/sd/maixforge/pets", "", state="done")
    known._transfers[TRANSFER], known._wanted[TRANSFER] = ended, Event()
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app, headers=headers)
    yield SimpleNamespace(schema=schema, jobs=jobs, headers=headers, app=app)
    app.extensions[KEY].queue.stop()
    store.close()


def operations(api):
    found = [one.ok() for one in api.schema.get_all_operations()]
    return sorted(found, key=lambda one: one.method == "delete")  # the others need the jobs


def send(api, case, names):
    """Send a case, with names of things that exist in some of them, and check the answer."""
    known = {**NAMES, "job_id": api.jobs}
    for place in known.keys() & (case.path_parameters or {}).keys():
        if names < len(known[place]):
            case.path_parameters[place] = known[place][names]
    answer = case.call_and_validate(headers=api.headers, checks=CHECKS)
    return answer.status_code


def statuses(api, operation, mode):
    """The statuses that the answers to many requests of one route had."""
    seen = set()

    @rules(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
           suppress_health_check=[*HealthCheck])  # fmt: skip
    @given(operation.as_strategy(generation_mode=mode), strategies.integers(0, 5))
    def act(case, names):
        seen.add(send(api, case, names))

    act()
    return seen


def test_what_is_allowed_is_answered_as_described(api, caplog):
    caplog.set_level(logging.CRITICAL)
    codes = {one.label: statuses(api, one, GenerationMode.POSITIVE) for one in operations(api)}
    assert len(codes) >= 10
    assert [one for one in codes if one.startswith("GET") and 200 not in codes[one]] == []
    assert 202 in codes["POST /api/jobs/{job_id}/start"]


def test_what_is_not_allowed_is_too(api, caplog):
    caplog.set_level(logging.CRITICAL)
    codes = {}
    for operation in operations(api):
        try:
            codes[operation.label] = statuses(api, operation, GenerationMode.NEGATIVE)
        except Unsatisfiable:  # nothing can be wrong with it: no parameter, or any text will do
            assert not operation.body
    assert 400 in codes["POST /api/jobs/{job_id}/start"]


def fields(schema):
    """The names of the fields of a body, whichever of several shapes it has."""
    found = set(schema.get("properties", ()))
    for kind in ("oneOf", "anyOf", "allOf"):
        for one in schema.get(kind, ()):
            found |= fields(one)
    return found


def test_no_value_of_another_kind_makes_it_fail(api, caplog):
    caplog.set_level(logging.CRITICAL)
    client, tried = api.app.test_client(), 0
    for operation in operations(api):
        bodies = [one.definition for one in operation.body if one.media_type == "application/json"]
        for name in sorted(set().union(*(fields(one["schema"]) for one in bodies))):
            for value in (5, -1.5, True, None, "x", "", ["a"], {"a": 1}, 10**40):
                for job in api.jobs:
                    known = {"job_id": job, "transfer_id": TRANSFER, "number": 0}
                    answer = client.open(
                        operation.path.format(**known), method=operation.method,
                        headers=api.headers, json={name: value},
                    )  # fmt: skip
                    assert answer.status_code < 500, (operation.label, name, value)
                    tried += 1
    assert tried > 500


def failures(api, path):
    """The kinds of what is found wrong with the answer of a GET."""
    case = api.schema[path]["GET"].Case()
    with pytest.raises(FailureGroup) as caught:
        case.call_and_validate(headers=api.headers, checks=CHECKS)
    return {type(one).__name__ for one in caught.value.exceptions}


def test_the_run_would_notice_a_crash(api, monkeypatch):
    def crash(_self, *_):
        raise RuntimeError("the oven is cold")

    monkeypatch.setattr(type(api.app.extensions[KEY].store), "jobs", crash)
    assert "ServerError" in failures(api, "/api/jobs")


def test_and_an_answer_of_another_shape(api, monkeypatch):
    monkeypatch.setitem(
        api.app.view_functions, "api.about", lambda: {"ok": True, "version": 1, "api": 1}
    )
    assert "JsonSchemaError" in failures(api, "/api/host")
