"""Find pictures that are the same, or nearly so: measured on pixels, never on names.

Near duplicates are the frames of one burst, a copy saved again, or a copy resized. They are kept
but must not lie on both sides of a train/validation split, or the accuracy is a lie.

The fingerprint is a perceptual hash of 256 bits (DCT of 64x64 grey pixels). Measured on
cls_sign_digits10 and cls_cards2: the same picture saved again at JPEG quality 50, with noise of
5/255, or resized to half differs by at most 10 bits, shifted by 1 % by 14 to 22; different
pictures of one hand or card on one background differ by 44 bits or more. 32 lies between.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HASH_SIDE = 16
NEAR_BITS = 32
GIANT = 0.5
"""A group with more than this share of a class is not believed."""

Fingerprint = NDArray[np.uint64]


def digest(image: Image.Image) -> bytes:
    """Return a hash that is equal for pictures with equal RGB pixels."""
    size = f"{image.width}x{image.height}".encode()
    return hashlib.sha256(size + image.tobytes()).digest()


def fingerprint(image: Image.Image) -> Fingerprint:
    """Return the perceptual hash of `image`: uint64 (4,), 256 bits."""
    bits = imagehash.phash(image, hash_size=HASH_SIDE).hash
    return np.packbits(bits.ravel()).view(np.uint64)


def group_near(prints: Sequence[Fingerprint]) -> tuple[list[int], int]:
    """Group the pictures of one class: any two within the threshold share a group.

    When chains of likeness tie more than half of the class (at least 10 pictures) into one
    group, the threshold is lowered, at last to none: such a class needs other pictures, not
    a validation set that is empty.

    Returns:
        The group of each picture (0, 1, ... in order of appearance) and the size of the
        giant group that was not believed, 0 if there was none.
    """
    giant = 0
    for bits in (NEAR_BITS, NEAR_BITS // 2, 0):
        groups = _connect(prints, bits)
        largest = max(Counter(groups).values(), default=0)
        if largest < 10 or largest <= GIANT * len(prints):
            return groups, giant
        giant = giant or largest
    return list(range(len(prints))), giant


def _connect(prints: Sequence[Fingerprint], bits: int) -> list[int]:
    """Return the connected components of "differs by at most `bits`"."""
    if not prints:
        return []
    table = np.stack(prints)
    group = np.full(len(table), -1)
    count = 0
    for first in range(len(table)):
        if group[first] >= 0:
            continue
        waiting = [first]
        group[first] = count
        while waiting:
            distance = np.bitwise_count(table ^ table[waiting.pop()]).sum(axis=1)
            near = np.flatnonzero((distance <= bits) & (group < 0))
            group[near] = count
            waiting.extend(near.tolist())
        count += 1
    return group.tolist()


def same_pixels(digests: Sequence[bytes]) -> list[list[int]]:
    """Return the positions of pictures with equal digests, in order, for each that repeats."""
    places: defaultdict[bytes, list[int]] = defaultdict(list)
    for index, value in enumerate(digests):
        places[value].append(index)
    return [found for found in places.values() if len(found) > 1]
