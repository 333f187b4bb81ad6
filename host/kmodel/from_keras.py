"""Read a Keras model. Only duck typing is used, so neither Keras nor TensorFlow is imported.

A model is a graph of calls: each node of Keras' `_nodes_by_depth` is a layer (or an operation such
as `x / 127.5`) and what it was called with. A model that is called like a layer is read in place;
a layer that is called twice gives two layers of the chip with the same weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import UserError
from .file_op import Tensor
from .graph import Graph
from .keras_ops import HANDLERS, KerasOp, read_activation, unknown
from .normalise import Builder
from .values import Value, refuse

NO_TENSORS = ("training", "mask", "name")
"""Keyword arguments of calls that say nothing about values."""


def from_keras(model: Any) -> Graph:
    """Read a Keras model with one picture as its input.

    Args:
        model: a built Keras `Sequential` or functional `Model`, models inside it included. Its
            input holds pixel values 0..255 where it begins with what scales them.

    Raises:
        UserError: `kmodel_operation_unsupported` (naming the layer; "base/conv" is the layer conv
            of the model base inside), `kmodel_same_stride`, `kmodel_network_input`.
    """
    graph = _calls(model, model.name)
    if len(graph.inputs) != 1:
        raise UserError("kmodel_network_input", model.name, found=f"{len(graph.inputs)} inputs")
    build = Builder()
    shape = [0 if size is None else int(size) for size in graph.inputs[0].shape]
    picture = build.begin(model.name, shape, "1hwc")
    return build.graph(_read(build, model, [picture], ""))


def _calls(model: Any, name: str) -> Any:
    """Return the graph of calls of a model; a Sequential keeps it inside."""
    graph = getattr(model, "_functional", model)
    if graph is None and model.layers and hasattr(model.layers[0], "_nodes_by_depth"):
        model.build(model.layers[0].input_shape)  # Sequential([base, ...]) that never ran
        graph = model._functional
    if graph is None:
        raise UserError("kmodel_network_input", name, found="a Sequential without an input size")
    if not hasattr(graph, "_nodes_by_depth"):
        found = f"{type(model).__name__}, a model whose calls are Python code"
        raise refuse(name, found, "a Sequential or functional model (or its TFLite or ONNX export)")
    return graph


def _read(build: Builder, model: Any, inputs: list[Value], path: str) -> list[Value]:
    """Read the calls inside `model` and return its outputs; `path` goes before its names."""
    graph = _calls(model, path.rstrip("/") or model.name)
    known = {id(tensor): value for tensor, value in zip(graph.inputs, inputs, strict=True)}
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if not node.is_input:
                results = _call(build, node, known, path)
                known.update(zip(map(id, node.output_tensors), results, strict=True))
    return [known[id(tensor)] for tensor in graph.outputs]


def _call(build: Builder, node: Any, known: Mapping[int, Value], path: str) -> list[Value]:
    layer = node.operation
    name, kind = f"{path}{layer.name}", type(layer).__name__
    arguments = [node.arguments.args, *(
        value for key, value in node.arguments.kwargs.items()
        if key not in NO_TENSORS and value is not None
    )]  # fmt: skip
    inputs = tuple(_tensors(arguments, known))
    if hasattr(layer, "_nodes_by_depth") or hasattr(layer, "_functional"):
        values = [one for one in inputs if isinstance(one, Value)]
        return _read(build, layer, values, f"{name}/")
    handler = HANDLERS.get(kind)
    if handler is None:
        raise unknown(name, kind)
    op = KerasOp(name, kind, inputs, layer)
    if op.config.get("data_format") == "channels_first":
        raise refuse(name, "channels_first", "data_format='channels_last'")
    made = handler(build, op)
    fused = getattr(layer, "activation", None)
    return [made if fused is None else read_activation(build, name, made, fused)]


def _tensors(arguments: Iterable[Any], known: Mapping[int, Value]) -> Iterable[Tensor]:
    """Yield what a call reads: values made of the picture, and constants as arrays."""
    for one in arguments:
        if isinstance(one, list | tuple):
            yield from _tensors(one, known)
        elif isinstance(one, slice) or one is Ellipsis:
            continue
        else:
            yield known[id(one)] if hasattr(one, "_keras_history") else np.asarray(one)
