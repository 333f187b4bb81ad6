"""The warning of a job whose kmodel answers worse than its float network."""

import pytest

from host.jobs.doubts import int8_drop


def result(before, after, pictures=None):
    both = {"task": "classify", "float": {"accuracy": before}, "int8": {"accuracy": after}}
    return {**both, "report": {"int8": {"pictures": pictures}}} if pictures else both


@pytest.mark.parametrize(
    ("before", "after", "pictures"),
    [(0.95, 0.94, None), (0.95, 0.93, 100), (0.9, 0.95, 100), (0.9, 0.8, 10)],
)
def test_little_loss_and_one_picture_are_no_reason(before, after, pictures):
    assert int8_drop(result(before, after, pictures)) == []


@pytest.mark.parametrize("pictures", [None, 20, 500])
def test_more_than_two_points(pictures):
    (said,) = int8_drop(result(0.95, 0.80, pictures))
    assert said.severity == "warning"
    assert said.text("what") == "Quantization costs 15.0 points of accuracy."
    assert said.text("found") == "right on the K210: 80.0 %; right before quantization: 95.0 %"
    assert said.text("needed") == "at most 2 points less than the float network"
    assert "15.0" in said.text("what", "zh") and said.text("what", "zh") != said.text("what")
    assert "preset" in said.text("fix")
