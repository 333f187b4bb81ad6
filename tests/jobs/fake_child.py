"""Stands in for `host.jobs.child` in tests: quick, no training. The job's name chooses what it
does: slow, crash, killed, refuse, garbage, full; anything else ends well."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

LABELS = ("circle", "square", "triangle")


def main(folder: Path) -> int:
    spec = json.loads((folder / "spec.json").read_text("utf-8"))
    acts = {"slow": slow, "crash": crash, "killed": killed, "refuse": refuse, "garbage": garbage}
    acts["full"] = full
    act = acts.get(spec["name"], succeed)
    return act(folder, spec)


def emit(folder: Path, message: str, **rest) -> None:
    line = json.dumps({"time": time.time(), "message": message, **rest})
    with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def slow(folder: Path, _spec) -> int:
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / "pids.json").write_text(json.dumps([os.getpid(), helper.pid]))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    emit(folder, "epoch", step="train", fraction=0.25, eta_seconds=60.0, values={"epoch": 1})
    while os.read(0, 64):  # as the real child: it ends when its host is gone
        pass
    os.killpg(0, signal.SIGKILL)
    return 0


def crash(_folder: Path, _spec) -> int:
    print("first line")
    raise RuntimeError("the oven is cold")


def killed(_folder: Path, _spec) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def refuse(folder: Path, _spec) -> int:
    failure = [{"code": "option_invalid", "path": "seed", "severity": "error", "params": {}}]
    failure[0]["params"] = {"value": "x", "needed": "a number"}
    (folder / "failure.json").write_text(json.dumps(failure))
    return 1


def full(folder: Path, _spec) -> int:
    """The first run finds the disk full, and cannot even say so; the second ends well."""
    if not (folder / "tried").exists():
        (folder / "tried").touch()
        return 75
    (folder / "result.json").write_text("{}")
    return 0


def garbage(folder: Path, _spec) -> int:
    (folder / "result.json").write_text('{"half": ')
    return 0


def succeed(folder: Path, spec) -> int:
    pause = float(os.environ.get("FAKE_CHILD_PAUSE", "0"))
    emit(folder, "check", step="check", fraction=0.05, eta_seconds=20.0)
    for epoch in range(1, 11):
        good = 1 - 0.7 * 0.7**epoch
        values = {"epoch": epoch, "loss": 1.2 * 0.75**epoch, "accuracy": good}
        values |= {"valid_loss": 1.3 * 0.77**epoch, "valid_accuracy": good - 0.02}
        left = (10 - epoch) * pause
        emit(
            folder,
            "train_head" if epoch < 6 else "train_tune",
            step="train",
            fraction=0.05 + 0.07 * epoch,
            eta_seconds=left,
            values=values,
        )
        time.sleep(pause)
    for step, fraction in (("compile", 0.8), ("evaluate", 0.9), ("package", 0.97)):
        emit(folder, step, step=step, fraction=fraction)
        time.sleep(pause)
    (folder / "result.json").write_text(json.dumps(result(folder, spec)))
    return 0


def result(folder: Path, spec) -> dict:
    with zipfile.ZipFile(folder / "sd.zip", "w") as card:
        card.writestr("boot.py", "print('hello')\n")
        card.writestr("m.kmodel", b"\x03\0\0\0" + bytes(64))
        card.writestr("labels.txt", "\n".join(LABELS))
    with zipfile.ZipFile(folder / "model.kfpkg", "w") as package:
        package.writestr("flash-list.json", "{}")
    (folder / "m.kmodel").write_bytes(b"\x03\0\0\0" + bytes(64))
    pictures = unpack(folder, spec)
    return {
        "task": "classify",
        "labels": list(LABELS),
        "float": {"accuracy": 0.9667},
        "int8": {"accuracy": 0.9583},
        "kmodel": "m.kmodel",
        "kmodel_bytes": 2_203_648,
        "ram_bytes": 2_605_648,
        "ms": 41.3,
        "sd_zip": "sd.zip",
        "kfpkg": "model.kfpkg",
        "seconds": 71.2,
        "report": {
            "float": report([[39, 1, 0], [1, 38, 1], [0, 1, 39]], pictures),
            "int8": report([[39, 1, 0], [2, 37, 1], [0, 1, 39]], pictures),
            "pictures": "dataset",
            "layers": layers(folder),
        },
        "firmware_fit": [
            fit("minimum", "MaixPy 0.6.3 minimum", True, 4_400_000),
            fit("full", "MaixPy 0.6.3 full", False, 2_100_000),
        ],
    }


def layers(folder: Path) -> list[dict]:
    (folder / "report").mkdir(exist_ok=True)
    (folder / "report" / "layers.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    shapes = {"in": [3, 224, 224], "out": [32, 112, 112]}
    first = {"name": "conv1", "kind": "conv 3x3 stride 2x2", **shapes, "ms": 0.41, "sqnr_db": 38.2}
    last = {"name": "softmax", "kind": "softmax", "in": [3], "out": [3], "ms": 0.0, "sqnr_db": None}
    return [first, last]


def fit(name: str, title: str, fits: bool, budget: int) -> dict:
    return {"id": name, "name": title, "fits": fits, "budget": budget, "needed": 2_605_648}


def unpack(folder: Path, spec) -> list[str]:
    """Unpack the first pictures, as the pipeline unpacks all; tests send honest zips here."""
    root = folder / "dataset"
    with zipfile.ZipFile(folder / spec["source"]) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][:5]
        archive.extractall(root, names)
    return names


def judged(path: str, score: float) -> dict:
    names = {"path": path, "truth": "circle", "predicted": "square"}
    return {**names, "score": score, "truth_score": 1 - score}


def report(matrix: list[list[int]], pictures: list[str]) -> dict:
    columns = [sum(row[i] for row in matrix) for i in range(3)]
    classes = [
        {
            "label": label,
            "precision": matrix[i][i] / columns[i],
            "recall": matrix[i][i] / sum(matrix[i]),
            "f1": 2 * matrix[i][i] / (columns[i] + sum(matrix[i])),
            "support": sum(matrix[i]),
        }
        for i, label in enumerate(LABELS)
    ]
    worst = [judged(path, 0.9 - 0.1 * i) for i, path in enumerate(pictures)]
    hits = sum(matrix[i][i] for i in range(3))
    accuracy = hits / sum(columns)
    return {"accuracy": accuracy, "classes": classes, "confusion": matrix, "worst": worst}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
