"""The networks and pictures that `benchmarks.quantize` measures.

`samples`, `digits` and `grocery-WIDTH` are classifiers trained here with the preset fast;
`imagenet-WIDTH` are MobileNetV1 with 1000 classes and symmetric padding: 1.0 is Google's frozen
graph, the others are Keras'.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from host.datasets import checks, formats, intake
from host.datasets.dataset import Dataset, Sample, Split
from host.datasets.split import split
from host.trainer import backbone, classifier, runtime
from host.trainer.options import TrainOptions, options_for
from host.trainer.pictures import read_pictures
from host.trainer.weights import import_mobilenet

Item = TypeVar("Item")

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "benchmarks"
SAMPLES = ROOT / "samples" / "sample_dump"
WIDTHS = ("1.0", "0.75", "0.25")
KERAS_WIDTHS = {0.75: "7_5", 0.25: "2_5"}
"""How Keras' files of weights name widths of MobileNetV1."""
NETWORKS = (
    "samples",
    "digits",
    *(f"grocery-{width}" for width in WIDTHS),
    *(f"imagenet-{width}" for width in WIDTHS),
)
CALIBRATION = 100
LIMITS: dict[Split, int] = {"train": 40, "valid": 8, "test": 15}
"""Pictures of each class of the Grocery Store data set: more train longer and tell no more."""


@dataclass(frozen=True)
class Sources:
    """Where things lie: hand signs (a zip), two folders of photos, Google's MobileNetV1 1.0."""

    digits: Path
    grocery: Path
    imagenet: Path
    archive: Path


@dataclass(frozen=True)
class Case:
    """A network, calibration and test pictures, uint8 (n, h, w, 3), and labels, int (n,)."""

    model: Any
    calibration: np.ndarray
    test: np.ndarray
    truth: np.ndarray


def case_of(name: str, sources: Sources) -> Case:
    """Return what one of `NETWORKS` needs; trains the classifiers, once."""
    runtime.start(0)
    kind, _, width = name.partition("-")
    if kind == "imagenet":
        return imagenet(network_of(float(width), sources.archive), sources.imagenet)
    if kind == "grocery":
        return trained(name, grocery(sources.grocery), grocery_options(width), "test")
    source = SAMPLES if kind == "samples" else sources.digits
    return trained(name, received(source, BUILD / "data" / name), options_for("fast"), "valid")


def missing(name: str, sources: Sources) -> Path | None:
    """Return the file or folder that a network needs and that is not there."""
    kind, _, width = name.partition("-")
    needed = {
        "samples": [SAMPLES],
        "digits": [sources.digits],
        "grocery": [sources.grocery / "dataset" / "classes.csv"],
        "imagenet": [sources.imagenet],
    }[kind]
    if kind == "imagenet":
        own = sources.archive if width == "1.0" else keras_cache() / keras_file(float(width))
        needed.append(own)
    if kind == "grocery" and width != "1.0":
        needed.append(keras_cache() / backbone.KERAS_FILES[float(width)][0])
    return next((path for path in needed if not path.exists()), None)


def keras_cache() -> Path:
    """Return where Keras keeps the weights that it fetched."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"


def keras_file(width: float) -> str:
    """Return the name of Keras' MobileNetV1 with 1000 classes."""
    return f"mobilenet_{KERAS_WIDTHS[width]}_224_tf.h5"


def trained(name: str, dataset: Dataset, options: TrainOptions, judged: Split) -> Case:
    """Train a classifier, or take up the finished training under build/.

    Calibration pictures are of those that were trained on, the test ones are of split `judged`.
    """
    model = classifier.train(dataset, BUILD / "trained" / name, options).model
    chosen = spaced(dataset.of_split("train"), CALIBRATION)
    test = dataset.of_split(judged)
    return Case(
        model,
        read_pictures(dataset, chosen, options.size, options.fit),
        read_pictures(dataset, test, options.size, options.fit),
        np.array([sample.label for sample in test]),
    )


def received(source: Path, folder: Path) -> Dataset:
    """Return the data set in `source`, a folder or a zip; three pictures in ten are for testing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return split(checks.check(formats.load(intake.receive(source, folder))), 0.3, 0)


def grocery(folder: Path) -> Dataset:
    """Return the coarse classes of the Grocery Store data set, by its own lists of splits.

    `LIMITS` pictures of each class and split, evenly spaced. A picture is
    `dataset/test/Fruit/Apple/Granny-Smith/Granny-Smith_001.jpg, 1, 0` in test.txt: its path,
    its fine and its coarse class.
    """
    root = folder / "dataset"
    with (root / "classes.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        names = {int(row["Coarse Class ID (int)"]): row["Coarse Class Name (str)"] for row in rows}
    labels = tuple(names[number] for number in sorted(names))
    samples: list[Sample] = []
    lists: dict[str, Split] = {"train.txt": "train", "val.txt": "valid", "test.txt": "test"}
    for file, kind in lists.items():
        rows = [line.split(", ") for line in (root / file).read_text("utf-8").splitlines() if line]
        for label in range(len(labels)):
            paths = [path for path, _, coarse in rows if int(coarse) == label]
            for path in spaced(paths, LIMITS[kind]):
                samples.append(Sample(path, label=label, split=kind))
    return Dataset("classify", root, labels, tuple(samples))


def grocery_options(width: str) -> TrainOptions:
    """Return the preset fast with the deepest network of that width."""
    names = [name for name, one in backbone.BACKBONES.items() if str(one.width) == width]
    return options_for("fast", backbone=names[0])


def imagenet(model: Any, folder: Path) -> Case:
    """Return a network and photos of ImageNet: one of each class, sorted by its synset."""
    files = sorted(folder.glob("n*.JPEG"))
    order = np.random.default_rng(0).permutation(len(files))
    pictures = np.stack([square(files[place]) for place in order])
    return Case(model, pictures[:CALIBRATION], pictures[CALIBRATION:], order[CALIBRATION:])


def square(path: Path, side: int = 224) -> np.ndarray:
    """Return the middle of a photo whose shorter side is 8/7 of `side`, as ImageNet is judged."""
    photo = Image.open(path).convert("RGB")
    scale = side * 8 / 7 / min(photo.size)
    width, height = (round(length * scale) for length in photo.size)
    photo = photo.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - side) // 2, (height - side) // 2
    return np.asarray(photo.crop((left, top, left + side, top + side)))


def network_of(width: float, archive: Path) -> Any:
    """Return MobileNetV1 with 1000 classes, Google's of `archive` or Keras', padded on all sides.

    Raises:
        ValueError: the archive is not the known one.
    """
    if width != 1.0:
        return mobilenet(width, keras_cache() / keras_file(width))
    constants = import_mobilenet.read_graph(archive)
    model = backbone.build(backbone.Backbone(width, 13), (224, 224), 1000)
    backbone.set_weights(model, import_mobilenet.network(constants, 13))
    kernel, bias = import_mobilenet.predictions(constants)
    model.get_layer("logits").set_weights([kernel[:, 1:], bias[1:]])  # without the background
    return model


def mobilenet(width: float, weights: Path) -> Any:
    """Return Keras' MobileNetV1 with its ImageNet weights, padded by one pixel on all sides."""
    import keras  # noqa: PLC0415
    from keras import layers  # noqa: PLC0415

    source = keras.applications.MobileNet(alpha=width, weights=str(weights))
    x = image = keras.Input((224, 224, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    for layer in source.layers[1:]:
        if isinstance(layer, layers.GlobalAveragePooling2D):
            break
        if isinstance(layer, layers.ZeroPadding2D):
            continue
        config = layer.get_config()
        if config.get("strides") == (2, 2):
            x = layers.ZeroPadding2D(1)(x)
            config["padding"] = "valid"
        x = type(layer).from_config(config)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Softmax()(layers.Dense(1000, name="conv_preds")(x))
    model = keras.Model(image, x)
    for layer in model.layers:
        if layer.weights:
            values = source.get_layer(layer.name).get_weights()
            pairs = zip(values, layer.get_weights(), strict=True)
            layer.set_weights([value.reshape(own.shape) for value, own in pairs])
    return model


def spaced(items: Sequence[Item], count: int) -> list[Item]:
    """Return at most `count` of the items, evenly spaced, first and last among them."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[place] for place in places]
