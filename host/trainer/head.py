"""First stage: train the head alone on the cached features of the frozen network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from .checkpoint import Save, Saved, assign, numbered
from .features import Features
from .options import TrainOptions

BATCH = 64

Tick = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number from 1 and its loss and accuracies."""


@dataclass(frozen=True, slots=True)
class Head:
    """A trained head: kernel (channels, classes) and bias (classes,), float32."""

    kernel: np.ndarray
    bias: np.ndarray
    history: list[dict[str, float]]


def train_head(
    train: Features,
    valid: Features,
    classes: int,
    options: TrainOptions,
    tick: Tick,
    saved: Saved = None,
    save: Save | None = None,
) -> Head:
    """Train softmax regression on all views; keep the epoch of the lowest validation loss.

    After each epoch `save` is given what it takes to go on, as `saved`, after it.

    Raises:
        UserError: `training_diverged`.
    """
    views, count, channels = train.pooled.shape
    features = train.pooled.reshape(views * count, channels)
    targets = np.eye(classes, dtype=np.float32)[np.tile(train.truth, views)]
    layer, variables, step = _stepper(channels, classes, len(features), options)
    history: list[dict[str, float]] = []
    best: tuple[float, list[np.ndarray]] = (np.inf, [])
    if saved:
        arrays, (history, lowest) = saved
        assign("last", variables, arrays)
        best = lowest, [arrays["best/0"], arrays["best/1"]]
    for epoch in range(len(history) + 1, options.head_epochs + 1):
        rng = np.random.default_rng([options.seed, 1, epoch])
        losses, right = [], 0
        for number, chosen in enumerate(shuffled(len(features), BATCH, rng)):
            loss, correct = step(features[chosen], targets[chosen], (epoch, number))
            losses.append(float(loss))
            right += int(correct)
        check_finite(losses[-1], "head", epoch, options.head_rate)
        kernel, bias = (weight.value.numpy() for weight in layer.weights)
        with np.errstate(over="ignore", invalid="ignore"):  # said in words by check_finite
            values = judge(valid.pooled[0] @ kernel + bias, valid.truth)
        check_finite(values["val_loss"], "head", epoch, options.head_rate)
        values |= {"loss": float(np.mean(losses)), "accuracy": right / len(features)}
        history.append(values)
        if values["val_loss"] < best[0]:
            best = values["val_loss"], [kernel, bias]
        if save:
            arrays = numbered("last", variables) | {"best/0": best[1][0], "best/1": best[1][1]}
            save(arrays, [history, best[0]])
        tick(epoch, values)
    return Head(best[1][0], best[1][1], history)


def shuffled(count: int, batch: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return all places in random order, in batches; the last may be smaller."""
    return np.split(rng.permutation(count), range(batch, count, batch))


def _stepper(
    channels: int, classes: int, count: int, options: TrainOptions
) -> tuple[Any, list[Any], Any]:
    """Return the dense layer, all that its training changes, and the function of one step."""
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    layer = keras.layers.Dense(classes)
    layer.build((None, channels))
    steps = options.head_epochs * -(-count // BATCH)
    rate: Any = keras.optimizers.schedules.CosineDecay(options.head_rate, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=options.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build(layer.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(x: tf.Tensor, targets: tf.Tensor, moment: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        seed = tf.stack([moment[0] + options.seed, moment[1]])
        x = tf.nn.experimental.stateless_dropout(x, options.dropout, seed)
        with tf.GradientTape() as tape:
            logits = layer(x)
            loss = smoothed_loss(targets, logits, options.label_smoothing)
        gradients = tape.gradient(loss, layer.trainable_variables)
        optimizer.apply(gradients, layer.trainable_variables)
        return loss, right_answers(targets, logits)

    variables = [*layer.weights, *optimizer.variables]
    return layer, variables, lambda x, targets, moment: step(x, targets, tf.constant(moment))


def smoothed_loss(targets: Any, logits: Any, smoothing: float) -> Any:
    """Return the mean cross-entropy of `targets` (n, classes) against `logits`, smoothed."""
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    losses: Any = keras.losses.categorical_crossentropy(
        targets, logits, from_logits=True, label_smoothing=smoothing
    )
    return tf.reduce_mean(losses)


def right_answers(targets: Any, logits: Any) -> Any:
    """Return how many rows have their highest logit where the target is highest."""
    import tensorflow as tf  # noqa: PLC0415

    same = tf.equal(tf.argmax(targets, 1), tf.argmax(logits, 1))
    return tf.reduce_sum(tf.cast(same, tf.int32))


def judge(logits: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return `val_loss` (mean cross-entropy in nats) and `val_accuracy` of logits (n, classes)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    likelihood = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -likelihood[np.arange(len(truth)), truth].mean()
    return {"val_loss": float(loss), "val_accuracy": float((logits.argmax(1) == truth).mean())}


def check_finite(loss: float, stage: str, epoch: int, rate: float) -> None:
    """Stop a training whose numbers have left the finite ones.

    Raises:
        UserError: `training_diverged`.
    """
    if not np.isfinite(loss):
        raise UserError("training_diverged", stage=stage, epoch=epoch, rate=rate, loss=loss)
