"""Compare what a training is expected to take with what it takes, on the sample pictures.

    python -m benchmarks.duration                          # fast, balanced, and a fast detector
    python -m benchmarks.duration classify:fast:mobilenet_1.0_cut8

Each training runs in a process of its own. The processors' seconds (all threads) are what the model
of `host.jobs.duration` counts; those that passed depend on what else the computer does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from host.jobs import duration, pipeline
from host.jobs.spec import JobSpec
from host.jobs.tasks import options_of

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
DATA = {"classify": SAMPLES / "sample_dump", "detect": SAMPLES / "sample_boxes"}
RUNS = ("classify:fast", "classify:balanced", "detect:fast")


def measure(run: str) -> str:
    """Train one and return a line of a table."""
    task, preset, *backbone = run.split(":")
    with tempfile.TemporaryDirectory() as folder:
        spec = JobSpec(str(DATA[task]), preset=preset, backbone="".join(backbone))
        began = time.monotonic()
        result = pipeline.run(Path(folder), spec, lambda _: None)
        passed, spent = time.monotonic() - began, time.process_time()
    pictures = sum(1 for _ in DATA[task].rglob("*.jpg"))
    options = options_of(task, preset, spec.choices())
    work = duration.work(options, pictures, len(result["labels"]))
    tuned = sum(one["stage"] == "tune" for one in result["curves"])
    told = work.seconds(tuned)
    return (
        f"| {run} | {tuned} of {work.epochs} | {told:.0f} s | {spent:.0f} s | {told / spent:.2f} |"
        f" {passed:.0f} s |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", default=RUNS, metavar="TASK:PRESET[:BACKBONE]")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        print(measure(given.runs[0]))
        return
    print(f"Probe: {duration.probe():.0f} billion multiplications a second, reference "
          f"{duration.REFERENCE_SPEED:.0f}.")  # fmt: skip
    print("| training | second stage | told | processors | ratio | passed |")
    print("|---|---|---|---|---|---|")
    for run in given.runs:
        command = [sys.executable, "-m", "benchmarks.duration", "--here", run]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


if __name__ == "__main__":
    main()
