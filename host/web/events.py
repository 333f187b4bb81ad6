"""Live events of a job as server-sent events (https://html.spec.whatwg.org, section 9.2).

`progress` carries one line of `events.jsonl` and its number as id; `state` says when the row's
state or place in the queue changes; `end` is the last one of a job that has ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from threading import BoundedSemaphore
from typing import Any

from flask import Response

from ..errors import UserError
from ..jobs import expect
from ..jobs.events import Tail
from ..jobs.queue import JobQueue
from ..jobs.store import ENDED
from .state import host

POLL_SECONDS = 0.3
BEAT_SECONDS = 10.0
"""How often a silent stream says that it lives; it is also how a closed page is noticed."""
STREAM_SECONDS = 300.0
"""A stream ends after this time and the browser opens the next: nobody holds a thread for good."""
STREAMS = 48
"""Streams at one time; the server has more threads than that (see `host.server`)."""

_free = BoundedSemaphore(STREAMS)


def response(job_id: str, after: int) -> Response:
    """Return the stream of a job from event `after` + 1 on.

    Raises:
        UserError: `job_missing`, or `streams_busy` when too many are open.
    """
    queue = host().queue
    queue.store.get(job_id)
    if not _free.acquire(blocking=False):
        raise UserError("streams_busy", needed=STREAMS)
    stream = _Stream(queue, job_id, after)
    answer = Response(stream, content_type="text/event-stream; charset=utf-8")
    answer.headers["X-Accel-Buffering"] = "no"
    answer.call_on_close(stream.close)
    return answer


class _Stream:
    """The body of one response. Holds one of the free places until it is closed."""

    def __init__(self, queue: JobQueue, job_id: str, after: int) -> None:
        self._lines = _lines(queue, job_id, after)
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        return self._lines

    def close(self) -> None:
        if self._open:
            self._open = False
            _free.release()


def _lines(queue: JobQueue, job_id: str, after: int) -> Iterator[bytes]:
    tail = Tail(queue.store.folder(job_id), after)
    end = time.monotonic() + STREAM_SECONDS
    said, spoke = None, time.monotonic()
    yield b"retry: 1000\n\n"
    while time.monotonic() < end and not queue.stopping:
        # The state is read first: when it says "ended", all events are in the file already.
        state = _state(queue, job_id)
        new = b"".join(_message("progress", event, number) for number, event in tail.read())
        if state != said:
            new += _message("state", state)
            said = state
        if state["state"] in ENDED:
            yield new + _message("end", state)
            return
        if new or time.monotonic() - spoke > BEAT_SECONDS:
            yield new or b": still here\n\n"
            spoke = time.monotonic()
        time.sleep(POLL_SECONDS)


def _state(queue: JobQueue, job_id: str) -> dict[str, Any]:
    try:
        job = queue.store.get(job_id)
    except UserError:  # deleted meanwhile
        return {"state": "cancelled", "position": None}
    if job.state != "queued":
        return {"state": job.state, "position": None}
    seconds = expect.starts_in(queue.store, job_id)
    minutes = None if seconds is None else 60 * round(seconds / 60)  # else it changes all the time
    return {"state": job.state, "position": queue.position(job_id), "starts_in": minutes}


def _message(name: str, data: Any, number: int | None = None) -> bytes:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data)}\n\n".encode()
