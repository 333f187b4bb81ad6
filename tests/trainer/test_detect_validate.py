"""Average precision against a slow one by its definition; boxes against those of the board."""

import numpy as np
import pytest

from host.kmodel import region as board
from host.trainer.detect_loss import Region
from host.trainer.detect_match import IOUS
from host.trainer.detect_validate import NMS, THRESHOLD, average_precision, boxes_of

tf = pytest.importorskip("tensorflow")


def overlap(a, b):
    shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return shared / (sum((one[2] - one[0]) * (one[3] - one[1]) for one in (a, b)) - shared)


def slow_precision(found, truth, label, least):
    """COCO's: best first, each to the free object it fits best; 101 recalls."""
    rows = [(row[5], n, row) for n, rows in enumerate(found) for row in rows if row[4] == label]
    objects = [[list(one[:4]) for one in boxes if one[4] == label] for boxes in truth]
    total, hits = sum(map(len, objects)), []
    for _, picture, row in sorted(rows, key=lambda one: -one[0]):
        best = max(objects[picture], key=lambda one: overlap(row, one), default=None)
        hits.append(best is not None and overlap(row, best) >= least)
        if hits[-1]:
            objects[picture].remove(best)
    points = [(sum(hits[: n + 1]) / total, sum(hits[: n + 1]) / (n + 1)) for n in range(len(hits))]
    recalls = np.linspace(0, 1, 101)
    return np.mean([max((p for r, p in points if r >= recall), default=0) for recall in recalls])


def random_answers(seed, pictures=6, classes=3):
    rng = np.random.default_rng(seed)
    found, truth = [], []
    for _ in range(pictures):
        count = rng.integers(0, 4)
        low = rng.uniform(0, 0.6, (count, 2))
        objects = np.concatenate([low, low + rng.uniform(0.1, 0.4, (count, 2))], 1)
        labels = rng.integers(0, classes - 1, count)  # nobody has the last label
        truth.append(np.column_stack([objects, labels]))
        near = objects.repeat(2, 0) + rng.normal(0, 0.03, (2 * count, 4))
        other = np.column_stack([rng.uniform(0, 0.3, (3, 2)), rng.uniform(0.5, 1, (3, 2))])
        boxes = np.clip(np.concatenate([near, other]), 0, 1)  # as the graph gives them
        kinds = rng.integers(0, classes, len(boxes))
        kinds[: 2 * count] = labels.repeat(2)
        found.append(np.column_stack([boxes, kinds, rng.uniform(0, 1, len(boxes))]))
    return found, truth


@pytest.mark.parametrize("seed", range(6))
def test_precision_by_its_definition(seed):
    found, truth = random_answers(seed)
    result = average_precision(found, truth, 3)
    assert result.shape == (3, 10)
    assert np.isnan(result[2]).all()
    for label in range(2):
        for number, least in enumerate(IOUS):
            wanted = slow_precision(found, truth, label, least)
            assert result[label, number] == pytest.approx(wanted, abs=1e-9)


def test_right_and_wrong_answers():
    _, truth = random_answers(9)
    right = [np.column_stack([boxes, np.ones(len(boxes))]) for boxes in truth]
    assert np.nanmin(average_precision(right, truth, 2)) == 1
    nothing = [np.empty((0, 6)) for _ in truth]
    assert np.nanmax(average_precision(nothing, truth, 2)) == 0
    swapped = [np.column_stack([rows[:, :4], 1 - rows[:, 4], rows[:, 5]]) for rows in right]
    assert np.nanmax(average_precision(swapped, truth, 2)) < 1


def test_boxes_are_those_of_the_board():
    anchors = ((0.8, 1.1), (1.6, 1.4), (2.0, 3.1), (3.3, 2.2), (4.1, 4.4))
    region = Region(anchors, (4, 5), (160, 128), 2)
    values = np.random.default_rng(0).normal(0, 2, (3, 4, 5, 35)).astype(np.float32)
    values.reshape(3, 4, 5, 5, 7)[..., 4] -= 5
    results = [one.numpy() for one in boxes_of(region, tf.constant(values))]
    for picture, (boxes, scores, labels, count) in enumerate(zip(*results, strict=True)):
        flat = values[picture].transpose(2, 0, 1).reshape(-1)
        wanted = board.decode(flat, (4, 5), np.array(anchors), THRESHOLD, NMS)
        assert 10 < count < 100
        assert count == len(wanted)
        for number, one in enumerate(sorted(wanted, key=lambda one: -one.score)):
            edges = np.clip([one.left, one.top, one.right, one.bottom], 0, 1)
            assert scores[number] == pytest.approx(one.score, abs=1e-3)
            assert labels[number] == one.label
            assert np.allclose(boxes[number], edges, atol=1e-3)
