"""What the chip's CPU does with bytes between KPU layers, and the integers that it does it with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .quantize import Range
from .steps import CpuOp, Step, run_cpu_op

ADD_BITS = 16
"""Fraction bits of the factors of a quantized addition."""


def add_values(a: Range, b: Range, result: Range) -> dict[str, int]:
    """Return the integer fields of QUANTIZED_ADD (see `quantized_add`)."""
    one = 1 << ADD_BITS
    return {
        "a_offset": -a.zero,
        "a_mul": round(a.step / result.step * one),
        "a_shift": 0,
        "b_offset": -b.zero,
        "b_mul": round(b.step / result.step * one),
        "b_shift": 0,
        "out_offset": result.zero,
        "out_mul": 1,
        "out_shift": ADD_BITS,
    }


def quantized_add(a: np.ndarray, b: np.ndarray, fields: Mapping[str, int | float]) -> np.ndarray:
    """Add uint8 arrays as the runtime's `kpu_quantized_add` does (Kendryte's SDK, kpu.c)."""
    get = {name: int(value) for name, value in fields.items()}
    left = (a.astype(np.int64) + get["a_offset"]) * get["a_mul"]
    right = (b.astype(np.int64) + get["b_offset"]) * get["b_mul"]
    if get["a_shift"] == get["b_shift"]:
        total = left + right >> get["a_shift"]
    else:
        total = (left >> get["a_shift"]) + (right >> get["b_shift"])
    total = carry_shift(total * get["out_mul"], get["out_shift"])
    return np.clip(total + get["out_offset"], 0, 255).astype(np.uint8)


def carry_shift(values: np.ndarray, shift: int) -> np.ndarray:
    """Shift int64 right and round half away from zero, as the runtime's `kpu_carry_shift` does.

    Of a negative value with its last bit set one more is taken off: the runtime's own quirk.
    """
    if shift == 0:
        return values
    values = values >> (shift - 1)
    halves = values >> 1
    return np.where(values & 1, np.where(values < 0, halves - 1, halves + 1), halves)


def requantize_table(source: Range, result: Range) -> np.ndarray:
    """Return uint8 (256,): the byte that each byte becomes under another range."""
    return result.quantize(source.dequantize(np.arange(256, dtype=np.uint8)))


def run_on_chip(
    step: Step, number: int, values: Mapping[int, np.ndarray], ranges: Mapping[int, Range]
) -> np.ndarray:
    """Run one CPU operation on the chip's values: uint8 maps, float32 vectors."""
    op = step.op
    assert isinstance(op, CpuOp)
    inputs = [values[source] for source in step.inputs]
    meanings = [ranges.get(source) for source in step.inputs]
    match op.kind:
        case "add":
            a, b = (meaning for meaning in meanings if meaning)
            return quantized_add(inputs[0], inputs[1], add_values(a, b, ranges[number]))
        case "concat":
            parts = [
                requantize_table(meaning, ranges[number])[part]
                if meaning and meaning != ranges[number]
                else part
                for part, meaning in zip(inputs, meanings, strict=True)
            ]
            return np.concatenate(parts, 1)
        case "to_map":
            return ranges[number].quantize(run_cpu_op(op, inputs))
        case "dequantize":
            assert meanings[0]
            return meanings[0].dequantize(inputs[0])
        case _:
            return run_cpu_op(op, inputs)
