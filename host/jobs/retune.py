"""Threshold and NMS of a done job's packages: chosen by its user, packed anew, whole or not at all.

New packages are written beside those in use; the one change of the job's row is what makes them
the job's. A crash before that leaves files that nobody names, which the next change removes.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from ..deploy import firmware, kfpkg, package, sdcard
from ..errors import UserError
from ..files import sync_folder
from .child import SPEC
from .result_types import PACKAGE, TUNED
from .spec import JobSpec
from .store import Job, Store
from .trial import Values

_packing = Lock()


def retune(store: Store, job_id: str, values: Values) -> Job:
    """Give the packages of a done job other values and return the job.

    A sealed model stays sealed as it is: its key is not needed.

    Raises:
        UserError: `job_missing`, `job_state_wrong`, `package_missing` (an older MaixForge made the
            job), `package_unfinished`, `board_option_unusable`.
    """
    with _packing:
        job, folder = store.done(job_id), store.folder(job_id)
        new = folder / TUNED / secrets.token_hex(8)
        new.mkdir(parents=True)
        try:
            result = {**job.result, **_pack(folder, new, job.result, values)}
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


def _pack(folder: Path, new: Path, result: dict[str, Any], values: Values) -> dict[str, Any]:
    """Write the packages into the folder `new`; return what a result says of them."""
    spec = JobSpec.from_json((folder / SPEC).read_text("utf-8"))
    old = package.load(folder / PACKAGE)
    chosen = {"threshold": values.threshold}
    if values.nms is not None:
        chosen["nms"] = values.nms
    packed = package.changed(old, replace(old.options, **chosen))
    card = sdcard.build(packed, new / Path(result["sd_zip"]).name)
    said: dict[str, Any] = {**chosen, "sd_zip": _name(folder, card)}
    if result.get("kfpkg"):
        build = firmware.get(packed.firmware)
        image = spec.firmware_file(build)
        said["kfpkg"] = _name(folder, kfpkg.build(packed, new / Path(result["kfpkg"]).name, image))
    for one in (new.parent, folder):
        sync_folder(one)
    before = Values.of(result)
    said["advised"] = result.get("advised") or {"threshold": before.threshold, "nms": before.nms}
    return said


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
