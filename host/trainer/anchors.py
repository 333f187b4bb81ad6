"""The five box shapes that a YOLOv2 predicts relative to: k-means on IoU."""

from __future__ import annotations

import numpy as np

COUNT = 5
"""The firmware's region layer has five."""

VIEWS = 1000
"""Shapes to cluster, at least: few boxes are looked at in many sizes."""

RESTARTS, ROUNDS = 10, 100


def shape_iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the IoU (n, m) of shapes (n, 2) and (m, 2), width and height, on one corner."""
    shared = np.minimum(one[:, None], other[None]).prod(-1)
    return shared / (one.prod(-1)[:, None] + other.prod(-1)[None] - shared)


def find_anchors(
    shapes: np.ndarray, largest: tuple[float, float], zoom: float, stretch: float, seed: int
) -> np.ndarray:
    """Return five box shapes float64 (5, 2) that the boxes fit best, smallest area first.

    Args:
        shapes: (n, 2) width and height of the boxes, n at least 1.
        largest: width and height of the whole input in the same unit.
        zoom: how much smaller and larger than in their pictures the boxes are trained.
        stretch: how much wider and higher.
        seed: equal seeds give equal anchors.
    """
    rng = np.random.default_rng([seed, 5])
    repeated = np.repeat(shapes.astype(np.float64), -(-VIEWS // len(shapes)), axis=0)
    # Half of the way up: in a magnified view the largest boxes are cut at its border.
    scale = np.exp(rng.uniform(-np.log(zoom), np.log(zoom) / 2, len(repeated)))
    aspect = np.exp(rng.uniform(-np.log(stretch), np.log(stretch), len(repeated)) / 2)
    seen = repeated * np.stack([scale * aspect, scale / aspect], 1)
    seen = np.clip(seen, 1e-3 * max(largest), largest)
    tries = [_cluster(seen, rng) for _ in range(RESTARTS)]
    best = max(tries, key=lambda anchors: shape_iou(seen, anchors).max(1).mean())
    best = _apart(best)
    return best[np.argsort(best.prod(-1), kind="stable")]


def _cluster(shapes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    anchors = shapes[rng.choice(len(shapes), COUNT, replace=False)]
    for _ in range(ROUNDS):
        nearest = shape_iou(shapes, anchors).argmax(1)
        moved = np.stack(
            [
                # medians: a box of an odd shape moves no anchor away from the others
                np.median(shapes[nearest == number], axis=0)
                if (nearest == number).any()
                else shapes[rng.integers(len(shapes))]
                for number in range(COUNT)
            ]
        )
        if np.allclose(moved, anchors):
            break
        anchors = moved
    return anchors


def _apart(anchors: np.ndarray) -> np.ndarray:
    """Make equal shapes (boxes of one size, no zoom) a little different: a twin is never best."""
    factors = np.array([1.0, 0.8, 1.25, 0.64, 1.5625])
    chosen: list[np.ndarray] = []
    for anchor in anchors:
        free = [
            anchor * factor
            for factor in factors
            if all(shape_iou(anchor[None] * factor, one[None])[0, 0] < 0.97 for one in chosen)
        ]
        chosen.append(free[0] if free else anchor)
    return np.stack(chosen)
