"""The SD zip of a compiled model runs on the virtual board, whose KPU is the host's simulator."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from host import kmodel
from host.deploy import package, sdcard
from host.emulator import board as virtual
from host.kmodel import Graph, Node
from samples.render import picture

LABELS = ("nut", "screw", "washer")


@pytest.fixture(scope="module")
def model():
    """A small network with random weights: what it says differs from picture to picture."""
    rng = np.random.default_rng(3)
    bias = np.zeros(8, np.float32)
    graph = Graph(
        (
            Node("input", "affine", {"scale": 1 / 127.5, "offset": -1.0}),
            Node("pad", "pad"),
            Node("conv", "conv", {"kernel": 3, "stride": 2, "padding": "valid"},
                 {"w": rng.normal(0, 0.4, (3, 3, 3, 8)).astype("f4"), "b": bias}),
            Node("relu", "activation", {"kind": "relu6"}),
            Node("pool", "global_mean"),
            Node("dense", "dense", {},
                 {"w": rng.normal(0, 4, (8, 3)).astype("f4"), "b": np.zeros(3, np.float32)}),
            Node("softmax", "softmax"),
        ),
        (224, 224, 3),
    )  # fmt: skip
    pictures = np.random.default_rng(4).integers(0, 256, (8, 224, 224, 3), dtype=np.uint8)
    return kmodel.compile(graph, pictures).data


def test_the_board_shows_what_the_simulator_says(model, tmp_path):
    packed = package.create(tmp_path / "package", model, name="fasteners", labels=LABELS)
    card = zipfile.ZipFile(sdcard.build(packed, tmp_path / "sd.zip"))
    files = {name: card.read(name) for name in card.namelist()}
    simulator = kmodel.Simulator(files["m.kmodel"])
    answers = []

    def kpu(seen):
        answers.append(simulator.run(seen[None])[0][0])
        return [float(value) for value in answers[-1]]

    scenes = [Image.open(io.BytesIO(picture(label, 1, 1))) for label in LABELS]
    camera = [scene.convert("RGB").resize((320, 240)) for scene in scenes]
    result = virtual.run(files["boot.py"], card=files, kpu=kpu, camera=camera, until_ms=3000)

    lines = result.json_lines()
    assert len(lines) >= 3
    for line, answer in zip(lines, answers, strict=False):
        assert line["index"] == int(np.argmax(answer))
        assert line["label"] == LABELS[line["index"]]
        assert line["score"] == pytest.approx(float(answer.max()), abs=1e-3)
    assert len({round(float(answer.max()), 3) for answer in answers[:3]}) > 1
    assert result.last.says(lines[-1]["label"])
