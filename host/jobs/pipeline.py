"""The whole way of one job: receive, check, train, compile, evaluate, package.

Each step reads what the earlier ones left in the job's folder and writes its own result whole or
not at all. The pages (through the child process) and the CLI run this same function.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kmodel
from ..datasets import checks, formats, intake
from ..datasets.dataset import Dataset, Sample
from ..datasets.limits import Limits, Rules
from ..datasets.split import split
from ..deploy import firmware, kfpkg, package, sdcard
from ..errors import Finding, UserError
from ..files import atomic_write
from ..kmodel.plot import plot
from ..kmodel.sqnr import layer_errors
from ..trainer import runtime
from ..trainer.evaluate import ClassifierReport, evaluate_classifier
from ..trainer.options import TrainOptions, options_for
from ..trainer.pictures import in_batches, read_pictures
from . import canmv
from .model_file import layer_rows
from .pictures import LAYERS
from .result_types import LayerRow, Result
from .sampling import stratified
from .spec import JobSpec

if TYPE_CHECKING:
    from ..trainer.model import FloatModel
    from ..trainer.progress import TrainProgress

Listener = Callable[[Mapping[str, Any]], None]

SHARES = {
    "receive": (0.0, 0.01),
    "check": (0.01, 0.03),
    "train": (0.03, 0.80),
    "compile": (0.80, 0.88),
    "evaluate": (0.88, 0.98),
    "package": (0.98, 1.0),
}
"""Which part of a job's progress each step is."""

TEST_DATA, TRAINING, MODEL, PACKAGE, REPORT = "test", "training", "model", "package", "report"
SD_ZIP, KFPKG = "sd.zip", "model.kfpkg"
VALIDATION = 0.2
CALIBRATION = 128
"""Most pictures that set the activation ranges; taken evenly from all classes."""
LAYER_PICTURES = 2
"""Pictures on which the error of the layers is measured."""
WORST = 12
"""Pictures in the gallery of the worst."""


@dataclass
class Progress:
    """Tells a listener how far the job is, with the time that it will still take."""

    listener: Listener
    step: str = "receive"
    began: float = field(default_factory=time.monotonic)

    def begin(self, step: str) -> None:
        """Begin a step."""
        self.step, self.began = step, time.monotonic()
        self.tell(0.0, step)

    def tell(
        self,
        fraction: float,
        message: str,
        eta: float | None = None,
        values: Mapping[str, float] | None = None,
    ) -> None:
        """Say that `fraction` of the step is done; `eta` are seconds that the step still takes.

        The event's `eta_seconds` are those of the whole job: later steps are guessed from this one.
        """
        low, high = SHARES[self.step]
        event: dict[str, Any] = {
            "step": self.step,
            "fraction": round(low + (high - low) * min(max(fraction, 0.0), 1.0), 4),
            "message": message,
        }
        if eta is not None:
            whole_step = time.monotonic() - self.began + eta
            event["eta_seconds"] = round(eta + (1 - high) / (high - low) * whole_step, 1)
        if values:
            event["values"] = dict(values)
        self.listener(event)


def run(folder: Path, spec: JobSpec, report: Listener) -> dict[str, Any]:
    """Run one job in `folder` and return what `result.json` holds (see `result_types.Result`).

    Args:
        folder: the job's own folder; it exists.
        spec: what is asked for.
        report: called with event mappings (step, fraction 0..1, message, eta_seconds, values).

    Raises:
        UserError: the data cannot be used, an option is wrong, or the model fits no board.
    """
    began = time.monotonic()
    progress = Progress(report)
    options = options_for(
        spec.preset,
        **{"size": spec.size, "fit": spec.fit, "seed": spec.seed},
        **({"backbone": spec.backbone} if spec.backbone else {}),
        **spec.overrides,
    )
    build = firmware.get(spec.firmware)
    canmv.require(spec)
    dataset, test = _data(folder, spec, options, progress)
    runtime.start(options.seed)
    _require_size(dataset, options, build)

    progress.begin("train")
    model = _train(dataset, folder / TRAINING, options, progress)
    model.save(folder / MODEL)

    progress.begin("compile")
    compiled = _compile(dataset, model, options, progress)
    atomic_write(folder / package.KMODEL, compiled.data)

    progress.begin("evaluate")
    reports = _evaluate(dataset, test, model, compiled.data, options, progress)

    progress.begin("package")
    packed = package.create(
        folder / PACKAGE, compiled.data, name=spec.name, labels=dataset.labels, firmware=build.id
    )
    sd_zip = sdcard.build(packed, folder / SD_ZIP)
    image = firmware.find(Path(spec.firmware_folder), build) if spec.firmware_folder else None
    flash = kfpkg.build(packed, folder / KFPKG, image)
    _draw(folder / REPORT, dataset, model, reports)
    result = _result(dataset, compiled, reports, model, (sd_zip, flash))
    result.get("report", {})["layers"] = _layers(folder, dataset, model, compiled)
    if dataset.root.is_relative_to(folder):  # so that the job's folder can be moved
        result.get("report", {})["pictures"] = dataset.root.relative_to(folder).as_posix()
    if spec.canmv:
        canmv.add(result, folder, spec, dataset, model, options, progress.tell)
    result["seconds"] = round(time.monotonic() - began, 1)
    progress.tell(1.0, "done")
    return dict(result)


def look(
    source: Path, into: Path, limits: Limits, rules: Rules, progress: Progress | None = None
) -> Dataset:
    """Receive a zip (unpacked to `into/data`) or a folder, and check every picture.

    What is wrong with the data is in the findings of the data set.

    Raises:
        UserError: there is no data set to look at (a damaged or dangerous zip, no pictures).
    """
    root = intake.receive(source, into, limits)
    if progress:
        progress.begin("check")

    def tell(done: int, total: int) -> None:
        if progress:
            progress.tell(done / max(total, 1), "check")

    return checks.check(formats.load(root, limits, into), rules, tell, limits)


def read(
    source: Path, into: Path, limits: Limits, rules: Rules, progress: Progress | None = None
) -> Dataset:
    """Do the same as `look`, for data that must be good enough to train.

    Raises:
        UserError: with every finding, errors first, when it is not.
    """
    dataset = look(source, into, limits, rules, progress)
    if dataset.errors():
        raise UserError.of(sorted(dataset.findings, key=lambda one: one.severity))
    return dataset


def _data(
    folder: Path, spec: JobSpec, options: TrainOptions, progress: Progress
) -> tuple[Dataset, Dataset | None]:
    """Return the split data set and, if there is one, the held-back one."""
    progress.begin("receive")
    limits, rules = Limits(**spec.limits), Rules(**spec.rules)
    dataset = read(folder / spec.source, folder, limits, rules, progress)
    dataset = split(dataset, VALIDATION, options.seed)
    test = None
    if spec.test:
        # Held-back data need not be large enough to train on.
        few = Rules(classes_min=1, images_min=1, images_max=10**9, boxes_min=1, boxes_advised=1)
        test = _aligned(read(folder / spec.test, folder / TEST_DATA, limits, few), dataset.labels)
    _write_findings(folder, dataset.findings)
    return dataset, test


def _aligned(test: Dataset, labels: tuple[str, ...]) -> Dataset:
    """Return the held-back data with the labels of the training data.

    Raises:
        UserError: `test_label_unknown`.
    """
    places = {label.lower(): index for index, label in enumerate(labels)}
    unknown = [label for label in test.labels if label.lower() not in places]
    if unknown:
        raise UserError("test_label_unknown", unknown[0], needed=", ".join(labels))
    new = [places[label.lower()] for label in test.labels]
    samples = [Sample(one.path, one.width, one.height, new[one.label or 0]) for one in test.samples]
    return Dataset(test.task, test.root, labels, tuple(samples))


def _write_findings(folder: Path, findings: Sequence[Finding]) -> None:
    text = json.dumps([one.as_dict() for one in findings], indent=1, ensure_ascii=False)
    atomic_write(folder / "findings.json", text.encode())


def _require_size(dataset: Dataset, options: TrainOptions, build: firmware.Firmware) -> None:
    """Refuse before the training what could not be packaged after it, naming what fits."""
    from .sizes import board_size, smaller_choices  # noqa: PLC0415 - loads Keras

    classes = len(dataset.labels)
    file_bytes, main_memory = board_size(options.backbone, options.size, classes)
    finding = firmware.check_fit(file_bytes, main_memory, build, options.size)
    if finding:
        choices = smaller_choices(options.backbone, options.size, classes)
        firmware.require_fit(file_bytes, main_memory, build, options.size, choices)


def _train(dataset: Dataset, folder: Path, options: TrainOptions, progress: Progress) -> FloatModel:
    from ..trainer.classifier import train  # noqa: PLC0415 - loads Keras

    def listen(event: TrainProgress) -> None:
        values = {
            "epoch": event.epoch,
            "epochs": event.epochs,
            "loss": event.loss,
            "accuracy": event.accuracy,
            "valid_loss": event.val_loss,
            "valid_accuracy": event.val_accuracy,
        }
        known = {name: float(value) for name, value in values.items() if value is not None}
        progress.tell(event.fraction, f"train_{event.stage}", event.eta_seconds, known)

    return train(dataset, folder, options, listen)


def _compile(
    dataset: Dataset, model: FloatModel, options: TrainOptions, progress: Progress
) -> kmodel.CompiledModel:
    chosen = stratified(dataset.of_split("train"), CALIBRATION)
    pictures = read_pictures(dataset, chosen, options.size, options.fit)
    graph = kmodel.from_keras(model.model)
    return kmodel.compile(graph, pictures, progress=lambda phase, part: progress.tell(part, phase))


def _evaluate(
    dataset: Dataset,
    test: Dataset | None,
    model: FloatModel,
    data: bytes,
    options: TrainOptions,
    progress: Progress,
) -> dict[str, ClassifierReport]:
    """Return reports "float" and "int8" on validation, "test_float" and "test_int8" on `test`.

    The INT8 scores are what the bytes of the kmodel give in the simulator.
    """
    simulator = kmodel.Simulator(data)
    sets = [("", dataset, dataset.of_split("valid"))]
    if test:
        sets.append(("test_", test, test.samples))
    total = sum(len(samples) for _, _, samples in sets)
    done, began = 0, time.monotonic()
    reports = {}
    for prefix, source, samples in sets:
        scores: dict[str, list[np.ndarray]] = {"float": [], "int8": []}
        for _, pictures in in_batches(source, samples, options):
            scores["float"].append(model.predict(pictures))
            scores["int8"].append(simulator.run(pictures)[0])
            done += len(pictures)
            eta = (time.monotonic() - began) / done * (total - done)
            progress.tell(done / total, "evaluate", eta)
        truth = np.array([sample.label for sample in samples])
        paths = [sample.path for sample in samples]
        for name, parts in scores.items():
            reports[prefix + name] = evaluate_classifier(
                np.concatenate(parts), truth, source.labels, paths
            )
    return reports


def _draw(
    folder: Path, dataset: Dataset, model: FloatModel, reports: Mapping[str, ClassifierReport]
) -> None:
    """Write the pictures of the report; they are about the validation pictures."""
    from ..trainer import report  # noqa: PLC0415 - loads matplotlib

    folder.mkdir(exist_ok=True)
    both = {"float": reports["float"], "INT8 on the chip": reports["int8"]}
    worst = reports["int8"].worst[:WORST]
    samples = {sample.path: sample for sample in dataset.samples}
    pictures = read_pictures(
        dataset, [samples[one.path] for one in worst], model.card.size, model.card.fit
    )
    drawn = {
        "curves.png": report.training_curves(model.card.history, model.card.kept),
        "confusion.png": report.confusion_matrices(both),
        "worst.png": report.gallery(pictures, worst),
    }
    for name, png in drawn.items():
        atomic_write(folder / name, png)


def _layers(
    folder: Path, dataset: Dataset, model: FloatModel, compiled: kmodel.CompiledModel
) -> list[LayerRow]:
    """Draw the kmodel and return its layers, with their error on a few validation pictures."""
    chosen = stratified(dataset.of_split("valid"), 1)[:LAYER_PICTURES]
    pictures = read_pictures(dataset, chosen, model.card.size, model.card.fit)
    graph = kmodel.from_keras(model.model)
    errors = layer_errors(graph, compiled.data, pictures, compiled.layers)
    atomic_write(folder / LAYERS, plot(compiled.data, package.KMODEL, errors))
    return layer_rows(compiled.data, errors)


def _result(
    dataset: Dataset,
    compiled: kmodel.CompiledModel,
    reports: Mapping[str, ClassifierReport],
    model: FloatModel,
    files: tuple[Path, Path],
) -> Result:
    size = len(compiled.data)
    result = Result(
        task=dataset.task,
        labels=list(dataset.labels),
        float={"accuracy": reports["float"].accuracy},
        int8={"accuracy": reports["int8"].accuracy},
        kmodel=package.KMODEL,
        kmodel_bytes=size,
        ram_bytes=compiled.ram_bytes,
        ms=round(compiled.ms, 1),
        sd_zip=files[0].name,
        kfpkg=files[1].name,
        seconds=0.0,
        report={
            "float": reports["float"].as_dict(),
            "int8": reports["int8"].as_dict(),
            "pictures": str(dataset.root),
        },
        firmware_fit=[
            {
                "id": one.id,
                "name": one.name,
                "fits": firmware.fits(compiled.ram_bytes, one),
                "budget": one.model_bytes,
                "needed": compiled.ram_bytes,
            }
            for one in firmware.known()
        ],
        curves=_curves(model),
    )
    if "test_float" in reports:
        result["test"] = {name: reports[f"test_{name}"].accuracy for name in ("float", "int8")}
    return result


def _curves(model: FloatModel) -> list[Any]:
    names = {"val_loss": "valid_loss", "val_accuracy": "valid_accuracy"}
    return [
        {names.get(name, name): value for name, value in epoch.items() if value is not None}
        for epoch in model.card.history
    ]
