"""Training views: boxes lie where the pixels do, against a warp in numpy; seeded; balanced."""

import numpy as np
import pytest

from host.trainer import detect_augment
from host.trainer.detect_augment import Views, epoch_pictures, plan
from host.trainer.detect_options import detect_options_for
from host.trainer.detect_pictures import Pictures

tf = pytest.importorskip("tensorflow")

STILL = {
    "zoom": 1.0, "stretch": 1.0, "shift": 0.0, "flip_horizontal": False, "brightness": 0.0,
    "contrast": 0.0, "gamma": 0.0, "saturation": 0.0, "white_balance": 0.0, "mosaic": 0.0,
}  # fmt: skip
SIZE = (160, 128)


def pictures(folder, canvases, boxes=None, origin=(0, 0), extent=None) -> Pictures:
    """Canvases (n, h, w, 3) as decoded pictures, each with one box or with none."""
    files = []
    for number, canvas in enumerate(canvases):
        path = folder / f"{number}.raw"
        path.write_bytes(canvas.astype(np.uint8).tobytes())
        files.append(str(path))
    count, height, width = canvases.shape[:3]
    boxes = np.zeros((count, 1, 4)) if boxes is None else np.array(boxes)[:, None]
    return Pictures(
        tuple(files),
        (width, height),
        np.tile(np.float32(origin), (count, 1)),
        np.tile(np.float32(extent or (width, height)), (count, 1)),
        boxes.astype(np.float32),
        np.where(boxes.any(-1), np.arange(count)[:, None] % 3, -1).astype(np.int32),
    )


def rendered(folder, seed=0, count=6, **place) -> Pictures:
    """Black canvases of 200 x 180 with one white box each."""
    rng = np.random.default_rng(seed)
    canvases, boxes = np.zeros((count, 180, 200, 3)), []
    (left, top), (width, height) = place.get("origin", (0, 0)), place.get("extent", (200, 180))
    for canvas in canvases:
        canvas[:] = 114
        canvas[top : top + height, left : left + width] = 0
        w, h = rng.integers(40, 90, 2)
        x, y = left + rng.integers(0, width - w), top + rng.integers(0, height - h)
        canvas[y : y + h, x : x + w] = 255
        boxes.append((x, y, x + w, y + h))
    return pictures(folder, canvases, boxes, **place)


def warp(canvas, origin, extent, scale, offset, flips):
    """The view by its definition, pixel by pixel, bilinear, grey outside of the canvas."""
    view = np.empty((SIZE[1], SIZE[0], 3))
    padded = np.pad(canvas, ((1, 1), (1, 1), (0, 0)), constant_values=114.0)
    for row in range(SIZE[1]):
        for column in range(SIZE[0]):
            point = (np.array([column, row]) + 0.5 - offset) / scale
            point = np.where(flips, extent - point, point) + origin - 0.5
            x, y = point
            if not (-1 < x < canvas.shape[1] and -1 < y < canvas.shape[0]):
                view[row, column] = 114
                continue
            left, top = int(np.floor(x)), int(np.floor(y))
            a, b = x - left, y - top
            four = padded[top + 1 : top + 3, left + 1 : left + 3]
            view[row, column] = (
                (1 - b) * ((1 - a) * four[0, 0] + a * four[0, 1])
                + b * ((1 - a) * four[1, 0] + a * four[1, 1])
            )  # fmt: skip
    return view


@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
def test_warp_is_what_it_says(tmp_path, flips):
    rng = np.random.default_rng(4)
    canvases = rng.uniform(0, 255, (1, 12, 15, 3)).repeat(15, 1).repeat(14, 2).astype(np.uint8)
    box = (60.0, 40.0, 120.0, 100.0)
    where = {"origin": (20, 10), "extent": (170, 150)}
    views = Views(pictures(tmp_path, canvases, [box], **where), detect_options_for(size=SIZE))
    scale, offset = np.array([0.8, 1.1]), np.array([7.5, -20.0])
    window = tf.zeros(2), tf.constant(SIZE, tf.float32)
    pixels, boxes, labels = views._warp(
        tf.constant([0]),
        tf.constant([scale], tf.float32),
        tf.constant([offset], tf.float32),
        tf.constant([flips]),
        window,
    )
    wanted = warp(canvases[0].astype(float), *map(np.array, where.values()), scale, offset, flips)
    difference = np.abs(pixels.numpy()[0] - wanted)
    assert difference.max() <= 1.01  # the warp gives whole levels
    corners = np.array(box).reshape(2, 2) - where["origin"]
    corners = np.where(flips, np.array(where["extent"]) - corners, corners) * scale + offset
    corners = np.clip(np.sort(corners, 0), 0, SIZE)
    assert np.allclose(boxes.numpy()[0, 0], corners.reshape(-1), atol=1e-3)
    assert labels.numpy().tolist() == [[0]]


def white(view):
    """The box around what is white."""
    rows, columns = (np.nonzero((view.min(2) > 185).any(axis))[0] for axis in (1, 0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


@pytest.mark.parametrize("fit", ["letterbox", "crop"])
@pytest.mark.parametrize("place", [{}, {"origin": (30, 20), "extent": (150, 120)}])
def test_views_with_everything_show_the_boxes_they_name(tmp_path, place, fit):
    knobs = {**STILL, "zoom": 1.6, "stretch": 1.3, "shift": 0.1, "flip_horizontal": True,
             "flip_vertical": True}  # fmt: skip
    found = rendered(tmp_path, **place)
    views = Views(found, detect_options_for(size=SIZE, batch=8, fit=fit, **knobs))
    seen, kept = set(), 0
    for pixels, boxes, labels in views.epoch(1, 0.0):
        for view, box, label in zip(pixels.numpy(), boxes.numpy(), labels.numpy(), strict=True):
            if label[0] >= 0:
                assert np.abs(white(view) - box[0]).max() <= 1.5
                seen.add(tuple(np.round(box[0], 3)))
                kept += 1
    assert len(seen) == kept > 64  # every view is another one


def test_all_off_is_the_letterboxed_picture(tmp_path):
    found = rendered(tmp_path)
    views = Views(found, detect_options_for(size=SIZE, batch=6, **STILL))
    pixels, boxes, _ = views.batch(
        tf.constant(np.arange(6)[:, None].repeat(4, 1), tf.int32),
        tf.constant([0, 0], tf.int64),
        tf.constant(False),
    )
    scale = min(160 / 200, 128 / 180)
    sides = (found.boxes[:, 0, 2:] - found.boxes[:, 0, :2]) * scale
    assert np.allclose(boxes.numpy()[:, 0, 2:] - boxes.numpy()[:, 0, :2], sides, atol=1e-3)
    for view, box in zip(pixels.numpy(), boxes.numpy(), strict=True):
        assert np.abs(white(view) - box[0]).max() <= 1.5


def test_mosaics_have_four_pictures_and_their_boxes(tmp_path):
    knobs = {**STILL, "mosaic": 1.0, "flip_horizontal": True}
    found = rendered(tmp_path)
    views = Views(found, detect_options_for(size=SIZE, batch=8, **knobs))
    counts = []
    for pixels, boxes, labels in views.epoch(2, 1.0):
        for view, row, label in zip(pixels.numpy(), boxes.numpy(), labels.numpy(), strict=True):
            lit = view.min(2) > 185
            named = np.zeros_like(lit)
            for box in row[label >= 0]:
                left, top, right, bottom = np.round(box).astype(int)
                named[top:bottom, left:right] = True
                inner = lit[top + 2 : bottom - 2, left + 2 : right - 2]
                assert inner.all()
            counts.append((label >= 0).sum())
            assert (named & ~lit).sum() <= 2 * np.abs(np.diff(row.reshape(-1, 2, 2), axis=1)).sum()
    assert max(counts) == 4
    assert np.mean(counts) > 2


def test_boxes_that_are_mostly_gone_are_not_taught(tmp_path):
    ends = [tf.constant([[[-80.0, 10], [-60, 10], [100, 100], [0, 0]]]),
            tf.constant([[[20.0, 60], [40, 60], [103, 120], [160, 128]]])]  # fmt: skip
    window = tf.zeros(2), tf.constant(SIZE, tf.float32)
    boxes, labels = detect_augment._cut(ends, tf.constant([[0, 1, 2, 3]]), window)
    assert labels.numpy().tolist() == [[-1, 1, -1, 3]]  # 20 %, 40 %, too narrow, all
    assert boxes.numpy()[0, 1].tolist() == [0, 10, 40, 60]


def test_equal_seeds_equal_views(tmp_path):
    found = rendered(tmp_path)

    def epoch(number, **overrides):
        views = Views(found, detect_options_for(size=SIZE, batch=16, **overrides))
        return [one.numpy() for batch in views.epoch(number, 0.5) for one in batch]

    one, again, later, other = epoch(1), epoch(1), epoch(2), epoch(1, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    for different in (later, other):
        assert not np.array_equal(one[0], different[0])
    assert one[0].dtype == np.float32
    assert 0 <= one[0].min() < one[0].max() <= 255


def test_colours_change_and_geometry_stays(tmp_path):
    canvases = np.full((4, 64, 64, 3), (60, 120, 180), np.uint8)
    found = pictures(tmp_path, canvases)
    views = Views(found, detect_options_for(size=128, batch=16, **{**STILL, "saturation": 1.0,
                                            "brightness": 0.5, "white_balance": 0.3}))  # fmt: skip
    (pixels, _, labels), *_ = views.epoch(1, 0.0)
    assert (labels.numpy() == -1).all()
    tones = pixels.numpy()[:, 64, 64]
    assert len(np.unique(tones.round(2), axis=0)) == 16
    assert np.ptp(pixels.numpy()[0, 30:90, 30:90].reshape(-1, 3), axis=0).max() < 1e-3


def test_an_epoch_shows_all_and_rare_labels_more_often():
    labels = np.full((100, 2), -1)
    labels[:90, 0], labels[90:96, 0] = 0, 1  # 90 of one, 6 of the other, 4 without
    options = detect_options_for(batch=16)
    shown = epoch_pictures(labels, options)
    counts = np.zeros(100)
    for number in range(20):
        places, mosaics = plan(labels, options, number, 0.5)
        assert places.shape == (shown // 16, 16, 4)
        assert 0 < mosaics.sum() < len(mosaics)
        counts += np.bincount(places[..., 0].reshape(-1), minlength=100)
    common, rare, empty = counts[:90].mean(), counts[90:96].mean(), counts[96:].mean()
    wanted = np.sqrt(0.5 * 96 / 6)  # fair part against its part
    assert rare / common == pytest.approx(wanted, rel=0.1)
    assert empty == pytest.approx(common, rel=0.15)
    plain = plan(labels, detect_options_for(batch=16, balance=1.0), 0, 0.0)[0]
    assert set(plain[..., 0].reshape(-1)) == set(range(100))


def test_few_pictures_are_shown_several_times_and_plans_repeat():
    labels = np.zeros((5, 1), int)
    options = detect_options_for(batch=16)
    assert epoch_pictures(labels, options) == options.epoch_least == 128
    one, again, other = (plan(labels, options, number, 0.5)[0] for number in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
