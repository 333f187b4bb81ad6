"""Anchors: five, seeded, near the shapes that are there, never twins."""

import numpy as np
import pytest

from host.trainer.anchors import find_anchors, shape_iou

LARGEST = (224, 224)


def plain(shapes, seed=0):
    """Anchors of boxes as they are: no zoom, no stretch."""
    return find_anchors(np.asarray(shapes, float), LARGEST, 1.0, 1.0, seed)


def test_iou_of_shapes_by_hand():
    found = shape_iou(np.array([[2.0, 3.0], [4.0, 4.0]]), np.array([[4.0, 3.0], [2.0, 3.0]]))
    assert np.allclose(found, [[6 / 12, 1], [12 / 16, 6 / 16]])


def test_five_kinds_of_boxes_are_found():
    kinds = np.array([[10.0, 20], [40, 20], [50, 60], [150, 60], [120, 200]])
    rng = np.random.default_rng(0)
    boxes = np.repeat(kinds, 40, axis=0) * rng.uniform(0.97, 1.03, (200, 2))
    found = plain(rng.permutation(boxes))
    assert np.allclose(found, kinds, rtol=0.03)
    assert np.all(np.diff(found.prod(1)) > 0)


def test_seeded():
    boxes = np.random.default_rng(1).uniform(10, 200, (60, 2))
    one, again = (find_anchors(boxes, LARGEST, 1.6, 1.2, 3) for _ in range(2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, find_anchors(boxes, LARGEST, 1.6, 1.2, 4))


@pytest.mark.parametrize("boxes", [[[30, 50]], [[30, 50], [30, 50], [31, 50]], [[224, 224]]])
@pytest.mark.parametrize("zoom", [1.0, 1.6])
def test_few_boxes_give_five_different_anchors(boxes, zoom):
    found = find_anchors(np.array(boxes, float), LARGEST, zoom, 1.0, 0)
    overlaps = shape_iou(found, found)[~np.eye(5, dtype=bool)]
    assert found.shape == (5, 2)
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert overlaps.max() < 0.98


def test_zoom_spreads_them_and_the_input_bounds_them():
    boxes = np.random.default_rng(2).normal(100, 3, (50, 2))
    still, moving = (find_anchors(boxes, LARGEST, zoom, 1.0, 0) for zoom in (1.0, 2.0))
    assert np.ptp(moving[:, 0]) > 3 * np.ptp(still[:, 0])
    assert (find_anchors(boxes * 2.2, LARGEST, 2.0, 1.0, 0) <= 224).all()


def test_they_fit_better_than_a_random_choice_of_boxes():
    rng = np.random.default_rng(3)
    boxes = np.exp(rng.normal(4, 0.5, (300, 2)))
    found = shape_iou(boxes, plain(boxes)).max(1).mean()
    others = [shape_iou(boxes, rng.choice(boxes, 5)).max(1).mean() for _ in range(50)]
    assert found > max(others)
