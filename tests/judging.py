"""Done jobs whose reports are made of boxes that tests know, and one with a kmodel that works."""

import json
import zipfile

import colour_detector
import numpy as np
from host_help import box_zip

from host.config import Settings
from host.deploy import package, sdcard
from host.jobs import judgements, submit
from host.jobs.spec import JobSpec
from host.jobs.store import Store
from host.trainer.detect_evaluate import evaluate_detector

LABELS = ("circle", "square")


def noisy(seed, pictures=12):
    """True boxes, and found ones with all scores that are near them, far, doubled or none."""
    rng = np.random.default_rng(seed)
    truth = [np.array([[0.1, 0.2, 0.4, 0.5, 0], [0.5, 0.5, 0.9, 0.9, 1]]) for _ in range(pictures)]
    found = []
    for real in truth:
        rows = real[rng.integers(0, 2, 9)]
        rows[:, :4] += rng.normal(0, 0.05, (9, 4)) * rng.integers(0, 3, (9, 1))
        rows[:, 4] = np.where(rng.random(9) < 0.2, 1 - rows[:, 4], rows[:, 4])
        found.append(np.column_stack([rows.clip(0, 1), rng.random(9)]))
    return found, truth


def judge(found, truth, threshold=0.5):
    """The reports of the INT8 and the float model, whose boxes `found` has."""
    paths = [f"images/{n + 1}.jpg" for n in range(len(truth))]
    return {
        kind: evaluate_detector(boxes, truth, LABELS, paths, threshold)
        for kind, boxes in zip(judgements.KINDS, found, strict=True)
    }


def finish(store, job_id, reports, pictures, **more):
    """Make a job done with the reports of both models."""
    folder = store.folder(job_id)
    with zipfile.ZipFile(folder / "upload.zip") as archive:
        archive.extractall(folder / "data")
    (folder / "report").mkdir()
    (folder / "report" / judgements.NAME).write_bytes(judgements.to_json(reports))
    report = {kind: one.as_dict() for kind, one in reports.items()}
    result = {
        "kmodel": "m.kmodel", "sd_zip": "sd.zip", "kfpkg": "", "kmodel_bytes": 1,
        "ram_bytes": 1, "ms": 1.0, "seconds": 1.0,
        "report": {**report, "pictures": pictures}, **more,
    }  # fmt: skip
    store.update(job_id, state="done", result=json.loads(json.dumps(result)))
    return job_id


def detector(store, settings, reports):
    """A detector's job that is done with `reports`; returns its id."""
    with submit.arriving(store) as (job_id, folder):
        (folder / submit.UPLOAD).write_bytes(box_zip())
        submit.check(store, settings, job_id, "shapes.zip")
    figures = {kind: {"map50": report.map50, "map": report.map} for kind, report in reports.items()}
    return finish(
        store, job_id, reports, "data/maixforge/shapes", task="detect", labels=LABELS,
        input=[224, 224], fit="letterbox", threshold=reports["int8"].threshold, nms=0.3,
        anchors=[[1, 1]] * 5, **figures,
    )  # fmt: skip


def colours(data):
    """A done job of `colour_detector` in the data folder of a host that runs: id, kmodel."""
    settings = Settings(data=data)
    store, model = Store(settings.data), colour_detector.network()
    with submit.arriving(store) as (job_id, folder):
        (folder / submit.UPLOAD).write_bytes(box_zip())
        submit.check(store, settings, job_id, "squares.zip")
    anchors = np.reshape(colour_detector.ANCHORS, (5, 2)).tolist()
    (folder / "spec.json").write_text(
        JobSpec(submit.UPLOAD, "squares", data_folder=str(data)).to_json()
    )
    (folder / "m.kmodel").write_bytes(model)
    packed = package.create(
        folder / "package", model, name="squares", labels=colour_detector.LABELS,
        anchors=anchors, options=package.BoardOptions(threshold=0.4),
    )  # fmt: skip
    sdcard.build(packed, folder / "sd.zip")
    figures = {"map50": 0.9, "map": 0.5}
    result = {
        "task": "detect", "labels": list(colour_detector.LABELS), "input": [224, 224],
        "fit": "crop", "float": figures, "int8": figures, "anchors": anchors, "threshold": 0.4,
        "nms": 0.3, "kmodel": "m.kmodel", "sd_zip": "sd.zip", "kfpkg": "",
        "kmodel_bytes": len(model), "ram_bytes": len(model), "ms": 20.0, "seconds": 1.0,
    }  # fmt: skip
    store.update(job_id, state="done", result=result)
    store.close()
    return job_id, model
