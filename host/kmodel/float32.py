"""Float32 arithmetic as the chip's CPU does it: one rounding after each instruction.

The order of the additions was read from the machine code of MaixPy's KPU library
(lib_sipeed_kpu.a, GCC 8.2 with -Os -ffast-math), whose compiler fuses a product and a sum to one
`fmadd.s` and moves a few additions of the C code (Kendryte's lib/drivers/kpu.c).
"""

from __future__ import annotations

import numpy as np

F4 = np.dtype("<f4")
UNROLLED = 8
"""Products that a dense layer adds in one turn of its loop, where they divide its inputs."""


def fma(a: np.ndarray, b: np.ndarray | np.float32, c: np.ndarray | np.float32) -> np.ndarray:
    """Return a * b + c of float32 values, rounded once.

    The product is exact in float64. Its sum is rounded to odd there, so that the rounding to
    float32 that follows sees on which side of a tie the true sum lies.
    """
    product = np.multiply(a, b, dtype=np.float64)
    total = product + c
    back = total - product
    error = (product - (total - back)) + (c - back)
    bits = total.view(np.int64)
    wrong = np.isfinite(error) & (error != 0) & (bits & 1 == 0)
    if wrong.any():
        outwards = (error > 0) == (total > 0)
        bits += np.where(wrong, np.where(outwards, 1, -1), 0)
    return total.astype(F4)


def total(values: np.ndarray) -> np.ndarray:
    """Add float32 values along the last axis one after the other; the axis stays, of size 1."""
    return np.add.accumulate(values, axis=-1, dtype=np.float32)[..., -1:]


def sum_of_squares(values: np.ndarray) -> np.ndarray:
    """Add the squares along the last axis, each by one fused multiply-add; the axis stays."""
    result = np.zeros((*values.shape[:-1], 1), F4)
    for i in range(values.shape[-1]):
        column = values[..., i : i + 1]
        result = fma(column, column, result)
    return result


def dense(values: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return values @ weights.T + bias: float32 (n, inputs), (outputs, inputs), (outputs,).

    One fused multiply-add an input, in their order; the bias comes last. Where the inputs can be
    divided by eight, the first two products of each eight are added to each other, that sum to
    the result, and the other six follow one by one.
    """
    result = np.zeros((len(values), len(weights)), F4)
    columns, rows = values.T[:, :, None], np.ascontiguousarray(weights.T)[:, None, :]
    inputs = len(rows)
    unrolled = inputs % UNROLLED == 0
    first = 0
    while first < inputs:
        if unrolled and first % UNROLLED == 0:
            second = (columns[first + 1] * rows[first + 1]).astype(F4)
            result = result + fma(columns[first], rows[first], second)
            first += 2
        else:
            result = fma(columns[first], rows[first], result)
            first += 1
    return result + bias


def exp(values: np.ndarray) -> np.ndarray:
    """Return the exponential of float32 values, rounded correctly.

    The chip's C library is within one last bit of it; so is numpy's float32 version, but that
    gives other bits on other computers.
    """
    return np.exp(values.astype(np.float64)).astype(F4)
