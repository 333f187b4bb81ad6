"""Keras models become graphs: by duck typing, and once with Keras itself."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from small_networks import photos, run64

from host.errors import UserError
from host.kmodel import compile, from_keras, simulate


def layer(kind, name, weights=(), **config):
    """A layer as `from_keras` sees one: a class name, a configuration, weights."""
    made = type(kind, (), {})()
    made.name = name
    made.get_config = lambda: config
    made.get_weights = lambda: [np.asarray(one, np.float32) for one in weights]
    return made


def chain(*layers, shape=(None, 32, 32, 3)):
    """A model of layers one behind the other."""
    for before, after in itertools.pairwise(layers):
        operation = SimpleNamespace(operation=before)
        after.input = SimpleNamespace(_keras_history=operation)
    return SimpleNamespace(layers=layers, input_shape=shape)


def conv(name="conv", kernel=(3, 3), outputs=8, **changes):
    config = {
        "kernel_size": kernel,
        "strides": (1, 1),
        "padding": "same",
        "use_bias": True,
        "activation": "linear",
        "groups": 1,
        "dilation_rate": (1, 1),
    }
    weights = [np.ones((*kernel, 3, outputs)), np.arange(outputs)]
    return layer("Conv2D", name, weights, **(config | changes))


def input_layer():
    return layer("InputLayer", "input")


def test_a_convolution():
    graph = from_keras(chain(input_layer(), conv(activation="relu6")))
    assert graph.input_shape == (32, 32, 3)
    first, second = graph.nodes
    assert (first.name, first.op) == ("conv", "conv")
    assert first.attrs == {"kernel": 3, "stride": 1, "padding": "same"}
    assert first.arrays["b"].tolist() == list(range(8))
    assert second.attrs == {"kind": "relu6"}


def test_a_convolution_without_bias():
    bare = conv(use_bias=False)
    bare.get_weights = lambda: [np.ones((3, 3, 3, 8), np.float32)]
    (node,) = from_keras(chain(input_layer(), bare)).nodes
    assert node.arrays["b"].tolist() == [0] * 8


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_batch_norm(scale, center):
    gamma, beta, mean, variance = [2.0, 3.0], [0.5, -0.5], [1.0, -1.0], [4.0, 0.25]
    weights = [*([gamma] if scale else []), *([beta] if center else []), mean, variance]
    made = layer("BatchNormalization", "norm", weights, scale=scale, center=center, epsilon=1e-3)
    (node,) = from_keras(chain(input_layer(), made)).nodes
    x = np.array([3.0, -2.0])
    wanted = (x - mean) / np.sqrt(np.array(variance) + 1e-3)
    wanted = wanted * (gamma if scale else 1) + (beta if center else 0)
    np.testing.assert_allclose(x * node.arrays["scale"] + node.arrays["shift"], wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("made", "attrs"),
    [
        (layer("ReLU", "a", max_value=None, negative_slope=0.0, threshold=0.0), {"kind": "relu"}),
        (layer("ReLU", "a", max_value=6.0, negative_slope=0.0), {"kind": "relu6"}),
        (layer("ReLU", "a", max_value=None, negative_slope=0.1), {"kind": "leaky", "slope": 0.1}),
        (layer("LeakyReLU", "a", negative_slope=0.3), {"kind": "leaky", "slope": 0.3}),
        (layer("ReLU", "a", max_value=4.0), {"kind": "relu_max", "slope": 4.0}),
        (layer("ELU", "a", alpha=0.5), {"kind": "elu", "slope": 0.5}),
        (layer("Activation", "a", activation="hard_silu"), {"kind": "hard_silu"}),
        (layer("Activation", "a", activation="relu"), {"kind": "relu"}),
        (layer("Activation", "a", activation="leaky_relu"), {"kind": "leaky", "slope": 0.2}),
    ],
)
def test_activations(made, attrs):
    (node,) = from_keras(chain(input_layer(), made)).nodes
    assert node.op == "activation"
    assert node.attrs == attrs


def test_the_rest_of_a_classifier():
    dense = layer(
        "Dense", "dense", [np.ones((8, 3)), [1, 2, 3]], use_bias=True, activation="softmax"
    )
    graph = from_keras(
        chain(
            input_layer(),
            layer("Rescaling", "scale", scale=1 / 255, offset=0),
            layer("ZeroPadding2D", "pad", padding=((1, 1), (1, 1))),
            conv(padding="valid", strides=(2, 2)),
            layer("Dropout", "drop"),
            layer("MaxPooling2D", "pool", pool_size=(2, 2), strides=(2, 2), padding="valid"),
            layer("GlobalAveragePooling2D", "mean"),
            dense,
        )
    )
    ops = [node.op for node in graph.nodes]
    assert ops == ["affine", "pad", "conv", "max_pool", "global_mean", "dense", "softmax"]


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (layer("Reshape", "wrong"), "Reshape"),
        (conv("wrong", kernel=(5, 5)), "(5, 5)"),
        (conv("wrong", strides=(3, 3)), "(3, 3)"),
        (conv("wrong", strides=(1, 2)), "(1, 2)"),
        (conv("wrong", groups=2), "grouped"),
        (conv("wrong", dilation_rate=(2, 2)), "dilation"),
        (conv("wrong", activation="glu"), "glu"),
        (layer("PReLU", "wrong"), "PReLU"),
        (layer("ReLU", "wrong", threshold=1.0), "threshold"),
        (layer("ReLU", "wrong", max_value=6.0, negative_slope=0.1), "leaky"),
        (layer("ZeroPadding2D", "wrong", padding=((0, 1), (0, 1))), "((0, 1), (0, 1))"),
        (layer("MaxPooling2D", "wrong", pool_size=(3, 3), strides=(2, 2)), "(3, 3)"),
        (layer("Rescaling", "wrong", scale=[1, 2, 3], offset=0), "channel"),
    ],
)
def test_layers_that_the_chip_does_not_have(made, text):
    with pytest.raises(UserError) as error:
        from_keras(chain(input_layer(), made))
    assert error.value.code == "kmodel_operation_unsupported"
    assert "wrong" in str(error.value)
    assert text in str(error.value)


def keras_network(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((48, 32, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.ZeroPadding2D(1),
            layers.Conv2D(8, 3, 2, "valid", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.Conv2D(16, 1, activation="relu"),
            layers.MaxPooling2D(),
            layers.ZeroPadding2D(1),
            layers.DepthwiseConv2D(3, 2, "valid"),
            layers.LeakyReLU(negative_slope=0.1),
            layers.Conv2D(12, 1, use_bias=False),
            layers.BatchNormalization(scale=False),
            layers.ReLU(),
            layers.SpatialDropout2D(0.1),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(5, activation="softmax"),
        ]
    )


def test_keras_itself():
    """The graph computes what Keras computes; the kmodel agrees with both."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    model = keras_network(keras)
    rng = np.random.default_rng(2)
    for made in model.layers:
        if type(made).__name__ == "BatchNormalization":
            made.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in made.get_weights()])
    last = model.layers[-1]
    last.set_weights([w * 4 + rng.normal(size=w.shape) for w in last.get_weights()])
    images = photos(3, (48, 32, 3), 24)
    wanted = model.predict(images.astype(np.float32), verbose=0)
    graph = from_keras(model)
    np.testing.assert_allclose(run64(graph, images), wanted, atol=1e-5)
    got = simulate(compile(graph, images).data, images)[0]
    assert np.abs(got - wanted).mean() < 0.01
    assert (got.argmax(1) == wanted.argmax(1)).mean() >= 0.9
