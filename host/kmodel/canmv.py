"""Kmodel V5 for CanMV firmware, through nncase 1.9 in an interpreter of its own.

Stock MaixPy reads kmodel V3, which `compile_graph` writes; CanMV firmware reads V5, which
nncase 1.9.0.20230322 writes. nncase runs on Python 3.7 to 3.10 only, so it is started as a process
(`nncase_worker.py`) in a folder that is removed afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "build" / "nncase-venv"
"""Where `make nncase` puts nncase."""
REQUIREMENTS = ROOT / "requirements" / "nncase.txt"
WORKER = Path(__file__).with_name("nncase_worker.py")
VERSIONS = ("3.10", "3.9", "3.8", "3.7")
"""Pythons that nncase 1.9 has wheels for."""

START_SECONDS = 60.0
SETUP_SECONDS = 900.0
PICTURE_SECONDS = 30.0
"""Longest time of one picture, 100 times the usual one."""
REASON = 300
"""Characters of a reason that people are shown."""


def compile_v5(
    network: bytes,
    calibration: np.ndarray,
    *,
    input_range: tuple[float, float] = (0.0, 1.0),
    method: str = "no_clip",
    python: Path | None = None,
) -> bytes:
    """Return a kmodel V5: bytes of a planar RGB picture in, float32 out.

    Args:
        network: a float ONNX or TFLite file.
        calibration: uint8 (n, height, width, channels).
        input_range: what byte 0 and byte 255 mean to the network.
        method: nncase's way to choose the ranges of activations.
        python: interpreter with nncase; None: see `find_python`.

    Raises:
        UserError: `nncase_missing`, `nncase_failed` or `kmodel_picture_size`.
    """
    name = "network.tflite" if network[4:8] == b"TFL3" else "network.onnx"
    options = {"network": name, "input_range": input_range, "calibrate_method": method}
    files = {name: network, "options.json": json.dumps(options).encode()}
    with tempfile.TemporaryDirectory(prefix="nncase-") as folder:
        _work(Path(folder), "compile", files, calibration, find_python(python))
        return _result(Path(folder), "m.kmodel").read_bytes()


def simulate_v5(data: bytes, images: np.ndarray, *, python: Path | None = None) -> list[np.ndarray]:
    """Run uint8 pictures (n, height, width, channels) through a kmodel V5 in nncase's simulator.

    Returns:
        One float32 array (n, values) for each output.

    Raises:
        UserError: as `compile_v5`.
    """
    with tempfile.TemporaryDirectory(prefix="nncase-") as folder:
        _work(Path(folder), "simulate", {"m.kmodel": data}, images, find_python(python))
        _result(Path(folder), "result_0.npy")
        results = sorted(Path(folder).glob("result_*.npy"), key=lambda one: int(one.stem[7:]))
        return [np.load(one, allow_pickle=False) for one in results]


def find_python(named: Path | None = None) -> Path:
    """Return an interpreter that has nncase: `named`, or the first one that is found.

    Raises:
        UserError: `nncase_missing`; an interpreter that was named is not replaced by another.
    """
    if named is not None:
        if not _has_nncase(named):
            raise UserError("nncase_missing", found=str(named))
        return named
    for python in candidates():
        if _has_nncase(python):
            return python
    raise UserError("nncase_missing", found=", ".join(map(str, candidates())) or "-")


def candidates() -> list[Path]:
    """Return interpreters of Python 3.7 to 3.10: our environment, PATH, pyenv's."""
    return list(dict.fromkeys(path for path in _places() if path.is_file()))


def _places() -> Iterator[Path]:
    yield environment_python(ENVIRONMENT)
    for version in VERSIONS:
        if found := shutil.which(f"python{version}"):
            yield Path(found)
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in VERSIONS:
        for folder in sorted(versions.glob(f"{version}.*"), reverse=True):
            yield environment_python(folder)


def environment_python(folder: Path) -> Path:
    """Return the interpreter of a virtual environment or of an installation of pyenv."""
    windows = folder / "Scripts" / "python.exe"
    return windows if windows.is_file() else folder / "bin" / "python"


def _has_nncase(python: Path) -> bool:
    # Asked to fail in its own way: a program that only ends well is no Python with nncase.
    code = "import sys, numpy, nncase; nncase.PTQTensorOptions, sys.exit(41)"
    return _run([python, "-I", "-c", code], ROOT, START_SECONDS).startswith("exit code 41")


def prepare_environment(folder: Path = ENVIRONMENT, python: Path | None = None) -> Path:
    """Make a virtual environment with the locked nncase in `folder`; fetches about 40 MB once.

    Args:
        folder: is made, or completed where it exists; a new one is removed on failure.
        python: a Python 3.7 to 3.10; None: the first that is found.

    Returns:
        The interpreter to compile with.

    Raises:
        UserError: `nncase_python_missing` or `nncase_setup_failed`.
    """
    made, new = environment_python(folder), not folder.exists()
    usable = [python] if python else [one for one in candidates() if one != made]
    for base in usable:
        if not _run([base, "-I", "-c", "import venv, ensurepip"], ROOT, START_SECONDS):
            break
    else:
        raise UserError("nncase_python_missing", found=", ".join(map(str, usable)) or "-")
    pip = "-m pip --disable-pip-version-check install --only-binary :all: --require-hashes -r"
    reason = _run([base, "-I", "-m", "venv", folder], ROOT, SETUP_SECONDS)
    made = environment_python(folder)
    reason = reason or _run([made, "-I", *pip.split(), REQUIREMENTS], ROOT, SETUP_SECONDS)
    if reason or not _has_nncase(made):
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise UserError("nncase_setup_failed", str(folder), reason=reason or "import nncase")
    return made


def _work(
    folder: Path, task: str, files: dict[str, bytes], pictures: np.ndarray, python: Path
) -> None:
    """Let the worker do `task` in `folder`."""
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or not len(pictures):
        found = f"{pictures.dtype} {'x'.join(map(str, pictures.shape))}"
        raise UserError("kmodel_picture_size", found=found, needed="uint8 NxHxWxC")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    np.save(folder / "pictures.npy", np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
    limit = START_SECONDS + PICTURE_SECONDS * len(pictures)
    # nncase leaves kmodel_info.txt where it runs: in the folder that goes away.
    if reason := _run([python, "-I", WORKER, task], folder, limit):
        raise UserError("nncase_failed", reason=reason)


def _result(folder: Path, name: str) -> Path:
    """Return the file that the worker was to leave."""
    if not (folder / name).is_file():
        raise UserError("nncase_failed", reason=f"no {name}")
    return folder / name


def _run(command: Sequence[str | Path], folder: Path, seconds: float) -> str:
    """Run a command in `folder`; return "" or, in one line, why it failed."""
    try:
        done = subprocess.run(
            list(map(str, command)),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {seconds:.0f} s"
    except OSError as error:
        return error.strerror or str(error)
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in (done.stderr or "").splitlines() if line.strip()]
    said = lines[-1][:REASON] if lines else ""
    return "; ".join(part for part in (_ending(done.returncode), said) if part)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"it was stopped by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was stopped by signal {-code}"


if __name__ == "__main__":  # make nncase
    try:
        print(prepare_environment())
    except UserError as error:
        sys.exit(str(error))
