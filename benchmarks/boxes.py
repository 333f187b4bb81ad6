"""Seconds to decode and judge a detector's answers, without the network itself.

    python -m benchmarks.boxes [--pictures 2000] [--classes 1,15]

Every picture has three objects of random places; the answers around each are what a middling
detector gives: several boxes of falling score, and noise elsewhere.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

import numpy as np

from host.kmodel import region
from host.trainer.detect_evaluate import (
    LEAST_SCORE,
    NMS_VALUES,
    evaluate_detector,
    recommend_nms,
)

GRID = 7
ANCHORS = np.array([[1.0, 1.0], [2.0, 2.0], [2.0, 3.0], [3.0, 2.0], [4.0, 4.0]])
OBJECTS = 3


def answers(pictures: int, classes: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return raw values float32 (pictures, ..) and for each picture its true boxes (3, 5)."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (pictures, 5, 5 + classes, GRID, GRID))
    values[:, :, 4] -= 7
    truth = []
    for raw in values:
        cells, labels = rng.integers(1, GRID - 1, (OBJECTS, 2)), rng.integers(classes, size=OBJECTS)
        anchors = rng.integers(5, size=OBJECTS)
        for (row, column), label, anchor in zip(cells, labels, anchors, strict=True):
            raw[:, 4, row, column] += rng.uniform(3, 9)
            raw[anchor, 4, row, column] += 3
            raw[:, 5 + label, row, column] += 5
            raw[anchor, :4, row, column] = rng.normal(0, 0.1, 4)
        middle, size = (cells[:, ::-1] + 0.5) / GRID, ANCHORS[anchors] / GRID
        boxes = np.column_stack([middle - size / 2, middle + size / 2]).clip(0, 1)
        truth.append(np.column_stack([boxes, labels]))
    return values.reshape(pictures, -1).astype(np.float32), truth


def measure(pictures: int, classes: int) -> dict[str, float]:
    """Return boxes a picture, mAP50, and the seconds of each step."""
    values, truth = answers(pictures, classes)
    labels = [str(label) for label in range(classes)]
    clock = [time.perf_counter()]
    found = [region.candidates(raw, (GRID, GRID), ANCHORS, LEAST_SCORE) for raw in values]
    clock.append(time.perf_counter())
    by_nms = {
        nms: [region.reported(region.suppress(boxes, nms))[:, :6] for boxes in found]
        for nms in NMS_VALUES
    }
    clock.append(time.perf_counter())
    nms = recommend_nms(by_nms, truth, labels)
    clock.append(time.perf_counter())
    report = evaluate_detector(by_nms[nms], truth, labels, [str(n) for n in range(pictures)])
    clock.append(time.perf_counter())
    decode, suppress, recommend, evaluate = np.diff(clock)
    return {
        "boxes": len(np.concatenate(found)) / pictures,
        "map50": report.map50,
        "decode": decode,
        "suppress": suppress / len(NMS_VALUES),
        "recommend": recommend,
        "evaluate": evaluate,
    }


def main() -> None:
    """Print one line for each number of classes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--classes", default="1,15", help="numbers of classes, with commas")
    args = parser.parse_args()
    print(f"{args.pictures} pictures, threshold {LEAST_SCORE}; {os.cpu_count()} cores,")
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"{'classes':>8}{'boxes':>8}{'mAP50':>8}  {'seconds:':<9}"
          f"{'decode':>8}{'one NMS':>9}{'choose NMS':>12}{'judge':>8}")  # fmt: skip
    for classes in map(int, args.classes.split(",")):
        row = measure(args.pictures, classes)
        seconds = f"{row['decode']:>8.2f}{row['suppress']:>9.2f}"
        seconds += f"{row['recommend']:>12.2f}{row['evaluate']:>8.2f}"
        print(f"{classes:>8}{row['boxes']:>8.0f}{row['map50']:>8.1%}  {'':<9}{seconds}")


if __name__ == "__main__":
    main()
