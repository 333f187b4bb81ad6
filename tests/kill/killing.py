"""Jobs that are killed by SIGKILL at chosen points: before, in the middle of and after every write.

The process of a job is forked from one that has loaded TensorFlow but never used it, so that a run
takes as long as its work does. That one is multiprocessing's fork server, not the process of the
tests: there, another test may have put TensorFlow's threads to work, and its copy would wait for
them for ever. Points have names that are the same in every run.
"""

import errno
import io
import json
import multiprocessing
import os
import re
import signal
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from host_help import box_zip
from PIL import Image

from host.datasets import intake
from host.jobs import child, events, room
from host.jobs.spec import JobSpec
from host.trainer import detect_stage, features, tune

RULES = {"classes_min": 2, "images_min": 4, "boxes_min": 2, "boxes_advised": 2}
MADE = ("sd.zip", "model.kfpkg", "m.kmodel")
VARYING = (".json", ".keras", ".png")
"""Files whose bytes may differ from run to run: they say how long something took."""
RUN_SECONDS = 300
Point = Callable[[str], None]


def spec(task: str) -> JobSpec:
    """An order that is done in seconds."""
    tiny = {"classify": {"views": 1, "head_epochs": 1, "tune_blocks": 1, "tune_epochs": 2,
                         "average": 0.2},
            "detect": {"neck": 32, "head_epochs": 1, "tune_epochs": 2, "batch": 8, "mosaic": 0.0,
                       "epoch_least": 8}}  # fmt: skip
    return JobSpec(
        "upload.zip", name="tiny", preset="fast", size=128, backbone="mobilenet_1.0_cut6",
        overrides=tiny[task], rules=RULES,
    )  # fmt: skip


def new_job(folder: Path, task: str) -> Path:
    """Make the folder of a job that has not begun."""
    folder.mkdir()
    data = colours_zip() if task == "classify" else box_zip(10)
    (folder / "upload.zip").write_bytes(data)
    (folder / "spec.json").write_text(spec(task).to_json())
    return folder


def colours_zip() -> bytes:
    """Eight noisy pictures each of two colours: even one epoch learns something."""
    rng, buffer = np.random.default_rng(5), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for hue, label in enumerate("ab"):
            for number in range(8):
                pixels = rng.normal(110, 30, (128, 128, 3))
                pixels[..., hue] += 90
                data = io.BytesIO()
                Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(data, "PNG")
                archive.writestr(f"{label}/{number}.png", data.getvalue())
    return buffer.getvalue()


@dataclass(frozen=True)
class AllBut:
    """All points but those of `names`."""

    names: Container[str]

    def __contains__(self, name: str) -> bool:
        return name not in self.names


@cache
def _server() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    needed = ["keras", "matplotlib.pyplot", "tensorflow", "host.jobs.pipeline"]
    context.set_forkserver_preload(needed)
    return context


def run(
    folder: Path, at: Container[str] = (), *, full: bool = False, spare: int = room.SPARE
) -> tuple[int, list[str]]:
    """Run the job in a process that kills itself at the first point of `at`.

    With `full` it finds the disk full there, and from then on, instead. `spare` is `room.SPARE`.

    Returns:
        The exit code (-9: it was killed) and the points that were passed, that one included.
    """
    told = folder.parent / f"{folder.name}.points"
    told.write_bytes(b"")
    process = _server().Process(target=_job, args=(folder, at, told, full, spare), daemon=True)
    process.start()
    process.join(RUN_SECONDS)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"still at work after {told.read_text()}")
    return process.exitcode, told.read_text().splitlines()


def _job(folder: Path, at: Container[str], told: Path, full: bool, spare: int) -> None:
    os.dup2(os.pipe()[0], 0)  # its host lives: the pipe is never closed
    log = os.open(folder / "child.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1), os.dup2(log, 2)
    points, seen = os.open(told, os.O_WRONLY | os.O_APPEND), Counter()

    def point(name: str) -> None:
        seen[name] += 1
        name = f"{name} ({seen[name]})" if seen[name] > 1 else name
        os.write(points, f"{name}\n".encode())
        if name in at:
            if full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.kill(os.getpid(), signal.SIGKILL)

    _patch(point, folder)
    _log_epochs(folder / "epochs.log")
    features.BATCH = 8
    room.SPARE = spare
    os._exit(child.main([str(folder)]))


def _patch(point: Point, folder: Path) -> None:
    def name_of(path: Path) -> str:
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name

    def renamed(path: Path, target: Path) -> str:
        plain = path.is_dir() or final(Path(target).name).endswith(VARYING)
        return final(name_of(Path(target))) + ("" if plain else f" {_sum(path.read_bytes())}")

    for name in ("replace", "rename"):
        _around(Path, name, point, renamed)
    _around(Path, "unlink", point, lambda path, **_: final(name_of(path)) if path.exists() else "")
    _around(np.memmap, "flush", point, lambda one: f"{name_of(Path(one.filename))} {_sum(one)}")
    _around(intake, "_unpack_member", point, lambda _archive, member, *_: member.path)
    write = Path.write_bytes

    def write_in_two(path: Path, data: bytes) -> int:
        name = final(name_of(path))
        if name != name_of(path):
            write(path, data[: len(data) // 2])
            point(f"half of {name}" + ("" if name.endswith(VARYING) else f" {_sum(data)}"))
        return write(path, data)

    Path.write_bytes = write_in_two


def final(name: str) -> str:
    """The name that a file gets whose temporary name is given; any other name as it is."""
    return re.sub(r"\.([^/]+)\.[^./]+\.part", r"\1", name)


def _around(place: object, name: str, point: Point, describe: Callable[..., str]) -> None:
    original = getattr(place, name)

    def around(*args, **kwargs):
        what = describe(*args, **kwargs)
        if what:
            point(f"before {name} {what}")
        result = original(*args, **kwargs)
        if what:
            point(f"after {name} {what}")
        return result

    setattr(place, name, around)


def _sum(data: object) -> str:
    return f"{zlib.crc32(bytes(data)):08x}"


def _log_epochs(path: Path) -> None:
    """Note every epoch of the costly stages when it begins."""
    for place in (tune._Tail, detect_stage.Stage):
        original = place.epoch

        def epoch(self, batches, *where, original=original):
            with path.open("a") as file:
                file.write(" ".join(map(str, where)) + "\n")
            return original(self, batches, *where)

        place.epoch = epoch


def epochs(folder: Path) -> list[str]:
    """The epochs that have begun in all runs, in order."""
    path = folder / "epochs.log"
    return path.read_text().splitlines() if path.exists() else []


def made(folder: Path) -> dict[str, bytes]:
    """What can be downloaded, as far as it is there."""
    return {name: (folder / name).read_bytes() for name in MADE if (folder / name).exists()}


def result(folder: Path) -> dict:
    """The job's result, without the time that it took."""
    return {**json.loads((folder / "result.json").read_bytes()), "seconds": 0}


def files(folder: Path) -> set[str]:
    """The files of a job but the log of a test."""
    found = (one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())
    return set(found) - {"epochs.log"}


def leftovers(folder: Path) -> list[str]:
    """Files that killed writers have left."""
    return [one.name for one in folder.rglob(".*.part*")]


def messages(folder: Path) -> Iterable[str]:
    """The messages of the job's events, all of which can be read."""
    return [event["message"] for _, event in events.Tail(folder).read()]


def same(folder: Path, other: Path) -> None:
    """Check that two jobs have made the same, and that nothing else is left."""
    assert made(folder) == made(other)
    assert len(made(folder)) == 3
    assert result(folder) == result(other)
    assert not (odd := files(folder) ^ files(other)), odd
    assert not leftovers(folder)


def never_half(folder: Path, other: Path) -> None:
    """Check that what can be downloaded is whole."""
    whole = made(other)
    for name, data in made(folder).items():
        assert data == whole[name]


def everywhere(folder, other, points=None):
    """Kill one job at each of `points` (None: all), one after the other; return those hit."""
    hit, known = [], []
    while True:
        left = AllBut(set(hit)) if points is None else set(points) - set(hit)
        code, passed = run(folder, left)
        begun = epochs(folder)
        again, known = begun[len(known) :], begun
        assert len(set(again) & set(begun[: len(begun) - len(again)])) <= 1  # repeated
        assert len(again) == len(set(again))
        never_half(folder, other)
        if code == 0:
            return hit
        assert code == -9, (folder / "child.log").read_text()
        hit.append(passed[-1])


def rests(folder, at=()):
    """Run the job; it must find the disk full there, say so, and leave nothing half-written."""
    code, points = run(folder, at, full=True)
    if code:
        assert code == child.PAUSE, (folder / "child.log").read_text()
        [reason] = json.loads((folder / "failure.json").read_text())
        assert reason["code"] == "disk_room"
        assert not leftovers(folder)
        (folder / "failure.json").unlink()
    return code, points
