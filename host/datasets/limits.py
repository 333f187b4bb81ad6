"""What the host accepts: limits that keep it safe, rules that make a data set trainable.

Every number is a setting with its default here. The rules are those of MaixHub's own guide and
of maix_train's `config_template.py` (2 to 15 classes, 40 to 2,000 pictures a class, zip of at
most 20 MB; for detection 1 to 15 classes, 100 to 2,000 boxes a class, of which only `boxes_min`
are insisted on).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MIB = 1024 * 1024

Progress = Callable[[int, int], None]
"""Called as `progress(done, total)`, in the thread that called; may raise to stop the work."""


def in_mb(found: int, needed: int) -> dict[str, str]:
    """Return two numbers of bytes as messages tell them: MB of 1024 x 1024 bytes."""
    return {"found": f"{found / MIB:.1f}", "needed": f"{needed / MIB:.1f}"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one upload may ask of the host. Sizes in bytes unless said otherwise.

    Honest picture zips were measured at a compression ratio of 1.0 to 3 (text members up to
    8), so 20 leaves room; members below `ratio_floor` are too small to be a bomb. A picture
    of 16 megapixels fits into 2 kB, so the time to decode them all has a limit too: 20
    gigapixels are 1,600 photos of a phone, or some minutes of work for a hostile set.
    `label_bytes` is the largest COCO, VoTT or CSV file with boxes (200 to 400 bytes a box);
    parsed it takes up to 20 times that.
    """

    zip_bytes: int = 20 * MIB
    members: int = 20_000
    member_bytes: int = 16 * MIB
    ratio: int = 20
    ratio_floor: int = MIB
    total_ratio: int = 10
    total_spare: int = 64 * MIB
    name_bytes: int = 200
    depth: int = 16
    pixels: int = 16_000_000
    total_pixels: int = 20_000_000_000
    label_bytes: int = 8 * MIB
    boxes: int = 50_000
    labels: int = 1000

    def total_bytes(self, zip_size: int) -> int:
        """Return how much a zip of `zip_size` bytes may hold when unpacked."""
        return self.total_ratio * zip_size + self.total_spare


LIMITS = Limits()
"""The defaults."""

PREPARE_LIMITS = Limits(members=100_000, pixels=120_000_000, total_pixels=10**12)
"""For `prepare`, which reads the user's own pictures on the user's own computer: phones take
108 megapixels. Pillow itself refuses about 179 megapixels."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes a data set of labelled pictures trainable."""

    classes_min: int = 2
    classes_advised: int = 3
    classes_max: int = 15
    images_min: int = 40
    images_max: int = 2000
    side_min: int = 32
    label_length: int = 32
    boxes_min: int = 5
    boxes_advised: int = 100
    boxes_max: int = 2000


RULES = Rules()
"""The defaults."""
