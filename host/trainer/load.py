"""Load a Keras model of somebody else."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .runtime import quiet_errors, start

if TYPE_CHECKING:
    import keras

Rewrite = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes the configuration of a model of Keras 2 one of Keras 3."""


def load_keras(path: Path, of_keras2: Rewrite) -> keras.Model:
    """Return the model in a .keras or .h5 file; code inside the file is never run.

    Args:
        path: the file; it stays as it is.
        of_keras2: what a file of Keras 2 (TensorFlow up to 2.15) needs.

    Raises:
        UserError: `kmodel_model_unreadable`: damaged, or with layers of its own (Lambda, custom
            classes); `kmodel_weights_only`; and what `of_keras2` raises.
    """
    start(0)
    import keras  # noqa: PLC0415

    try:
        with quiet_errors(), _modern(path, of_keras2) as file:
            model: Any = keras.models.load_model(file, compile=False, safe_mode=True)
    except UserError:
        raise
    except Exception as error:  # whatever the file makes Keras stumble over
        lines = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {lines[0][:200]}"
        raise UserError("kmodel_model_unreadable", path.name, reason=reason) from error
    return model


@contextmanager
def _modern(path: Path, of_keras2: Rewrite) -> Iterator[Path]:
    """Give the file, or a copy of it with the configuration that Keras 3 reads."""
    with tempfile.TemporaryDirectory(prefix="maixforge-") as folder:
        copy = Path(folder, f"model{path.suffix.lower()}")
        rewrite = _rewrite_zip if copy.suffix == ".keras" else _rewrite_h5
        yield copy if rewrite(path, copy, of_keras2) else path


def _rewrite_h5(path: Path, copy: Path, of_keras2: Rewrite) -> bool:
    """Write the copy of an .h5 file of Keras 2; of another one return False."""
    import h5py  # noqa: PLC0415 - comes with Keras

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise UserError("kmodel_weights_only", path.name)
        config = _text(file.attrs["model_config"])
        version = _text(file.attrs.get("keras_version", ""))
    if not version.startswith("2."):
        return False
    shutil.copyfile(path, copy)
    with h5py.File(copy, "r+") as file:
        file.attrs["model_config"] = json.dumps(of_keras2(json.loads(config)))
        weights: Any = file["model_weights"]
        for group in weights.values():
            names = [_text(one) for one in group.attrs.get("weight_names", ())]
            # Random layers of TensorFlow 2.5 to 2.8 kept the state of their numbers as a weight.
            kept = [one for one in names if not one.endswith("StateVar:0")]
            if kept != names:
                group.attrs["weight_names"] = [one.encode() for one in kept]
    return True


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _rewrite_zip(path: Path, copy: Path, of_keras2: Rewrite) -> bool:
    """Write the copy of a .keras file of Keras 2; of another one return False."""
    with zipfile.ZipFile(path) as file:
        metadata = json.loads(file.read("metadata.json"))
        if not str(metadata.get("keras_version", "")).startswith("2."):
            return False
        config = of_keras2(json.loads(file.read("config.json")))
        with zipfile.ZipFile(copy, "w") as made:
            for name in ("metadata.json", "model.weights.h5"):
                made.writestr(name, file.read(name))
            made.writestr("config.json", json.dumps(config))
    return True
