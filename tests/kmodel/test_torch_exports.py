"""Networks that PyTorch exported (see make_torch_exports.py), against PyTorch's own answers."""

from pathlib import Path

import numpy as np
import pytest

from host.errors import UserError
from host.kmodel import compile, from_onnx, simulate, with_scaling
from host.kmodel.agreement import run_float_network

pytest.importorskip("onnx")
FOLDER = Path(__file__).parent / "torch_files"
FILES = sorted(path.name for path in FOLDER.glob("*.onnx"))
TEXTS = {
    "excite": "squeeze-and-excite",
    "maxpool": "2x2 or 4x4",
    "stem": "7x7",
    "bilinear": "nearest upsampling",
    "transposed": "nearest upsampling",
    "unpadded": "padding=1 in PyTorch",
    "groups": "groups=1",
    "norm": "batch norm",
}


def test_the_files_are_there():
    assert len(FILES) == 23 + 16
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000


@pytest.mark.parametrize("file", [name for name in FILES if not name.startswith("refused")])
def test_the_graph_answers_as_torch_does(file):
    answers = np.load(FOLDER / "answers.npz")
    graph = with_scaling(from_onnx(FOLDER / file))
    wanted = answers[file.split(".")[0]].reshape(1, -1)
    found = run_float_network(graph, answers["picture"])[0]
    np.testing.assert_allclose(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["resnet", "mobilenet1", "mobilenet2", "neck", "view", "mean"])
def test_the_kmodel_answers_as_torch_does(name):
    answers = np.load(FOLDER / "answers.npz")
    graph = with_scaling(from_onnx(FOLDER / f"{name}.dynamo.onnx"))
    made = compile(graph, answers["picture"])
    found = simulate(made.data, answers["picture"])[0]
    wanted = answers[name].reshape(1, -1)
    assert np.abs(found - wanted).mean() < 0.02 * max(1.0, float(np.ptp(wanted)))
    assert [one.code for one in made.findings] == ["kmodel_border_colours"] * (name == "resnet")


@pytest.mark.parametrize("file", [name for name in FILES if name.startswith("refused")])
def test_what_the_chip_cannot_do_is_named_as_in_torch(file):
    picture = np.load(FOLDER / "answers.npz")["picture"]
    with pytest.raises(UserError) as error:
        compile(with_scaling(from_onnx(FOLDER / file)), picture)
    kind = file.split(".")[0].removeprefix("refused_")
    assert TEXTS[kind] in str(error.value)
    assert error.value.code == "kmodel_operation_unsupported"
    assert error.value.findings[0].path
