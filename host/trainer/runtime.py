"""TensorFlow's and Keras' global state: quiet, seeded, the same every time."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version


def start(seed: int) -> None:
    """Import TensorFlow, seed everything and ask for operations that repeat exactly."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet_errors():
        import keras  # noqa: PLC0415
        import tensorflow as tf  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextmanager
def quiet_errors() -> Iterator[None]:
    """Keep TensorFlow's libraries from greeting on the terminal; no log level stops them."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide what a training gives."""
    import tensorflow as tf  # noqa: PLC0415

    found = {name: version(name) for name in ("keras", "numpy", "pillow")}
    return {"python": platform.python_version(), "tensorflow": tf.__version__, **found}
