"""What a done job's packages are for: threshold and NMS, board, firmware, the way camera and screen
are turned, and which board may open them. Packed anew without a training, whole or not at all.

New packages are written beside those in use; the one change of the job's row is what makes them
the job's. A crash before that leaves files that nobody names, which the next change removes.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from ..deploy import firmware, kfpkg, package, sdcard, seal
from ..errors import UserError
from ..files import atomic_write, sync_folder
from . import sealing
from .child import SPEC
from .result_types import PACKAGE, TUNED, Sealed
from .spec import JobSpec
from .store import Job, Store
from .trial import Values

_packing = Lock()


@dataclass(frozen=True, slots=True)
class Target:
    """Where packages are for. `board` is a name of `collector.BOARDS` ("": found by the script),
    `firmware` the id of a build, `rotation` of the screen None (as usual) or 0..3, `mirror` and
    `flip` turn the camera's picture; `seal` names the board that may open it ("": every one)."""

    board: str = ""
    firmware: str = ""
    rotation: int | None = None
    mirror: bool = False
    flip: bool = False
    seal: str = ""

    @classmethod
    def of(cls, result: Mapping[str, Any], made: package.Package) -> Target:
        """Return the one that a job's packages have now; `made` is that of the training."""
        if "target" in result:
            return cls(**result["target"])
        options, board = made.options, result.get("seal", {}).get("board", "")
        return cls(options.board, made.firmware, options.rotation, options.mirror, options.flip,
                   board)  # fmt: skip


def target_of(store: Store, job: Job) -> tuple[Target, bool]:
    """Return what a done job's packages are for now, and whether its training sealed them.

    Raises:
        UserError: `package_missing`, `package_unfinished`.
    """
    made = package.load(store.folder(job.id) / PACKAGE)
    return Target.of(job.result, made), made.seal is not None


def retune(store: Store, job_id: str, values: Values | Target) -> Job:
    """Give the packages of a done job other values, or another target, and return the job.

    What is not given stays as it is. A model that was sealed by its training stays sealed for its
    board: the key is not needed.

    Raises:
        UserError: `job_missing`, `job_state_wrong`, `package_missing` (an older MaixForge made the
            job), `package_unfinished`, `board_option_unusable`, `firmware_unknown`, that the model
            does not fit the firmware, `seal_fixed`, or what is wrong with the board's key.
    """
    with _packing:
        job, folder = store.done(job_id), store.folder(job_id)
        new = folder / TUNED / secrets.token_hex(8)
        new.mkdir(parents=True)
        try:
            result = _pack(folder, new, job.result, values)
            if not store.move(job_id, ("done",), "done", Job.ended == job.ended, result=result):
                state = store.get(job_id).state
                raise UserError("job_state_wrong", job_id, state=state, needed="done")
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        for old in (folder / TUNED).iterdir():
            if old != new:
                shutil.rmtree(old, ignore_errors=True)
        return store.get(job_id)


def _pack(
    folder: Path, new: Path, result: dict[str, Any], asked: Values | Target
) -> dict[str, Any]:
    """Write the packages into the folder `new`; return the result that names them."""
    spec = JobSpec.from_json((folder / SPEC).read_text("utf-8"))
    old = package.load(folder / PACKAGE)
    target = asked if isinstance(asked, Target) else Target.of(result, old)
    before = Values.of(result)
    values = asked if isinstance(asked, Values) else before
    chosen = {"threshold": values.threshold}
    if values.nms is not None:
        chosen["nms"] = values.nms
    options = replace(
        old.options,
        **chosen,
        board=_board(target.board),
        rotation=target.rotation,
        mirror=target.mirror,
        flip=target.flip,
    )
    packed = replace(package.changed(old, options), firmware=firmware.get(target.firmware).id)
    said: dict[str, Any] = {**result, "target": asdict(target)}
    if isinstance(asked, Values):
        advised = {"threshold": before.threshold, "nms": before.nms}
        said |= {**chosen, "advised": result.get("advised") or advised}
    if not old.seal:
        said.pop("seal", None)
        if target.seal:
            packed, said["seal"] = _sealed(folder, new, packed, spec, target.seal)
    elif target.seal != result["seal"]["board"]:
        raise UserError("seal_fixed", "seal", board=result["seal"]["board"])
    said["sd_zip"] = _name(folder, sdcard.build(packed, new / Path(result["sd_zip"]).name))
    if result.get("kfpkg"):
        image = spec.firmware_file(firmware.get(packed.firmware))
        said["kfpkg"] = _name(folder, kfpkg.build(packed, new / Path(result["kfpkg"]).name, image))
    for one in (new.parent, folder):
        sync_folder(one)
    return said


def _sealed(
    folder: Path, new: Path, packed: package.Package, spec: JobSpec, board: str
) -> tuple[package.Package, Sealed]:
    """Write the model sealed for a board into `new`; return its package and what is said of it."""
    if spec.canmv:
        raise UserError("seal_canmv")
    entry = sealing.usable(Path(spec.data_folder), board)
    data = seal.seal(packed.kmodel.read_bytes(), entry.key)
    atomic_write(new / package.KMX, data)
    packed = replace(packed, folder=new, seal=package.Seal.of(data, entry.key))
    described = sealing.described(entry, packed)
    return packed, {**described, "kmx": _name(folder, packed.board_file)}


def _board(name: str) -> str:
    """Return what boot.py calls a board: those without peculiarities are one."""
    return name if name in package.BOARDS else "other"


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
