"""What of Keras the chip does not have: refused by name, with what to use instead."""

import numpy as np
import pytest
from keras_models import SHAPE, agrees, conv, functional, keras, layers, refused, sequential

from host.errors import UserError
from host.kmodel import from_keras


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (conv(8, 5), "5x5"),
        (conv(8, strides=3), "3x3"),
        (conv(8, strides=2), "in PyTorch padding=1"),
        (conv(8, dilation_rate=2), "dilation"),
        (conv(6, groups=3), "groups=1"),
        (conv(8, padding="valid"), "padding='same'"),
        (layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), "depth_multiplier=1"),
        (layers.SeparableConv2D(8, 3, depth_multiplier=2), "depth_multiplier=1"),
        (layers.Conv2DTranspose(8, 3), "nearest upsampling"),
        (layers.UpSampling2D(2, interpolation="bilinear"), "interpolation='nearest'"),
        (layers.MaxPooling2D(3, 2), "2x2 or 4x4"),
        (layers.GlobalMaxPooling2D(), "global average pooling"),
        (layers.LayerNormalization(), "batch norm"),
        (layers.Cropping2D(1), "before training"),
        (layers.Resizing(16, 16), "16x16"),
        (layers.ReLU(threshold=1.0), "threshold=0"),
        (layers.ReLU(6.0, negative_slope=0.1), "max_value=None"),
        (layers.PReLU(alpha_initializer="uniform"), "one slope for all channels"),
        (layers.BatchNormalization(axis=1), "axis=-1"),
        (layers.Activation("glu"), "glu"),
        (layers.Activation(keras.ops.tan), "tan"),
        (layers.Reshape((16, 64, 6)), "reshape"),
        (layers.Softmax(), "softmax of a vector"),
    ],
)
def test_layers_that_the_chip_does_not_have(part, text):
    error = refused(sequential(layers.Rescaling(1 / 255), conv(6), part, conv(4)
                               if part.compute_output_shape((None, 32, 32, 6))[1:2] == (32,)
                               else layers.Flatten()))  # fmt: skip
    assert error.code in ("kmodel_operation_unsupported", "kmodel_same_stride")
    assert part.name in error.findings[0].path
    assert text in str(error)


def test_padding_of_keras_applications():
    parts = layers.ZeroPadding2D(((0, 1), (0, 1))), conv(8, strides=2, padding="valid")
    error = refused(sequential(layers.Rescaling(1 / 255), *parts))
    assert error.code == "kmodel_same_stride"
    assert "ZeroPadding2D(1)" in str(error)


def halved(after, **more):
    """A convolution and a depthwise one of stride 2, each padded by `after` at bottom and right."""
    zeros = layers.ZeroPadding2D(((1, after), (1, after)))
    return sequential(
        layers.Rescaling(1 / 127.5, offset=-1),
        zeros,
        conv(8, strides=2, padding="valid", activation="relu"),
        layers.ZeroPadding2D(((1, after), (1, after))),
        layers.DepthwiseConv2D(3, 2, padding="valid", activation="relu"),
        conv(6, 1),
        **more,
    )


def test_odd_sizes_are_halved_and_rounded_down():
    graph = agrees(halved(0, shape=(35, 47, 3)), compiled=True)
    assert graph.input_shape == (35, 47, 3)
    agrees(halved(0, shape=(32, 48, 3)), compiled=True)
    with pytest.raises(UserError, match="stride 2 on 47x35 pixels") as error:
        from_keras(halved(1, shape=(35, 47, 3)))
    assert "top and left only" in str(error.value)


def test_squeeze_and_excite_is_named():
    def build(x):
        x = conv(8)(x / 255.0)
        gate = conv(8, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
        return layers.Multiply(name="excite")([x, gate])

    error = refused(functional(build))
    assert error.findings[0].path == "excite"
    assert "squeeze-and-excite" in str(error)


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.one = conv()

    def call(self, x):
        return self.one(x)


def test_a_model_of_python_code_is_refused():
    model = Own()
    model(np.zeros((1, *SHAPE), np.float32))
    assert "Python code" in str(refused(model))


def test_a_network_with_two_inputs():
    pair = [keras.Input(SHAPE), keras.Input(SHAPE)]
    assert refused(keras.Model(pair, layers.Add()(pair))).code == "kmodel_network_input"


def test_planes_first_are_refused():
    model = sequential(layers.Rescaling(1 / 255), conv(8, 1, data_format="channels_first"))
    assert "channels_last" in str(refused(model))
