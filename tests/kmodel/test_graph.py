"""Keras models of every shape that people bring: against Keras itself."""

import numpy as np
import pytest
from keras_models import (
    SHAPE,
    agrees,
    conv,
    functional,
    keras,
    kinds,
    layers,
    ops,
    refused,
    sequential,
)
from small_networks import photos

from host.kmodel import compile, from_keras, simulate
from host.kmodel.agreement import run_float_network
from host.kmodel.keras_ops import HANDLERS


def test_a_classifier_of_every_day():
    model = sequential(
        layers.Rescaling(1 / 127.5, offset=-1),
        layers.ZeroPadding2D(1),
        conv(8, strides=2, padding="valid", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        conv(16, 1, activation="relu"),
        layers.MaxPooling2D(),
        layers.ZeroPadding2D(1),
        layers.DepthwiseConv2D(3, 2, "valid"),
        layers.LeakyReLU(negative_slope=0.1),
        conv(12, 1, use_bias=False),
        layers.BatchNormalization(scale=False),
        layers.ReLU(),
        layers.SpatialDropout2D(0.1),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.2),
        layers.Dense(5, activation="softmax"),
        shape=(48, 64, 3),
    )
    graph = agrees(model, compiled=True)
    assert graph.input_shape == (48, 64, 3)
    assert ops(graph)[:5] == ["affine", "pad", "conv", "batch_norm", "activation"]
    assert ops(graph)[-3:] == ["global_mean", "dense", "softmax"]


def base(name="base"):
    picture = keras.Input(SHAPE, name=f"{name}_in")
    x = layers.Rescaling(1 / 127.5, -1)(picture)
    left = conv(8, activation="relu", name="left")(x)
    return keras.Model(picture, layers.Add(name="sum")([left, conv(name="right")(left)]), name=name)


@pytest.mark.parametrize("first", [[], [keras.Input(SHAPE)]], ids=["bare", "with input"])
def test_transfer_learning(first):
    """Sequential([base, pooling, dense]): the usual shape, with the base called as a layer."""
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax", name="answer")]
    keras.utils.set_random_seed(1)
    graph = agrees(keras.Sequential([*first, base(), *head]), compiled=True)
    assert [node.name for node in graph.nodes if node.op in ("conv", "dense")] == [
        "base/left", "base/right", "answer",
    ]  # fmt: skip


def test_models_in_models_in_models():
    inner = keras.Sequential([keras.Input((32, 32, 8)), conv(), layers.ReLU()], name="inner")
    middle = functional(lambda x: inner(conv(name="own")(x), training=False))
    model = functional(lambda x: layers.GlobalAveragePooling2D()(middle(x / 255.0)))
    graph = agrees(model)
    assert [node.name for node in graph.nodes if node.op == "conv"] == [
        f"{middle.name}/own", f"{middle.name}/inner/{inner.layers[0].name}",
    ]  # fmt: skip


def test_a_layer_that_is_called_twice():
    again = conv(8, name="again")
    graph = agrees(functional(lambda x: again(again(conv(8)(x / 255.0)))), compiled=True)
    first, second = (node for node in graph.nodes if node.name.startswith("again"))
    assert (first.arrays["w"] == second.arrays["w"]).all()


def test_a_model_from_a_file(tmp_path):
    model = functional(lambda x: conv(4)(base()(x, training=False)))
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")
    for name in ("m.keras", "m.h5"):
        agrees(keras.models.load_model(tmp_path / name, compile=False))


@pytest.mark.parametrize(
    "scaling",
    [
        lambda x: x / 127.5 - 1,
        lambda x: (x - 127.5) * (1 / 127.5),
        keras.applications.mobilenet.preprocess_input,
        layers.Normalization(mean=100.0, variance=400.0),
        lambda x: layers.Rescaling(1 / 255)(layers.RandomRotation(0.1)(layers.RandomFlip()(x))),
        lambda x: layers.Rescaling(1 / 255)(layers.Resizing(32, 32)(x)),
    ],
)
def test_scaling_of_every_kind(scaling):
    graph = agrees(functional(lambda x: conv(8, activation="relu")(scaling(x))), compiled=True)
    assert ops(graph)[0] == "affine"


IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def colours(x):
    mean, deviation = IMAGENET
    x = layers.Rescaling(1 / 255)(x)
    return layers.Normalization(mean=mean, variance=[one**2 for one in deviation])(x)


@pytest.mark.parametrize(
    "scaling",
    [
        colours,
        layers.Rescaling([1 / 58, 1 / 57, 1 / 57.4], [-2.1, -2.0, -1.8]),
        lambda x: (x - np.array([123.7, 116.3, 103.5], np.float32)) / 58.0,
    ],
)
def test_a_scale_for_each_colour(scaling):
    """Exact inside; at the border padding is off by some levels, which is said."""
    model = functional(lambda x: conv(8, activation="relu", name="first")(scaling(x)))
    graph = agrees(model)
    images = photos(4, SHAPE, 8)
    wanted = model.predict(images.astype(np.float32), verbose=0).transpose(0, 3, 1, 2)
    exact = run_float_network(graph, images)[0].reshape(wanted.shape)
    np.testing.assert_allclose(exact, wanted, atol=1e-3)
    made = compile(graph, images)
    (note,) = made.findings
    assert (note.code, note.path, note.severity) == ("kmodel_border_colours", "first", "warning")
    assert 5 < note.params["levels"] < 21
    error = np.abs(simulate(made.data, images)[0].reshape(wanted.shape) - wanted)
    step = np.ptp(wanted) / 255
    assert error[..., 1:-1, 1:-1].mean() < 0.6 * step
    assert error[..., 1:-1, 1:-1].max() < 6 * step
    assert error.max() < 0.1 * np.ptp(wanted)


def test_colours_before_a_layer_without_padding_are_exact():
    model = functional(lambda x: layers.DepthwiseConv2D(1)(colours(x)))
    images = photos(4, SHAPE, 4)
    made = compile(from_keras(model), images)
    wanted = model.predict(images.astype(np.float32), verbose=0).transpose(0, 3, 1, 2)
    assert made.findings == ()
    answer = simulate(made.data, images)[0].reshape(wanted.shape)
    assert np.abs(answer - wanted).max() < np.ptp(wanted) / 100


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (layers.ReLU(), "relu"),
        (layers.ReLU(6.0), "relu6"),
        (layers.ReLU(4.0), "relu_max"),
        (layers.ReLU(negative_slope=0.1), "leaky"),
        (layers.LeakyReLU(negative_slope=0.3), "leaky"),
        (layers.PReLU(alpha_initializer="ones", shared_axes=[1, 2]), "slope"),
        (layers.PReLU(alpha_initializer=keras.initializers.Constant(0.2)), "leaky"),
        (layers.ELU(0.5), "elu"),
        (layers.Activation("leaky_relu"), "leaky"),
        (layers.Activation(layers.LeakyReLU(0.2)), "leaky"),
        (layers.Activation(keras.ops.tanh), "tanh"),
        *[(layers.Activation(name), kind) for name, kind in (
            ("relu", "relu"), ("sigmoid", "sigmoid"), ("tanh", "tanh"), ("silu", "silu"),
            ("swish", "silu"), ("hard_silu", "hard_silu"), ("hard_sigmoid", "hard_sigmoid"),
            ("gelu", "gelu"), ("elu", "elu"), ("selu", "selu"), ("softplus", "softplus"),
            ("softsign", "softsign"), ("exponential", "exponential"), ("mish", "mish"),
            ("log_sigmoid", "log_sigmoid"), ("celu", "celu"), ("hard_tanh", "hard_tanh"),
        )],
        *[(layers.Activation(name), None) for name in ("linear",)],
    ],
)  # fmt: skip
def test_activations(layer, kind):
    model = sequential(layers.Rescaling(1 / 255), conv(), layer)
    if kind == "slope":  # a slope of 1 is none
        assert "between 0 and 1" in str(refused(model))
        return
    assert kinds(agrees(model)) == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (keras.activations.relu, "relu"),
        (lambda x: keras.activations.relu(x, max_value=6), "relu6"),
        (keras.ops.relu6, "relu6"),
        (keras.ops.sigmoid, "sigmoid"),
        (keras.ops.silu, "silu"),
        (keras.ops.gelu, "gelu_tanh"),
        (keras.ops.hard_silu, "hard_swish"),
        (keras.ops.softplus, "softplus"),
        (lambda x: keras.ops.clip(x, 0, 3), "relu_max"),
        (lambda x: x * keras.ops.sigmoid(x), "silu"),
        (lambda x: x * keras.ops.relu6(x + 3) / 6, "hard_swish"),
        (lambda x: layers.Multiply()([x, layers.Activation("hard_sigmoid")(x)]), "hard_swish"),
        (keras.ops.sin, "sin"),
        (keras.ops.square, "square"),
        (lambda x: x**3, "power"),
        (lambda x: x * x, "= x x *"),
        (lambda x: x - keras.ops.tanh(x), "= x x tanh -"),
        (lambda x: keras.ops.clip(x, -2, 1), "= x -2.0 max 1.0 min"),
        (lambda x: keras.ops.maximum(keras.ops.sin(x), keras.ops.cos(x)), "= x sin x cos max"),
        (lambda x: keras.ops.where(x > 0, x, keras.ops.tanh(x)), "= x 0.0 > x x tanh ?"),
        (lambda x: x * (x + 0.1 * x * x * x),
         "= x x x 0.10000000149011612 * 0.0 + x * x * + *"),
    ],
)  # fmt: skip
def test_operations_on_tensors(call, kind):
    assert kinds(agrees(functional(lambda x: call(conv()(x / 255.0))))) == [kind]


@pytest.mark.parametrize(
    "parts",
    [
        [layers.SeparableConv2D(8, 3, padding="same", activation="relu")],
        [conv(8), conv(8, groups=8)],
        [conv(8), layers.AveragePooling2D(2), conv(4, 1), layers.MaxPooling2D(4)],
        [conv(4), layers.LeakyReLU(), layers.MaxPooling2D(2, 1, padding="same"), conv(4)],
        [conv(8), layers.GlobalAveragePooling2D(keepdims=True), layers.Dropout(0.1),
         conv(4, 1), layers.Reshape((4,)), layers.Activation("softmax")],
        [conv(8), layers.GlobalAveragePooling2D(), layers.Reshape((1, 1, 8)), conv(4, 1),
         layers.Flatten(), layers.Softmax()],
        [conv(4, strides=1), layers.MaxPooling2D(4), layers.Flatten(), layers.Dense(6),
         layers.BatchNormalization(), layers.Dense(3)],
        [conv(4), layers.MaxPooling2D(4), layers.Permute((3, 1, 2)), layers.Flatten(),
         layers.Dense(6)],
        [conv(8), layers.GlobalAveragePooling2D(), layers.BatchNormalization(),
         layers.Dense(6, activation="relu"), layers.BatchNormalization(), layers.Dense(3)],
        [conv(4), layers.MaxPooling2D(4), layers.Flatten(), layers.BatchNormalization(),
         layers.Dense(3)],
        [conv(4), layers.GlobalAveragePooling2D(), layers.BatchNormalization()],
        [conv(4), layers.UpSampling2D(2), conv(3)],
        [layers.GaussianNoise(0.1), layers.RandomZoom(0.1), conv(4), layers.Dense(5)],
        [conv(4), layers.Cropping2D(0), layers.Identity(), layers.ActivityRegularization()],
    ],
    ids=["separable", "groups", "pools", "pool by one", "mobilenet head", "1x1 head", "dense",
         "permute", "norms of vectors", "norm of a flattened map", "norm at the end",
         "upsampling", "dense on a map", "nothing"],
)  # fmt: skip
def test_layers(parts):
    agrees(sequential(layers.Rescaling(1 / 255), *parts), compiled=True)


def test_branches():
    def build(x):
        a = conv(4, activation="relu")(x / 255.0)
        both = layers.Concatenate()([a, conv(6)(a)])
        added = a + conv(4)(both)
        return keras.ops.mean(layers.Add()([added, a, conv(4)(a)]), axis=(1, 2))

    agrees(functional(build), compiled=True)


def test_every_reader_is_a_layer_or_an_operation_of_keras():
    """A name that Keras does not have would never be met."""
    from keras.src.activations import activations
    from keras.src.ops import core, nn, numpy

    known = {name for place in (layers, core, nn, numpy, activations) for name in dir(place)}
    assert set(HANDLERS) <= known
