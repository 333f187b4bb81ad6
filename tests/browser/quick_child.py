"""Stands in for `host.jobs.child`: the real pipeline with a training of seconds.

A job whose name starts with "watched" shows some rounds and then goes on for ever; one named as
what tests/jobs/fake_child.py can do does that.
"""

import os
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))

import fake_child

from host.jobs import child
from host.jobs.spec import JobSpec

QUICK = {
    "classify": {"views": 1, "head_epochs": 2, "tune_blocks": 1, "tune_epochs": 1},
    "detect": {"neck": 32, "head_epochs": 3, "tune_epochs": 0, "batch": 8, "mosaic": 0.0,
               "epoch_least": 8},
}  # fmt: skip
BACKBONE = "mobilenet_1.0_cut6"


def main(folder: Path) -> int:
    path = folder / child.SPEC
    spec = JobSpec.from_json(path.read_text("utf-8"))
    if spec.name.startswith("watched"):
        return watched(folder)
    if spec.name == "refuse":
        return fake_child.main(folder)
    with zipfile.ZipFile(folder / spec.source) as archive:
        boxes = any(name.endswith(".xml") for name in archive.namelist())
    quick = QUICK["detect" if boxes else "classify"]
    size = 128
    path.write_text(
        replace(spec, size=size, backbone=BACKBONE, overrides={**spec.overrides, **quick}).to_json()
    )
    return child.main([str(folder)])


def watched(folder: Path) -> int:
    fake_child.emit(folder, "check", step="check", fraction=0.05, eta_seconds=20.0)
    for epoch in range(1, 11):
        good = 1 - 0.7 * 0.7**epoch
        values = {"epoch": epoch, "loss": 1.2 * 0.75**epoch, "accuracy": good}
        values |= {"valid_loss": 1.3 * 0.77**epoch, "valid_accuracy": good - 0.02}
        part = 0.05 + 0.06 * epoch
        fake_child.emit(
            folder, "train_head", step="train", fraction=part, eta_seconds=60.0, values=values
        )
    while os.read(0, 64):  # as the real child: it ends when its host is gone
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
