"""Tables checked by hand: six pictures, three classes."""

import io
import json
import math

import numpy as np
import pytest
from PIL import Image

from host.errors import UserError
from host.trainer import report
from host.trainer.evaluate import evaluate_classifier

LABELS = ("ant", "bee", "cat")
TRUTH = [0, 0, 0, 1, 1, 2]
PATHS = [f"{n}.jpg" for n in range(6)]
PROBABILITIES = np.array(
    [
        [0.8, 0.1, 0.1],  # right
        [0.5, 0.4, 0.1],  # right, unsure
        [0.1, 0.9, 0.0],  # ant called bee, sure
        [0.2, 0.7, 0.1],  # right
        [0.5, 0.3, 0.2],  # bee called ant
        [0.3, 0.5, 0.2],  # cat called bee
    ]
)


@pytest.fixture
def judged():
    return evaluate_classifier(PROBABILITIES, TRUTH, LABELS, PATHS)


def test_accuracy_confusion_and_loss(judged):
    assert judged.accuracy == 3 / 6
    assert judged.confusion.tolist() == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]
    assert judged.confusion.dtype == np.int64
    by_hand = -sum(map(math.log, (0.8, 0.5, 0.1, 0.7, 0.3, 0.2))) / 6
    assert judged.loss == pytest.approx(by_hand)


def test_class_tables(judged):
    ant, bee, cat = judged.classes
    assert (ant.precision, ant.recall, ant.f1, ant.support) == pytest.approx(
        (2 / 3, 2 / 3, 2 / 3, 3)
    )
    assert (bee.precision, bee.recall, bee.f1, bee.support) == pytest.approx((1 / 3, 1 / 2, 0.4, 2))
    assert (cat.precision, cat.recall, cat.f1, cat.support) == (0, 0, 0, 1)


def test_worst_first(judged):
    assert [one.path for one in judged.worst] == [
        "2.jpg",
        "5.jpg",
        "4.jpg",
        "1.jpg",
        "3.jpg",
        "0.jpg",
    ]
    assert [one.path for one in judged.mistakes] == ["2.jpg", "5.jpg", "4.jpg"]
    first = judged.worst[0]
    assert (first.truth, first.predicted, first.score, first.truth_score) == (
        "ant",
        "bee",
        0.9,
        0.1,
    )


def test_agreement(judged):
    other = PROBABILITIES.copy()
    other[0] = [0.1, 0.8, 0.1]
    assert judged.agreement(judged) == 1.0
    changed = evaluate_classifier(other, TRUTH, LABELS, PATHS)
    assert judged.agreement(changed) == pytest.approx(5 / 6)
    short = evaluate_classifier(other[:2], TRUTH[:2], LABELS, PATHS[:2])
    with pytest.raises(ValueError, match="6 pictures against 2"):
        judged.agreement(short)


def test_json(judged):
    told = json.loads(json.dumps(judged.as_dict(worst=2)))
    assert told["confusion"][0] == [2, 1, 0]
    assert told["classes"][1]["label"] == "bee"
    assert [one["path"] for one in told["worst"]] == ["2.jpg", "5.jpg"]


def test_refusals():
    with pytest.raises(UserError) as nothing:
        evaluate_classifier(np.empty((0, 3)), [], LABELS, [])
    assert nothing.value.code == "nothing_to_judge"
    with pytest.raises(ValueError, match="answers"):
        evaluate_classifier(PROBABILITIES, TRUTH[:5], LABELS, PATHS)
    with pytest.raises(ValueError, match="not finite"):
        evaluate_classifier(PROBABILITIES * np.nan, TRUTH, LABELS, PATHS)


HISTORY = [
    {"stage": stage, "epoch": epoch, "loss": 2 / (n + 1), "accuracy": n / 8,
     "val_loss": 1.5 / (n + 1), "val_accuracy": n / 7}
    for n, (stage, epoch) in enumerate([("head", 1), ("head", 2), ("tune", 1), ("tune", 2)])
]  # fmt: skip


def png(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    assert len(image.getcolors(1 << 24) or []) > 50
    return image


def test_drawings_are_pngs_and_repeat(judged):
    curves = report.training_curves(HISTORY, {"stage": "tune", "epoch": 2})
    assert png(curves).width > 1000
    assert curves == report.training_curves(HISTORY, {"stage": "tune", "epoch": 2})
    one = png(report.confusion_matrices({"float": judged}))
    two = png(report.confusion_matrices({"float": judged, "INT8": judged}))
    assert two.width == pytest.approx(2 * one.width, rel=0.02)
    pictures = np.random.default_rng(0).integers(0, 256, (6, 60, 80, 3), np.uint8)
    six, three = (png(report.gallery(pictures, judged.worst, columns=n)) for n in (6, 3))
    assert six.width > 1.8 * three.width
    assert three.height > 1.5 * six.height
