"""Settings: presets, overrides, and what is refused."""

import dataclasses
import json

import pytest

from host.errors import UserError
from host.trainer.options import PRESETS, Augmentation, TrainOptions, from_dict, options_for


def test_presets_are_options():
    assert list(PRESETS) == ["fast", "balanced", "best"]
    assert options_for() == TrainOptions()
    fast, best = options_for("fast"), options_for("best")
    assert fast.views < TrainOptions().views < best.views
    assert fast.tune_epochs < TrainOptions().tune_epochs < best.tune_epochs


def test_overrides_reach_the_knobs():
    options = options_for("fast", size=192, rotate=0, flip_horizontal=True, seed=3)
    assert options.size == (192, 192)
    assert options.augmentation == Augmentation(rotate=0, flip_horizontal=True)
    assert options.views == PRESETS["fast"]["views"]
    assert options_for(size=[320, 224]).size == (320, 224)


def test_mirrored_views_are_off():
    assert not Augmentation().flip_horizontal
    assert not Augmentation().flip_vertical
    assert Augmentation().rotate < 45


def test_json_round_trip():
    options = options_for("best", noise=3.5, size=(160, 128))
    assert from_dict(json.loads(json.dumps(options.as_dict()))) == options


def test_every_option_is_explained():
    import ast
    from pathlib import Path

    from host.trainer import options

    assert options.__file__
    for node in ast.parse(Path(options.__file__).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            told = [
                one.target.id
                for one, after in zip(node.body, node.body[1:], strict=False)
                if isinstance(one, ast.AnnAssign)
                and isinstance(one.target, ast.Name)
                and isinstance(after, ast.Expr)
            ]
            kind = getattr(options, node.name)
            assert told == [each.name for each in dataclasses.fields(kind)]


@pytest.mark.parametrize(
    ("overrides", "code", "place"),
    [
        ({"learning": 1}, "train_option_unknown", "learning"),
        ({"network": 1}, "train_option_unknown", "network"),
        ({"views": 0}, "train_option_invalid", "views"),
        ({"views": 2.5}, "train_option_invalid", "views"),
        ({"views": True}, "train_option_invalid", "views"),
        ({"dropout": 1.0}, "train_option_invalid", "dropout"),
        ({"tune_rate": float("nan")}, "train_option_invalid", "tune_rate"),
        ({"zoom_in": 0.5}, "train_option_invalid", "zoom_in"),
        ({"fit": "stretch"}, "train_option_invalid", "fit"),
        ({"backbone": "vgg"}, "backbone_unknown", "vgg"),
        ({"size": 96}, "input_size_impossible", ""),
        ({"size": "224"}, "train_option_invalid", "size"),
    ],
)
def test_refused(overrides, code, place):
    with pytest.raises(UserError) as refused:
        options_for("fast", **overrides)
    assert (refused.value.code, refused.value.findings[0].path) == (code, place)
    assert str(refused.value)


def test_unknown_preset():
    with pytest.raises(UserError, match="fast, balanced, best"):
        options_for("turbo")


def test_tensorflow_is_loaded_only_to_train():
    import subprocess
    import sys

    rooms = "classifier, options, backbone, evaluate, model, report"
    code = f"import sys; from host.trainer import {rooms}; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
