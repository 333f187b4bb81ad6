"""How large a network's kmodel will be, known before anything is trained.

The size of a kmodel does not depend on its weights, so an untrained network is compiled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import kmodel
from ..deploy.firmware import needed_bytes
from ..trainer.backbone import BACKBONES
from .task import Task

_QUICK = kmodel.Options(zero_search=False, range_search=False, bias_images=0)


def board_size(task: Task, options: Any, classes: int) -> tuple[int, int]:
    """Return kmodel bytes and main memory bytes of a network.

    Args:
        task: what it does.
        options: those of its training; size and backbone count.
        classes: number of labels.
    """
    width, height = options.size
    model = task.untrained(options, classes)
    picture = np.zeros((1, height, width, 3), np.uint8)
    compiled = kmodel.compile(kmodel.from_keras(model), picture, _QUICK)
    return len(compiled.data), compiled.main_memory


def smaller_choices(task: Task, options: Any, classes: int) -> list[tuple[str, int]]:
    """Return the networks of the same width that are cut earlier: name and bytes on the board."""
    chosen = options.network()
    names = [
        one.name for one in BACKBONES.values() if one.width == chosen.width and one.cut < chosen.cut
    ]
    return [
        (name, needed_bytes(*board_size(task, replace(options, backbone=name), classes)))
        for name in names
    ]
