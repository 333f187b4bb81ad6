"""The kmodel V5 of a job, for CanMV firmware: made and judged by nncase (see `kmodel.canmv`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.dataset import Dataset
from ..errors import Finding, UserError
from ..files import atomic_write
from ..kmodel import canmv
from ..trainer.export import to_tflite
from ..trainer.model import FloatModel
from ..trainer.options import TrainOptions
from ..trainer.pictures import read_pictures
from . import findings
from .result_types import Canmv
from .sampling import stratified
from .spec import JobSpec
from .task import Run

KMODEL = "m_v5.kmodel"
CALIBRATION = 32
"""nncase looks at one picture after the other, so these are fewer than our own."""
JUDGED = 60
"""Most validation pictures that nncase's simulator runs: it does 1 to 4 a second."""


def require(spec: JobSpec) -> None:
    """Refuse before the training what would be missed after it.

    Raises:
        UserError: `nncase_missing`.
    """
    if spec.canmv:
        canmv.find_python(_python(spec))


def require_task(spec: JobSpec, task: str) -> None:
    """Refuse what nobody has seen run: CanMV's own decoding of boxes is not MaixPy's.

    Raises:
        UserError: `canmv_detect`.
    """
    if spec.canmv and task != "classify":
        raise UserError("canmv_detect", "--canmv")


def make(job: Run, model: FloatModel) -> tuple[dict[str, Any], list[str]]:
    """Write `m_v5.kmodel` and return what its simulator says, for the result; and its name.

    The job's own result is done by then: what nncase cannot convert becomes a warning in
    `canmv_problems`, and the kmodel V3 stays.
    """
    path = job.folder / KMODEL
    path.unlink(missing_ok=True)
    job.progress.tell(0.0, "canmv")
    try:
        data = _compile(job.spec, job.dataset, model, job.options)
        atomic_write(path, data)
        job.progress.tell(0.5, "canmv")
        return {"canmv": _judge(data, job.spec, job.dataset, job.options)}, [KMODEL]
    except UserError as error:
        found = error.findings
        warnings = [Finding(one.code, one.path, "warning", one.params) for one in found]
        return {"canmv_problems": findings.to_json(warnings)}, []


def _compile(spec: JobSpec, dataset: Dataset, model: FloatModel, options: TrainOptions) -> bytes:
    chosen = stratified(dataset.of_split("train"), CALIBRATION)
    pictures = read_pictures(dataset, chosen, options.size, options.fit)
    network, meaning = to_tflite(model.model)
    return canmv.compile_v5(network, pictures, input_range=meaning, python=_python(spec))


def _judge(data: bytes, spec: JobSpec, dataset: Dataset, options: TrainOptions) -> Canmv:
    at_most = max(JUDGED - len(dataset.labels) + 1, 1)  # as many of each class, rounded up
    chosen = stratified(dataset.of_split("valid"), at_most)
    pictures = read_pictures(dataset, chosen, options.size, options.fit)
    scores = canmv.simulate_v5(data, pictures, python=_python(spec))[0]
    right = scores.argmax(1) == np.array([one.label for one in chosen])
    return Canmv(
        accuracy=float(right.mean()),
        pictures=len(chosen),
        kmodel=KMODEL,
        kmodel_bytes=len(data),
    )


def _python(spec: JobSpec) -> Path | None:
    return Path(spec.nncase_python) if spec.nncase_python else None
