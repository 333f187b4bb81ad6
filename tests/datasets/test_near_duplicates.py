"""Near duplicates are found, pictures that are merely alike are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_folders import picture
from PIL import Image, ImageEnhance

from host.datasets.duplicates import NEAR_BITS, digest, fingerprint, group_near, same_pixels


def jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def noisy(image):
    noise = np.random.default_rng(0).normal(0, 5, (*image.size[::-1], 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def shifted(image):
    return image.crop((1, 1, *image.size)).resize(image.size)


SAME = {
    "saved again": lambda image: jpeg(image, 60),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "sensor noise": noisy,
    "a pixel moved": shifted,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.05),
}


def bits_apart(one, other):
    return int(np.bitwise_count(fingerprint(one) ^ fingerprint(other)).sum())


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_the_same_picture_again(change):
    for seed in range(5):
        image = picture(seed, (224, 224))
        assert bits_apart(image, change(image)) <= NEAR_BITS


def test_different_pictures():
    images = [picture(seed, (224, 224)) for seed in range(12)]
    images += [images[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT), images[0].rotate(90)]
    apart = [bits_apart(a, b) for i, a in enumerate(images) for b in images[:i]]
    assert min(apart) > 1.5 * NEAR_BITS


def test_one_object_moved_on_one_desk():
    """What a classifier learns from: the same desk, the same thing elsewhere. No duplicates."""
    desk, thing = picture(1, (224, 224)), picture(2, (70, 70))
    images = []
    for left, top in ((10, 10), (60, 20), (130, 30), (20, 120), (100, 110)):
        images.append(desk.copy())
        images[-1].paste(thing, (left, top))
    assert group_near([fingerprint(image) for image in images])[0] == [0, 1, 2, 3, 4]


def prints(*rows):
    """Fingerprints that differ in as many bits as the rows do."""
    table = np.zeros((len(rows), 4), np.uint64)
    table[:, 0] = [(1 << row) - 1 for row in rows]
    return list(table)


@pytest.mark.parametrize(
    ("rows", "groups", "giant"),
    [
        ((), [], 0),
        ((5,), [0], 0),
        ((0, 32), [0, 0], 0),
        ((0, 33), [0, 1], 0),
        ((0, 20, 40, 60), [0, 0, 0, 0], 0),  # a chain; a class so small is not judged
        ((0, 60, 5, 62), [0, 1, 0, 1], 0),
        ((*range(0, 60, 5), 0), [0] * 13, 13),  # believed at no threshold but 0
    ],
)
def test_groups(rows, groups, giant):
    if giant:
        expected = [*range(len(rows) - 1), 0]
        assert group_near(prints(*rows)) == (expected, giant)
    else:
        assert group_near(prints(*rows)) == (groups, 0)


def test_a_class_of_one_picture():
    assert group_near(prints(*[0] * 12)) == (list(range(12)), 12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=25), st.integers(0, 40))
def test_near_pictures_are_never_in_two_groups(values, flips):
    """Unless the group was too large to believe, whoever is near is together."""
    values += [value ^ ((1 << flips) - 1) for value in values[::2]]
    table = np.zeros((len(values), 4), np.uint64)
    table[:, 1] = values
    groups, giant = group_near(list(table))
    assert len(groups) == len(values)
    if not giant:
        for first, one in enumerate(table):
            near = np.bitwise_count(table ^ one).sum(axis=1) <= NEAR_BITS
            assert {groups[place] for place in np.flatnonzero(near)} == {groups[first]}


def test_digest_tells_shapes_apart():
    wide, high = Image.new("RGB", (64, 32)), Image.new("RGB", (32, 64))
    assert digest(wide) != digest(high)
    assert digest(wide) == digest(wide.copy())


def test_same_pixels():
    assert same_pixels([b"a", b"b", b"a", b"c", b"b", b"a"]) == [[0, 2, 5], [1, 4]]
