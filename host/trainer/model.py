"""The trained model and its card, as a folder: `model.keras` and `card.json`. Never pickled."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..errors import UserError
from ..files import atomic_path, atomic_write

if TYPE_CHECKING:
    import keras

    from .options import Fit

MODEL, CARD = "model.keras", "card.json"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Where a model comes from and what it expects. Plain values only: it is stored as JSON."""

    labels: tuple[str, ...]
    """Names of the outputs, in order."""
    size: tuple[int, int]
    """Input width and height in pixels."""
    fit: Fit
    """How pictures were brought to that size: "crop" or "letterbox"."""
    scale: float
    """A pixel p enters the first convolution as p * scale + offset."""
    offset: float
    seed: int
    task: str = "classify"
    """What it does: "classify" or "detect"."""
    anchors: tuple[tuple[float, float], ...] = ()
    """Of a detector: five times width and height in cells of its grid."""
    versions: dict[str, str] = field(default_factory=dict)
    """Versions of Python and of the libraries that trained it."""
    pictures: dict[str, int] = field(default_factory=dict)
    """How many pictures were trained on ("train") and set aside ("valid")."""
    metrics: dict[str, float] = field(default_factory=dict)
    """What the validation pictures gave in the epoch that was kept."""
    kept: dict[str, Any] = field(default_factory=dict)
    """Stage and epoch whose weights these are, and views per training picture."""
    history: tuple[dict[str, Any], ...] = ()
    """Every epoch: stage, epoch, losses, and what validation gave."""
    options: dict[str, Any] = field(default_factory=dict)
    """`as_dict()` of the options."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the card that `as_dict` was made of.

        Raises:
            TypeError, KeyError: a field is missing or unknown.
        """
        known = {each.name for each in fields(cls)}
        tuples = {
            "labels": tuple(values["labels"]),
            "size": tuple(values["size"]),
            "anchors": tuple(tuple(anchor) for anchor in values.get("anchors", ())),
        }
        history = {"history": tuple(values.get("history", ()))}
        chosen = {name: value for name, value in values.items() if name in known}
        return cls(**{**chosen, **tuples, **history})


class FloatModel:
    """A Keras model and its card: pixels 0..255 in, probabilities or raw region values out."""

    def __init__(self, model: keras.Model, card: ModelCard) -> None:
        self.model = model
        self.card = card
        self._run: Any = None

    def predict(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Return what the network says of uint8 images (n, height, width, 3) RGB, float32.

        A classifier gives probabilities (n, classes). A detector gives raw region values
        (n, 5 * (5 + classes) * rows * columns) in the order of the board's `KPU.forward`: anchor
        by anchor, and in each x, y, width, height, objectness and classes, each row by row.
        """
        parts = [self._batch(images[i : i + batch]) for i in range(0, len(images), batch)]
        return np.concatenate([self._nothing(), *parts])

    def predict_batches(self, batches: Iterator[np.ndarray]) -> np.ndarray:
        """Return the same for images that come in batches (more than fit into memory)."""
        return np.concatenate([self._nothing(), *(self.predict(images) for images in batches)])

    def _nothing(self) -> np.ndarray:
        return np.empty((0, int(np.prod(self.model.output_shape[1:]))), np.float32)

    def _batch(self, images: np.ndarray) -> np.ndarray:
        import tensorflow as tf  # noqa: PLC0415

        if self._run is None:

            def run(pixels: tf.Tensor) -> Any:
                values = self.model(tf.cast(pixels, tf.float32), training=False)
                if self.card.task == "detect":
                    values = tf.transpose(values, (0, 3, 1, 2))
                return tf.reshape(values, (tf.shape(pixels)[0], -1))

            signature = tf.TensorSpec((None, *self.model.input_shape[1:]), tf.uint8)
            self._run = tf.function(run, input_signature=[signature])
        return self._run(images).numpy()

    def save(self, folder: Path) -> None:
        """Write the model into `folder`; the card, written last, says that it is whole."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CARD).unlink(missing_ok=True)
        with atomic_path(folder / MODEL) as temporary:
            whole = temporary.with_name(temporary.name + ".keras")  # Keras insists on the suffix
            try:
                self.model.save(whole)
                whole.replace(temporary)
            finally:
                whole.unlink(missing_ok=True)
        text = json.dumps(self.card.as_dict(), indent=2, ensure_ascii=False) + "\n"
        atomic_write(folder / CARD, text.encode())


def load(folder: Path) -> FloatModel:
    """Return the model that `FloatModel.save` wrote into `folder`.

    Raises:
        UserError: `model_unreadable`.
    """
    import keras  # noqa: PLC0415

    try:
        card = ModelCard.from_dict(json.loads((folder / CARD).read_text("utf-8")))
        model: Any = keras.models.load_model(folder / MODEL, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise UserError("model_unreadable", folder.name, reason=reason) from error
    return FloatModel(model, card)


def set_weights(model: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Set the variables of `model` that `weights` names `<layer>.<variable>`; others stay."""
    for layer in model.layers:
        for variable in layer.weights:
            if f"{layer.name}.{variable.name}" in weights:
                variable.assign(weights[f"{layer.name}.{variable.name}"])
