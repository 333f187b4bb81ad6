"""What a network takes on the board, known before it is trained."""

import numpy as np
import pytest

from host import kmodel
from host.jobs import sizes
from host.trainer import backbone, detect_net
from host.trainer.detect_options import detect_options_for
from host.trainer.options import options_for

CLASSES = 4


@pytest.mark.parametrize(
    "options",
    [
        options_for(backbone="mobilenet_0.25_cut13", size=128),
        options_for(backbone="mobilenet_0.5_cut6", size=[320, 224]),
        detect_options_for(backbone="mobilenet_0.25_cut12", stride=16, neck=64),
        detect_options_for(backbone="mobilenet_0.25_cut8", size=240),
        detect_options_for(backbone="mobilenet_0.25_cut6", size=[320, 240], stride=16),
    ],
)
def test_the_outline_takes_what_the_network_takes(options):
    if hasattr(options, "stride"):
        model = detect_net.build(options, CLASSES)
    else:
        model = backbone.build(options.network(), options.size, CLASSES)
    width, height = options.size
    pictures = np.random.default_rng(0).integers(0, 256, (2, height, width, 3)).astype(np.uint8)
    made = kmodel.compile(kmodel.from_keras(model), pictures)
    told = sizes.on_board(options, CLASSES)
    assert told == sizes.OnBoard(len(made.data), made.main_memory, made.ram_bytes, made.ms)


def test_what_does_not_change_the_network_is_not_compiled_again(monkeypatch):
    options = options_for(backbone="mobilenet_0.25_cut6", size=160)
    told = sizes.on_board(options, CLASSES)
    monkeypatch.setattr(kmodel, "compile", None)
    for preset in ("fast", "best"):
        other = options_for(preset, backbone="mobilenet_0.25_cut6", size=160, seed=7)
        assert sizes.on_board(other, CLASSES) is told


def test_networks_that_end_earlier_are_smaller():
    options = options_for(backbone="mobilenet_0.25_cut12")
    rows = sizes.smaller_choices(options, CLASSES)
    assert [name for name, _ in rows] == [f"mobilenet_0.25_cut{cut}" for cut in (11, 8, 6)]
    taken = [size for _, size in rows]
    assert taken == sorted(taken, reverse=True) and taken[0] < sizes.on_board(options, 4).ram_bytes
