"""The fast KPU arithmetic equals a slow one in Python's integers, for layers of every kind."""

from dataclasses import replace

import kpu_reference
import numpy as np
import pytest
from random_layers import STRIDE, leaky_table, pictures, random_layer, relu_table, table

from host.kmodel.kpu import ConvPlan, activate, pool
from host.kmodel.v3 import Activation

KINDS = [
    *((kernel, False, code) for kernel in (1, 3) for code in STRIDE),
    (1, True, 0),
    (3, True, 0),
]
SEEDS = (0, 3, 4)


def agree(layer, x, half_up=False):
    got = ConvPlan(layer, half_up).run(x)
    assert got.dtype == np.uint8
    assert got.shape == (len(x), *layer.registers.out_shape)
    np.testing.assert_array_equal(got, kpu_reference.run(layer, x, half_up))
    return got


def small_shape(rng, code):
    """Sizes from 4 to 9 pixels; those of strided layers may be odd."""
    height, width = (int(side) for side in 4 * STRIDE[code] + rng.integers(0, 4, 2))
    return int(rng.integers(1, 6)), height, width


@pytest.mark.parametrize("activation", ["relu", "leaky", "random", "ties"])
@pytest.mark.parametrize("args", ["exact", "any"])
@pytest.mark.parametrize(("kernel", "depthwise", "code"), KINDS)
def test_fast_equals_slow(kernel, depthwise, code, args, activation):
    levels = set()
    for seed in SEEDS:
        rng = np.random.default_rng([seed, kernel, depthwise, code])
        shape = small_shape(rng, code)
        outputs = shape[0] if depthwise else int(rng.integers(1, 5))
        options = {"kernel": kernel, "depthwise": depthwise, "pool": code}
        layer = random_layer(rng, shape, outputs, args=args, activation=activation, **options)
        levels |= set(agree(layer, pictures(rng, layer, 1)).ravel().tolist())
    assert len(levels) > 1  # else nothing was compared


def test_wide_layers_sum_exactly():
    """Sums beyond float32's 24 bits: 600 channels of extreme bytes through a 3x3 kernel."""
    rng = np.random.default_rng(5)
    layer = random_layer(rng, (600, 4, 4), 2, activation="random")
    weights = rng.choice(np.array([0, 255], np.uint8), layer.weights.size)
    layer = replace(
        layer,
        weights=weights,
        bn_mul=np.array([1, 3]),
        bn_shift=np.array([12, 15]),
        bn_add=np.array([0, 5]),
    )
    layer = replace(layer, activation=table([-(1 << 14), 0], [0, 900, 500], 16, [0, 9, 100]))
    plan = ConvPlan(layer)
    assert plan.dtype is np.float64
    x = rng.choice(np.array([0, 255], np.uint8), (1, 600, 4, 4))
    assert len(np.unique(agree(layer, x))) > 4


def test_narrow_layers_run_in_float32():
    rng = np.random.default_rng(6)
    assert ConvPlan(random_layer(rng, (16, 4, 4), 2)).dtype is np.float32


def test_values_outside_the_tables_active_part():
    """The look-up covers only where the byte changes; far values must hit its ends."""
    rng = np.random.default_rng(7)
    layer = random_layer(rng, (3, 6, 6), 4, activation="relu")
    layer = replace(layer, bn_add=np.array([-(1 << 30), 1 << 30, 0, 130 << 10]))
    got = agree(layer, pictures(rng, layer))
    assert set(np.unique(got[:, 0])) == {0}
    assert set(np.unique(got[:, 1])) == {255}


def test_a_slope_that_goes_on_beyond_all_values():
    """No value reaches 0 or 255: the look-up must still hold every value between."""
    rng = np.random.default_rng(8)
    layer = random_layer(rng, (2, 5, 5), 2, kernel=1)
    small = {"bn_mul": np.array([1, 2]), "bn_shift": np.array([4, 4]), "bn_add": np.array([0, 0])}
    gentle = table([-(1 << 14)], [0, 10], 11, [3, 3])
    layer = replace(layer, **small, activation=gentle)
    got = agree(layer, pictures(rng, layer))
    assert len(np.unique(got)) > 4
    assert got.min() > 0
    assert got.max() < 255


def test_a_table_too_wide_to_look_up():
    rng = np.random.default_rng(9)
    layer = random_layer(rng, (2, 5, 5), 2, args="any", kernel=1)
    wide = table([-(1 << 34), 0], [0, 1, 2], [0, 26, 25], [0, 9, 100])
    factors = {"bn_mul": np.array([1 << 14, -(1 << 13)]), "bn_shift": np.array([0, 0])}
    layer = replace(layer, activation=wide, **factors)
    plan = ConvPlan(layer)
    assert plan.table is None
    agree(layer, pictures(rng, layer))


@pytest.mark.parametrize("half_up", [False, True])
def test_ties_round_to_even_or_up(half_up):
    """0.5, 1.5, 2.5 ... and what both simulators make of negative products."""
    halves = table([0], [1, 1], 1, [100, 100])
    values = np.arange(1, 12)
    got = activate(values, halves, half_up)
    down = [100, 101, 102, 102, 102, 103, 104, 104, 104, 105, 106]
    up = [101, 101, 102, 102, 103, 103, 104, 104, 105, 105, 106]
    assert got.tolist() == (up if half_up else down)
    falling = table([0], [0, -4], 3, [100, 100])  # steps of one half
    quarters = table([0], [0, -1], 2, [100, 100])
    # -0.25 -0.5 -0.75 -1 -1.25: the floor, and one less where it rounds
    assert activate(np.arange(1, 6), quarters, half_up).tolist() == [
        98,
        98,
        99,
        99,
        97,
    ]
    assert activate(np.arange(1, 5), falling, half_up).tolist() == [
        98,
        99,
        97 if half_up else 98,
        98,
    ]


def test_half_up_reaches_the_plan():
    rng = np.random.default_rng(10)
    layer = random_layer(rng, (4, 8, 8), 4, activation="ties")
    x = pictures(rng, layer)
    assert (agree(layer, x) != agree(layer, x, half_up=True)).any()


def test_a_segment_begins_behind_its_start():
    steps = table([-10, 0, 10], [0], 0, [1, 2, 3, 4, *[0] * 12])
    values = np.array([-(1 << 34), -11, -10, -9, 0, 1, 10, 11])
    assert activate(values, steps).tolist() == [1, 1, 1, 2, 2, 3, 3, 4]


def test_extreme_shifts_and_slopes():
    shifts = np.array([0, 1, 15, 16, 40, 62, 63, 64, 255] + [3] * 7)
    start = np.linspace(-(1 << 34), 1 << 34, 16).astype(np.int64)
    start[0] = -(1 << 35)
    for mul in (-(1 << 15), -1, 0, 1, (1 << 15) - 1):
        extreme = Activation(start, np.full(16, mul), shifts, np.full(16, 128))
        values = np.concatenate([start[1:], start[1:] + 1, start[1:] - 1, [(1 << 35) - 1]])
        for half_up in (False, True):
            wanted = [kpu_reference.activated(int(v), extreme, half_up) for v in values]
            assert activate(values, extreme, half_up).tolist() == wanted


@pytest.mark.parametrize("make", [relu_table, leaky_table])
def test_tables_as_nncase_writes_them(make):
    values = np.arange(-(1 << 18), 1 << 19, 97)
    wanted = [kpu_reference.activated(int(v), make()) for v in values]
    assert activate(values, make()).tolist() == wanted


def test_pools_on_a_map_that_one_can_read():
    x = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8)
    assert pool(x, 1, 4, 4)[0, 0, 0].tolist() == [9, 11, 13, 15]
    assert pool(x, 2, 4, 4)[0, 0, 0].tolist() == [4, 6, 8, 10]  # 4.5 truncated
    assert pool(x, 3, 2, 2)[0, 0].tolist() == [[27, 31], [59, 63]]
    assert pool(x, 4, 2, 2)[0, 0].tolist() == [[13, 17], [45, 49]]
    assert pool(x, 5, 4, 4)[0, 0, 1].tolist() == [16, 18, 20, 22]
    assert pool(x, 6, 4, 4)[0, 0, 1].tolist() == [17, 19, 21, 23]
    assert pool(x, 7, 2, 2)[0, 0].tolist() == [[0, 4], [32, 36]]
    assert pool(x, 8, 8, 8)[0, 0, 7].tolist() == [56, 57, 58, 59, 60, 61, 62, 63]
    assert pool(x, 9, 8, 8)[0, 0, 0].tolist() == [9, 10, 11, 12, 13, 14, 15, 15]


def test_sums_are_the_numbers_before_the_batch_norm():
    rng = np.random.default_rng(11)
    for args in ("exact", "any"):
        for depthwise in (False, True):
            outputs = 3 if depthwise else 2
            layer = random_layer(rng, (3, 6, 5), outputs, args=args, depthwise=depthwise)
            x = pictures(rng, layer, 1)
            sums = ConvPlan(layer).sums(x)
            assert sums.tolist() == [kpu_reference.convolve(layer, x[0])]


def test_pictures_of_a_batch_do_not_mix():
    rng = np.random.default_rng(12)
    layer = random_layer(rng, (5, 40, 40), 7, activation="leaky")
    x = pictures(rng, layer, 5)
    plan = ConvPlan(layer)
    together = plan.run(x)
    for i in range(5):
        np.testing.assert_array_equal(together[i : i + 1], plan.run(x[i : i + 1]))
