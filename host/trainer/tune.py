"""Second stage: fine-tune the last blocks on cached maps, with few pictures and small batches.

Batch normalisation keeps its ImageNet statistics (a batch of 32 views of a few pictures would
spoil them) while its scale and shift are trained. What is judged and kept is a moving average of
the weights, at the epoch of the lowest validation loss: with few validation pictures the loss
says more than the accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .checkpoint import Save, Saved, assign, numbered
from .features import LEVEL, Features, boundary
from .head import Tick, check_finite, judge, right_answers, shuffled, smoothed_loss
from .options import TrainOptions

if TYPE_CHECKING:
    import keras

WARM_UP = 0.1
"""The learning rate starts at this part of its highest value and rises over one epoch."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """Best weights by `<layer>.<variable>`, the epochs, and which of them was best (from 1)."""

    weights: dict[str, np.ndarray]
    history: list[dict[str, float]]
    best_epoch: int


def tune_epochs(pictures: int, options: TrainOptions) -> int:
    """Return the passes over `pictures` training pictures: fewer when there are many."""
    return min(options.tune_epochs, max(3, round(options.tune_total / max(pictures, 1))))


def train_tail(
    model: keras.Model,
    train: Features,
    valid: Features,
    options: TrainOptions,
    tick: Tick,
    saved: Saved = None,
    save: Save | None = None,
) -> Tuned:
    """Train the last blocks and the head of `model` in place, then give it the best weights.

    `model` has its head from the first stage. After `patience` epochs without a lower
    validation loss it stops. After each epoch `save` is given what it takes to go on, as `saved`,
    after it.

    Raises:
        UserError: `training_diverged`.
    """
    epochs = tune_epochs(len(train.truth), options)
    tail = _Tail(model, len(train.truth), epochs, options)
    history: list[dict[str, float]] = []
    if saved:
        arrays, (history, lowest, at) = saved
        tail.resume(arrays)
        best = lowest, at, {name: arrays[f"best/{name}"] for name in tail.variables}
    else:
        best = judge(tail.logits(valid), valid.truth)["val_loss"], 0, tail.snapshot()
    for epoch in range(len(history) + 1, epochs + 1):
        if epoch - 1 - best[1] >= options.patience:
            break
        values = tail.epoch(train, epoch)
        with tail.averaged():
            values |= judge(tail.logits(valid), valid.truth)
            check_finite(values["val_loss"], "tune", epoch, options.tune_rate)
            history.append(values)
            if values["val_loss"] < best[0]:
                best = values["val_loss"], epoch, tail.snapshot()
        if save:
            arrays = {f"best/{name}": value for name, value in best[2].items()}
            save({**tail.state(), **arrays}, [history, best[0], best[1]])
        tick(epoch, values)
    tail.restore(best[2])
    return Tuned(best[2], history, best[1])


class _Tail:
    """The tuned blocks and the head of a model, their optimizer and their averaged weights."""

    def __init__(
        self, model: keras.Model, pictures: int, epochs: int, options: TrainOptions
    ) -> None:
        import tensorflow as tf  # noqa: PLC0415

        self.options = options
        self.classes = model.output_shape[-1]
        names = [layer.name for layer in model.layers]
        first, last = names.index(boundary(options)) + 1, names.index("pool") + 1
        self.head = model.get_layer("logits")
        self.blocks = _chain(model.layers[first - 1].output.shape[1:], model.layers[first:last])
        self.variables = {
            f"{layer.name}.{variable.name}": variable
            for layer in (*model.layers[first:last], self.head)
            for variable in layer.trainable_variables
        }
        steps = -(-pictures // options.batch)
        self.optimizer = _optimizer(list(self.variables.values()), steps, epochs, options)
        self.means = [tf.Variable(variable.value) for variable in self.variables.values()]
        self._step = tf.function(self._train, reduce_retracing=True)
        self._logits = tf.function(self._infer, reduce_retracing=True)

    def _infer(self, maps: Any) -> Any:
        import tensorflow as tf  # noqa: PLC0415

        # training=False keeps the statistics of batch normalisation; dropout is done by hand.
        return self.head(self.blocks(tf.cast(maps, tf.float32) * LEVEL, training=False))

    def _train(self, maps: Any, targets: Any, share: Any, partner: Any, seed: Any) -> Any:
        """Do one step; `share` of each picture's map is mixed with that of its `partner`."""
        import tensorflow as tf  # noqa: PLC0415

        maps = tf.cast(maps, tf.float32) * LEVEL
        maps = share * maps + (1 - share) * tf.gather(maps, partner)
        targets = share * targets + (1 - share) * tf.gather(targets, partner)
        variables = list(self.variables.values())
        with tf.GradientTape() as tape:
            pooled = self.blocks(maps, training=False)
            pooled = tf.nn.experimental.stateless_dropout(pooled, self.options.dropout, seed)
            logits = self.head(pooled)
            loss = smoothed_loss(targets, logits, self.options.label_smoothing)
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        keep = self.options.average
        for mean, variable in zip(self.means, variables, strict=True):
            mean.assign(keep * mean + (1 - keep) * variable)
        return loss, right_answers(targets, logits)

    def epoch(self, train: Features, epoch: int) -> dict[str, float]:
        """Show every training picture once; return mean loss and accuracy on what was shown."""
        import tensorflow as tf  # noqa: PLC0415

        assert train.maps is not None
        options, count = self.options, len(train.truth)
        rng = np.random.default_rng([options.seed, 2, epoch])
        offsets = np.random.default_rng([options.seed, 2]).integers(0, len(train.maps), count)
        views = (offsets + epoch) % len(train.maps)
        targets = np.eye(self.classes, dtype=np.float32)[train.truth]
        losses, right = [], 0
        for number, chosen in enumerate(shuffled(count, options.batch, rng)):
            share = rng.beta(options.mixup, options.mixup) if options.mixup else 1.0
            loss, correct = self._step(
                train.maps[views[chosen], chosen],
                targets[chosen],
                tf.constant(share, tf.float32),
                tf.constant(rng.permutation(len(chosen)), tf.int32),
                tf.constant([options.seed + epoch, number], tf.int32),
            )
            losses.append(float(loss))
            check_finite(losses[-1], "tune", epoch, options.tune_rate)
            right += int(correct)
        return {"loss": float(np.mean(losses)), "accuracy": right / count}

    def logits(self, features: Features, batch: int = 64) -> np.ndarray:
        """Return the logits (n, classes) of the first view of each picture."""
        assert features.maps is not None
        maps = features.maps[0]
        parts = [self._logits(maps[i : i + batch]) for i in range(0, len(maps), batch)]
        return np.concatenate([part.numpy() for part in parts])

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return a copy of the trained weights."""
        return {name: variable.value.numpy() for name, variable in self.variables.items()}

    def restore(self, weights: dict[str, np.ndarray]) -> None:
        """Set the trained weights."""
        for name, variable in self.variables.items():
            variable.assign(weights[name])

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next epoch begins with, for `resume`."""
        last = numbered("last", list(self.variables.values()))
        return last | numbered("mean", self.means) | numbered("step", self.optimizer.variables)

    def resume(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        assign("last", self.variables.values(), state)
        assign("mean", self.means, state)
        assign("step", self.optimizer.variables, state)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights in place of the last ones for a while."""
        last = self.snapshot()
        self.restore(dict(zip(self.variables, (mean.numpy() for mean in self.means), strict=True)))
        try:
            yield
        finally:
            self.restore(last)


def _chain(shape: tuple[int, ...], layers: list[Any]) -> keras.Model:
    import keras  # noqa: PLC0415

    maps = x = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(maps, x)


def _optimizer(variables: list[Any], steps: int, epochs: int, options: TrainOptions) -> Any:
    import keras  # noqa: PLC0415

    rate: Any = keras.optimizers.schedules.CosineDecay(
        options.tune_rate * WARM_UP,
        max(1, steps * (epochs - 1)),
        warmup_target=options.tune_rate,
        warmup_steps=steps,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=options.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(variables)
    return optimizer
