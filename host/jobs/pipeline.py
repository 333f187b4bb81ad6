"""The whole way of one job: receive, check, train, compile, evaluate, (seal,) package.

Each step reads what the earlier ones left in the job's folder, writes its own result whole or
not at all, and is then marked as done (see `steps`). The pages (through the child process) and the
CLI run this same function. What differs between classifiers and detectors is in `classify` and
`detect`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import kmodel
from ..datasets.dataset import Dataset
from ..datasets.intake import UNPACKED
from ..datasets.limits import MIB
from ..deploy import firmware, kfpkg, package, sdcard
from ..deploy.key_store import StoredKey
from ..files import atomic_write, remove_partial
from ..kmodel.graph import Graph
from ..kmodel.plot import plot
from ..kmodel.sqnr import layer_errors
from ..trainer import runtime
from ..trainer.model import load
from ..trainer.pictures import read_pictures
from . import added, canmv, classify, detect, judgements, room, sealing, sizes
from .dataset_json import from_json, place_of, to_json
from .model_file import layer_rows
from .pictures import LAYERS, REPORT
from .progress import Listener, Progress
from .receive import FINDINGS, TEST_DATA, receive
from .result_types import PACKAGE, FirmwareFit, LayerRow, Report, Result
from .sampling import stratified
from .spec import JobSpec
from .steps import FOLDER as MARKS
from .steps import Steps, digest, fingerprint
from .task import Reports, Run, Task, answer

if TYPE_CHECKING:
    from ..trainer.model import FloatModel
    from ..trainer.progress import TrainProgress

TASKS: dict[str, Task] = {"classify": classify, "detect": detect}
TRAINING, MODEL = "training", "model"
SD_ZIP, KFPKG = "sd.zip", "model.kfpkg"
CALIBRATION = 128
"""Most pictures that set the activation ranges; taken evenly from all classes."""
LAYER_PICTURES = 2
"""Pictures on which the error of the layers is measured."""


def run(folder: Path, spec: JobSpec, report: Listener) -> dict[str, Any]:
    """Run one job in `folder` and return what `result.json` holds (see `result_types.Result`).

    What an earlier run with the same order and data has done is not done again (see `steps`).

    Args:
        folder: the job's own folder; it exists.
        spec: what is asked for.
        report: called with event mappings (step, fraction 0..1, message, eta_seconds, values).

    Raises:
        UserError: the data cannot be used, an option is wrong, or the model fits no board.
    """
    progress = Progress(report)
    build = firmware.get(spec.firmware)
    canmv.require(spec)
    board = sealing.entry_of(spec)
    for name in ("", TRAINING, MODEL, REPORT, PACKAGE, MARKS, TEST_DATA):
        remove_partial(folder / name)
    steps = Steps(folder, fingerprint(folder, spec))
    dataset, test = _receive(steps, folder, spec, progress)
    canmv.require_task(spec, dataset.task)
    task = TASKS[dataset.task]
    options = task.options_for(spec.preset, **spec.choices())
    job = Run(folder, spec, dataset, test, options, progress)
    model = _Model(task, job, build)

    progress.begin("train")
    steps.do("fit", model.require_size)
    steps.do("train", model.train)
    progress.begin("compile")
    compiled = steps.do("compile", lambda: _compile(job, model.get()))
    progress.begin("evaluate")
    judged = steps.do("evaluate", lambda: _evaluate(task, job, model.get()))
    progress.begin("seal" if board else "package")
    image = spec.firmware_file(build)
    packed = steps.do(
        "package",
        lambda: _package(job, build, board, image, judged),
        also=sealing.known_as(board) + (digest(image) if image else ""),
    )
    judged["result"]["report"]["layers"] = compiled.pop("layers")
    result = Result(**{**judged["result"], **compiled, **packed})
    if spec.canmv:
        made = steps.do("canmv", lambda: canmv.make(job, model.get()))
        if "canmv_problems" in made:
            steps.forget("canmv")
        result.update(made)
    result["seconds"] = round(steps.seconds, 1)
    progress.tell(1.0, "done")
    return dict(result)


def _receive(
    steps: Steps, folder: Path, spec: JobSpec, progress: Progress
) -> tuple[Dataset, Dataset | None]:
    """Return the split data set, and the held-back one if there is one."""

    def work() -> tuple[Any, list[str]]:
        unpacked = sum(room.unpacked_bytes(folder / one) for one in (spec.source, spec.test) if one)
        room.require(folder, unpacked)
        both = receive(folder, spec, progress)
        roots = (UNPACKED, added.FOLDER, f"{TEST_DATA}/{UNPACKED}")
        return [one and to_json(one, folder) for one in both], [FINDINGS, *roots]

    both = steps.do("check", work)
    dataset, test = (one and from_json(one, folder) for one in both)
    assert dataset
    return dataset, test


class _Model:
    """The trained model of a job: just trained, or read back when a step needs it."""

    def __init__(self, task: Task, job: Run, build: firmware.Firmware) -> None:
        self.task, self.job, self.build = task, job, build
        self._model: FloatModel | None = None

    def require_size(self) -> tuple[None, list[str]]:
        """Do the step: see that what will be trained fits the board."""
        _require_size(self.job, self.build)
        return None, []

    def train(self) -> tuple[None, list[str]]:
        """Do the step: train and save."""
        runtime.start(self.job.options.seed)
        _require_room(self.job)
        self._model = _train(self.task, self.job)
        self._model.save(self.job.folder / MODEL)
        return None, [MODEL]

    def get(self) -> FloatModel:
        """Return the model."""
        if self._model is None:
            runtime.start(self.job.options.seed)
            self._model = load(self.job.folder / MODEL)
        return self._model


def _require_size(job: Run, build: firmware.Firmware) -> None:
    """Refuse before the training what could not be packaged after it, naming what fits."""
    classes, size = len(job.dataset.labels), job.options.size
    taken = sizes.on_board(job.options, classes)
    needed = taken.kmodel_bytes, taken.main_memory
    if firmware.check_fit(*needed, build, size):
        firmware.require_fit(*needed, build, size, sizes.smaller_choices(job.options, classes))


def _require_room(job: Run) -> None:
    """Say how much room the training needs, and begin only when there is as much."""
    whole = room.estimate(job.options, len(job.dataset.samples))
    needed = max(room.SPARE, whole - room.taken_bytes(job.folder / TRAINING))
    free = room.free_bytes(job.folder)
    values = {"needed_bytes": needed, "needed_mb": needed // MIB, "free_mb": free // MIB}
    job.progress.tell(0.0, "room", values=values)
    room.require(job.folder, needed)


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


def _compile(job: Run, model: FloatModel) -> tuple[dict[str, Any], list[str]]:
    """Write the kmodel and a drawing of it; return what a result says of both."""
    chosen = stratified(job.dataset.of_split("train"), CALIBRATION)
    pictures = read_pictures(job.dataset, chosen, job.options.size, job.options.fit)
    graph = kmodel.from_keras(model.model)
    tell = job.progress.tell
    compiled = kmodel.compile(graph, pictures, progress=lambda phase, part: tell(part, phase))
    atomic_write(job.folder / package.KMODEL, compiled.data)
    value = {
        "kmodel": package.KMODEL,
        "kmodel_bytes": len(compiled.data),
        "ram_bytes": compiled.ram_bytes,
        "ms": round(compiled.ms, 1),
        "firmware_fit": [_fit(one, compiled.ram_bytes) for one in firmware.known()],
        "layers": _layers(job, model, graph, compiled),
    }
    return value, [package.KMODEL, LAYERS]


def _fit(build: firmware.Firmware, ram_bytes: int) -> FirmwareFit:
    return {
        "id": build.id,
        "name": build.name,
        "fits": firmware.fits(ram_bytes, build),
        "budget": build.model_bytes,
        "needed": ram_bytes,
    }


def _layers(
    job: Run, model: FloatModel, graph: Graph, compiled: kmodel.CompiledModel
) -> list[LayerRow]:
    """Draw the kmodel and return its layers, with their error on a few validation pictures."""
    chosen = stratified(job.dataset.of_split("valid"), LAYER_PICTURES)[:LAYER_PICTURES]
    pictures = read_pictures(job.dataset, chosen, model.card.size, model.card.fit)
    errors = layer_errors(graph, compiled.data, pictures, compiled.layers)
    (job.folder / REPORT).mkdir(exist_ok=True)
    atomic_write(job.folder / LAYERS, plot(compiled.data, package.KMODEL, errors))
    return layer_rows(compiled.data, errors)


def _evaluate(task: Task, job: Run, model: FloatModel) -> tuple[dict[str, Any], list[str]]:
    """Judge both models and draw the report; return the figures and what boot.py is given."""
    answers = answer(job, model, (job.folder / package.KMODEL).read_bytes())
    verdict = task.judge(job, model, answers)
    files = {judgements.NAME: judgements.to_json(verdict.reports)}
    files |= task.pictures(job, model, verdict.reports)
    for name, data in files.items():
        atomic_write(job.folder / REPORT / name, data)
    value = {
        "result": _result(task, job, verdict.reports, model),
        "board": asdict(verdict.board),
        "anchors": model.card.anchors,
    }
    return value, [f"{REPORT}/{name}" for name in files]


def _result(task: Task, job: Run, reports: Reports, model: FloatModel) -> dict[str, Any]:
    dataset = job.dataset
    report = Report(
        float=reports["float"].as_dict(),
        int8=reports["int8"].as_dict(),
        pictures=place_of(dataset.root, job.folder),
    )
    result = {
        "task": dataset.task,
        "labels": list(dataset.labels),
        "fit": model.card.fit,
        "float": task.figures(reports["float"]),
        "int8": task.figures(reports["int8"]),
        "report": report,
        "curves": _curves(model),
    }
    if "test_float" in reports:
        result["test"] = {
            kind: task.test_figures(reports[f"test_{kind}"]) for kind in ("float", "int8")
        }
    return result


def _package(
    job: Run,
    build: firmware.Firmware,
    board: StoredKey | None,
    image: Path | None,
    judged: dict[str, Any],
) -> tuple[dict[str, Any], list[str]]:
    """Write the package and its renderings; return what a result says of them."""
    folder = job.folder
    packed = package.create(
        folder / PACKAGE,
        (folder / package.KMODEL).read_bytes(),
        name=job.spec.name,
        labels=job.dataset.labels,
        anchors=judged["anchors"],
        firmware=build.id,
        options=package.BoardOptions(**judged["board"]),
        key=board.key if board else None,
    )
    job.progress.begin("package")
    sd_zip = sdcard.build(packed, folder / SD_ZIP)
    flash = kfpkg.build(packed, folder / KFPKG, image)
    value: dict[str, Any] = {
        "input": list(packed.input_size),
        "sd_zip": sd_zip.name,
        "kfpkg": flash.name,
    }
    if packed.anchors:
        value["anchors"] = [list(anchor) for anchor in packed.anchors]
        value["threshold"], value["nms"] = packed.options.threshold, packed.options.nms
    if board:
        value["seal"] = sealing.described(board, packed)
    return value, [PACKAGE, SD_ZIP, KFPKG]


def _curves(model: FloatModel) -> list[Any]:
    return [
        {
            name.replace("val_", "valid_"): value
            for name, value in epoch.items()
            if value is not None
        }
        for epoch in model.card.history
    ]
