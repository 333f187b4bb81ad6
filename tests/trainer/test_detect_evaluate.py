"""Figures of detectors: cases worked by hand, and against an own slow computation of COCO's."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from host.errors import UserError
from host.trainer import detect_report
from host.trainer.detect_errors import KINDS
from host.trainer.detect_evaluate import THRESHOLDS, evaluate_detector, recommend_nms
from host.trainer.detect_match import IOUS, RECALLS

LABELS = ("ant", "bee", "cat")
LEFT, RIGHT = [0.0, 0.0, 0.4, 0.4], [0.6, 0.6, 1.0, 1.0]


def boxes(*rows):
    return np.reshape(np.array(rows, float), (len(rows), len(rows[0]) if rows else 6))


def nothing(width=6):
    return np.empty((0, width))


def judge(found, truth, labels=("ant",), **more):
    return evaluate_detector(found, truth, labels, [f"{n}.jpg" for n in range(len(truth))], **more)


def moved(box, part):
    """`box` moved right by a part of its width: IoU (1 - part) / (1 + part)."""
    step = part * (box[2] - box[0])
    return [box[0] + step, box[1], box[2] + step, box[3]]


def test_average_precision_by_hand():
    # Of two true boxes the first is found, then nothing is, then the second one is.
    truth = [boxes([*LEFT, 0]), boxes([*RIGHT, 0])]
    found = [boxes([*LEFT, 0, 0.9], [*RIGHT, 0, 0.8]), boxes([*RIGHT, 0, 0.7])]
    report = judge(found, truth)
    assert report.map50 == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)  # recalls to 0.5, beyond
    assert report.map == pytest.approx(report.map50)  # all boxes are in their place
    assert (report.boxes, report.pictures) == (2, 2)


def test_places_count_in_map():
    report = judge([boxes([*moved(LEFT, 0.1), 0, 0.9])], [boxes([*LEFT, 0])])
    assert report.map50 == pytest.approx(1)
    assert report.map == pytest.approx(0.7)  # IoU 0.9 / 1.1 = 0.818: right from 0.5 to 0.8


def test_a_second_box_on_an_object_is_wrong():
    report = judge(
        [boxes([*LEFT, 0, 0.9], [*LEFT, 0, 0.8], [*RIGHT, 0, 0.7])],
        [boxes([*LEFT, 0], [*RIGHT, 0])],
        threshold=0.05,
    )
    assert report.map50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert report.errors == dict.fromkeys(KINDS, 0) | {"right": 2, "doubled": 1}
    assert (report.precision, report.recall, report.f1) == pytest.approx((2 / 3, 1, 0.8))


def test_what_is_outside_is_cut_off():
    report = judge([boxes([-2.0, -1.0, 0.4, 0.4, 0, 0.9])], [boxes([*LEFT, 0])])
    assert report.map == pytest.approx(1)


def test_classes_count_alike_and_empty_ones_not():
    truth = [boxes([*LEFT, 0], [*RIGHT, 0]), boxes([*LEFT, 1])]
    found = [boxes([*LEFT, 0, 0.9], [*RIGHT, 0, 0.9]), boxes([*LEFT, 2, 0.6])]
    report = judge(found, truth, LABELS)
    ant, bee, cat = report.classes
    assert report.map50 == report.map == pytest.approx(1 / 2)
    assert (ant.ap50, bee.ap50, cat.ap50) == pytest.approx((1, 0, 0))
    assert (ant.support, bee.support, cat.support) == (2, 1, 0)
    assert [one.found for one in report.classes] == [2, 0, 0]  # the cat scores too little
    assert report.recommended == pytest.approx(0.74)  # the middle of 0.60 .. 0.89: 30 thresholds


def test_kinds_of_errors():
    middle = [0.3, 0.3, 0.7, 0.7]
    cases = {
        "right": (moved(middle, 0.3), 0),  # IoU 0.54
        "misplaced": (moved(middle, 0.4), 0),  # 0.43
        "mislabelled": (middle, 1),
    }
    for kind, (box, label) in cases.items():
        report = judge([boxes([*box, label, 0.8])], [boxes([*middle, 0])], LABELS, threshold=0.5)
        assert report.errors == dict.fromkeys(KINDS, 0) | {kind: 1}
        (true,) = report.worst[0].truth
        assert true.kind == report.worst[0].found[0].kind == kind
    far = judge([boxes([*moved(middle, 0.7), 0, 0.8])], [boxes([*middle, 0])], threshold=0.5)
    assert far.errors == dict.fromkeys(KINDS, 0) | {"false": 1, "missed": 1}  # IoU 0.18
    low = judge([boxes([*middle, 0, 0.4])], [boxes([*middle, 0])], threshold=0.5)
    assert low.errors == dict.fromkeys(KINDS, 0) | {"missed": 1}
    again = boxes([*moved(middle, 0.4), 0, 0.8], [*moved(middle, -0.4), 0, 0.7])
    twice = judge([again], [boxes([*middle, 0])], threshold=0.5)
    assert twice.errors == dict.fromkeys(KINDS, 0) | {"misplaced": 1, "doubled": 1}


def test_worst_first():
    small = [0.0, 0.0, 0.2, 0.2]
    found = {
        "sure": [*LEFT, 0, 0.9],
        "blind": None,
        "blind too": None,
        "unsure": [*LEFT, 0, 0.6],
        "askew": [*moved(LEFT, 0.4), 0, 0.8],
        "false": [*RIGHT, 0, 0.95],
        "another": [*LEFT, 1, 0.9],
    }
    truth = dict.fromkeys(found, boxes([*LEFT, 0]))
    truth |= {"false": nothing(5), "blind": boxes([*small, 0])}
    answers = [nothing() if row is None else boxes(row) for row in found.values()]
    report = evaluate_detector(answers, [*truth.values()], LABELS, [*found], 0.5)
    order = ["another", "false", "blind too", "blind", "askew", "unsure", "sure"]
    assert [one.path for one in report.worst] == order
    assert [one.path for one in report.mistakes] == order[:5]
    assert report.fullest == 1


def test_threshold_is_the_middle_of_the_best():
    truth = [boxes([*LEFT, 0], [*RIGHT, 0])]
    report = judge([boxes([*LEFT, 0, 0.9], [*RIGHT, 0, 0.805], [*LEFT, 0, 0.3])], truth)
    assert report.recommended == report.threshold == 0.55  # 0.30 .. 0.80
    assert report.f1 == 1
    other = judge([boxes([*LEFT, 0, 0.9])], truth[:1], threshold=0.95)
    assert (other.threshold, other.recommended) == (0.95, 0.45)
    assert other.recall == other.f1 == 0
    assert other.curve.at(0.5) == pytest.approx((1, 0.5, 2 / 3))


def test_threshold_leaves_what_the_firmware_has_room_for():
    rng = np.random.default_rng(0)
    corners = np.argwhere(np.ones((4, 4))) / 4
    crowd = np.column_stack([corners, corners + 0.2, np.zeros(16)])
    answers = np.column_stack([crowd, rng.permutation(np.arange(16) * 0.05 + 0.105)])
    report = judge([answers], [crowd])
    assert report.curve.f1.argmax() < 10  # all 16 would be right
    assert report.fullest == 10
    assert report.recommended == 0.38  # between 0.355, the sixth worst score, and 0.405
    assert report.recall == 10 / 16
    assert report.crowded
    answers[:, 5] += 1
    sure = judge([answers], [crowd])  # no threshold serves
    assert sure.fullest == 16
    assert sure.f1 == 1
    answers[:, 5] -= 1
    few = judge([answers[answers[:, 5] > 0.38]], [crowd])
    assert few.f1 == report.f1
    assert not few.crowded
    by_nms = {0.2: [answers[:11]], 0.4: [answers]}
    assert recommend_nms(by_nms, [crowd[:11]], ("ant",)) == 0.2


def test_nms_that_keeps_neighbours_and_drops_doubles():
    truth = [boxes([*LEFT, 0], [*RIGHT, 0])]
    few, good, many = (
        [boxes([*LEFT, 0, 0.9])],
        [boxes([*LEFT, 0, 0.9], [*RIGHT, 0, 0.8])],
        [boxes([*LEFT, 0, 0.9], [*LEFT, 0, 0.85], [*RIGHT, 0, 0.8])],
    )
    assert recommend_nms({0.2: few, 0.4: good, 0.6: many}, truth, ("ant",)) == 0.4
    assert recommend_nms({0.6: good, 0.2: good, 0.5: good, 0.8: many}, truth, ("ant",)) == 0.5
    assert recommend_nms({0.2: [nothing()], 0.4: [nothing()]}, [nothing(5)], ("ant",)) == 0.4


def test_nothing_found_and_nothing_to_find():
    blind = judge([nothing(), nothing()], [boxes([*LEFT, 0]), nothing(5)])
    assert (blind.map50, blind.map, blind.precision, blind.f1, blind.fullest) == (0, 0, 0, 0, 0)
    assert blind.recommended == 0.5
    assert blind.errors["missed"] == 1
    empty = judge([nothing(), boxes([*LEFT, 0, 0.8])], [nothing(5)] * 2, threshold=0.5)
    assert (empty.map50, empty.boxes, empty.recall) == (0, 0, 0)
    assert empty.errors == dict.fromkeys(KINDS, 0) | {"false": 1}
    json.dumps([blind.as_dict(), empty.as_dict()], allow_nan=False)


def random_boxes(seed, classes, pictures=30):
    """True boxes, and answers of a middling detector, none of the same score."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(pictures):
        corner, size = rng.uniform(0, 0.6, (4, 2)), rng.uniform(0.1, 0.4, (4, 2))
        real = np.column_stack([corner, corner + size, rng.integers(classes, size=4)])
        count = rng.integers(5)
        near = np.repeat(real, 3, 0)
        near[:, :4] += rng.normal(0, 0.03, (12, 4))
        near[:, 2:4] = np.maximum(near[:, 2:4], near[:, :2] + 0.02)
        lost = rng.random(12) < 0.1
        near[lost, 4] = rng.integers(classes, size=lost.sum())
        sure = np.tile([1, 0.5, 0.4], 4) * np.where(np.arange(12) < 3 * count, 1, 0.6)
        answers = np.column_stack([near, sure * rng.random(12)])
        truth.append(real[:count])
        found.append(answers[rng.random(12) < 0.9])
    return found, truth


def iou(a, b):
    a, b = (np.clip(box, 0, 1) for box in (a, b))
    sides = [max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]), 0) for k in (0, 1)]
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return sides[0] * sides[1] / (sum(areas) - sides[0] * sides[1])


def slow_precision(found, truth, label, least):
    """COCO's average precision: box by box, recall by recall. And which scores are right."""
    answers = sorted(
        ((row[5], n, row[:4]) for n, rows in enumerate(found) for row in rows if row[4] == label),
        key=lambda one: -one[0],
    )
    wanted = {n: [row[:4] for row in rows if row[4] == label] for n, rows in enumerate(truth)}
    count = sum(map(len, wanted.values()))
    free = {n: set(range(len(rows))) for n, rows in wanted.items()}
    right, points = [], []
    for number, (score, n, box) in enumerate(answers, 1):
        best = max(free[n], key=lambda place: iou(box, wanted[n][place]), default=None)
        if best is not None and iou(box, wanted[n][best]) >= least:
            free[n].remove(best)
            right.append(score)
        points.append((len(right) / max(count, 1), len(right) / number))
    heights = [max((p for r, p in points if r >= recall), default=0) for recall in RECALLS]
    return float(np.mean(heights)), right, len(answers), count


@pytest.mark.parametrize(("seed", "classes"), [(0, 1), (1, 3), (2, 15)])
def test_figures_are_those_of_the_definition(seed, classes):
    found, truth = random_boxes(seed, classes)
    names = [f"class {n}" for n in range(classes)]
    report = judge(found, truth, names)
    slow = [[slow_precision(found, truth, n, least) for least in IOUS] for n in range(classes)]
    filled = [rows for rows in slow if rows[0][3]]
    assert report.map50 == pytest.approx(np.mean([rows[0][0] for rows in filled]), abs=1e-9)
    assert report.map == pytest.approx(np.mean([[row[0] for row in rows] for rows in filled]))
    for one, rows in zip(report.classes, slow, strict=True):
        expected = np.mean([row[0] for row in rows]) if rows[0][3] else 0
        assert (one.ap50, one.ap) == pytest.approx((rows[0][0] if rows[0][3] else 0, expected))
        assert one.support == rows[0][3]
    assert 0.1 < report.map < report.map50 < 0.95
    right = np.concatenate([rows[0][1] for rows in slow])
    scores = np.concatenate([rows[:, 5] for rows in found])
    for place in range(0, 99, 7):
        hits, shown = (scores_ > THRESHOLDS[place] for scores_ in (right, scores))
        total = shown.sum() + report.boxes
        assert report.curve.f1[place] == pytest.approx(2 * hits.sum() / total)
        assert report.curve.precision[place] == pytest.approx(hits.sum() / max(shown.sum(), 1))
        assert report.curve.recall[place] == pytest.approx(hits.sum() / report.boxes)
    assert report.f1 == report.curve.f1.max()


@pytest.mark.parametrize("threshold", [None, 0.1, 0.9])
def test_kinds_and_figures_agree(threshold):
    found, truth = random_boxes(5, 3)
    report = judge(found, truth, LABELS, threshold=threshold)
    kinds = report.errors
    shown = sum(one.found for one in report.classes)
    assert sum(kinds.values()) - kinds["missed"] == shown
    assert report.boxes == sum(kinds[k] for k in ("right", "missed", "misplaced", "mislabelled"))
    assert report.precision == pytest.approx(kinds["right"] / shown)
    assert report.recall == pytest.approx(kinds["right"] / report.boxes)
    assert report.fullest == max((rows[:, 5] > report.threshold).sum() for rows in found)


def test_order_of_the_boxes_does_not_matter():
    found, truth = random_boxes(6, 2)
    turned = [rows[::-1] for rows in found]
    one, other = (judge(rows, truth, LABELS[:2]).as_dict() for rows in (found, turned))
    assert one == other


def test_json_is_plain_and_small():
    found, truth = random_boxes(7, 15, pictures=200)
    crowd = np.tile(boxes([*LEFT, 0, 0.9]), (90, 1))
    names = [f"class {n}" for n in range(15)]
    report = judge([*found, crowd], [*truth, nothing(5)], names, threshold=0.5)
    told = json.dumps(report.as_dict(), allow_nan=False)
    assert len(told) < 100_000
    again = json.loads(told)
    assert len(again["worst"]) == 24
    assert len(again["worst"][0]["found"]) == 20
    assert again["worst"][0]["found"][0].keys() == {
        "left", "top", "right", "bottom", "label", "score", "kind",
    }  # fmt: skip
    assert {len(one) for one in again["curve"].values()} == {49}
    assert [len(one["curve"]) for one in again["classes"]] == [51] * 15
    assert again["threshold"] == 0.5
    assert again["recommended"] == 0.9
    assert again["crowded"] is True


HISTORY = [
    {"stage": stage, "epoch": epoch, "loss": 2 / (n + 1), "val_map50": n / 4, "val_map": n / 8}
    for n, (stage, epoch) in enumerate([("head", 1), ("head", 2), ("tune", 1), ("tune", 2)])
]


def png(data):
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    assert len(image.getcolors(1 << 24) or []) > 50
    return image


def test_drawings_are_pngs_and_repeat():
    curves = detect_report.training_curves(HISTORY, {"stage": "tune", "epoch": 1})
    assert curves == detect_report.training_curves(HISTORY, {"stage": "tune", "epoch": 1})
    assert curves != detect_report.training_curves(HISTORY, {"stage": "tune", "epoch": 2})
    assert png(curves).width > 1000
    names = [f"a class with a long name {n}" for n in range(15)]
    reports = {name: judge(*random_boxes(seed, 15), names) for seed, name in enumerate("ab")}
    for draw in (detect_report.precision_recall, detect_report.thresholds, detect_report.errors):
        both = draw(reports)
        assert both == draw(reports) != draw({"a": reports["a"]})
        png(both)
    worst = reports["a"].worst[:7]
    pictures = np.random.default_rng(0).integers(0, 256, (7, 60, 80, 3), np.uint8)
    seven, two = (png(detect_report.gallery(pictures, worst, columns=n)) for n in (7, 2))
    assert seven.width > 2.5 * two.width
    assert two.height > 2.5 * seven.height


def test_a_box_is_drawn_where_it_is():
    pictures = np.full((1, 150, 200, 3), 200, np.uint8)
    (picture,) = judge([nothing()], [boxes([0.55, 0.1, 0.9, 0.3, 0])]).worst
    image = np.asarray(png(detect_report.gallery(pictures, [picture], columns=1)).convert("RGB"))
    (top, left), (bottom, right) = (find(np.argwhere((image == 200).all(-1)), 0)
                                    for find in (np.min, np.max))  # fmt: skip
    red = np.abs(image[top:bottom, left:right].astype(int) - (200, 55, 45)).max(-1) < 12
    across, down = red.any(0).nonzero()[0] / red.shape[1], red.any(1).nonzero()[0] / red.shape[0]
    assert (across.min(), across.max()) == pytest.approx((0.55, 0.9), abs=0.015)
    assert (down.min(), down.max()) == pytest.approx((0.1, 0.3), abs=0.015)


@pytest.mark.parametrize(
    ("found", "truth"),
    [([nothing()], [boxes([*LEFT, 0])]), ([boxes([*LEFT, 0, 0.9])], [nothing(5)])],
)
def test_drawings_of_nothing(found, truth):
    reports = {"INT8": judge(found, truth)}
    for draw in (detect_report.precision_recall, detect_report.thresholds, detect_report.errors):
        png(draw(reports))
    png(detect_report.gallery(np.zeros((1, 32, 32, 3), np.uint8), reports["INT8"].worst))


def test_nothing_is_printed(capsys):
    judge(*random_boxes(8, 2), LABELS[:2])
    assert capsys.readouterr() == ("", "")


def test_refusals():
    with pytest.raises(UserError) as none:
        judge([], [])
    assert none.value.code == "nothing_to_judge"
    one = [boxes([*LEFT, 0])]
    for found, truth, message in [
        ([boxes([*LEFT, 0, np.nan])], one, "not finite"),
        ([boxes([*LEFT, 0, 0.5])], [boxes([*LEFT[:3], np.inf, 0])], "not finite"),
        ([boxes([*LEFT, 1, 0.5])], one, "none of 1"),
        ([boxes([*LEFT, 0.5, 0.5])], one, "none of 1"),
        ([boxes([*LEFT, 0, 0.5])], [boxes([0.4, 0, 0.4, 1, 0])], "no area"),
        ([], one, "0 pictures"),
    ]:
        with pytest.raises(ValueError, match=message):
            judge(found, truth)
    with pytest.raises(ValueError, match="1 pictures, 2 paths"):
        evaluate_detector([nothing()], one, ("ant",), ["a", "b"])
