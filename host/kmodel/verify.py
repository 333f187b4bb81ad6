"""Prove that a kmodel touches only its own memory. The chip's loader checks nothing."""

from __future__ import annotations

from typing import Any

from ..errors import UserError
from ..i18n import N_
from .cost import layer_seconds
from .layout import RAM_LINES
from .lifetimes import Owners, Tensor
from .limits import MAX_MAIN_MEMORY, check_layer, out_of_range
from .spans import FLOAT_IN, FLOAT_OUT, WRITTEN, kpu_spans, main_spans
from .v3 import EIGHT_BIT_WEIGHTS, ConvLayer, Kmodel, Layer, LayerType

MAX_SECONDS = 20
"""Longest time of one picture, as `cost` estimates it. Networks for the chip take under one."""


def verify(model: Kmodel) -> None:
    """Check every address of `model`, and that every layer reads what was written for it.

    Raises:
        UserError: naming the layer and what does not fit. `kmodel_unsafe`: outside its memory;
            `kmodel_value`, `kmodel_16_bit`: what no layer can have; `kmodel_overwrites_input`,
            `kmodel_unwritten`, `kmodel_torn`, `kmodel_mixed`: wrong tensors; `kmodel_too_slow`.
    """
    check_addresses(model)
    check_lifetimes(model)


def check_addresses(model: Kmodel) -> None:
    """Check every number of `model`, and every address against the memory that it asks for.

    Raises:
        UserError: as `verify`, but for wrong tensors.
    """
    if not model.layers:
        raise out_of_range(HEADER, "layers = 0", "layers >= 1")
    if not model.flags & EIGHT_BIT_WEIGHTS:
        raise UserError("kmodel_16_bit")
    if model.main_memory > MAX_MAIN_MEMORY:
        found, needed = (f"main_memory {n}" for n in (f"= {model.main_memory}", f"<= {6 << 20}"))
        raise out_of_range(HEADER, found, needed)
    for index, layer in enumerate(model.layers):
        place = place_of(index, layer)
        check_layer(layer, place)
        for spans, size, kind in (
            (main_spans(layer), model.main_memory, N_("bytes of main memory")),
            (kpu_spans(layer), RAM_LINES, N_("lines of KPU RAM")),
        ):
            for start, end, what in spans:
                if end > size:
                    raise UserError("kmodel_unsafe", **place, what=what, start=start, end=end,
                                    size=size, kind=kind)  # fmt: skip
    for start, size in model.outputs:
        if size == 0 or size % 4:
            raise out_of_range(OUTPUTS, f"size = {size}", "size > 0, size % 4 = 0")
        if start + size > model.main_memory:
            raise UserError("kmodel_unsafe", **OUTPUTS, what="output", start=start,
                            end=start + size, size=model.main_memory,
                            kind=N_("bytes of main memory"))  # fmt: skip
    seconds = sum(map(layer_seconds, model.layers))
    if seconds > MAX_SECONDS:
        raise UserError("kmodel_too_slow", seconds=round(seconds), limit=MAX_SECONDS)


def check_lifetimes(model: Kmodel) -> None:
    """Check that no layer reads what nobody wrote, or a tensor that was partly overwritten.

    What the first layer reads is the picture (or the list of floats) that the board puts there.

    Raises:
        UserError: `kmodel_overwrites_input`, `kmodel_unwritten`, `kmodel_torn`, `kmodel_mixed`,
            or `kmodel_value` for more tensors than any network has.
    """
    main, kpu = Owners(N_("bytes of main memory")), Owners(N_("lines of KPU RAM"))
    for index, layer in enumerate(model.layers):
        place, writer = place_of(index, layer), f"{index} ({layer.type.name})"
        join = layer.type is LayerType.CONCAT
        floats = [join or layer.type in kinds for kinds in (FLOAT_IN, FLOAT_OUT)]
        for owners, spans, read, wrote in (
            (kpu, list(kpu_spans(layer)), False, False),
            (main, list(main_spans(layer)), *floats),
        ):
            for start, end, what in spans:
                if what not in WRITTEN:
                    if index == 0:
                        owners.write(Tensor(start, end, "0 (input)", read))
                    owners.read((start, end), place, floats=read)
            for start, end, what in spans:
                if what in WRITTEN:
                    owners.write(Tensor(start, end, writer, wrote))
        _check_in_place(layer, place)
    for start, size in model.outputs:
        main.read_output((start, start + size), OUTPUTS)


HEADER, OUTPUTS = {"where": N_("header")}, {"where": N_("outputs")}
_FORWARD = {
    LayerType.ADD,
    LayerType.QUANTIZED_ADD,
    LayerType.REQUANTIZE,
    LayerType.QUANTIZE,
    LayerType.SOFTMAX,
    LayerType.L2_NORMALIZATION,
    LayerType.LOGISTIC,
    LayerType.GLOBAL_AVERAGE_POOL2D,
    LayerType.K210_REMOVE_PADDING,
}
"""Layers whose next result never lies behind the next value that they read, in the same place."""


def place_of(index: int, layer: Layer) -> dict[str, Any]:
    """Return what findings say about where a layer is."""
    return {"where": N_("layer {number} ({type})"), "number": index, "type": layer.type.name}


def _check_in_place(layer: Layer, place: dict[str, Any]) -> None:
    """Refuse a layer whose result destroys what it has yet to read."""
    kpu = list(kpu_spans(layer)) if isinstance(layer, ConvLayer) else []
    for spans, kind in (
        (list(main_spans(layer)), N_("bytes of main memory")),
        (kpu, N_("lines of KPU RAM")),
    ):
        results = [span for span in spans if span[2] in WRITTEN]
        for start, end, what in spans:
            for at, until, _ in results if what not in WRITTEN else ():
                overlap = start < until and at < end
                if overlap and not (layer.type in _FORWARD and at <= start):
                    raise UserError("kmodel_overwrites_input", **place, what=what, start=start,
                                    end=end, at=at, until=until, kind=kind)  # fmt: skip
