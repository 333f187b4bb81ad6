"""Views: seeded, of the same shape, each knob alone does what it says."""

import numpy as np
import pytest

from host.trainer.augment import view
from host.trainer.options import Augmentation
from host.trainer.pictures import views_of

OFF = Augmentation(
    zoom_in=1, zoom_out=1, stretch=1, shift=0, rotate=0, brightness=0, contrast=0, gamma=0,
    white_balance=0, blur=0, noise=0, jpeg=100,
)  # fmt: skip


def changed(**knobs):
    import dataclasses

    return dataclasses.replace(OFF, **knobs)


@pytest.fixture
def picture():
    rows, columns = np.mgrid[0:96, 0:128]
    channels = [rows * 2, columns, 127 + 60 * np.sin(rows / 9) * np.cos(columns / 7)]
    return np.stack(channels, axis=2).astype(np.uint8)


def seen(picture, knobs, seed=0):
    return view(picture, knobs, np.random.default_rng(seed))


def test_all_off_is_the_picture(picture):
    for seed in range(5):
        assert np.abs(seen(picture, OFF, seed).astype(int) - picture).max() <= 1


def test_seeded(picture):
    knobs = Augmentation()
    one = seen(picture, knobs)
    assert one.shape == picture.shape
    assert one.dtype == np.uint8
    assert np.array_equal(one, seen(picture, knobs))
    assert not np.array_equal(one, seen(picture, knobs, 1))


def test_flips_only_when_asked(picture):
    mirrored = changed(flip_horizontal=True)
    views = [seen(picture, mirrored, seed) for seed in range(12)]
    flipped = [np.abs(v.astype(int) - picture[:, ::-1]).max() <= 2 for v in views]
    plain = [np.abs(v.astype(int) - picture).max() <= 2 for v in views]
    assert any(flipped)
    assert any(plain)
    assert all(f or p for f, p in zip(flipped, plain, strict=True))
    upside = [seen(picture, changed(flip_vertical=True), seed) for seed in range(12)]
    assert any(np.abs(v.astype(int) - picture[::-1]).max() <= 2 for v in upside)


def test_turn_is_about_the_middle_and_within_the_limit(picture):
    marked = np.zeros((128, 128, 3), np.uint8)
    marked[62:66, 104:108] = 255  # to the right of the middle, 42 pixels away
    for seed in range(20):
        found = np.argwhere(seen(marked, changed(rotate=20.0), seed)[..., 0] > 100).mean(axis=0)
        down, right = found - 63.5
        assert abs(np.degrees(np.arctan2(down, right))) <= 21
        assert np.hypot(down, right) == pytest.approx(42, abs=1.5)


def test_zoom_in_makes_things_larger():
    square = np.zeros((128, 128, 3), np.uint8)
    square[48:80, 48:80] = 255
    areas = [(seen(square, changed(zoom_in=1.5), s)[..., 0] > 127).sum() for s in range(20)]
    assert min(areas) >= 32 * 32 * 0.95
    assert 32 * 32 * 1.5 < max(areas) <= 48 * 48 * 1.05


def test_border_is_mirrored_not_black():
    bright = np.full((128, 128, 3), 200, np.uint8)
    knobs = changed(zoom_out=1.5, shift=0.2, rotate=30.0)
    assert all(seen(bright, knobs, seed).min() >= 199 for seed in range(10))


def test_light_noise_blur_and_jpeg():
    grey = np.full((96, 96, 3), 120, np.uint8)
    means = [seen(grey, changed(brightness=0.3), s).mean() for s in range(30)]
    assert 120 / 1.31 <= min(means) < 105 < 135 < max(means) <= 120 * 1.31
    balanced = seen(grey, changed(white_balance=0.2), 3).mean(axis=(0, 1))
    assert balanced[1] == pytest.approx(120, abs=1)
    assert abs(balanced[0] - 120) > 1
    deviations = [seen(grey, changed(noise=8.0), s).std() for s in range(30)]
    assert max(deviations) <= 8.5
    assert max(deviations) > 4
    edges = np.zeros((96, 96, 3), np.uint8)
    edges[:, ::2] = 255
    softest = min(seen(edges, changed(blur=2.0), s).std() for s in range(20))
    assert softest < 40 < edges.std()
    artefacts = [seen(edges[:90], changed(jpeg=20), s) for s in range(10)]
    assert any((a != edges[:90]).any() for a in artefacts)


def test_one_knob_does_not_change_the_draws_of_another(picture):
    one = seen(picture, changed(noise=8.0), 4).astype(int) - seen(picture, OFF, 4)
    brighter = changed(noise=8.0, flip_horizontal=False, blur=0.0, jpeg=100, rotate=0.0)
    other = seen(picture, brighter, 4).astype(int) - seen(picture, OFF, 4)
    assert np.array_equal(one, other)


def test_a_view_depends_on_name_number_and_seed_only(picture):
    batch = np.stack([picture, picture[::-1]])
    both = views_of(batch, ["a", "b"], 3, Augmentation(), seed=7)
    alone = views_of(batch[1:], ["b"], 3, Augmentation(), seed=7)
    assert np.array_equal(both[1], alone[0])
    assert not np.array_equal(both, views_of(batch, ["a", "b"], 4, Augmentation(), seed=7))
    assert views_of(batch, ["a", "b"], 0, Augmentation(), seed=7) is batch
