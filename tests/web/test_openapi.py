"""The API's description is whole: no route without words, no words without a route."""

import re

import pytest
from host_help import dataset_zip, wait_for

from host.web import openapi


def test_every_route_of_the_api_is_described(app):
    missing = [f"{method} {rule}" for rule, method, said in openapi.routes(app) if not said]
    assert missing == [], "see 'Describing a new route' in docs/api.md"


def test_an_undescribed_route_would_be_found(app):
    app.add_url_rule("/api/secret", view_func=lambda: "", endpoint="secret")
    assert [m for _, m, said in openapi.routes(app) if not said] == ["GET"]


def test_the_document_has_every_route_with_all_its_methods_and_places(app, client):
    document = client.get("/api/openapi.json").json
    assert document["openapi"] == "3.1.0"
    shown = {(method.upper(), path) for path, ways in document["paths"].items() for method in ways}
    assert shown == {(m, openapi.path_of(rule)) for rule, m, _ in openapi.routes(app)}
    for path, ways in document["paths"].items():
        for operation in ways.values():
            assert operation["summary"].endswith(".")
            places = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert places == set(re.findall(r"{(\w+)}", path))
            failure = operation["responses"]["default"]["content"]["application/json"]
            assert failure["schema"] == {"$ref": "#/components/schemas/Error"}


def test_the_documentation_lists_the_same_routes(app, root):
    text = (root / "docs" / "api.md").read_text("utf-8")
    written = re.findall(r"^\| (GET|POST|PUT|PATCH|DELETE) \| `(\S+)` \| (.+) \|$", text, re.M)
    expected = [
        (method, openapi.path_of(rule), openapi.summary(app, rule))
        for rule, method, _ in openapi.routes(app)
    ]
    assert sorted(written) == sorted(expected)


def test_it_is_the_same_document_each_time_and_without_secrets(app, client, settings):
    first, second = (client.get("/api/openapi.json").data for _ in range(2))
    assert first == second
    assert str(settings.data).encode() not in first


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/api/nowhere", 404, "page_missing"),
        ("get", "/api/jobs/none", 404, "job_missing"),
        ("put", "/api/jobs", 405, "request_refused"),
        ("post", "/api/jobs", 400, "form_expired"),
    ],
)
def test_every_failure_has_the_documented_shape(client, method, path, status, code):
    answer = getattr(client, method)(path)
    document = client.get("/api/openapi.json").json
    shape = document["components"]["schemas"]
    assert (answer.status_code, answer.json["error"]) == (status, code)
    assert set(shape["Error"]["required"]) == set(answer.json)
    for finding in answer.json["findings"]:
        assert set(shape["Finding"]["required"]) == set(finding)


def test_a_foreign_name_gets_it_too(client):
    answer = client.get("/api/jobs", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json["error"]) == (400, "host_name_untrusted")


def test_a_job_has_all_that_is_promised(client, post, here, upload):
    job_id = upload(dataset_zip()).json["id"]
    assert client.get(f"/api/jobs/{job_id}").json["files"] == []
    here.queue.start()
    post(f"/api/jobs/{job_id}/start")
    job = wait_for(lambda: (now := client.get(f"/api/jobs/{job_id}").json)["ended"] and now)
    shapes = client.get("/api/openapi.json").json["components"]["schemas"]
    assert set(shapes["JobRow"]["required"]) | {"ok", "result"} == set(job)
    assert set(shapes["JobRow"]["required"]) == set(client.get("/api/jobs").json["jobs"][0])
    assert {"sd.zip", "model.kfpkg"} <= set(job["files"])
    for name in job["files"]:
        file = client.get(f"/api/jobs/{job_id}/files/{name}")
        assert file.headers["Content-Disposition"].startswith("attachment")
        assert file.data == client.get(f"/jobs/{job_id}/files/{name}").data
    assert client.get(f"/api/jobs/{job_id}/files/spec.json").json["error"] == "file_missing"
