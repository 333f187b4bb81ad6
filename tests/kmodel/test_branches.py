"""Networks that are no chain, dense layers on the KPU, layers in several loads: against float64."""

import numpy as np
import pytest
from small_networks import Builder, photos, run64

from host.kmodel import Options, compile, read, simulate
from host.kmodel.v3 import LayerType

EXACT_RANGES = Options(range_search=False)


def agree(graph, *, options=EXACT_RANGES, seed=1, count=6):
    """Return the largest and the root mean square error in parts of the result's spread."""
    images = photos(seed, graph.input_shape, count)
    compiled = compile(graph, images, options)
    wanted, got = run64(graph, images), simulate(compiled.data, images)[0]
    if wanted.ndim == 4:
        wanted = wanted.transpose(0, 3, 1, 2)
    error = (got - wanted.reshape(got.shape)) / np.ptp(wanted)
    return np.abs(error).max(), np.sqrt(np.mean(error**2)), compiled


def start(seed=0, channels=16):
    return Builder(seed).rescale(1 / 255, 0.0).conv(channels).act("relu")


def residual(seed, clamp):
    build = start(seed)
    begin = build.last
    build.conv(16).act("relu").conv(16)
    build.join("add", begin)
    return build.act(clamp).conv(8).act("relu")


@pytest.mark.parametrize("clamp", ["linear", "relu", "relu6", "leaky"])
def test_residual_addition(clamp):
    largest, rms, compiled = agree(residual(3, clamp).graph(16, 24))
    assert largest < 0.06 and rms < 0.01
    kinds = [layer.type for layer in read(compiled.data).layers]
    assert kinds.count(LayerType.QUANTIZED_ADD) == 1
    assert kinds.count(LayerType.K210_UPLOAD) == 1
    assert kinds.count(LayerType.K210_CONV) == (5 if clamp == "leaky" else 4)


def test_concatenation_and_resize():
    build = start(4)
    wide = build.last
    build.conv(24).act("relu").pool().conv(32).act("leaky")
    build.add("resize", {"scale": (2, 2)})
    build.join("concat", wide)
    build.channels = 48
    build.conv(10, 1)
    largest, rms, compiled = agree(build.graph(16, 24))
    assert largest < 0.05 and rms < 0.01
    kinds = {layer.type for layer in read(compiled.data).layers}
    assert LayerType.QUANTIZED_CONCAT in kinds and LayerType.REQUANTIZE in kinds
    assert LayerType.QUANTIZED_RESIZE_NEAREST_NEIGHBOR in kinds


def test_one_map_read_by_two_convolutions_stays_in_place():
    build = start(5)
    begin = build.last
    left = build.conv(8).act("relu").last
    build.channels = 16
    build.conv(8).reading(begin).act("relu").join("add", left)
    assert agree(build.graph(24, 24))[0] < 0.05


def test_a_shared_convolution_is_not_changed_by_one_of_its_readers():
    build = start(6).conv(8)
    shared = build.last
    build.act("relu")
    build.join("add", shared)
    assert agree(build.graph(16, 16))[0] < 0.05


def test_a_network_with_two_outputs():
    build = start(7)
    begin = build.last
    first = build.conv(6, 1).last
    build.channels = 16
    build.conv(10, 1).reading(begin)
    graph = build.graph(16, 16)
    images = photos(2, graph.input_shape, 3)
    outputs = simulate(compile(graph, images).data, images)
    assert [one.shape for one in outputs] == [(3, 6 * 256), (3, 10 * 256)]
    assert first != build.last


@pytest.mark.parametrize(
    "build",
    [
        start(8).act("relu6"),
        start(8).norm(),
        start(8).pool("mean").act("leaky"),
        start(8).pool().norm(),
        Builder(8).rescale(1 / 255, 0.0).depthwise(stride=2).act("relu").pool(),
    ],
)
def test_what_cannot_be_folded_gets_a_layer_of_its_own(build):
    largest, rms, _ = agree(build.graph(32, 32))
    assert largest < 0.05 and rms < 0.01


def test_dense_layers_with_activations_run_on_the_kpu():
    build = start(9).pool().add("global_mean").dense(20).norm().act("relu").dense(12).act("leaky")
    largest, rms, compiled = agree(build.dense(4).add("softmax").graph(16, 16))
    assert largest < 0.08 and rms < 0.03
    kinds = [layer.type for layer in read(compiled.data).layers]
    assert LayerType.K210_ADD_PADDING in kinds and LayerType.K210_REMOVE_PADDING in kinds
    assert kinds[-1] is LayerType.SOFTMAX


@pytest.mark.parametrize("dense_on_kpu", [True, False])
def test_large_dense_layers(dense_on_kpu):
    build = start(10).pool(window=4).add("flatten").dense(70, inputs=16 * 4 * 6).add("softmax")
    options = Options(range_search=False, dense_on_kpu=dense_on_kpu)
    largest, _, compiled = agree(build.graph(16, 24), options=options)
    assert largest < 0.05
    kinds = [layer.type for layer in read(compiled.data).layers]
    assert (LayerType.FULLY_CONNECTED in kinds) != dense_on_kpu


def test_more_outputs_than_the_kpu_has_channels_stay_on_the_cpu():
    graph = Builder(8).rescale(1 / 255, 0.0).conv(16).act("relu").head(1200).graph(16, 16)
    assert agree(graph, count=2)[0] < 0.05


def test_a_layer_of_more_than_64_loads_is_cut():
    build = Builder(3).rescale(1 / 255, 0.0).conv(512, 1).act("relu").conv(512).act("relu")
    largest, rms, compiled = agree(build.conv(6, 1).graph(8, 8), count=2)
    assert largest < 0.05 and rms < 0.01
    convs = read(compiled.data).convs
    assert [one.registers.out_channels_minus1 + 1 for one in convs] == [512, 384, 128, 6]
    assert convs[1].registers.src_line == convs[2].registers.src_line
    assert len(compiled.layers) == 3


def test_the_last_layer_may_be_cut_too():
    build = Builder(3).rescale(1 / 255, 0.0).conv(512, 1).act("relu").conv(400)
    assert agree(build.graph(8, 8), count=2)[0] < 0.05


def test_keras_branches():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.utils.set_random_seed(3)
    image = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 255)(image)
    x = begin = layers.Conv2D(12, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(12, 3, padding="same", activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Add()([x, begin])
    x = layers.ReLU()(x)
    small = layers.MaxPooling2D()(x)
    x = layers.Concatenate()([layers.UpSampling2D()(small), begin])
    x = layers.Conv2D(8, 1, activation="relu")(x)
    x = layers.MaxPooling2D(4)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(16, activation="relu")(x)
    model = keras.Model(image, layers.Dense(3, activation="softmax")(x))
    from host.kmodel import from_keras

    images = photos(4, (32, 32, 3), 6)
    wanted = model.predict(images.astype("f4"), verbose=0)
    got = simulate(compile(from_keras(model), images).data, images)[0]
    assert np.abs(got - wanted).max() < 0.05
