"""How much a network loses by quantization: ours, nncase 0.1's rules, nncase 1.9, and ablations.

    python -m benchmarks.quantize [--networks samples,digits,0.75,0.25] [--ablation] [--vendor 24]

Networks: `samples` and `digits` are classifiers trained here with the preset fast (the sample
pictures; a data set of hand signs), `0.75` and `0.25` are Keras' MobileNetV1 with its ImageNet
weights and symmetric padding. What is not there is left out: digits and the MobileNets need files
in ../shared/data. nncase 1.9 (`make nncase`, or the
interpreter that TEST_NNCASE_PYTHON names) sees the same calibration pictures, but only the first
`--vendor` of them, and is judged on as many test pictures, for it is slow.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from host import kmodel
from host.datasets import checks, formats, intake
from host.datasets.split import split
from host.errors import UserError
from host.kmodel import Options, canmv
from host.trainer import classifier, runtime
from host.trainer.export import to_tflite
from host.trainer.model import load
from host.trainer.options import options_for
from host.trainer.pictures import read_pictures

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
CACHE = ROOT / "build" / "benchmarks" / "quantize"
SOURCES = {
    "samples": ROOT / "samples" / "sample_dump",
    "digits": DATA / "cls_sign_digits10.zip",
}
WEIGHTS = {"0.75": "mobilenet_7_5_224_tf.h5", "0.25": "mobilenet_2_5_224_tf.h5"}
ZIPS = {"cls_sign_digits10.zip": 40, "cls_cards2.zip": 20, "det_voc_raccoon.zip": 120}
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "retina")
CALIBRATION = 100

OURS = Options()
OLD = Options(
    zero_search=False, range_search=False, channel_steps=False, round_weights=False, bias_images=0
)
ABLATIONS = {
    "nncase 0.1's rules": OLD,
    "+ zero point by search": replace(OLD, zero_search=True),
    "+ bias correction": replace(OLD, zero_search=True, bias_images=32),
    "+ steps of channels": replace(OLD, zero_search=True, bias_images=32, channel_steps=True),
    "+ adapted rounding": replace(OURS, range_search=False),
    "+ range by least error (all)": OURS,
    "all, 16 pictures": replace(OURS, bias_images=16),
    "all, 64 pictures": replace(OURS, bias_images=64),
    "all, dense layer in float": replace(OURS, dense_on_kpu=False),
}


@dataclass(frozen=True)
class Case:
    """A network, calibration and test pictures (n, h, w, 3), and the labels, if there are any."""

    model: Any
    calibration: np.ndarray
    test: np.ndarray
    truth: np.ndarray | None


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    scores: np.ndarray
    size: int = 0
    seconds: float = 0.0


def trained(name: str) -> Case:
    """Return a classifier trained with the preset fast; trained once, then kept under build/."""
    runtime.start(0)
    folder = CACHE / name
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    dataset = split(checks.check(formats.load(intake.receive(SOURCES[name], data))), 0.3, 0)
    options = options_for("fast")
    if not (folder / "model").is_dir():
        classifier.train(dataset, folder / "training", options).save(folder / "model")
    chosen = dataset.of_split("train")
    chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, CALIBRATION).astype(int)]
    test = dataset.of_split("valid")
    return Case(
        load(folder / "model").model,
        read_pictures(dataset, chosen, options.size, options.fit),
        read_pictures(dataset, test, options.size, options.fit),
        np.array([sample.label for sample in test]),
    )


def mobilenet(alpha: float) -> Any:
    """Return Keras' MobileNetV1 with ImageNet weights, padded by one pixel on all sides."""
    import keras  # noqa: PLC0415
    from keras import layers  # noqa: PLC0415

    path = DATA / "weights" / WEIGHTS[str(alpha)]
    source = keras.applications.MobileNet(alpha=alpha, weights=str(path))
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


def photos() -> np.ndarray:
    """Return squares of the photos that are there, 224x224, in a fixed random order."""
    import skimage.data  # noqa: PLC0415

    pictures, rng = [], np.random.default_rng(0)
    for name in PHOTOS:
        whole = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        for _ in range(8):
            side = int(rng.integers(min(whole.size) // 2, min(whole.size)))
            left, top = (int(rng.integers(0, length - side + 1)) for length in whole.size)
            pictures.append(whole.crop((left, top, left + side, top + side)).resize((224, 224)))
    for name, count in ZIPS.items():
        with zipfile.ZipFile(DATA / name) as archive:
            names = sorted(n for n in archive.namelist() if n.lower().endswith((".jpg", ".jpeg")))
            for one in names[:: max(1, len(names) // count)][:count]:
                whole = Image.open(io.BytesIO(archive.read(one))).convert("RGB")
                side = min(whole.size)
                left, top = (whole.width - side) // 2, (whole.height - side) // 2
                box = (left, top, left + side, top + side)
                pictures.append(whole.crop(box).resize((224, 224)))
    return np.stack([np.asarray(picture) for picture in pictures])[rng.permutation(len(pictures))]


def imagenet(name: str) -> Case:
    """Return a MobileNet and photos; their classes are not known."""
    runtime.start(0)
    pictures = photos()
    return Case(mobilenet(float(name)), pictures[:CALIBRATION], pictures[CALIBRATION:], None)


def compiled(name: str, case: Case, options: Options) -> Row:
    """Compile and simulate."""
    graph = kmodel.from_keras(case.model)
    start = time.perf_counter()
    made = kmodel.compile(graph, case.calibration, options)
    seconds = time.perf_counter() - start
    return Row(name, kmodel.simulate(made.data, case.test)[0], len(made.data), seconds)


def vendor(case: Case, count: int) -> Row | None:
    """Compile with nncase 1.9 and run its simulator; None where it is missing."""
    try:
        named = os.environ.get("TEST_NNCASE_PYTHON")
        python = canmv.find_python(Path(named) if named else None)
    except UserError:
        return None
    network, meaning = to_tflite(case.model)
    start = time.perf_counter()
    calibration = case.calibration[:count]
    data = canmv.compile_v5(network, calibration, input_range=meaning, python=python)
    seconds = time.perf_counter() - start
    scores = canmv.simulate_v5(data, case.test[:count], python=python)[0]
    return Row(f"nncase 1.9, {count} pictures", scores, len(data), seconds)


def cosines(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return the cosine of the logits of each picture, from probabilities (n, classes)."""
    logits = [np.log(part.astype(np.float64) + 1e-9) for part in (wanted, found)]
    a, b = (part - part.mean(1, keepdims=True) for part in logits)
    return (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)


def line(row: Row, case: Case, wanted: np.ndarray) -> str:
    """Return one line of the table, in Markdown."""
    count = len(row.scores)
    best = row.scores.argmax(1)
    top = "-" if case.truth is None else f"{np.mean(best == case.truth[:count]):.3f}"
    agree = np.mean(best == wanted[:count].argmax(1))
    cosine = cosines(wanted[:count], row.scores)
    text = f"| {row.name} | {top} | {agree:.3f} | {cosine.mean():.4f} / {cosine.min():.4f} |"
    return f"{text} {row.size:,} | {row.seconds:.1f} |" if row.size else f"{text} | |"


def report(name: str, arguments: argparse.Namespace) -> None:
    """Print the table of one network."""
    case = trained(name) if name in SOURCES else imagenet(name)
    wanted = case.model.predict(case.test, verbose=0)
    print(f"\n**{name}**, {len(case.calibration)} calibration and {len(case.test)} test pictures\n")
    print("| | top-1 | agreement | logit cosine mean / min | bytes | compile s |")
    print("|---|---|---|---|---|---|", flush=True)
    print(line(Row("float", wanted), case, wanted))
    choices = ABLATIONS if arguments.ablation else {"ours": OURS, "nncase 0.1's rules": OLD}
    for title, options in choices.items():
        row = compiled(title, case, options)
        print(line(row, case, wanted), flush=True)
        if title == "ours" and arguments.vendor:
            few = f"ours, the same {arguments.vendor} pictures"
            print(line(replace(row, name=few, scores=row.scores[: arguments.vendor]), case, wanted))
    found = vendor(case, arguments.vendor) if arguments.vendor else None
    if found is not None:
        print(line(found, case, wanted), flush=True)


def available(name: str) -> bool:
    """Tell whether the files of a network are there."""
    if name in SOURCES:
        return SOURCES[name].exists()
    return (DATA / "weights" / WEIGHTS[name]).exists() and all((DATA / z).exists() for z in ZIPS)


def main() -> None:
    """Print a table for each network whose files are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--networks", default="samples,digits,0.75,0.25")
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--vendor", type=int, default=24, help="pictures for nncase 1.9 (0: none)")
    arguments = parser.parse_args()
    for name in arguments.networks.split(","):
        if available(name):
            report(name, arguments)
        else:
            print(f"\n**{name}**: its files are not in {DATA}")


if __name__ == "__main__":
    main()
