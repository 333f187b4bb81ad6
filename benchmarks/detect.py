"""Train detectors on real pictures: accuracy before and after INT8, minutes, speed, bytes.

python -m benchmarks.detect --raccoon det_voc_raccoon.zip            # the preset balanced
python -m benchmarks.detect --raccoon ZIP --presets fast,balanced,best
python -m benchmarks.detect --raccoon ZIP --set backbone=mobilenet_1.0_cut11
python -m benchmarks.detect --raccoon ZIP --plain                    # against a plain loop
python -m benchmarks.detect --vott ZIP                               # a VoTT export
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from host import kmodel
from host.datasets import formats, intake
from host.datasets.checks import check
from host.datasets.dataset import Dataset, Sample
from host.datasets.split import split
from host.kmodel import region
from host.trainer import detector, runtime
from host.trainer.detect_evaluate import LEAST_SCORE, evaluate_detector
from host.trainer.detect_options import DetectOptions, detect_options_for
from host.trainer.detect_pictures import place_boxes
from host.trainer.model import FloatModel
from host.trainer.pictures import read_pictures
from host.trainer.progress import TrainProgress

from .pipeline import machine

TRAINED, SEED = 160, 42
"""Raccoons that are trained on, and the seed of their choice; the other 40 validate."""

NMS = 0.45
CALIBRATION = 100


def raccoon(source: Path, folder: Path) -> Dataset:
    """Return the 200 raccoons with their split, which depends on nothing but `SEED`."""
    dataset = check(formats.load(intake.receive(source, folder)))
    samples = sorted(dataset.samples, key=lambda one: (len(one.path), one.path))
    order = np.random.default_rng(SEED).permutation(len(samples))
    chosen = set(order[:TRAINED].tolist())
    return dataset.with_samples(
        [
            replace(sample, split="train" if place in chosen else "valid")
            for place, sample in enumerate(samples)
        ]
    )


def received(source: Path, folder: Path) -> Dataset:
    """Return any data set with the split that a job would give it."""
    return split(check(formats.load(intake.receive(source, folder))), 0.2, 0)


class Speed:
    """A listener that keeps the pictures per second of every epoch and says how far it is."""

    def __init__(self) -> None:
        self.rates: dict[str, list[float]] = {"head": [], "tune": []}

    def __call__(self, event: TrainProgress) -> None:
        """Take one event of the training."""
        if event.pictures_per_second:
            self.rates[event.stage].append(event.pictures_per_second)
            told = f"{event.stage} {event.epoch}/{event.epochs} mAP50 {event.val_map50:.3f}"
            print(f"\r{told} {event.eta_seconds:.0f} s left   ", end="", file=sys.stderr)

    def median(self, stage: str) -> float:
        """Return the median pictures per second of a stage."""
        return float(np.median(self.rates[stage])) if self.rates[stage] else float("nan")


def precision(model: FloatModel, values: np.ndarray, dataset: Dataset) -> tuple[float, float]:
    """Return mAP50 and mAP50-95 of raw values (n, ...) on the validation pictures."""
    card, samples = model.card, dataset.of_split("valid")
    rows, columns = model.model.output_shape[1:3]
    anchors = np.array(card.anchors)
    found = [
        region.suppress(region.candidates(one, (rows, columns), anchors, LEAST_SCORE), NMS)[:, :6]
        for one in values
    ]
    truth = [_truth(sample, card.size, card.fit) for sample in samples]
    report = evaluate_detector(found, truth, dataset.labels, [one.path for one in samples])
    return report.map50, report.map


def _truth(sample: Sample, size: tuple[int, int], fit: Any) -> np.ndarray:
    boxes, labels = place_boxes(sample, (sample.width, sample.height), size, fit)
    return np.column_stack([boxes / np.tile(size, 2), labels])


def measure(dataset: Dataset, options: DetectOptions, folder: Path) -> list[tuple[str, str]]:
    """Train, compile, and return rows of name and figure."""
    speed, began = Speed(), time.perf_counter()
    model = detector.train(dataset, folder, options, speed)
    minutes = (time.perf_counter() - began) / 60
    print(file=sys.stderr)
    size, fit = model.card.size, model.card.fit
    pictures = read_pictures(dataset, dataset.of_split("train")[:CALIBRATION], size, fit)
    began = time.perf_counter()
    made = kmodel.compile(kmodel.from_keras(model.model), pictures)
    compiled = time.perf_counter() - began
    judged = read_pictures(dataset, dataset.of_split("valid"), size, fit)
    plain = precision(model, model.predict(judged), dataset)
    whole = precision(model, kmodel.simulate(made.data, judged)[0], dataset)
    kept = model.card.kept
    return [
        ("network, input, grid", f"{options.backbone}, {size[0]}x{size[1]}, {options.grid}"),
        ("pictures (train, valid)", str(tuple(model.card.pictures.values()))),
        ("training (minutes)", f"{minutes:.1f}"),
        ("epochs (kept)", f"{len(model.card.history)} ({kept['stage']} {kept['epoch']})"),
        ("pictures per second, head", f"{speed.median('head'):.1f}"),
        ("pictures per second, tune", f"{speed.median('tune'):.1f}"),
        ("mAP50 float, INT8", f"{plain[0]:.3f}, {whole[0]:.3f}"),
        ("mAP50-95 float, INT8", f"{plain[1]:.3f}, {whole[1]:.3f}"),
        ("compiling (s)", f"{compiled:.0f}"),
        ("kmodel (bytes)", f"{len(made.data):,}"),
        ("memory on the board (bytes)", f"{made.ram_bytes:,}"),
        ("estimated ms per picture", f"{made.ms:.1f}"),
        ("step of the last layer", f"{(made.layers[-1].high - made.layers[-1].low) / 255:.3f}"),
    ]


def compare(dataset: Dataset, folder: Path, epochs: int = 3) -> list[tuple[str, str]]:
    """Time an epoch of ours and of a plain Keras loop; the first of each is left out."""
    from . import plain_yolo  # noqa: PLC0415 - loads Keras

    options = detect_options_for("balanced", head_epochs=epochs, tune_epochs=epochs)
    speed = Speed()
    model = detector.train(dataset, folder, options, speed)
    print(file=sys.stderr)
    ours = {stage: float(np.median(rates[1:])) for stage, rates in speed.rates.items()}
    count = len(dataset.of_split("train"))
    seconds, network = plain_yolo.train(dataset, model.card.anchors, options, epochs)
    plain = FloatModel(network, model.card)
    size, fit = model.card.size, model.card.fit
    judged = read_pictures(dataset, dataset.of_split("valid"), size, fit)
    score = precision(plain, plain.predict(judged), dataset)
    theirs = float(np.median(seconds[1:]))
    return [
        *((f"ours, {stage}: pictures per second", f"{rate:.1f}") for stage, rate in ours.items()),
        *((f"ours, {stage}: s an epoch", f"{count / rate:.1f}") for stage, rate in ours.items()),
        ("plain Keras loop: pictures per second", f"{count / theirs:.1f}"),
        ("plain Keras loop: s an epoch", f"{theirs:.1f}"),
        (f"mAP50, ours after {epochs} + {epochs} epochs", f"{model.card.metrics['val_map50']:.3f}"),
        (f"mAP50, plain loop after {epochs} epochs", f"{score[0]:.3f}"),
    ]


def _overrides(pairs: Sequence[str]) -> dict[str, Any]:
    """Return `name=value` pairs as settings; values are JSON or plain words."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print rows as Markdown."""
    print(f"\n{title}: {machine()}\n\n| what | figure |\n|---|---|", flush=True)
    for row in rows:
        print("| {} | {} |".format(*row), flush=True)


def main() -> int:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description="Train detectors on real pictures.")
    parser.add_argument("--raccoon", type=Path, metavar="ZIP", help="the raccoon data set")
    parser.add_argument("--vott", type=Path, metavar="ZIP", help="any data set with boxes")
    parser.add_argument("--presets", default="balanced", help="names, with commas between")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings")
    parser.add_argument("--plain", action="store_true", help="time a plain Keras loop, too")
    chosen = parser.parse_args()
    if not (chosen.raccoon or chosen.vott):
        parser.error("--raccoon ZIP or --vott ZIP is needed")
    runtime.start(0)
    changed = _overrides(chosen.set)
    with tempfile.TemporaryDirectory(prefix="maixforge-") as temporary:
        folder = Path(temporary)
        for source, read in ((chosen.raccoon, raccoon), (chosen.vott, received)):
            if source is None:
                continue
            dataset = read(source, folder / read.__name__)
            if chosen.plain:
                table("plain loop", compare(dataset, folder / "plain"))
                continue
            for preset in chosen.presets.split(","):
                options = detect_options_for(preset, **changed)
                rows = measure(dataset, options, folder / preset)
                table(f"{source.name}, {preset} {' '.join(chosen.set)}".rstrip(), rows)
                shutil.rmtree(folder / preset)
    return 0


if __name__ == "__main__":
    sys.exit(main())
