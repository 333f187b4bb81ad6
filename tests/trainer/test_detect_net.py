"""The detector's network: layers that the KPU has, odd sizes as the KPU halves them."""

import keras
import numpy as np
import pytest

from host import kmodel
from host.errors import UserError
from host.kmodel.v3 import LayerType, read
from host.trainer import detect_net, runtime
from host.trainer.detect_options import KPU_BYTES, check_memory, detect_options_for

runtime.start(0)


def small(**overrides):
    return detect_options_for(**{"size": 128, "backbone": "mobilenet_1.0_cut6", "neck": 64,
                                 **overrides})  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "grid"),
    [
        ({}, (4, 4)),
        ({"stride": 16}, (8, 8)),
        ({"backbone": "mobilenet_1.0_cut12"}, (4, 4)),
        ({"backbone": "mobilenet_1.0_cut12", "stride": 16}, (8, 8)),
        ({"backbone": "mobilenet_0.25_cut13", "size": (320, 240)}, (7, 10)),
        ({"backbone": "mobilenet_0.25_cut13", "size": (320, 240), "stride": 16}, (15, 20)),
        ({"size": 240}, (7, 7)),
        ({"size": (240, 176)}, (5, 7)),
    ],
)
def test_grid_and_layers(overrides, grid):
    options = small(**overrides)
    model = detect_net.build(options, 3)
    assert model.output_shape == (None, *grid, 40)
    assert options.grid == grid
    assert model.layers[-1].name == "head"
    assert model.layers[-1].activation.__name__ == "linear"
    assert {type(layer).__name__ for layer in model.layers} == {
        "InputLayer", "Rescaling", "ZeroPadding2D", "Conv2D", "DepthwiseConv2D",
        "BatchNormalization", "ReLU",
    }  # fmt: skip


@pytest.mark.parametrize(
    "overrides",
    [{"size": 240}, {"size": (176, 208), "stride": 16}, {"backbone": "mobilenet_1.0_cut12"}],
)
def test_kmodel_gives_the_float_values(overrides):
    """Ends in convolution and DEQUANTIZE; on odd maps a shift by a pixel would show at once."""
    options = small(**overrides)
    model = detect_net.new_model(options, 2)
    rng = np.random.default_rng(0)
    head = model.get_layer("head")  # as wide as a trained one; the first bias would hide all
    head.set_weights([rng.normal(0, 1, one.shape) * (one.ndim > 1) for one in head.get_weights()])
    shape = 10, options.size[1] // 16, options.size[0] // 16, 3
    coarse = rng.integers(0, 256, shape, np.uint8)
    pictures = coarse.repeat(16, 1).repeat(16, 2)
    made = kmodel.compile(kmodel.from_keras(model), pictures)
    layers = [layer.type for layer in read(made.data).layers]
    assert layers[-1] is LayerType.DEQUANTIZE
    assert set(layers[:-1]) <= {LayerType.K210_CONV, LayerType.K210_UPLOAD}
    found = kmodel.simulate(made.data, pictures)[0]
    wanted = np.asarray(model(pictures.astype(np.float32)))
    wanted = wanted.transpose(0, 3, 1, 2).reshape(10, -1)
    assert found.shape == wanted.shape
    maps = wanted.reshape(350, *options.grid)
    moved = np.abs(maps[:, :, 1:] - maps[:, :, :-1]).mean()
    assert np.abs(found - wanted).mean() < 0.2 * moved


def test_training_starts_with_imagenet_and_no_objects():
    model = detect_net.new_model(small(), 2)
    from host.trainer.backbone import shipped_weights

    kernel = model.get_layer("conv_pw_6").get_weights()[0]
    assert np.array_equal(kernel, shipped_weights()["conv_pw_6.kernel"].astype(np.float32))
    bias = model.get_layer("head").get_weights()[1].reshape(5, 7)
    assert (bias[:, 4] == -4).all()
    assert not bias[:, [0, 1, 2, 3, 5, 6]].any()


@pytest.mark.parametrize(
    ("first", "names"),
    [
        (None, {"neck_1", "neck_2", "neck_3", "head"}),
        (6, {"conv_dw_6", "conv_pw_6", "neck_1", "neck_2", "neck_3", "head"}),
        (9, {"neck_1", "neck_2", "neck_3", "head"}),
    ],
)
def test_what_is_trained(first, names):
    model = detect_net.build(small(), 2)
    found = {layer.name.removesuffix("_bn") for layer in detect_net.trained_layers(model, first)}
    assert found == names
    everything = detect_net.trained_layers(model, 0)
    assert everything[0].name == "conv1"
    assert len(everything) == len([layer for layer in model.layers if layer.weights])


def test_memory_of_the_first_maps_is_the_compilers():
    """What does not fit is refused before training; what is not refused, compiles."""
    for backbone, size in (("mobilenet_0.75_cut6", (320, 240)), ("mobilenet_1.0_cut6", (288, 240))):
        with pytest.raises(UserError) as refused:
            detect_options_for(backbone=backbone, size=size)
        assert refused.value.code == "detect_memory"
        assert f"{KPU_BYTES:,}" in str(refused.value)
    options = detect_options_for(backbone="mobilenet_1.0_cut6", size=(256, 240), neck=64)
    check_memory(options.network(), options.size)
    keras.utils.set_random_seed(0)  # other draws may answer less than the KPU's numbers can say
    model = detect_net.build(options, 1)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 240, 256, 3), np.uint8)
    quick = kmodel.Options(bias_images=0, round_weights=False)
    assert kmodel.compile(kmodel.from_keras(model), pictures, quick).data
