"""The network: symmetric padding, sizes, cuts, and where weights come from."""

import numpy as np
import pytest

from host.errors import UserError
from host.trainer import backbone
from host.trainer.backbone import BACKBONES, Backbone


@pytest.mark.parametrize(
    ("size", "last"),
    [((224, 224), (7, 7)), ((128, 128), (4, 4)), ((320, 224), (7, 10)), ((160, 192), (6, 5))],
)
def test_last_map(size, last):
    model = backbone.build(Backbone(), size, 3)
    assert model.input_shape == (None, size[1], size[0], 3)
    assert model.get_layer("conv_pw_12_relu").output.shape[1:] == (*last, 1024)


@pytest.mark.parametrize("size", [(96, 96), (100, 128), (320, 256), (352, 224), (0, 0), (224, 240)])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(UserError) as refused:
        backbone.build(Backbone(), size, 3)
    assert refused.value.code == "input_size_impossible"
    assert f"{size[0]} x {size[1]}" in str(refused.value)


@pytest.mark.parametrize("choice", BACKBONES.values(), ids=str)
def test_every_choice_is_one_flat_chain(choice):
    model = backbone.build(choice, (128, 128), 5)
    assert model.output_shape == (None, 5)
    last = model.get_layer(f"conv_pw_{choice.cut}_relu").output.shape
    assert last[3] == choice.channels(choice.cut)
    assert last[1] == 128 // choice.stride() >= 4
    strided = [layer for layer in model.layers if getattr(layer, "strides", (1, 1)) == (2, 2)]
    assert len(strided) == {16: 4, 32: 5}[choice.stride()]
    for layer in strided:
        before = model.layers[model.layers.index(layer) - 1]
        assert layer.padding == "valid"
        assert before.padding == ((1, 1), (1, 1))


def test_stride_two_keeps_even_pixels_of_a_padded_convolution():
    """What the KPU does (kernel centre on pixels 0, 2, 4...), computed by hand."""
    model = backbone.build(Backbone(), (128, 128), 2)
    kernel = np.zeros((3, 3, 3, 32), np.float32)
    kernel[1, 1, 0, 0], kernel[0, 0, 1, 0] = 1.0, 10.0
    model.get_layer("conv1").set_weights([kernel])
    import keras

    first = keras.Model(model.input, model.get_layer("conv1").output)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 128, 128, 3)).astype(np.float32)
    scaled = pixels[0] / 127.5 - 1
    found = np.asarray(first(pixels))[0, :, :, 0]
    assert np.allclose(found[0, 0], scaled[0, 0, 0], atol=1e-5)  # padding is zero
    assert np.allclose(found[5, 9], scaled[10, 18, 0] + 10 * scaled[9, 17, 1], atol=1e-4)


def test_unknown_name_lists_the_known():
    with pytest.raises(UserError, match=r"mobilenet_1.0_cut12"):
        backbone.backbone("resnet50")
    assert backbone.backbone("mobilenet_1.0_cut8") == Backbone(1.0, 8)


def test_smaller_choices_share_the_weights():
    whole, part = (backbone.build(Backbone(1.0, cut), (128, 128), 2) for cut in (12, 6))
    for model, cut in ((whole, 12), (part, 6)):
        backbone.load_imagenet(model, Backbone(1.0, cut))
    one, other = (m.get_layer("conv_pw_6").get_weights()[0] for m in (whole, part))
    assert np.array_equal(one, other)


def test_other_widths_without_file_or_network(tmp_path, monkeypatch):
    import keras

    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", offline)
    with pytest.raises(UserError) as missing:
        backbone.keras_weights(0.5)
    assert missing.value.code == "weights_missing"
    text = str(missing.value)
    assert "mobilenet_5_0_224_tf_no_top.h5" in text
    assert str(tmp_path / "models") in text
    assert "width 1.0" in text


def test_damaged_weights_are_named(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mobilenet_2_5_224_tf_no_top.h5").write_bytes(b"half")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(UserError) as damaged:
        backbone.keras_weights(0.25)
    assert damaged.value.code == "weights_damaged"
    broken = tmp_path / "weights.npz"
    broken.write_bytes(backbone.SHIPPED.read_bytes()[:100_000])
    with pytest.raises(UserError) as damaged:
        backbone.shipped_weights(broken)
    assert damaged.value.code == "weights_damaged"


@pytest.mark.parametrize("width", [0.25, 0.75])
def test_keras_own_weights(width, shared, tmp_path, monkeypatch):
    """With our padding put into Keras' own network, both give the same features."""
    import keras

    name, _ = backbone.KERAS_FILES[width]
    file = shared / "data" / "weights" / name
    if not file.is_file():
        pytest.skip(f"no {name} in ../shared/data/weights")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / name).symlink_to(file)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    choice = Backbone(width, 13)
    model = backbone.build(choice, (128, 128), 2)
    backbone.load_imagenet(model, choice)
    original = keras.applications.MobileNet(
        (128, 128, 3), alpha=width, include_top=False, weights=str(file)
    )
    pixels = np.random.default_rng(1).uniform(0, 255, (1, 128, 128, 3)).astype(np.float32)
    x = pixels / 127.5 - 1
    for layer in original.layers[1:]:
        if isinstance(layer, keras.layers.ZeroPadding2D):
            x = keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        elif getattr(layer, "strides", (1, 1)) == (2, 2) and layer.padding == "same":
            x = layer(keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))[:, :-1, :-1]
        else:
            x = layer(x, training=False) if "bn" in layer.name else layer(x)
    ours = keras.Model(model.input, model.get_layer("conv_pw_13_relu").output)(pixels)
    assert ours.shape == x.shape
    assert np.allclose(np.asarray(ours), np.asarray(x), atol=1e-3)
    assert float(np.asarray(ours).max()) > 1
