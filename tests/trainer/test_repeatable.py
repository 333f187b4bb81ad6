"""The steps of training have no sum whose order depends on the threads' timing."""

import numpy as np
import pytest

from host.trainer import backbone, detect_net, runtime
from host.trainer.anchors import COUNT
from host.trainer.detect_loss import Region
from host.trainer.detect_stage import Stage
from host.trainer.tune import _Tail

CLASSES = 3


def graphs(graph):
    """A graph and those of the functions that it calls."""
    yield graph
    for function in graph._functions.values():  # no public name
        yield from graphs(function.graph)


def sums(step) -> list[int]:
    """How many summands each AddN of a traced function has."""
    every = [one for graph in graphs(step.graph) for one in graph.get_operations()]
    assert any("BatchNorm" in one.type or "Rsqrt" in one.type for one in every)
    return [len(one.inputs) for one in every if one.type == "AddN"]


@pytest.fixture(scope="module", autouse=True)
def tensorflow():
    runtime.start(0)


@pytest.mark.parametrize("first_block", [None, 2])
@pytest.mark.parametrize("stride", [32, 16])
def test_detector_sums_gradients_in_pairs(quick_detector, first_block, stride):
    options = quick_detector(stride=stride)
    model = detect_net.new_model(options, CLASSES)
    anchors = tuple((1.0 + number, 2.0) for number in range(COUNT))
    region = Region(anchors, options.grid, options.size, CLASSES)
    stage = Stage(model, region, options, first_block=first_block, rate=1e-3, steps=10)
    found = sums(stage._step.get_concrete_function())
    assert found
    assert max(found) == 2


def test_classifier_sums_gradients_in_pairs(quick):
    import tensorflow as tf

    options = quick()
    model = backbone.build(options.network(), options.size, CLASSES, options.dropout)
    tail = _Tail(model, 8, 1, options)
    maps = tf.TensorSpec((8, *tail.blocks.input_shape[1:]), tf.uint8)
    step = tail._step.get_concrete_function(
        maps, tf.TensorSpec((8, CLASSES)), tf.TensorSpec(()), tf.TensorSpec((8,), tf.int32),
        tf.TensorSpec((2,), tf.int32),
    )  # fmt: skip
    assert max(sums(step), default=0) <= 2


def test_tensorflow_makes_no_longer_sums_of_them():
    """Its optimizer would turn a + b + c into one AddN again."""
    import tensorflow as tf

    assert tf.config.optimizer.get_experimental_options()["arithmetic_optimization"] is False


def test_gradients_are_those_of_a_tape():
    import tensorflow as tf

    x, y = tf.Variable(np.float32([0.5, -2.0])), tf.Variable(np.float32([3.0, 1.5]))

    def loss():
        return tf.reduce_sum(x * y + tf.sin(x) + tf.exp(x) * x + x * x * y)

    with tf.GradientTape() as tape:
        value = loss()
    wanted = tape.gradient(value, [x, y])
    found = tf.function(lambda: runtime.gradients(loss(), [x, y]))()
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6)
