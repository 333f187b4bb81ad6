"""How large a network's kmodel will be, known before anything is trained.

The size of a kmodel does not depend on its weights, so an untrained network is compiled.
"""

from __future__ import annotations

import numpy as np

from .. import kmodel
from ..deploy.firmware import needed_bytes
from ..trainer.backbone import BACKBONES, backbone, build

_QUICK = kmodel.Options(zero_search=False, range_search=False, bias_images=0)


def board_size(name: str, size: tuple[int, int], classes: int) -> tuple[int, int]:
    """Return kmodel bytes and main memory bytes of the network `name`.

    Args:
        name: a name of `backbone.BACKBONES`.
        size: input width and height in pixels.
        classes: number of labels.
    """
    model = build(backbone(name), size, classes)
    picture = np.zeros((1, size[1], size[0], 3), np.uint8)
    compiled = kmodel.compile(kmodel.from_keras(model), picture, _QUICK)
    return len(compiled.data), compiled.main_memory


def smaller_choices(name: str, size: tuple[int, int], classes: int) -> list[tuple[str, int]]:
    """Return the networks of the same width that are cut earlier: name and bytes on the board."""
    chosen = backbone(name)
    names = [
        one.name for one in BACKBONES.values() if one.width == chosen.width and one.cut < chosen.cut
    ]
    return [(one, needed_bytes(*board_size(one, size, classes))) for one in names]
