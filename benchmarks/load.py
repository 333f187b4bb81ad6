"""Many uploads at once while somebody trains: `python -m benchmarks.load`.

A real `maixforge serve` at 127.0.0.1 with a data folder of its own gets different cuts of the
sample pictures, all at the same moment, while readers ask for pages all the time; first with
nobody training, then with a training that uses every processor. Every upload must be a job with
the same bytes. It takes about five minutes and ends by itself.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

from host.datasets.limits import MIB

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
DUMP = SAMPLES / "sample_dump" / "maixforge" / "fasteners"
BOXES = SAMPLES / "sample_boxes" / "maixforge" / "scattered"
CLASS_PICTURES, BOX_PICTURES = 45, 50
LEFT_SECONDS = 10.0
"""How long the readers go on alone, before the uploads and after them."""
ANSWER_SECONDS = 120.0
JOB_SECONDS = 900.0


@dataclass
class Phase:
    """What one phase showed: seconds of pages by name and of uploads, bytes of memory."""

    name: str
    alone: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    pages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    uploads: list[float] = field(default_factory=list)
    whole: float = 0.0
    lost: int = 0
    memory: list[int] = field(default_factory=list)


class Host:
    """A running host."""

    def __init__(self, data: Path, process: subprocess.Popen[bytes], port: int) -> None:
        self.data, self.process = data, process
        self.url = f"http://127.0.0.1:{port}"
        self.memory = psutil.Process(process.pid)

    def ask(self, method: str, path: str, **rest: Any) -> requests.Response:
        """Return an answer; one that is no success is an error."""
        answer = requests.request(method, self.url + path, timeout=ANSWER_SECONDS, **rest)
        answer.raise_for_status()
        return answer

    def send(self, data: bytes, token: str) -> str:
        """Upload and return the new job's id."""
        files = {"file": ("sample.zip", io.BytesIO(data), "application/zip")}
        return self.ask("POST", "/api/jobs", files=files, headers=_bearer(token)).json()["id"]

    def wait(self, job_id: str, state: str, step: str = "") -> None:
        """Wait until a job is in a state and has begun a step."""
        end = time.monotonic() + JOB_SECONDS
        while time.monotonic() < end:
            job = self.ask("GET", f"/api/jobs/{job_id}").json()
            if job["state"] == state and job["fraction"] >= (0.2 if step else 0):
                return
            if job["state"] in ("failed", "cancelled"):
                break
            time.sleep(0.2)
        raise RuntimeError(f"the job did not come to {state}")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def cut(task: str, seed: int) -> bytes:
    """Return a zip of some of the sample pictures; each seed takes others."""
    dice, buffer = random.Random(seed), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        if task == "classify":
            for folder in sorted(DUMP.iterdir()):
                some = dice.sample(sorted(folder.glob("*.jpg")), CLASS_PICTURES)
                for path in some if folder.is_dir() else []:
                    archive.write(path, f"{folder.name}/{path.name}")
        else:
            for path in dice.sample(sorted((BOXES / "images").iterdir()), BOX_PICTURES):
                archive.write(path, f"images/{path.name}")
                archive.write(BOXES / "xml" / f"{path.stem}.xml", f"xml/{path.stem}.xml")
            archive.write(BOXES / "labels.txt", "labels.txt")
    return buffer.getvalue()


@contextmanager
def host(folder: Path) -> Iterator[tuple[Host, str]]:
    """Run `maixforge serve` and yield it with a token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    names = {"DATA": str(folder / "data"), "PORT": str(port), "UPLOADS": "10000"}
    environment = {**os.environ, **{f"MAIXFORGE_{key}": one for key, one in names.items()}}
    command = [sys.executable, "-m", "host.cli"]
    made = subprocess.run(
        [*command, "token", "load"], env=environment, capture_output=True, text=True, check=True
    )
    token = made.stdout.split()[-1]
    with (folder / "host.log").open("wb") as log:
        process = subprocess.Popen([*command, "serve"], env=environment, stdout=log, stderr=log)
    try:
        one = Host(folder / "data", process, port)
        _until_up(one)
        yield one, token
    finally:
        process.terminate()
        process.wait(60)


def _until_up(one: Host) -> None:
    for _ in range(300):
        try:
            one.ask("GET", "/api/host")
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise RuntimeError("the host does not start")


def run(one: Host, token: str, name: str, zips: Sequence[bytes], pages: dict[str, str]) -> Phase:
    """Let the readers read, then send all zips at once, then let them read again."""
    phase, over, sending = Phase(name), threading.Event(), threading.Event()
    started = [threading.Thread(target=_watch, args=(one, phase, over))]
    started += [
        threading.Thread(target=_read, args=(one, phase, pages, turn, sending, over))
        for turn in range(len(pages) - 1)
    ]
    for thread in started:
        thread.start()
    time.sleep(LEFT_SECONDS)
    sending.set()
    began = time.monotonic()
    with ThreadPoolExecutor(len(zips)) as pool:
        jobs = list(pool.map(lambda data: _timed_upload(one, phase, data, token), zips))
    phase.whole = time.monotonic() - began
    sending.clear()
    time.sleep(LEFT_SECONDS)
    over.set()
    for thread in started:
        thread.join()
    known = {job["id"] for job in one.ask("GET", "/api/jobs").json()["jobs"]}
    for job_id, data in zip(jobs, zips, strict=True):
        kept = (one.data / "jobs" / job_id / "upload.zip").read_bytes()
        phase.lost += job_id not in known or _digest(kept) != _digest(data)
    return phase


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _timed_upload(one: Host, phase: Phase, data: bytes, token: str) -> str:
    began = time.monotonic()
    job_id = one.send(data, token)
    phase.uploads.append(time.monotonic() - began)
    return job_id


def _watch(one: Host, phase: Phase, over: threading.Event) -> None:
    while not over.wait(0.05):
        phase.memory.append(one.memory.memory_info().rss)


def _read(
    one: Host,
    phase: Phase,
    pages: dict[str, str],
    turn: int,
    sending: threading.Event,
    over: threading.Event,
) -> None:
    """Ask for one page after the other, a tenth of a second apart, from the `turn`-th on."""
    names = list(pages)
    while not over.is_set():
        name = names[turn % len(names)]
        turn += 1
        began, loud = time.monotonic(), sending.is_set()
        one.ask("GET", pages[name])
        took = time.monotonic() - began
        (phase.pages if loud else phase.alone)[name].append(took)
        over.wait(0.1)


def report(phase: Phase) -> None:
    """Print what a phase showed."""
    print(f"\n{phase.name}: {len(phase.uploads)} uploads at once, {phase.lost} lost")
    print(f"{'':24}{'asked':>7}{'p50':>9}{'p95':>9}{'max':>9}  ms")
    for title, times in (("nobody uploads", phase.alone), ("during uploads", phase.pages)):
        everything = [one for some in times.values() for one in some]
        _row(title, everything)
        for name, some in times.items():
            _row(f"  {name}", some)
    sent = ", ".join(f"{_part(phase.uploads, p):.1f}" for p in (50, 95, 100))
    print(f"upload until it is checked: p50, p95, max {sent} s; all of them {phase.whole:.1f} s")
    before, peak, after = phase.memory[0], max(phase.memory), phase.memory[-1]
    print(
        f"memory of the host: before {before / MIB:.0f} MB, peak {peak / MIB:.0f} MB, "
        f"after {after / MIB:.0f} MB"
    )


def _row(title: str, times: list[float]) -> None:
    if times:
        shown = "".join(f"{1000 * _part(times, p):9.0f}" for p in (50, 95, 100))
        print(f"{title:24}{len(times):7}{shown}")


def _part(times: Sequence[float], percent: int) -> float:
    """Return the least time that so many percent of the times do not exceed."""
    ordered = sorted(times)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=20, help="uploads at once (20)")
    count = parser.parse_args().uploads
    zips = [cut("classify" if seed % 2 else "detect", seed) for seed in range(2 * count)]
    size = statistics.mean(map(len, zips)) / MIB
    print(f"zips of {size:.1f} MB; load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory() as folder, host(Path(folder)) as (one, token):
        done, runs = (one.send(cut("classify", seed), token) for seed in (-1, -2))
        one.ask("POST", f"/api/jobs/{done}/start", json={"preset": "fast"}, headers=_bearer(token))
        one.wait(done, "done")
        pages = {
            "start page": "/",
            "job that waits or trains": f"/jobs/{runs}",
            "data": f"/jobs/{runs}/data",
            "result": f"/jobs/{done}",
            "API, a job": f"/api/jobs/{runs}",
        }
        idle = run(one, token, "nobody trains", zips[:count], pages)
        one.ask("POST", f"/api/jobs/{runs}/start", json={"preset": "best"}, headers=_bearer(token))
        one.wait(runs, "running", "train")
        busy = run(one, token, "somebody trains", zips[count:], pages)
        state = one.ask("GET", f"/api/jobs/{runs}").json()["state"]
        for phase in (idle, busy):
            report(phase)
        print(f"\nthe training is still {state}; load after: {os.getloadavg()[0]:.1f}")
    return int(idle.lost + busy.lost > 0 or state != "running")


if __name__ == "__main__":
    sys.exit(main())
