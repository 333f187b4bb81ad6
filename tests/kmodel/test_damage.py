"""Damaged and hostile files: a named finding or an equal parse, never another exception."""

import tracemalloc

import numpy as np
import pytest
from hostile import try_all
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from small_files import classifier, one_of_each

from host.errors import UserError
from host.kmodel import read, write

SMALL = [write(classifier()), write(one_of_each())]


@pytest.mark.parametrize("whole", SMALL, ids=["classifier", "one_of_each"])
def test_cut_anywhere(whole):
    for length in range(len(whole)):
        if not try_all(whole[:length]):
            assert len(whole) - length < 8  # the last padding
    assert not try_all(SMALL[0])


@pytest.mark.parametrize(
    ("name", "step"), [("face", 97), ("mnist", 97), ("mask", 970), ("fruit", 970)]
)
def test_real_files_cut_everywhere(real_kmodels, name, step):
    data = memoryview(real_kmodels[name])  # cuts without copies
    refused = 0
    for length in range(0, len(data), step):
        with pytest.raises(UserError):
            read(data[:length])
        refused += 1
    assert refused == -(-len(data) // step)


places = st.integers(0, max(map(len, SMALL)) * 8 - 1)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SMALL), st.lists(places, min_size=1, max_size=6))
def test_flipped_bits(data, bits):
    changed = bytearray(data)
    for bit in bits:
        changed[bit // 8 % len(data)] ^= 1 << bit % 8
    try_all(bytes(changed))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 300), st.sampled_from([0, 1, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
@example(5, 0xFFFFFFFF)
def test_absurd_numbers_in_headers_and_bodies(word, value):
    """Whatever a header or body says, it is refused before memory is taken for it."""
    for data in SMALL:
        numbers = np.frombuffer(data[: len(data) // 4 * 4], "<u4").copy()
        numbers[word % len(numbers)] = value
        try_all(numbers.tobytes())


@given(st.binary(max_size=400))
def test_noise(noise):
    assert try_all(noise)
    assert try_all(b"\3\0\0\0" + noise)


def test_memory_stays_bounded():
    """Counts and sizes of gigabytes do not take them."""
    tracemalloc.start()
    try:
        for word in range(len(SMALL[1]) // 4):
            numbers = np.frombuffer(SMALL[1][: len(SMALL[1]) // 4 * 4], "<u4").copy()
            numbers[word] = 0xFFFFFFF0
            try_all(numbers.tobytes(), simulate=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("name", ["mnist", "face"])
def test_real_files_with_flipped_headers(real_kmodels, name):
    data = real_kmodels[name]
    rng = np.random.default_rng(0)
    outcomes = {True: 0, False: 0}
    for _ in range(60):
        changed = bytearray(data)
        for place in rng.integers(0, 1024, 3):
            changed[place] ^= 1 << int(rng.integers(8))
        outcomes[not try_all(bytes(changed), simulate=False)] += 1
    assert outcomes[False] > 10


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SMALL), st.lists(places, min_size=1, max_size=6))
def test_flipped_bits_for_long(data, bits):
    changed = bytearray(data)
    for bit in bits:
        changed[bit // 8 % len(data)] ^= 1 << bit % 8
    try_all(bytes(changed))
