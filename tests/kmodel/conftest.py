"""Pictures, and the old interpreter in which nncase runs."""

import os
import subprocess
from pathlib import Path

import nncase_run
import numpy as np
import pytest


@pytest.fixture(scope="session")
def nncase_python(root):
    """The interpreter in which nncase runs."""
    default = root / "build" / "nncase-venv" / "bin" / "python"
    python = Path(os.environ.get("TEST_NNCASE_PYTHON") or default)
    if not python.is_file():
        pytest.skip("no interpreter with nncase: make nncase, or TEST_NNCASE_PYTHON names one")
    return python


@pytest.fixture(scope="session")
def nncase(nncase_python, tmp_path_factory):
    """Run layers in Kendryte's simulator: `nncase(layers, pictures)` -> (bytes, registers)."""
    folder = tmp_path_factory.mktemp("nncase")

    def run(layers, pictures):
        jobs = {}
        for i, (layer, x) in enumerate(zip(layers, pictures, strict=True)):
            blocks = {
                "registers": layer.registers.pack(),
                "weights": layer.weights.tobytes(),
                "bn": layer.pack_bn(),
                "act": layer.activation.pack(),
            }
            jobs |= {f"{name}{i}": np.frombuffer(data, "u1") for name, data in blocks.items()}
            jobs[f"x{i}"] = x
        np.savez(folder / "jobs.npz", **jobs)
        command = [nncase_python, nncase_run.__file__, folder / "jobs.npz", folder / "results.npz"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False
        )  # nncase leaves a kmodel_info.txt where it runs
        assert done.returncode == 0, done.stderr
        with np.load(folder / "results.npz") as results:
            return [(results[f"y{i}"], results[f"words{i}"]) for i in range(len(layers))]

    return run
