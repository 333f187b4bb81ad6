"""Training and validation: fair to every class, repeatable, near duplicates on one side."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_folders import codes

from host.datasets.dataset import Dataset, Sample
from host.datasets.split import VALID_FEW, split
from host.errors import describe


def dataset(*classes):
    """A data set of classes; a class is a list of (split, group)."""
    samples = [
        Sample(f"{label}/{number}.jpg", label=label, split=chosen, group=group)
        for label, members in enumerate(classes)
        for number, (chosen, group) in enumerate(members)
    ]
    labels = tuple(f"class{label}" for label in range(len(classes)))
    return Dataset("classify", Path(), labels, tuple(samples))


def numbers(data, label):
    return Counter(sample.split for sample in data.samples if sample.label == label)


def singles(count, chosen=""):
    return [(chosen, -1)] * count


@pytest.mark.parametrize(
    ("count", "fraction", "valid"),
    [(40, 0.2, 8), (206, 0.2, 41), (100, 0.1, 10), (3, 0.2, 1), (2, 0.2, 1), (10, 0.0, 1)],
)
def test_fraction_of_every_class(count, fraction, valid):
    data = split(dataset(singles(count), singles(50)), fraction)
    assert numbers(data, 0) == {"train": count - valid, "valid": valid}
    assert data.findings == ()


def test_seed_decides():
    data = dataset(singles(50), singles(50))
    assert split(data, seed=1) == split(data, seed=1)
    assert split(data, seed=1) != split(data, seed=2)


def test_another_class_changes_nothing():
    two, three = dataset(singles(50), singles(50)), dataset(singles(50), singles(50), singles(50))
    assert split(three).samples[:100] == split(two).samples


def test_choice_is_spread():
    """Not the first or the last pictures: those were taken in one go."""
    chosen = [place for place, s in enumerate(split(dataset(singles(100))).samples)
              if s.split == "valid"]  # fmt: skip
    assert min(chosen) < 30
    assert max(chosen) > 70


def test_own_validation_is_kept():
    data = dataset(
        singles(30, "train") + singles(VALID_FEW, "valid"), singles(30) + singles(9, "valid")
    )
    done = split(data)
    assert [s.split for s in done.samples] == [s.split or "train" for s in data.samples]
    assert done.findings == ()


def test_too_few_of_its_own_are_filled_up():
    done = split(
        dataset(singles(38, "train") + singles(2, "valid"), singles(30) + singles(9, "valid"))
    )
    assert numbers(done, 0) == {"train": 32, "valid": 8}
    assert [s.split for s in done.samples if s.label == 0][-2:] == ["valid", "valid"]
    assert numbers(done, 1) == {"train": 30, "valid": 9}


def test_test_pictures_stay_out():
    done = split(dataset(singles(40) + singles(20, "test"), singles(40)))
    assert numbers(done, 0) == {"train": 32, "valid": 8, "test": 20}


def test_groups_move_as_one():
    done = split(dataset([("", number // 5) for number in range(50)], singles(40)))
    assert numbers(done, 0) == {"train": 40, "valid": 10}
    sides = defaultdict(set)
    for sample in done.samples[:50]:
        sides[sample.group].add(sample.split)
    assert all(len(side) == 1 for side in sides.values())


def test_large_groups_give_at_least_one_picture():
    done = split(dataset([("", 0)] * 20 + [("", 1)] * 15, singles(40)))
    assert numbers(done, 0) == {"train": 20, "valid": 15}


def test_validation_that_repeats_training_is_moved():
    members = singles(30, "train") + [("train", 3)] + [("valid", 3)] * 4 + singles(5, "valid")
    done = split(dataset(members, singles(40)))
    assert numbers(done, 0) == {"train": 35, "valid": 5}
    assert codes(done.findings) == ["validation_moved"]
    assert done.findings[0].text("found").startswith("4: 0/31.jpg")


def test_test_that_repeats_training_is_named():
    members = [*singles(30), ("", 3), ("test", 3), ("test", -1)]
    done = split(dataset(members, singles(40)))
    assert codes(done.findings) == ["test_like_training"]
    assert done.findings[0].text("found") == "1: 0/31.jpg"


@pytest.mark.parametrize("members", [singles(1), [("", 4)] * 30])
def test_class_without_validation(members):
    done = split(dataset(members, singles(40)))
    assert numbers(done, 0) == {"train": len(members)}
    assert codes(done.findings) == ["class_without_validation"]
    assert describe(done.findings[0]).startswith("class0: ")


def test_boxes_are_split_too():
    samples = tuple(Sample(f"{number}.jpg") for number in range(50))
    data = split(Dataset("detect", Path(), ("cat", "dog"), samples))
    assert Counter(sample.split for sample in data.samples) == {"train": 40, "valid": 10}


members = st.lists(
    st.tuples(st.sampled_from(["", "", "", "train", "valid", "test"]), st.integers(-3, 6)),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(members, min_size=1, max_size=4), st.floats(0, 0.6), st.integers(0, 5))
def test_properties(classes, fraction, seed):
    classes = [
        [(chosen, group + 100 * label if group >= 0 else -1) for chosen, group in one]
        for label, one in enumerate(classes)
    ]
    data = dataset(*classes)
    done = split(data, fraction, seed)
    assert [s.path for s in done.samples] == [s.path for s in data.samples]
    sides = defaultdict(set)
    for before, after in zip(data.samples, done.samples, strict=True):
        assert after.split in ("train", "valid", "test")
        assert (before.split == "test") == (after.split == "test")
        if after.group >= 0:
            sides[after.group].add(after.split)
    assert not any({"train", "valid"} <= side for side in sides.values())
    without = {finding.path for finding in done.findings if finding.severity == "error"}
    for label, name in enumerate(data.labels):
        used = numbers(done, label)
        if used["train"] + used["valid"]:
            assert (used["valid"] > 0) == (name not in without)
        had = numbers(data, label)
        if had[""] + had["train"]:
            assert used["train"] > 0
