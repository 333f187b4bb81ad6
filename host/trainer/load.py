"""Load a Keras model of somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .runtime import quiet_errors, start

if TYPE_CHECKING:
    import keras


def load_keras(path: Path) -> keras.Model:
    """Return the model in a .keras or .h5 file; code inside the file is never run.

    Raises:
        UserError: `kmodel_model_unreadable`: damaged, of another version, or with layers of its
            own (Lambda, custom classes).
    """
    start(0)
    import keras  # noqa: PLC0415

    try:
        with quiet_errors():
            model: Any = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever the file makes Keras stumble over
        lines = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {lines[0][:200]}"
        raise UserError("kmodel_model_unreadable", path.name, reason=reason) from error
    return model
