"""The loss against a slow one in numpy that goes place by place; what the values mean."""

import math

import numpy as np
import pytest

from host.kmodel import region as board
from host.trainer.detect_loss import IGNORE, MATCH, Region, ciou, iou, region_loss, responsible
from host.trainer.detect_options import detect_options_for

tf = pytest.importorskip("tensorflow")

ANCHORS = ((0.8, 1.1), (1.6, 1.4), (2.0, 3.1), (3.3, 2.2), (4.1, 4.4))
ODD = Region(ANCHORS, (7, 10), (320, 240), 3)


def scene(region, seed=0, pictures=2, objects=4):
    """Raw values, boxes and labels; the last object of each picture is none."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1.5, (pictures, *region.grid, 5 * (5 + region.classes)))
    low = rng.uniform(0, 0.7, (pictures, objects, 2)) * region.size
    sides = rng.uniform(0.08, 0.3, (pictures, objects, 2)) * region.size
    labels = rng.integers(0, region.classes, (pictures, objects))
    labels[:, -1] = -1
    boxes = np.concatenate([low, low + sides], -1)
    return values.astype(np.float32), boxes.astype(np.float32), labels.astype(np.int32)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def slow_iou(a, b):
    shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    areas = [(one[2] - one[0]) * (one[3] - one[1]) for one in (a, b)]
    return shared / (sum(areas) - shared)


def slow_ciou(a, b):
    overlap = slow_iou(a, b)
    diagonal = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    apart = ((a[0] + a[2] - b[0] - b[2]) ** 2 + (a[1] + a[3] - b[1] - b[3]) ** 2) / 4
    angles = [math.atan((one[2] - one[0]) / (one[3] - one[1])) for one in (a, b)]
    shape = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    return overlap - apart / diagonal - shape**2 / (1 - overlap + shape)


def slow_loss(region, values, boxes, labels, limit):
    rows, columns = region.grid
    cell = region.size[0] / columns, region.size[1] / rows
    raw = values.astype(float).reshape(len(values), rows, columns, 5, 5 + region.classes)
    decoded, taught = {}, {}
    for place in np.ndindex(raw.shape[:4]):
        _, row, column, anchor = place
        x, y, w, h = raw[place][:4]
        x, y = (column + sigmoid(x)) * cell[0], (row + sigmoid(y)) * cell[1]
        w = math.exp(w) * region.anchors[anchor][0] * cell[0]
        h = math.exp(h) * region.anchors[anchor][1] * cell[1]
        decoded[place] = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    box = label = 0.0
    count = 0
    for picture, number in np.ndindex(labels.shape):
        if labels[picture, number] < 0:
            continue
        wanted = boxes[picture, number].astype(float)
        w, h = (wanted[2] - wanted[0]) / cell[0], (wanted[3] - wanted[1]) / cell[1]
        column = int((wanted[0] + wanted[2]) / 2 / cell[0])
        row = int((wanted[1] + wanted[3]) / 2 / cell[1])
        fits = [slow_iou((0, 0, w, h), (0, 0, *anchor)) for anchor in region.anchors]
        for anchor, fit in enumerate(fits):
            if fit < MATCH and fit != max(fits):
                continue
            place = picture, row, column, anchor
            count += 1
            box += 1 - slow_ciou(decoded[place], wanted)
            classes = raw[place][5:]
            label += math.log(np.exp(classes).sum()) - classes[labels[picture, number]]
            taught[place] = max(taught.get(place, 0), slow_iou(decoded[place], wanted))
    objects = 0.0
    for place, one in decoded.items():
        near = [
            slow_iou(one, wanted)
            for wanted, kind in zip(boxes[place[0]], labels[place[0]], strict=True)
            if kind >= 0
        ]
        if place not in taught and max(near, default=0) > IGNORE:
            continue
        chance = sigmoid(min(max(raw[place][4], -limit), limit))
        target = taught.get(place, 0.0)
        objects -= target * math.log(chance) + (1 - target) * math.log(1 - chance)
    excess = (np.maximum(np.abs(values.astype(float)) - limit, 0) ** 2).sum()
    count = max(count, 1)
    return {"box": box / count, "object": objects / count, "label": label / count,
            "range": excess / count}  # fmt: skip


@pytest.mark.parametrize("region", [ODD, Region(ANCHORS, (4, 4), (128, 128), 1)])
@pytest.mark.parametrize("limit", [2.5, 6.0])
def test_loss_against_a_slow_one(region, limit):
    options = detect_options_for(value_limit=limit, box_weight=3.0)
    for seed in range(4):
        values, boxes, labels = scene(region, seed)
        wanted = slow_loss(region, values, boxes, labels, limit)
        found = region_loss(region, tf.constant(values), boxes, labels, options)
        for name, value in wanted.items():
            assert float(found[name]) == pytest.approx(value, rel=1e-3, abs=1e-5), name
        total = 3 * wanted["box"] + wanted["object"] + wanted["label"] + wanted["range"]
        assert float(found["loss"]) == pytest.approx(total, rel=1e-3)


def test_pictures_without_objects_teach_that_there_is_nothing():
    values, boxes, labels = scene(ODD, 1)
    options = detect_options_for()
    with tf.GradientTape() as tape:
        raw = tf.constant(values)
        tape.watch(raw)
        losses = region_loss(ODD, raw, boxes, np.full_like(labels, -1), options)
    assert float(losses["box"]) == float(losses["label"]) == 0
    slope = tape.gradient(losses["object"], raw).numpy().reshape(2, 7, 10, 5, 8)
    inside = np.abs(values.reshape(slope.shape)[..., 4]) < 6
    assert (slope[..., 4][inside] > 0).all()
    assert not slope[..., [0, 1, 2, 3, 5, 6, 7]].any()


def test_no_limit_and_wild_values_stay_finite():
    values, boxes, labels = scene(ODD, 2)
    for limit in (0.0, 6.0):
        with tf.GradientTape() as tape:
            raw = tf.constant(values * 40)
            tape.watch(raw)
            losses = region_loss(ODD, raw, boxes, labels, detect_options_for(value_limit=limit))
        assert np.isfinite(float(losses["loss"]))
        assert np.isfinite(tape.gradient(losses["loss"], raw).numpy()).all()
        assert (float(losses["range"]) == 0) == (limit == 0)


def test_every_object_has_a_place_and_good_anchors_share_it():
    _, boxes, labels = scene(ODD, 3)
    places, objects = (one.numpy() for one in responsible(ODD, tf.constant(boxes), labels))
    assert {tuple(one) for one in objects} == {tuple(one) for one in np.argwhere(labels >= 0)}
    assert len(places) > len(np.argwhere(labels >= 0))
    beyond = tf.constant([[[319.0, 239.0, 339.0, 259.0]]])  # middle outside of the input
    corner, _ = responsible(ODD, beyond, np.array([[0]]))
    assert corner.numpy()[0, 1:3].tolist() == [6, 9]


def test_ciou_of_equal_boxes_is_one_and_gradients_exist_far_away():
    box = tf.constant([[10.0, 10, 50, 40]])
    assert float(ciou(box, box)[1][0]) == pytest.approx(1, abs=1e-5)
    far = tf.Variable([[150.0, 150, 160, 170]])
    with tf.GradientTape() as tape:
        overlap, closeness = ciou(far, box)
        value = tf.reduce_sum(closeness)
    assert float(overlap[0]) == 0 > float(closeness[0])
    assert np.abs(tape.gradient(value, far).numpy()).min() > 0
    assert float(iou(far, box)[0]) == 0


@pytest.mark.parametrize("region", [ODD, Region(ANCHORS, (7, 7), (240, 240), 2)])
def test_values_mean_what_the_board_makes_of_them(region):
    values, _, _ = scene(region, 5, pictures=1)
    boxes, objectness, classes = (one.numpy()[0] for one in region.decode(tf.constant(values)))
    flat = values[0].transpose(2, 0, 1).reshape(-1)
    found = board.decode(flat, region.grid, np.array(region.anchors), 0.2, 1.0)
    assert len(found) > 20
    for one in found:
        anchor, place = divmod(one.place, region.grid[0] * region.grid[1])
        row, column = divmod(place, region.grid[1])
        where = row, column, anchor
        wanted = np.array([one.left, one.top, one.right, one.bottom])
        assert np.allclose(boxes[where] / np.tile(region.size, 2), wanted, atol=1e-4)
        chances = np.exp(classes[where]) / np.exp(classes[where]).sum()
        score = sigmoid(objectness[where]) * chances[one.label]
        assert score == pytest.approx(one.score, abs=1e-5)
