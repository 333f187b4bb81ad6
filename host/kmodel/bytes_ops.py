"""What the chip's CPU does with bytes between KPU layers, and the integers that it does it with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .cpu_layers import quantized_add
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
