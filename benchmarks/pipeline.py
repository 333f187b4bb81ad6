"""Time every step of the pipeline on the sample pictures, with a held-back test set.

    python -m benchmarks.pipeline            # the presets fast and balanced, one after the other
    python -m benchmarks.pipeline best       # one preset

Each preset runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from host import kmodel
from host.jobs import pipeline
from host.jobs.spec import JobSpec
from samples.render import NAME, render

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "sample_dump" / "maixforge" / NAME
TEST_PER_CLASS, TEST_SEED = 20, 2
SIMULATED = 24
"""Pictures for the speed of the simulator."""


class Stopwatch:
    """A listener of the pipeline that adds up the seconds of every step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._step, self._since = "", 0.0

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event of the pipeline."""
        if event["step"] != self._step:
            self.stop()
            self._step, self._since = event["step"], time.perf_counter()

    def stop(self) -> None:
        """End the step that is running."""
        if self._step:
            self.seconds[self._step] = time.perf_counter() - self._since


def simulator_speed(model: bytes) -> float:
    """Return the pictures per second that the simulator computes."""
    paths = sorted(SAMPLES.rglob("*.jpg"))[:SIMULATED]
    pictures = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    simulator = kmodel.Simulator(model)
    simulator.run(pictures[:1])
    began = time.perf_counter()
    simulator.run(pictures)
    return len(pictures) / (time.perf_counter() - began)


def peak_megabytes() -> float:
    """Return the most memory that this process has held, in MB (Windows: what it holds now)."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return psutil.Process().memory_info().rss / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measure(preset: str, folder: Path) -> list[tuple[str, str]]:
    """Run the pipeline in `folder` and return rows of name and figure."""
    test = render(folder / "held_back", TEST_SEED, TEST_PER_CLASS)
    job = folder / "job"
    job.mkdir()
    watch = Stopwatch()
    spec = JobSpec(source=str(SAMPLES), name="bench", preset=preset, test=str(test))
    began = time.perf_counter()
    result = pipeline.run(job, spec, watch)
    watch.stop()
    total = time.perf_counter() - began
    peak = peak_megabytes()
    held_back = result["test"]
    return [
        *((f"{step} (s)", f"{seconds:.1f}") for step, seconds in watch.seconds.items()),
        ("total (s)", f"{total:.1f}"),
        ("peak memory (MB)", f"{peak:,.0f}"),
        ("validation accuracy, float", f"{result['float']['accuracy']:.3f}"),
        ("validation accuracy, INT8", f"{result['int8']['accuracy']:.3f}"),
        ("held-back accuracy, float", f"{held_back['float']:.3f}"),
        ("held-back accuracy, INT8", f"{held_back['int8']:.3f}"),
        ("kmodel (bytes)", f"{result['kmodel_bytes']:,}"),
        ("memory on the board (bytes)", f"{result['ram_bytes']:,}"),
        ("estimated ms per picture", f"{result['ms']:.1f}"),
        (
            "simulated pictures per second",
            f"{simulator_speed((job / result['kmodel']).read_bytes()):.1f}",
        ),
    ]


def machine() -> str:
    """Return one line about this computer."""
    memory = psutil.virtual_memory().total / 1e9
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"{platform.machine()}, {os.cpu_count()} processors, {memory:.0f} GB, "
        f"{platform.system()}, Python {platform.python_version()}, load {load:.1f}"
    )


def main() -> int:
    """Measure the presets that the command line names."""
    parser = argparse.ArgumentParser(description="Time the pipeline on the sample pictures.")
    parser.add_argument("presets", nargs="*", default=["fast", "balanced"], metavar="PRESET")
    presets = parser.parse_args().presets
    if len(presets) > 1:
        command = [sys.executable, "-m", "benchmarks.pipeline"]
        return max(subprocess.run([*command, one], check=False).returncode for one in presets)
    with tempfile.TemporaryDirectory() as folder:
        print(f"\n{presets[0]}: {machine()}\n\n| what | figure |\n|---|---|", flush=True)
        for row in measure(presets[0], Path(folder)):
            print("| {} | {} |".format(*row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
