"""The shapes of the JSON that the rooms of a job hand to its pages."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

PACKAGE = "package"
"""The folder of a job's package (see `host.deploy.package`), inside of the job's."""
TUNED = "tuned"
"""Where packages with other values lie (see `retune`), inside of the job's folder."""


class DatasetSummary(TypedDict):
    """What the check counted; also the answer of `POST /api/jobs` and the column `dataset`."""

    task: str
    labels: list[str]
    counts: dict[str, int]
    pictures: int


class Accuracy(TypedDict):
    """`accuracy` is 0..1 over the pictures that were never trained on."""

    accuracy: float


class MeanPrecision(TypedDict):
    """Of a detector: mean average precision 0..1 over those pictures, as COCO defines it.

    `map50` counts a box as right at an IoU of 0.5, `map` is the mean over 0.5, 0.55 .. 0.95.
    """

    map50: float
    map: float


class FirmwareFit(TypedDict):
    """Whether the model fits one MaixPy build. `budget` and `needed` are bytes of main memory."""

    id: str
    name: str
    fits: bool
    budget: int
    needed: int


class Curve(TypedDict):
    """One epoch of the training. Rates and losses are of that epoch."""

    epoch: int
    stage: NotRequired[str]
    loss: float
    accuracy: NotRequired[float]
    valid_loss: NotRequired[float]
    valid_accuracy: NotRequired[float]
    valid_map50: NotRequired[float]
    valid_map: NotRequired[float]


LayerRow = TypedDict(
    "LayerRow",
    {
        "name": str,
        "kind": str,
        "in": list[int],
        "out": list[int],
        "ms": float,
        "sqnr_db": float | None,
    },
)
"""A layer of the kmodel: `in` and `out` are channels, height, width or a number of values, `ms`
is an estimate, `sqnr_db` the signal to quantization noise of a KPU layer (None: the CPU's)."""


class Report(TypedDict):
    """`as_dict()` of the `ClassifierReport` or `DetectorReport` of both models.

    `pictures` is the folder, relative to the job's, that the paths in `worst` are relative to.
    """

    float: dict[str, Any]
    int8: dict[str, Any]
    pictures: NotRequired[str]
    layers: NotRequired[list[LayerRow]]


class Canmv(TypedDict):
    """The kmodel V5 as nncase's simulator runs it on `pictures` of the validation pictures."""

    accuracy: float
    pictures: int
    kmodel: str
    kmodel_bytes: int


class Sealed(TypedDict):
    """The board that a model is sealed for: its name and the first digits of its id, the strength
    ("bound" or "burnt"), and the sealed model, which all packages hold instead of the kmodel."""

    board: str
    board_id: str
    strength: str
    kmx: str
    kmx_bytes: int


class Advised(TypedDict):
    """What boot.py was given first, as best for the validation pictures; None: no such value."""

    threshold: float
    nms: float | None


class Result(TypedDict):
    """`result.json`, the same object as `maixforge train --json` prints, and more.

    `kmodel`, `sd_zip` and `kfpkg` are paths, relative ones inside the job folder; `ms` is the
    estimated time of one picture on the board, `ram_bytes` the memory that the loaded model takes
    there (file and main memory), `seconds` the wall time of the job. `input` is width and height,
    `fit` how pictures came to it.
    `firmware_fit` has one entry a known build. `canmv_problems` are findings: why there is no
    kmodel V5 that was asked for. Of a detector `anchors` are width and height in grid cells,
    `threshold` and `nms` what boot.py was given. `target` is what its packages were made for since
    (see `retune.Target`). When its user chose others since (see `retune`;
    of a classifier `threshold` only), `advised` has those of the training. `test` has the figures
    of held-back data: an accuracy, or a `MeanPrecision`.
    """

    task: str
    labels: list[str]
    input: NotRequired[list[int]]
    fit: NotRequired[str]
    float: Accuracy | MeanPrecision
    int8: Accuracy | MeanPrecision
    test: NotRequired[dict[str, float] | dict[str, MeanPrecision]]
    anchors: NotRequired[list[list[float]]]
    threshold: NotRequired[float]
    nms: NotRequired[float]
    advised: NotRequired[Advised]
    target: NotRequired[dict[str, Any]]
    kmodel: str
    kmodel_bytes: int
    ram_bytes: int
    ms: float
    sd_zip: str
    kfpkg: str
    seconds: float
    report: NotRequired[Report]
    firmware_fit: NotRequired[list[FirmwareFit]]
    curves: NotRequired[list[Curve]]
    seal: NotRequired[Sealed]
    canmv: NotRequired[Canmv]
    canmv_problems: NotRequired[list[dict[str, Any]]]
