"""TensorFlow's and Keras' global state: quiet, seeded, the same every time."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any


def start(seed: int) -> None:
    """Import TensorFlow, seed everything and ask for operations that repeat exactly."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet_errors():
        import keras  # noqa: PLC0415
        import tensorflow as tf  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    # Among others it turns chains of additions into AddN, whose order varies: see `gradients`.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def gradients(loss: Any, variables: Sequence[Any]) -> list[Any]:
    """Return the gradients of a scalar, the same at every run; only inside of a `tf.function`.

    Where a tensor is used three times or more, `tf.GradientTape` sums their gradients by one
    AddN, which begins with any summand whose memory is free by then (TensorFlow 2.21,
    core/kernels/aggregate_ops.cc): the last bits depend on the threads' timing, and
    `enable_op_determinism` does not help. Here they are summed two at a time.
    """
    import tensorflow as tf  # noqa: PLC0415

    tree = tf.AggregationMethod.EXPERIMENTAL_TREE
    return tf.gradients(loss, variables, aggregation_method=tree)


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
