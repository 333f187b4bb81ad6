"""The whole way of one job: receive, check, train, compile, evaluate, (seal,) package.

Each step reads what the earlier ones left in the job's folder and writes its own result whole or
not at all. The pages (through the child process) and the CLI run this same function. What differs
between classifiers and detectors is in `classify` and `detect`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import kmodel
from ..deploy import firmware, kfpkg, package, sdcard
from ..files import atomic_write
from ..kmodel.plot import plot
from ..kmodel.sqnr import layer_errors
from ..trainer import runtime
from ..trainer.pictures import read_pictures
from . import canmv, classify, detect, sealing
from .model_file import layer_rows
from .pictures import LAYERS, REPORT
from .progress import Listener, Progress
from .receive import receive
from .result_types import LayerRow, Result
from .sampling import stratified
from .spec import JobSpec
from .task import Reports, Run, Task, answer

if TYPE_CHECKING:
    from ..trainer.model import FloatModel
    from ..trainer.progress import TrainProgress

TASKS: dict[str, Task] = {"classify": classify, "detect": detect}
TRAINING, MODEL, PACKAGE = "training", "model", "package"
SD_ZIP, KFPKG = "sd.zip", "model.kfpkg"
CALIBRATION = 128
"""Most pictures that set the activation ranges; taken evenly from all classes."""
LAYER_PICTURES = 2
"""Pictures on which the error of the layers is measured."""


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
    build = firmware.get(spec.firmware)
    canmv.require(spec)
    board = sealing.entry_of(spec)
    dataset, test = receive(folder, spec, progress)
    canmv.require_task(spec, dataset.task)
    task = TASKS[dataset.task]
    options = task.options_for(spec.preset, **spec.choices(), **spec.overrides)
    job = Run(folder, spec, dataset, test, options, progress)
    runtime.start(options.seed)
    _require_size(task, job, build)

    progress.begin("train")
    model = _train(task, job)
    model.save(folder / MODEL)

    progress.begin("compile")
    compiled = _compile(job, model)
    atomic_write(folder / package.KMODEL, compiled.data)

    progress.begin("evaluate")
    verdict = task.judge(job, model, answer(job, model, compiled.data))

    progress.begin("seal" if board else "package")
    packed = package.create(
        folder / PACKAGE,
        compiled.data,
        name=spec.name,
        labels=dataset.labels,
        anchors=model.card.anchors,
        firmware=build.id,
        options=verdict.board,
        key=board.key if board else None,
    )
    progress.begin("package")
    sd_zip = sdcard.build(packed, folder / SD_ZIP)
    image = firmware.find(Path(spec.firmware_folder), build) if spec.firmware_folder else None
    flash = kfpkg.build(packed, folder / KFPKG, image)
    (folder / REPORT).mkdir(exist_ok=True)
    for name, png in task.pictures(job, model, verdict.reports).items():
        atomic_write(folder / REPORT / name, png)
    result = _result(task, job, compiled, verdict.reports, model, packed)
    result["sd_zip"], result["kfpkg"] = sd_zip.name, flash.name
    result.get("report", {})["layers"] = _layers(job, model, compiled)
    if dataset.root.is_relative_to(folder):  # so that the job's folder can be moved
        result.get("report", {})["pictures"] = dataset.root.relative_to(folder).as_posix()
    if board:
        result["seal"] = sealing.described(board, packed)
    if spec.canmv:
        canmv.add(result, folder, spec, dataset, model, options, progress.tell)
    result["seconds"] = round(time.monotonic() - began, 1)
    progress.tell(1.0, "done")
    return dict(result)


def _require_size(task: Task, job: Run, build: firmware.Firmware) -> None:
    """Refuse before the training what could not be packaged after it, naming what fits."""
    from .sizes import board_size, smaller_choices  # noqa: PLC0415 - loads Keras

    classes, size = len(job.dataset.labels), job.options.size
    file_bytes, main_memory = board_size(task, job.options, classes)
    finding = firmware.check_fit(file_bytes, main_memory, build, size)
    if finding:
        choices = smaller_choices(task, job.options, classes)
        firmware.require_fit(file_bytes, main_memory, build, size, choices)


def _train(task: Task, job: Run) -> FloatModel:
    def listen(event: TrainProgress) -> None:
        values = {
            "epoch": event.epoch,
            "epochs": event.epochs,
            "loss": event.loss,
            "accuracy": event.accuracy,
            "valid_loss": event.val_loss,
            "valid_accuracy": event.val_accuracy,
            "valid_map50": event.val_map50,
            "pictures_per_second": event.pictures_per_second,
        }
        known = {name: float(value) for name, value in values.items() if value is not None}
        job.progress.tell(event.fraction, f"train_{event.stage}", event.eta_seconds, known)

    return task.train(job.dataset, job.folder / TRAINING, job.options, listen)


def _compile(job: Run, model: FloatModel) -> kmodel.CompiledModel:
    chosen = stratified(job.dataset.of_split("train"), CALIBRATION)
    pictures = read_pictures(job.dataset, chosen, job.options.size, job.options.fit)
    graph = kmodel.from_keras(model.model)
    tell = job.progress.tell
    return kmodel.compile(graph, pictures, progress=lambda phase, part: tell(part, phase))


def _layers(job: Run, model: FloatModel, compiled: kmodel.CompiledModel) -> list[LayerRow]:
    """Draw the kmodel and return its layers, with their error on a few validation pictures."""
    chosen = stratified(job.dataset.of_split("valid"), LAYER_PICTURES)[:LAYER_PICTURES]
    pictures = read_pictures(job.dataset, chosen, model.card.size, model.card.fit)
    graph = kmodel.from_keras(model.model)
    errors = layer_errors(graph, compiled.data, pictures, compiled.layers)
    atomic_write(job.folder / LAYERS, plot(compiled.data, package.KMODEL, errors))
    return layer_rows(compiled.data, errors)


def _result(
    task: Task,
    job: Run,
    compiled: kmodel.CompiledModel,
    reports: Reports,
    model: FloatModel,
    packed: package.Package,
) -> Result:
    dataset = job.dataset
    result = Result(
        task=dataset.task,
        labels=list(dataset.labels),
        input=list(packed.input_size),
        fit=model.card.fit,
        float=task.figures(reports["float"]),
        int8=task.figures(reports["int8"]),
        kmodel=package.KMODEL,
        kmodel_bytes=len(compiled.data),
        ram_bytes=compiled.ram_bytes,
        ms=round(compiled.ms, 1),
        sd_zip=SD_ZIP,
        kfpkg=KFPKG,
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
    if packed.anchors:
        result["anchors"] = [list(anchor) for anchor in packed.anchors]
        result["threshold"], result["nms"] = packed.options.threshold, packed.options.nms
    if "test_float" in reports:
        result["test"] = {
            kind: task.test_figures(reports[f"test_{kind}"]) for kind in ("float", "int8")
        }
    return result


def _curves(model: FloatModel) -> list[Any]:
    return [
        {
            name.replace("val_", "valid_"): value
            for name, value in epoch.items()
            if value is not None
        }
        for epoch in model.card.history
    ]
