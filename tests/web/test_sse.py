import json

import pytest
from host_help import dataset_zip, wait_for

from host.jobs import events as job_events
from host.web import events


@pytest.fixture
def job_id(upload):
    return upload(dataset_zip()).json["id"]


def parse(data):
    """The messages of a stream as (id or None, event, data)."""
    found = []
    for block in data.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if "event" in fields:
            number = int(fields["id"]) if "id" in fields else None
            found.append((number, fields["event"], json.loads(fields["data"])))
    return found


@pytest.fixture
def ended(here, job_id):
    folder = here.store.folder(job_id)
    for name in ("started", "epoch", "done"):
        job_events.append(folder, {"message": name})
    here.store.move(job_id, ("checked",), "failed")
    return job_id


def test_an_ended_job_is_replayed_and_the_stream_ends(client, ended):
    answer = client.get(f"/api/jobs/{ended}/events")
    assert answer.content_type.startswith("text/event-stream")
    found = parse(answer.data)
    assert [(number, name) for number, name, _ in found] == [
        (1, "progress"),
        (2, "progress"),
        (3, "progress"),
        (None, "state"),
        (None, "end"),
    ]
    assert found[-1][2]["state"] == "failed"


@pytest.mark.parametrize(
    ("headers", "query", "numbers"),
    [
        ({"Last-Event-ID": "2"}, "", [3]),
        ({}, "?after=1", [2, 3]),
        ({"Last-Event-ID": "2"}, "?after=0", [3]),
        ({"Last-Event-ID": "nonsense"}, "", [1, 2, 3]),
        ({"Last-Event-ID": "9" * 30}, "", [1, 2, 3]),
        ({"Last-Event-ID": "99"}, "", []),
    ],
)
def test_a_reader_that_was_away_gets_what_it_missed(client, ended, headers, query, numbers):
    answer = client.get(f"/api/jobs/{ended}/events{query}", headers=headers)
    assert [number for number, name, _ in parse(answer.data) if name == "progress"] == numbers


def test_a_live_stream_ends_with_the_job(client, post, here, job_id):
    here.queue.start()
    post(f"/api/jobs/{job_id}/start", json={"name": "ok"})
    found = parse(client.get(f"/api/jobs/{job_id}/events").data)
    numbers = [number for number, _, _ in found if number]
    assert numbers == list(range(1, len(numbers) + 1))
    messages = [data["message"] for number, _, data in found if number]
    assert (messages[0], messages[-1]) == ("started", "done")
    assert found[-1][1:] == ("end", {"state": "done", "position": None})


def test_a_stream_ends_after_its_time(client, post, job_id, monkeypatch):
    monkeypatch.setattr(events, "STREAM_SECONDS", 0.5)
    post(f"/api/jobs/{job_id}/start")
    found = parse(client.get(f"/api/jobs/{job_id}/events").data)
    assert found == [(None, "state", {"state": "queued", "position": 0, "starts_in": 0})]


def test_too_many_streams_are_asked_to_come_back_and_places_are_given_back(
    client, post, job_id, monkeypatch
):
    monkeypatch.setattr(events, "_free", events.BoundedSemaphore(1))
    post(f"/api/jobs/{job_id}/start")
    first = client.get(f"/api/jobs/{job_id}/events", buffered=False)
    answer = client.get(f"/api/jobs/{job_id}/events")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    first.close()
    monkeypatch.setattr(events, "STREAM_SECONDS", 0.1)
    wait_for(lambda: client.get(f"/api/jobs/{job_id}/events").status_code == 200)
