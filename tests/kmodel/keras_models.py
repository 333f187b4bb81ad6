"""Keras models of a few layers, and whether the front end reads them as Keras does."""

import numpy as np
import pytest
from small_networks import photos, run64

from host.errors import UserError
from host.kmodel import compile, from_keras, simulate

keras = pytest.importorskip("keras")
layers = keras.layers
SHAPE = (32, 32, 3)


def sequential(*parts, shape=SHAPE):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input(shape), *parts])


def functional(build, shape=SHAPE):
    keras.utils.set_random_seed(1)
    picture = keras.Input(shape)
    return keras.Model(picture, build(picture))


def shaken(model):
    """Give every batch norm numbers of its own, also inside."""
    rng = np.random.default_rng(2)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


def conv(outputs=8, kernel=3, **more):
    return layers.Conv2D(outputs, kernel, **({"padding": "same"} | more))


def agrees(model, *, compiled=False):
    """The graph computes what Keras computes on bytes; the kmodel agrees with both."""
    graph = from_keras(shaken(model))
    images = photos(3, graph.input_shape, 8)
    # Nothing here scales pixels unless the model does, so they are small numbers to begin with.
    images = images if graph.nodes[0].op == "affine" else images // 64
    wanted = model.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(run64(graph, images), wanted, atol=2e-4, rtol=1e-3)
    if compiled:
        answer = simulate(compile(graph, images).data, images)[0]
        flat = (wanted.transpose(0, 3, 1, 2) if wanted.ndim == 4 else wanted).reshape(8, -1)
        assert np.abs(answer - flat).mean() < 0.02 * max(1.0, np.ptp(flat))
    return graph


def ops(graph):
    return [node.op for node in graph.nodes]


def kinds(graph):
    return [node.attrs["kind"] for node in graph.nodes if node.op == "activation"]


def refused(model):
    with pytest.raises(UserError) as error:
        compile(from_keras(model), photos(1, SHAPE, 2))
    return error.value
