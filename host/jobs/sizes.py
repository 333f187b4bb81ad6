"""How large a network's kmodel will be and how fast, known before anything is trained.

Neither depends on the weights, so an outline of the network is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .. import kmodel
from ..deploy.firmware import needed_bytes
from ..trainer.backbone import BACKBONES
from . import outline

_QUICK = kmodel.Options(zero_search=False, range_search=False, bias_images=0, round_weights=False)


@dataclass(frozen=True, slots=True)
class OnBoard:
    """Bytes of the kmodel, of the main memory it asks for and of both when loaded; the estimated
    milliseconds of a picture (see `kmodel.cost`)."""

    kmodel_bytes: int
    main_memory: int
    ram_bytes: int
    ms: float


def on_board(options: Any, classes: int) -> OnBoard:
    """Return what a network takes on the board.

    Args:
        options: those of its training; the network, its size and what belongs to it count.
        classes: number of labels.

    Raises:
        UserError: the network cannot be laid out on the KPU.
    """
    return _compiled(outline.layers(options, classes), options.size, classes)


@lru_cache(maxsize=64)
def _compiled(layers: tuple[outline.Layer, ...], size: tuple[int, int], classes: int) -> OnBoard:
    picture = np.zeros((1, size[1], size[0], 3), np.uint8)
    with threadpool_limits(1):  # a training may have all processors: threads would wait
        made = kmodel.compile(outline.graph(layers, size, classes), picture, _QUICK)
    return OnBoard(len(made.data), made.main_memory, made.ram_bytes, made.ms)


def smaller_choices(options: Any, classes: int) -> list[tuple[str, int]]:
    """Return the networks of the same width that are cut earlier: name and bytes on the board."""
    chosen = options.network()
    names = [
        one.name for one in BACKBONES.values() if one.width == chosen.width and one.cut < chosen.cut
    ]
    found = [(name, on_board(replace(options, backbone=name), classes)) for name in names]
    return [(name, needed_bytes(one.kmodel_bytes, one.main_memory)) for name, one in found]
