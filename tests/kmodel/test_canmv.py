"""Kmodel V5 through nncase: a small network there and back, and everything that can go wrong."""

import stat
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from small_networks import photos

from host.errors import UserError
from host.kmodel import canmv
from host.trainer import runtime
from host.trainer.export import to_tflite


@pytest.fixture(scope="module")
def network():
    """A convolution with stride 2, a depthwise and a pointwise one; random weights."""
    runtime.start(7)
    import keras
    from keras import layers

    strong = keras.initializers.RandomNormal(stddev=20)
    return keras.Sequential(
        [
            keras.Input((64, 48, 3)),
            layers.Rescaling(1 / 127.5, offset=-1.0),
            layers.ZeroPadding2D(1),
            layers.Conv2D(16, 3, 2, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.ZeroPadding2D(1),
            layers.DepthwiseConv2D(3, 2),
            layers.ReLU(6.0),
            layers.Conv2D(24, 1),
            layers.ReLU(6.0),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, "softmax", kernel_initializer=strong),
        ]
    )


PICTURES = photos(3, (64, 48, 3), 12)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_export_keeps_what_the_network_computes(network):
    import tensorflow as tf

    data, (low, high) = to_tflite(network)
    assert (low, high) == (-1.0, 1.0)
    reader = tf.lite.Interpreter(model_content=data)
    reader.allocate_tensors()
    place = reader.get_input_details()[0]
    assert place["shape"].tolist() == [1, 64, 48, 3]
    reader.set_tensor(place["index"], (PICTURES[:1] / 255 * (high - low) + low).astype("f4"))
    reader.invoke()
    got = reader.get_tensor(reader.get_output_details()[0]["index"])
    np.testing.assert_allclose(got, network(PICTURES[:1].astype("f4")).numpy(), atol=1e-5)


def test_compile_and_simulate(network, nncase_python):
    """The V5 file agrees with the float network, and its convolutions are the KPU's."""
    data, meaning = to_tflite(network)
    made = canmv.compile_v5(data, PICTURES, input_range=meaning, python=nncase_python)
    assert made[:8] == b"LDMK" + struct.pack("<I", 5)
    (scores,) = canmv.simulate_v5(made, PICTURES, python=nncase_python)
    wanted = network(PICTURES.astype("f4")).numpy()
    assert scores.shape == wanted.shape
    assert scores.dtype == np.float32
    assert np.abs(scores - wanted).max() < 0.1
    assert np.abs(wanted - wanted.mean(0)).max() > 0.2  # the pictures matter
    for inputs, outputs in ((3, 16), (16, 24)):  # word 2 of a KPU descriptor
        channels = inputs - 1 | outputs - 1 << 32 | outputs - 1 << 48
        assert struct.pack("<Q", channels) in made


def test_the_working_folder_stays_clean(network, nncase_python, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    data, meaning = to_tflite(network)
    canmv.compile_v5(data, PICTURES[:1], input_range=meaning, python=nncase_python)
    assert [one.name for one in tmp_path.rglob("*")] == ["t"]


@pytest.mark.parametrize("network", [b"no network", b"\0\0\0\0TFL3" + bytes(99)])
def test_what_nncase_says_reaches_the_user(nncase_python, network):
    with pytest.raises(UserError) as error:
        canmv.compile_v5(network, PICTURES, python=nncase_python)
    assert error.value.code == "nncase_failed"
    text = str(error.value)
    assert "exit code" in text or "stopped by SIG" in text
    assert "b'" not in text and "Traceback" not in text


def test_a_damaged_kmodel_in_the_simulator(nncase_python):
    with pytest.raises(UserError) as error:
        canmv.simulate_v5(b"LDMK" + bytes(100), PICTURES, python=nncase_python)
    assert error.value.code == "nncase_failed"


# --- without nncase ------------------------------------------------------------------------------


def script(folder, text):
    """An interpreter that says it has nncase and then does what `text` says."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\n[ "$2" = -c ] && exit 41\n{text}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


posix = pytest.mark.skipif(sys.platform == "win32", reason="stands in with a shell script")


@posix
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kill -SEGV $$", "it was stopped by SIGSEGV"),
        ("echo one >&2; echo 'the oven is cold' >&2; exit 3", "exit code 3; the oven is cold"),
        ("exit 0", "no m.kmodel"),
        ("printf '\\377\\n' >&2; exit 1", "exit code 1; \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_worker_that_fails_is_named(tmp_path, text, reason):
    with pytest.raises(UserError) as error:
        canmv.compile_v5(b"", PICTURES, python=script(tmp_path, text))
    assert error.value.code == "nncase_failed"
    assert error.value.findings[0].params["reason"] == reason


@posix
def test_a_worker_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(canmv, "START_SECONDS", 0.5)
    monkeypatch.setattr(canmv, "PICTURE_SECONDS", 0.0)
    with pytest.raises(UserError) as error:
        canmv.simulate_v5(b"", PICTURES, python=script(tmp_path, "exec sleep 60"))
    assert "more than" in str(error.value)


def test_no_interpreter_is_a_clear_message(monkeypatch):
    monkeypatch.setattr(canmv, "candidates", list)
    with pytest.raises(UserError) as error:
        canmv.find_python()
    assert error.value.code == "nncase_missing"
    assert "make nncase" in str(error.value)
    assert "MAIXFORGE_NNCASE_PYTHON" in str(error.value)


@pytest.mark.parametrize("named", [Path("/nowhere/python"), Path(sys.executable)])
def test_a_named_interpreter_without_nncase_is_not_replaced(named):
    with pytest.raises(UserError) as error:
        canmv.find_python(named)
    assert error.value.code == "nncase_missing"
    assert str(named) in str(error.value)


@posix
def test_interpreters_of_pyenv_and_the_path_are_found(tmp_path, monkeypatch):
    places = [
        "path/python3.8",
        "pyenv/versions/3.9.1/bin/python",
        "pyenv/versions/3.10.2/bin/python",
    ]
    for place in [*places, "pyenv/versions/3.12.1/bin/python"]:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("#!/bin/sh\n")
        (tmp_path / place).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr(canmv, "ENVIRONMENT", tmp_path / "none")
    found = [one.relative_to(tmp_path).as_posix() for one in canmv.candidates()]
    assert found == [places[0], places[2], places[1]]


def test_nothing_to_install_into(tmp_path):
    with pytest.raises(UserError) as error:
        canmv.prepare_environment(tmp_path / "venv", tmp_path / "no-python")
    assert error.value.code == "nncase_python_missing"
    assert not (tmp_path / "venv").exists()


@posix
@pytest.mark.parametrize(
    ("pip", "reason"),
    [("echo 'no network' >&2; exit 1", "exit code 1; no network"), ("exit 0", "import")],
)
def test_an_environment_that_cannot_be_made_leaves_nothing(tmp_path, pip, reason):
    """The stand-in makes an environment whose pip fails, or installs something else."""
    inner = tmp_path / "inner"
    inner.write_text(f'#!/bin/sh\n[ "$2" = -c ] && exit 1\n{pip}\n')
    inner.chmod(0o755)
    outer = tmp_path / "outer"
    outer.write_text(
        f'#!/bin/sh\n[ "$2" = -c ] && exit 0\nmkdir -p "$4/bin"; cp {inner} "$4/bin/python"\n'
    )
    outer.chmod(0o755)
    with pytest.raises(UserError) as error:
        canmv.prepare_environment(tmp_path / "venv", outer)
    assert error.value.code == "nncase_setup_failed"
    assert reason in error.value.findings[0].params["reason"]
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("pictures", [PICTURES[0], PICTURES[:0], PICTURES.astype("f4")])
def test_pictures_of_the_wrong_kind(monkeypatch, pictures):
    monkeypatch.setattr(canmv, "find_python", lambda _named: Path(sys.executable))
    with pytest.raises(UserError) as error:
        canmv.simulate_v5(b"", pictures)
    assert error.value.code == "kmodel_picture_size"
