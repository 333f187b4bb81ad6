"""Settings of detectors: presets, overrides, and what is refused."""

import dataclasses
import json

import pytest

from host.errors import UserError
from host.trainer.detect_options import (
    PRESETS,
    DetectAugmentation,
    DetectOptions,
    detect_options_for,
    from_dict,
)


def test_presets_are_options():
    assert list(PRESETS) == ["fast", "balanced", "best"]
    assert detect_options_for() == DetectOptions()
    fast, best = detect_options_for("fast"), detect_options_for("best")
    assert fast.tune_epochs < DetectOptions().tune_epochs < best.tune_epochs


def test_overrides_reach_the_knobs_and_json_brings_them_back():
    options = detect_options_for("fast", size=(320, 240), backbone="mobilenet_0.5_cut13",
                                 flip_horizontal=False, mosaic=0, seed=3)  # fmt: skip
    assert options.augmentation == DetectAugmentation(flip_horizontal=False, mosaic=0)
    assert options.grid == (7, 10)
    assert detect_options_for(size=240).grid == (7, 7)
    assert detect_options_for(size=240, stride=16).grid == (15, 15)
    assert from_dict(json.loads(json.dumps(options.as_dict()))) == options


def test_every_option_is_explained():
    import ast
    from pathlib import Path

    from host.trainer import detect_options

    assert detect_options.__file__
    for node in ast.parse(Path(detect_options.__file__).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            told = [
                one.target.id
                for one, after in zip(node.body, node.body[1:], strict=False)
                if isinstance(one, ast.AnnAssign)
                and isinstance(one.target, ast.Name)
                and isinstance(after, ast.Expr)
            ]
            kind = getattr(detect_options, node.name)
            assert told == [each.name for each in dataclasses.fields(kind)]


@pytest.mark.parametrize(
    ("overrides", "code", "place"),
    [
        ({"learning": 1}, "train_option_unknown", "learning"),
        ({"network": 1}, "train_option_unknown", "network"),
        ({"stride": 8}, "train_option_invalid", "stride"),
        ({"fit": "stretch"}, "train_option_invalid", "fit"),
        ({"head_epochs": 0}, "train_option_invalid", "head_epochs"),
        ({"tune_epochs": 2.5}, "train_option_invalid", "tune_epochs"),
        ({"batch": 1}, "train_option_invalid", "batch"),
        ({"average": 1.0}, "train_option_invalid", "average"),
        ({"tune_rate": float("nan")}, "train_option_invalid", "tune_rate"),
        ({"zoom": 0.5}, "train_option_invalid", "zoom"),
        ({"mosaic": 1.5}, "train_option_invalid", "mosaic"),
        ({"backbone": "vgg"}, "backbone_unknown", "vgg"),
        ({"size": 100}, "detect_size_impossible", ""),
        ({"size": (320, 256)}, "detect_size_impossible", ""),
        ({"size": (320, 240)}, "detect_memory", "mobilenet_1.0_cut12"),
    ],
)
def test_refused(overrides, code, place):
    with pytest.raises(UserError) as refused:
        detect_options_for("fast", **overrides)
    assert (refused.value.code, refused.value.findings[0].path) == (code, place)
    assert str(refused.value)


def test_unknown_preset():
    with pytest.raises(UserError, match="fast, balanced, best"):
        detect_options_for("turbo")


def test_tensorflow_is_loaded_only_to_train():
    import subprocess
    import sys

    code = "import sys; from host.trainer import detector; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
