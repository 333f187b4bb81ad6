"""One stage of a detector's training: what is trained, its optimizer, its averaged weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from . import runtime
from .detect_loss import Region, region_loss
from .detect_net import NECK, trained_layers
from .detect_options import DetectOptions
from .detect_pictures import Pictures
from .detect_validate import average_precision, boxes_of
from .head import check_finite

if TYPE_CHECKING:
    import keras

WARM_UP = 0.05
"""Part of a stage's steps in which the learning rate rises from a tenth of its highest value."""

LAST_RATE = 0.02
"""Learning rate at the end, as a part of the highest."""

LARGEST_GRADIENT = 10.0
"""Longer gradients (all variables together) are shortened to this length."""

STATISTICS = ("moving_mean", "moving_variance")

VALIDATION_BATCH = 32


class Stage:
    """Trains layers of `model` in place.

    The backbone's batch normalisation keeps its ImageNet statistics; the neck, which is new,
    gathers its own. What is judged and kept is a moving average of the weights.
    """

    def __init__(
        self,
        model: keras.Model,
        region: Region,
        options: DetectOptions,
        *,
        first_block: int | None,
        rate: float,
        steps: int,
    ) -> None:
        """`first_block` is as in `trained_layers`; `steps` is all of the stage's."""
        import keras  # noqa: PLC0415
        import tensorflow as tf  # noqa: PLC0415

        self.region, self.options, self.rate = region, options, rate
        seam = model.get_layer(NECK[0]).input
        self.backbone, self.rest = keras.Model(model.input, seam), keras.Model(seam, model.output)
        weights = {
            f"{layer.name}.{variable.name}": variable
            for layer in trained_layers(model, first_block)
            for variable in layer.weights
        }
        kinds = {name: name.rpartition(".")[2] in STATISTICS for name in weights}
        self.variables = {name: one for name, one in weights.items() if not kinds[name]}
        self.statistics = {
            name: one for name, one in weights.items() if kinds[name] and name.startswith("neck")
        }
        self.optimizer = _optimizer(list(self.variables.values()), rate, steps, options)
        self.means = [tf.Variable(variable.value) for variable in self.variables.values()]
        self._step = tf.function(self._train, input_signature=[
            tf.TensorSpec((options.batch, *model.input_shape[1:]), tf.float32),
            tf.TensorSpec((options.batch, None, 4), tf.float32),
            tf.TensorSpec((options.batch, None), tf.int32),
        ])  # fmt: skip
        self._found = tf.function(self._find)

    def _train(self, pixels: Any, boxes: Any, labels: Any) -> dict[str, Any]:
        import tensorflow as tf  # noqa: PLC0415

        variables = [variable.value for variable in self.variables.values()]
        values = self.rest(self.backbone(pixels, training=False), training=True)
        losses = region_loss(self.region, values, boxes, labels, self.options)
        gradients = runtime.gradients(losses["loss"], variables)
        self.optimizer.apply(gradients, list(self.variables.values()))
        count = tf.cast(self.optimizer.iterations, tf.float32)
        # An average over few steps forgets faster, or it would remember the random start.
        keep = tf.minimum(self.options.average, (1 + count) / (10 + count))
        for mean, variable in zip(self.means, self.variables.values(), strict=True):
            mean.assign(keep * mean + (1 - keep) * variable)
        return losses

    def epoch(self, batches: Any, name: str, number: int) -> dict[str, float]:
        """Train on `batches` of `Views.epoch` once; return the mean losses.

        Raises:
            UserError: `training_diverged`.
        """
        rows: dict[str, list[float]] = {}
        for batch in batches:
            for key, value in self._step(*batch).items():
                rows.setdefault(key, []).append(float(value))
            check_finite(rows["loss"][-1], name, number, self.rate)
        return {key: float(np.mean(values)) for key, values in rows.items()}

    def _find(self, place: Any, pictures: Pictures) -> Any:
        import tensorflow as tf  # noqa: PLC0415

        pixels = tf.cast(pictures.read(place), tf.float32)
        values = self.rest(self.backbone(pixels, training=False), training=False)
        return boxes_of(self.region, values)

    def judge(self, pictures: Pictures) -> dict[str, float]:
        """Return `val_map50` and `val_map` (COCO's) of the weights as they are."""
        import tensorflow as tf  # noqa: PLC0415

        found: list[np.ndarray] = []
        for start in range(0, len(pictures), VALIDATION_BATCH):
            place = tf.range(start, min(start + VALIDATION_BATCH, len(pictures)))
            boxes, scores, labels, counts = (one.numpy() for one in self._found(place, pictures))
            rows = np.concatenate([boxes, labels[..., None], scores[..., None]], -1)
            found += [row[:count] for row, count in zip(rows, counts, strict=True)]
        precision = average_precision(found, pictures.truth(), self.region.classes)
        return {
            "val_map50": float(np.nanmean(precision[:, 0])),
            "val_map": float(np.nanmean(precision)),
        }

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights in place of the last ones for a while."""
        last = [variable.value.numpy() for variable in self.variables.values()]
        self.settle()
        try:
            yield
        finally:
            for variable, value in zip(self.variables.values(), last, strict=True):
                variable.assign(value)

    def settle(self) -> None:
        """Put the averaged weights in place of the last ones."""
        for variable, mean in zip(self.variables.values(), self.means, strict=True):
            variable.assign(mean)

    def weights(self) -> dict[str, np.ndarray]:
        """Return a copy of the trained weights and statistics by `<layer>.<variable>`."""
        both = {**self.variables, **self.statistics}
        return {name: variable.value.numpy() for name, variable in both.items()}

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next epoch begins with, for `restore`."""
        means = dict(zip(self.variables, self.means, strict=True))
        return {
            **{f"last/{name}": value for name, value in self.weights().items()},
            **{f"mean/{name}": mean.numpy() for name, mean in means.items()},
            **{f"optimizer/{i}": v.numpy() for i, v in enumerate(self.optimizer.variables)},
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        for name, variable in {**self.variables, **self.statistics}.items():
            variable.assign(state[f"last/{name}"])
        for name, mean in zip(self.variables, self.means, strict=True):
            mean.assign(state[f"mean/{name}"])
        for number, variable in enumerate(self.optimizer.variables):
            variable.assign(state[f"optimizer/{number}"])


def _optimizer(variables: list[Any], rate: float, steps: int, options: DetectOptions) -> Any:
    import keras  # noqa: PLC0415

    warm_up = max(1, round(steps * WARM_UP))
    schedule: Any = keras.optimizers.schedules.CosineDecay(
        rate / 10,
        max(1, steps - warm_up),
        alpha=LAST_RATE,
        warmup_target=rate,
        warmup_steps=warm_up,
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=options.weight_decay, global_clipnorm=LARGEST_GRADIENT
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(variables)
    return optimizer
