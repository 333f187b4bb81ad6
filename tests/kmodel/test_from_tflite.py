"""TFLite files that TensorFlow made of Keras models, against TensorFlow's interpreter."""

import subprocess
import sys

import numpy as np
import pytest
from small_networks import photos, run64

from host.errors import UserError
from host.kmodel import compile, simulate
from host.kmodel.from_tflite import from_tflite
from host.kmodel.tidy import with_scaling

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
layers = keras.layers

SIDE = 32


def converted(*parts, shape=(SIDE, SIDE, 3), optimize=None, types=()):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(shape), *parts])
    return of_model(model, optimize=optimize, types=types)


def of_model(model, *, optimize=None, types=()):
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = list(types)
    return converter.convert()


def run(data, images, scale=1 / 255, offset=0.0):
    interpreter = tf.lite.Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    answers = []
    for image in images:
        x = (image[None] * scale + offset).astype(np.float32)
        interpreter.set_tensor(source["index"], x)
        interpreter.invoke()
        answers.append(interpreter.get_tensor(target["index"])[0])
    return np.array(answers)


def agrees(data, *, atol=2e-4, far=0.02, compiled=True, **scaling):
    """The graph computes what the interpreter computes; the kmodel agrees with both."""
    read = from_tflite(data)
    own = read.nodes[0].op == "affine"
    graph = with_scaling(read, **scaling)
    images = photos(3, graph.input_shape, 8)
    used = {"scale": 1.0} if own else graph.nodes[0].attrs
    wanted = run(data, images, **used)
    np.testing.assert_allclose(run64(graph, images).reshape(wanted.shape), wanted, atol=atol)
    if compiled:
        answer = simulate(compile(graph, images).data, images)[0]
        flat = np.moveaxis(wanted, -1, 1) if wanted.ndim == 4 else wanted
        error = np.abs(answer - flat.reshape(len(images), -1)).mean()
        assert error < far * max(1.0, np.ptp(wanted))
    return graph


def ops(graph):
    return [node.op for node in graph.nodes]


def block(channels, stride=1):
    return [
        *([layers.ZeroPadding2D(1)] if stride == 2 else []),
        layers.DepthwiseConv2D(3, stride, "valid" if stride == 2 else "same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        layers.Conv2D(channels, 1, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
    ]


def test_a_mobilenet():
    """The converter folds the batch norms and fuses the activations."""
    data = converted(
        layers.ZeroPadding2D(1),
        layers.Conv2D(8, 3, 2, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        *block(16),
        *block(24, 2),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.2),
        layers.Dense(4, activation="softmax"),
    )
    graph = agrees(data)
    assert "batch_norm" not in ops(graph)
    assert ops(graph)[-3:] == ["global_mean", "dense", "softmax"]


def test_the_classifier_of_the_first_mobilenets():
    """Mean pool over the whole map, 1x1 convolution on one pixel, reshape, softmax."""
    data = converted(
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(4),
        layers.AveragePooling2D(8),
        layers.Conv2D(5, 1),
        layers.Reshape((5,)),
        layers.Softmax(),
    )
    graph = agrees(data)
    assert ops(graph)[-3:] == ["global_mean", "dense", "softmax"]


@pytest.mark.parametrize(("scale", "offset"), [(1 / 127.5, -1.0), (1 / 255, 0.0)])
def test_scaling_of_its_own(scale, offset):
    data = converted(layers.Rescaling(scale, offset), layers.Conv2D(8, 3, padding="same"),
                     layers.LeakyReLU(negative_slope=0.1))  # fmt: skip
    graph = agrees(data)
    affine = [node.attrs for node in graph.nodes if node.op == "affine"]
    assert np.prod([one["scale"] for one in affine]) == pytest.approx(scale)


def test_scaling_that_is_told():
    data = converted(layers.Conv2D(8, 3, padding="same", activation="relu"))
    graph = agrees(data, scale=1 / 127.5, offset=-1.0)
    assert graph.nodes[0].attrs == {"scale": 1 / 127.5, "offset": -1.0}


def test_pools():
    data = converted(
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2, padding="same"),
        layers.Conv2D(8, 1, activation="relu6"),
        layers.MaxPooling2D(2, 1, padding="same"),
        layers.AveragePooling2D(2),
        layers.Conv2D(4, 1),
    )
    agrees(data)


def test_a_flattened_map():
    data = converted(
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(4),
        layers.Flatten(),
        layers.Dense(3),
    )
    assert ops(agrees(data))[-2:] == ["flatten", "dense"]


def test_weights_of_16_bits():
    parts = [layers.Conv2D(8, 3, padding="same", activation="relu"),
             layers.GlobalAveragePooling2D(), layers.Dense(3)]  # fmt: skip
    agrees(converted(*parts, optimize=True, types=[tf.float16]))


def test_branches():
    keras.utils.set_random_seed(1)
    picture = keras.Input((SIDE, SIDE, 3))
    stem = layers.Conv2D(8, 3, padding="same", activation="relu")(picture)
    side = layers.Conv2D(8, 3, padding="same", activation="relu")(stem)
    both = layers.ReLU()(layers.Add()([stem, side]))
    more = layers.MaxPooling2D(2)(layers.Conv2D(4, 1)(both))
    more = layers.Resizing(SIDE, SIDE, "nearest")(more)
    out = layers.Conv2D(6, 1)(layers.Concatenate()([more, both]))
    graph = agrees(of_model(keras.Model(picture, out)))
    made = {node.op: node for node in graph.nodes}
    assert len(made["add"].inputs) == len(made["concat"].inputs) == 2
    assert made["resize"].attrs == {"scale": (2, 2)}


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (layers.Activation("sigmoid"), "sigmoid"),
        (layers.Activation("tanh"), "tanh"),
        (layers.Activation("silu"), "silu"),
        (layers.Activation("hard_silu"), "hard_swish"),
        (layers.LeakyReLU(negative_slope=0.3), "leaky"),
        (layers.ReLU(6.0), "relu6"),
        (layers.Activation(keras.ops.sin), "sin"),
        (layers.Activation(keras.ops.square), "square"),
        (layers.Activation("tanh_shrink"), "= x x tanh -"),
    ],
)
def test_activations(layer, kind):
    graph = agrees(converted(layers.Conv2D(8, 3, padding="same"), layer))
    assert ops(graph) == ["affine", "conv", "activation"]
    assert graph.nodes[2].attrs["kind"] == kind


def test_same_padding_with_stride_2_is_refused():
    with pytest.raises(UserError) as error:
        from_tflite(converted(layers.Conv2D(8, 3, 2, padding="same")))
    assert error.value.code == "kmodel_same_stride"


def test_padding_of_kerasmobilenet_is_refused():
    """keras.applications pads right and bottom only."""
    parts = layers.ZeroPadding2D(((0, 1), (0, 1))), layers.Conv2D(8, 3, 2)
    with pytest.raises(UserError) as error:
        from_tflite(converted(*parts))
    assert error.value.code == "kmodel_same_stride"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([layers.Conv2D(8, 5, padding="same")], "5x5"),
        ([layers.Conv2D(8, 3, padding="same"), layers.MaxPooling2D(3, 2)], "(3, 3)"),
        ([layers.Conv2D(8, 3, padding="same"), layers.Activation(keras.ops.floor)], "FLOOR"),
        ([layers.Conv2DTranspose(8, 3)], "TRANSPOSE_CONV"),
        ([layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)], "grouped"),
    ],
)
def test_what_the_chip_does_not_have_is_named(parts, text):
    with pytest.raises(UserError) as error:
        from_tflite(converted(*parts))
    assert error.value.code == "kmodel_operation_unsupported"
    assert text in str(error.value)
    assert error.value.findings[0].path


def test_a_quantized_network_is_refused():
    """The commonest cause of a board that answers at random."""
    data = converted(layers.Conv2D(32, 3, padding="same"), layers.Flatten(), layers.Dense(8),
                     optimize=True)  # fmt: skip
    with pytest.raises(UserError, match="already quantized; export the float model") as error:
        from_tflite(data, "mine.tflite")
    assert error.value.code == "kmodel_already_quantized"
    assert error.value.findings[0].path == "mine.tflite"


def test_the_size_must_be_fixed():
    with pytest.raises(UserError) as error:
        from_tflite(converted(layers.Conv2D(8, 3, padding="same"), shape=(None, None, 3)))
    assert error.value.code == "kmodel_network_input"


@pytest.mark.parametrize("data", [b"", b"no network at all", b"\x1c\0\0\0TFL3" + bytes(100)])
def test_what_is_no_tflite_is_refused(data):
    with pytest.raises(UserError) as error:
        from_tflite(data)
    assert error.value.code == "kmodel_model_unreadable"


def test_damaged_files_are_refused_or_read():
    whole = converted(layers.Conv2D(8, 3, padding="same", activation="relu"))
    rng = np.random.default_rng(4)
    for _ in range(60):
        data = bytearray(whole[: rng.integers(8, len(whole))] if rng.random() < 0.5 else whole)
        for place in rng.integers(8, len(data), 20):
            data[place] = rng.integers(256)
        try:
            from_tflite(bytes(data))
        except UserError as error:
            assert str(error)


def test_reading_does_not_load_tensorflow(tmp_path, root):
    path = tmp_path / "m.tflite"
    path.write_bytes(converted(layers.Conv2D(8, 3, padding="same")))
    code = (
        "import sys, pathlib; from host.kmodel.from_tflite import from_tflite\n"
        f"from_tflite(pathlib.Path({str(path)!r}).read_bytes())\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
