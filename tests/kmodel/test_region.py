"""The region decoding against one written as firmware does it: a box at a time, in float32."""

from typing import NamedTuple

import numpy as np
import pytest
from colour_detector import grid, network
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from host.emulator.board import kpu
from host.kmodel import region

F = np.float32
ANCHORS = (1.889, 2.5245, 2.9465, 3.94056, 3.99987, 5.3658, 5.155437, 6.92275, 6.718375, 9.01025)


class Candidate(NamedTuple):
    """A grid cell's box (centre and size in parts of the picture) and its classes' scores."""

    x: np.float32
    y: np.float32
    w: np.float32
    h: np.float32
    scores: list


def sigmoid(value):
    return F(1) / (F(1) + np.exp(-value))


def candidates(values, rows, columns, threshold):
    """All boxes, anchor by anchor and row by row; a score that is too low is 0."""
    plane = rows * columns
    entries = values.size // (5 * plane)
    for anchor in range(5):
        for cell in range(plane):
            at = [values[(anchor * entries + entry) * plane + cell] for entry in range(entries)]
            powers = [np.exp(one - max(at[5:])) for one in at[5:]]
            total = sum(powers, F(0))
            scores = [sigmoid(at[4]) * (power / total) for power in powers]
            yield Candidate(
                (cell % columns + sigmoid(at[0])) / F(columns),
                (cell // columns + sigmoid(at[1])) / F(rows),
                np.exp(at[2]) * F(ANCHORS[2 * anchor]) / F(columns),
                np.exp(at[3]) * F(ANCHORS[2 * anchor + 1]) / F(rows),
                [score if score > threshold else F(0) for score in scores],
            )


def overlap(a, b):
    sides = []
    for centre, size in (("x", "w"), ("y", "h")):
        (p, s), (q, t) = ((getattr(one, centre), getattr(one, size)) for one in (a, b))
        sides.append(max(min(p + s / 2, q + t / 2) - max(p - s / 2, q - t / 2), F(0)))
    shared = sides[0] * sides[1]
    return shared / (a.w * a.h + b.w * b.h - shared)


def suppress(boxes, nms):
    for label in range(len(boxes[0].scores)):
        order = sorted(boxes, key=lambda box: -box.scores[label])
        for number, better in enumerate(order):
            if better.scores[label]:
                for other in order[number + 1 :]:
                    if other.scores[label] and overlap(better, other) > nms:
                        other.scores[label] = F(0)


def run_yolo2(values, rows, columns, threshold, nms, width, height):
    """(x1, y1, x2, y2, class, score) in the order that the firmware gives."""
    boxes = list(candidates(values, rows, columns, F(threshold)))
    suppress(boxes, F(nms))
    found = []
    for box in boxes:
        label = max(range(len(box.scores)), key=lambda number: box.scores[number])
        if box.scores[label] > threshold:
            corners = [
                max(int(centre * side + sign * size * side / 2), 0)
                for sign in (-1, 1)
                for centre, size, side in ((box.x, box.w, width), (box.y, box.h, height))
            ]
            found.append((*corners, label, float(box.scores[label])))
    return found


def raw_output(seed, classes, rows, columns):
    """A head's output with a handful of objects, some beside or over each other."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 0.6, (5, 5 + classes, rows, columns))
    values[:, 4] -= 6
    for _ in range(6):
        anchor, row, column = rng.integers(5), rng.integers(rows), rng.integers(columns)
        values[anchor, 4, row, column] = rng.normal(3, 1)
        values[anchor, 4, row, max(column - 1, 0)] = rng.normal(2, 1)
        values[anchor, 5 + rng.integers(classes), row, column] += rng.normal(3, 2)
    return values.astype(np.float32).reshape(-1)


CASES = [
    (seed, classes, size)
    for seed in range(6)
    for classes, size in ((1, (320, 240)), (2, (224, 224)), (3, (240, 240)), (20, (224, 224)))
]


@pytest.fixture(scope="module")
def loaded():
    models = {}

    def of(classes, size):
        if (classes, size) not in models:
            model = kpu.load("/sd/m.kmodel", network(size[0], size[1], classes), 4 << 20, b"")
            assert isinstance(model, kpu.Loaded)
            models[classes, size] = model
        return models[classes, size]

    return of


@pytest.mark.parametrize(("threshold", "nms"), [(0.5, 0.3), (0.2, 0.05), (0.05, 0.9)])
@pytest.mark.parametrize(("seed", "classes", "size"), CASES)
def test_boxes_are_those_of_the_firmware(loaded, seed, classes, size, threshold, nms):
    columns, rows = grid(*size)
    values = raw_output(seed, classes, rows, columns)
    wanted = run_yolo2(values, rows, columns, threshold, nms, *size)
    found = kpu.boxes(loaded(classes, size), values, threshold, nms, ANCHORS)
    assert len(wanted) > 0
    assert [one["id"] for one in found] == [one[4] for one in wanted]
    assert [one["value"] for one in found] == pytest.approx([one[5] for one in wanted], abs=1e-5)
    for one, (x1, y1, x2, y2, *_) in zip(found, wanted, strict=True):
        x, y, w, h = one["rect"]
        assert np.abs(np.subtract((x, y, x + w, y + h), (x1, y1, x2, y2))).max() <= 1


def test_a_box_that_loses_its_best_class_keeps_the_next_one(loaded):
    values = np.full((5, 7, 7, 7), -12, np.float32)
    values[:, :4] = 0
    values[0, 4, 3, 3:5] = 9
    values[0, 5:, 3, 3] = 2, 1.9
    values[0, 5:, 3, 4] = 1.95, 1.9  # its class 0 is less than the neighbour's, its class 1 more
    raw = values.reshape(-1)
    wanted = run_yolo2(raw, 7, 7, 0.4, 0.3, 224, 224)
    found = kpu.boxes(loaded(2, (224, 224)), raw, 0.4, 0.3, ANCHORS)
    assert [(one["id"], one["rect"][0]) for one in found] == [(one[4], one[0]) for one in wanted]
    assert [one["id"] for one in found] == [0, 1]


def test_a_box_beyond_16_bits_wraps_as_in_the_firmware(loaded):
    values = np.full((5, 7, 7, 7), -12, np.float32)
    values[:, :4] = 0
    values[0, 4, 3, 3] = 9
    values[0, 2, 3, 3] = 7  # exp(7) anchors wide: 33,000 pixels to the right
    (one,) = kpu.boxes(loaded(2, (224, 224)), values.reshape(-1), 0.3, 0.3, ANCHORS)
    x, _, width, _ = one["rect"]
    right = 112 + np.exp(7) * ANCHORS[0] / 7 * 112
    assert x == 0 and width == int(right) - 65536 < 0


def test_places_are_anchor_by_anchor_and_row_by_row():
    values = np.full((5, 6, 4, 3), -12, np.float32)
    values[:, :4] = 0
    for anchor, row, column in ((4, 0, 1), (2, 3, 2), (2, 1, 0)):
        values[anchor, 4, row, column] = 5
    found = region.decode(values.reshape(-1), (4, 3), np.full((5, 2), 0.1), 0.5, 0.3)
    assert sorted(one.place for one in found) == [2 * 12 + 3, 2 * 12 + 11, 4 * 12 + 1]


@st.composite
def heads(draw):
    """Any head's output: (values, rows, columns, threshold, nms)."""
    rows, columns, classes = (draw(st.integers(1, most)) for most in (6, 6, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.normal(0, draw(st.sampled_from([0.1, 1.0, 3.0])), (5, 5 + classes, rows, columns))
    values[:, 4] += draw(st.sampled_from([-4, 0, 3]))
    values[:, 2:4] = np.clip(values[:, 2:4] - draw(st.sampled_from([0, 2])), -8, 8)
    threshold = draw(st.sampled_from([0.005, 0.1, 0.5, 0.9]))
    nms = draw(st.sampled_from([0.0, 0.2, 0.45, 0.7, 1.0]))
    return values.astype(np.float32).reshape(-1), rows, columns, threshold, nms


@settings(max_examples=150, deadline=None)
@given(heads())
def test_any_head_is_decoded_as_the_firmware_decodes_it(head):
    values, rows, columns, threshold, nms = head
    boxes = list(candidates(values, rows, columns, F(threshold)))
    scores = sorted(score for box in boxes for score in box.scores if score)
    # What a rounding decides between 32 and 64 bits is not the question.
    assume(np.all(np.diff(scores) > 1e-6) and all(score > threshold + 1e-6 for score in scores))
    pairs = [(a, b) for number, a in enumerate(boxes) for b in boxes[:number]]
    alike = [(a, b) for a, b in pairs if any(s and t for s, t in zip(a.scores, b.scores))]  # noqa: B905
    assume(all(abs(overlap(a, b) - nms) > 1e-5 or overlap(a, b) == 0 for a, b in alike))
    suppress(boxes, F(nms))
    wanted = [
        (box.x - box.w / 2, box.y - box.h / 2, box.x + box.w / 2, box.y + box.h / 2,
         int(np.argmax(box.scores)), max(box.scores), place)
        for place, box in enumerate(boxes) if max(box.scores)
    ]  # fmt: skip
    pairs = np.reshape(ANCHORS, (5, 2))
    every = region.suppress(region.candidates(values, (rows, columns), pairs, threshold), nms)
    found = region.reported(every)
    assert found[:, [4, 6]].tolist() == [[one[4], one[6]] for one in wanted]
    assert found == pytest.approx(np.reshape(wanted, (-1, 7)), rel=2e-5, abs=2e-5)
    kept = sorted(
        (box.scores[label] for box in boxes for label in range(len(box.scores))), key=float
    )
    assert sorted(every[:, 5]) == pytest.approx([one for one in kept if one], rel=1e-5)


@settings(max_examples=100, deadline=None)
@given(heads(), st.sampled_from([0.1, 0.3, 0.5, 0.8]))
def test_a_lower_threshold_only_adds_boxes(head, higher):
    """So that one decoding at a low threshold serves to judge all higher ones."""
    values, rows, columns, _, nms = head
    pairs = np.reshape(ANCHORS, (5, 2))

    def shown(threshold):
        found = region.candidates(values, (rows, columns), pairs, threshold)
        return region.reported(region.suppress(found, nms))

    low = shown(0.005)
    assert np.array_equal(low[low[:, 5] > higher], shown(higher))


def test_values_far_out_are_no_fault():
    values = np.full((5, 6, 2, 2), 0, np.float32)
    values[:, 4] = -12
    values[0, :6, 0, 0] = 0, 0, 2000, 2000, 900, 0
    values[1, :6, 1, 1] = -2000, 2000, 0, 0, 900, 0
    found = region.decode(values.reshape(-1), (2, 2), np.ones((5, 2)), 0.5, 0.3)
    assert [one.score for one in found] == [1.0, 1.0]
    assert (found[0].left, found[0].right) == (-np.inf, np.inf)
