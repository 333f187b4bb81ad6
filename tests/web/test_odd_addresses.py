"""Whatever stands behind the ? of a page's address: never a crash, never a link to elsewhere."""

import re

import pytest

NAMES = (
    "label", "mark", "after", "count", "only", "threshold", "truth", "answer", "error", "a", "b",
    "job", "next", "lang", "number", "job_id", "size", "_scheme", "_external", "_anchor", "_method",
)  # fmt: skip
VALUES = ("-1", "javascript", "1e400", "a\x00b", "猫,<b>..//x.org")
ONE_OF = {"int": 0, "name": "sd.zip", "size": "small", "model": "int8"}


def addresses(app, job_id):
    """Every address that a browser may be led to, with what exists in its place."""
    for rule in app.url_map.iter_rules():
        if "GET" not in rule.methods or rule.endpoint in ("static", "bootstrap.static"):
            continue
        if rule.endpoint == "api.stream" or rule.rule.endswith(("/events", "/expect")):
            continue  # streams; and what has nothing but names of a form, see test_openapi.py
        place = rule.rule.replace("<job_id>", job_id)
        place = re.sub(r"<int:\w+>", "0", place)
        yield re.sub(r"<(?:\w+:)?(\w+)>", lambda one: str(ONE_OF.get(one[1], "int8")), place)


@pytest.mark.parametrize("value", VALUES)
def test_odd_addresses(app, client, done_detector, value):
    job_id = done_detector()
    places = list(addresses(app, job_id))
    assert len(places) > 25 and f"/jobs/{job_id}/data/0" in places
    for place in places:
        for name in NAMES:
            answer = client.get(place, query_string={name: value})
            assert answer.status_code < 500, (place, name)
            if answer.mimetype == "text/html":
                links = re.findall(r'(?:href|src|action)="([^"]*)"', answer.text)
                assert not [one for one in links if not re.match("[/#?]", one)], (place, name)
                assert not [one for one in links if one.startswith("//")], (place, name)


def test_both_at_once(client, done_detector):
    place = f"/jobs/{done_detector()}/data/0"
    answer = client.get(place, query_string={"_external": "1", "_scheme": "javascript"})
    assert answer.status_code == 200 and "javascript:" not in answer.text
