"""Networks that Keras 2 saved (see make_keras2_files.py), against Keras 2's own answers."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from host.errors import UserError
from host.jobs.convert import read_network
from host.kmodel import compile, simulate, with_scaling
from host.kmodel.agreement import run_float_network
from host.kmodel.keras2 import of_keras2

pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")
FOLDER = Path(__file__).parent / "keras2_files"
FILES = sorted(
    (path.stem, name)
    for path in FOLDER.glob("*.zip")
    for name in zipfile.ZipFile(path).namelist()
    if not name.startswith(("answers", "refused", "weights"))
)
SCALED = ("operators", "preprocess", "augmented")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras2")
    for path in FOLDER.glob("*.zip"):
        zipfile.ZipFile(path).extractall(folder / path.stem)
    return folder


def plane_by_plane(answers):
    """Channels first, as a kmodel answers; a YOLO's boxes lie in its channels."""
    if answers.ndim > 2:
        answers = np.moveaxis(answers.reshape(*answers.shape[:3], -1), 3, 1)
    return answers.reshape(len(answers), -1)


def test_the_files_are_there():
    assert len(FILES) == 3 + 7 + 3 + 4 + 2 * 10
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000


@pytest.mark.parametrize(("version", "name"), FILES)
def test_it_answers_as_keras_2_did(version, name, unpacked):
    path = unpacked / version / name
    before = path.read_bytes()
    answers = np.load(unpacked / version / "answers.npz")
    graph = read_network(path)
    assert (graph.nodes[0].op == "affine") == (path.stem in SCALED)
    graph, pictures = with_scaling(graph), answers["pictures"]
    wanted = plane_by_plane(answers[path.stem])
    np.testing.assert_allclose(run_float_network(graph, pictures)[0], wanted, atol=1e-4, rtol=1e-4)
    assert path.read_bytes() == before
    error = np.abs(simulate(compile(graph, pictures).data, pictures)[0] - wanted).mean()
    assert error < 0.02 * max(1.0, float(np.ptp(wanted)))


@pytest.mark.parametrize("version", ["keras224", "tf115", "tf23", "tf26", "tf215"])
def test_weights_without_their_network_are_refused(version, unpacked):
    with pytest.raises(UserError) as error:
        read_network(unpacked / version / "weights.h5")
    assert error.value.code == "kmodel_weights_only"
    assert "model.save" in str(error.value)


def test_weights_of_keras_applications_are_refused(shared):
    for path in sorted((shared / "data" / "weights").glob("*.h5")):
        with pytest.raises(UserError) as error:
            read_network(path)
        assert error.value.code == "kmodel_weights_only"


@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_an_operation_of_tensorflow_that_has_no_layer_is_named(ending, unpacked):
    with pytest.raises(UserError) as error:
        read_network(unpacked / "tf215" / f"refused{ending}")
    assert error.value.code == "kmodel_operation_unsupported"
    assert error.value.findings[0].path == "tf.image.resize"
    assert "nearest upsampling" in str(error.value)


def model(*layers, outputs="last"):
    """A configuration of Keras 2: each layer is (class, config, calls)."""
    start = ("InputLayer", {"batch_input_shape": [None, 16, 16, 3]}, [])
    made = []
    for number, (kind, config, calls) in enumerate([start, *layers]):
        name = "in" if not number else "last" if number == len(layers) else f"layer{number}"
        made.append({"class_name": kind, "config": {"name": name, **config}, "name": name,
                     "inbound_nodes": calls})  # fmt: skip
    ends = {"input_layers": [["in", 0, 0]], "output_layers": [[outputs, 0, 0]]}
    return {"class_name": "Model", "config": {"name": "m", "layers": made, **ends}}


def operation(function, first, **arguments):
    return "TFOpLambda", {"function": function}, [[*first, arguments]]


IN = ["in", 0, 0]


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (("Lambda", {"function": ["...", None, None]}, [[[*IN, {}]]]), "code inside a file"),
        (("SlicingOpLambda", {}, [[*IN, {}]]), "cut, turn or join"),
        (("TensorFlowOpLayer", {"node_def": {}}, [[[*IN, {}]]]), "TFLite"),
        (operation("math.truediv", IN, y=["in", 0, 0]), "tf.math.truediv"),
        (operation("math.divide", ["_CONSTANT_VALUE", -1, 2.0], y=IN), "tf.math.divide"),
        (operation("clip_by_value", IN, clip_value_min=-1, clip_value_max=1), "clip_by_value"),
        (operation("math.reduce_mean", IN, axis=[3]), "reduce_mean"),
        (operation("nn.max_pool2d", IN, ksize=2, strides=2, padding=[[0, 0]] * 4), "max_pool2d"),
        (operation("pad", IN, paddings=[[0, 0], [1, 1], [1, 1], [0, 1]]), "tf.pad"),
    ],
)
def test_what_is_no_layer_is_refused_by_name(layer, text):
    with pytest.raises(UserError) as error:
        of_keras2(model(layer))
    assert error.value.code == "kmodel_operation_unsupported"
    assert error.value.findings[0].path == "last"
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("layer", "made"),
    [
        (operation("math.add", IN, y=[1.0, 2.0, 3.0]), {"scale": 1.0, "offset": [1.0, 2.0, 3.0]}),
        (operation("math.subtract", IN, y=[1, 2, 3]), {"scale": 1.0, "offset": [-1, -2, -3]}),
        (operation("math.divide", IN, y=[2, 4, 8]), {"scale": [0.5, 0.25, 0.125], "offset": 0.0}),
        (operation("math.multiply", ["_CONSTANT_VALUE", -1, 2.0], y=IN),
         {"scale": 2.0, "offset": 0.0}),
        (operation("math.subtract", ["_CONSTANT_VALUE", -1, 1.0], y=IN),
         {"scale": -1.0, "offset": 1.0}),
        (operation("clip_by_value", IN, clip_value_min=0, clip_value_max=3), {"max_value": 3}),
        (operation("pad", IN, paddings=[[0, 0], [1, 1], [1, 1], [0, 0]]),
         {"padding": [[1, 1], [1, 1]]}),
    ],
)  # fmt: skip
def test_operations_become_layers(layer, made):
    last = of_keras2(model(layer))["config"]["layers"][-1]
    assert last["config"] == {"name": "last", **made}
    assert last["inbound_nodes"] == [[["in", 0, 0, {}]]]


def damaged(path, config):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = config
        file.attrs["keras_version"] = "2.15.0"
        file.create_group("model_weights")
    return path


@pytest.mark.parametrize("config", ["", "{", "[]", "{}", '{"class_name": "Model", "config": {}}',
                                    '{"class_name": "Sequential", "config": [{}]}'])  # fmt: skip
def test_damaged_configurations_are_refused(config, tmp_path):
    with pytest.raises(UserError) as error:
        read_network(damaged(tmp_path / "m.h5", config))
    assert error.value.code == "kmodel_model_unreadable"


def test_a_class_of_somebodys_own_is_refused(tmp_path):
    layer = {"class_name": "MyBlock", "config": {"name": "own"}, "registered_name": "Me>MyBlock"}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}}
    with pytest.raises(UserError) as error:
        read_network(damaged(tmp_path / "m.h5", json.dumps(config)))
    assert error.value.code == "kmodel_model_unreadable"
    assert "MyBlock" in str(error.value)
