"""Read a float ONNX file. `onnx` parses it and works out what is constant in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .advice import instead_of
from .file_op import Tensor
from .graph import Graph
from .normalise import Builder
from .onnx_ops import HANDLERS, Op
from .values import Value, refuse

QUANTIZED = {
    "ConvInteger", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv",
    "QLinearMatMul", "QuantizeLinear",
}  # fmt: skip
NOT_FOLDED = {"If", "Loop", "Scan", "RandomNormal", "RandomUniform", "Bernoulli", "Multinomial"}
SCOPES = "pkg.torch.onnx.name_scopes"
MAIN_DOMAINS = ("", "ai.onnx")


def from_onnx(path: Path) -> Graph:
    """Read the ONNX file at `path`; weights in files beside it are read too.

    The network has one picture as its input, of fixed size with 1 or 3 channels; a batch that is
    not fixed is one picture. Where it has several outputs, the kmodel's are in the order in which
    they are computed. See `tidy.with_scaling` for what the input holds.

    Raises:
        UserError: `kmodel_reader_missing`, `kmodel_model_unreadable`, `kmodel_already_quantized`,
            `kmodel_network_input`, `kmodel_operation_unsupported` (naming the node),
            `kmodel_same_stride`.
    """
    model = _load(path)
    quantized = sorted({node.op_type for node in model.graph.node} & QUANTIZED)
    if quantized:
        raise UserError("kmodel_already_quantized", path.name, found=", ".join(quantized))
    return _Reader(model, path.name).read()


def _load(path: Path) -> Any:
    try:
        import onnx  # noqa: PLC0415
        from onnx import inliner  # noqa: PLC0415
    except ImportError:
        raise UserError(
            "kmodel_reader_missing", path.name, package="onnx", python=sys.executable
        ) from None
    try:
        model = onnx.load(path)
        if model.functions:
            model = inliner.inline_local_functions(model)
    except Exception as error:
        raise UserError("kmodel_model_unreadable", path.name, reason=_short(error)) from error
    if not model.graph.node:
        raise UserError("kmodel_model_unreadable", path.name, reason="it holds no network")
    return model


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"


def _name(node: Any) -> str:
    """Return what a node is called; PyTorch keeps its own names of modules beside it."""
    for one in node.metadata_props:
        if one.key == SCOPES:
            scopes = [part.strip(" '\"") for part in one.value.strip("[]").split(",")]
            if len(scopes) > 1 and any(scopes):
                return "/".join(part for part in (scopes[-2], scopes[-1]) if part)
    return node.name or next(iter(node.output), node.op_type)


class _Reader:
    def __init__(self, model: Any, file: str) -> None:
        from onnx import numpy_helper  # noqa: PLC0415

        self.graph, self.file, self.build = model.graph, file, Builder()
        self.opset = max(
            (one.version for one in model.opset_import if one.domain in MAIN_DOMAINS), default=1
        )
        self.known: dict[str, Tensor] = {"": None}
        for one in self.graph.initializer:
            self.known[one.name] = numpy_helper.to_array(one)

    def read(self) -> Graph:
        self.begin()
        for node in self.graph.node:
            name = _name(node)
            try:
                results = self.node(name, node)
            except UserError:
                raise
            except Exception as error:  # the file says something that cannot be
                raise refuse(name, f"{node.op_type} ({_short(error)})", "a sound node") from error
            self.known.update(zip(node.output, results, strict=False))
        outputs = [self.known.get(one.name) for one in self.graph.output]
        made = [value for value in outputs if isinstance(value, Value)]
        if not made or len(made) != len(outputs):
            raise refuse(self.file, "an output that no layer makes", "outputs made of the picture")
        return self.build.graph(made)

    def begin(self) -> None:
        inputs = [one for one in self.graph.input if one.name not in self.known]
        if len(inputs) != 1:
            found = f"{len(inputs)} inputs"
            raise UserError("kmodel_network_input", self.file, found=found)
        name = inputs[0].name
        shape = [int(one.dim_value) for one in inputs[0].type.tensor_type.shape.dim]
        # Pictures with their channels last come from exporters of Keras models.
        last = len(shape) == 4 and shape[1] not in (1, 3) and shape[3] in (1, 3)
        self.known[name] = self.build.begin(name, shape, "1hwc" if last else "1chw")

    def node(self, name: str, node: Any) -> list[Tensor]:
        from onnx.helper import get_attribute_value  # noqa: PLC0415

        inputs = tuple(self.known[one] for one in node.input)
        if not any(isinstance(one, Value) for one in inputs) and node.op_type not in NOT_FOLDED:
            return self.fold(node, inputs)
        handler = HANDLERS.get(node.op_type) if node.domain in MAIN_DOMAINS else None
        if handler is None:
            raise refuse(name, node.op_type, instead_of(node.op_type, HANDLERS))
        attrs = {one.name: get_attribute_value(one) for one in node.attribute}
        op = Op(name, node.op_type, inputs, attrs)
        return [handler(self.build, op)]

    def fold(self, node: Any, inputs: tuple[Tensor, ...]) -> list[Tensor]:
        """Work out a node that reads constants only."""
        from onnx import helper  # noqa: PLC0415
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415

        feeds = {name: one for name, one in zip(node.input, inputs, strict=True) if name}
        read = [helper.make_empty_tensor_value_info(one) for one in feeds]
        made = [helper.make_empty_tensor_value_info(one) for one in node.output if one]
        graph = helper.make_graph([node], "constants", read, made)
        # A whole model, for a node alone would be taken for one of the newest opset.
        opset = [helper.make_opsetid("", self.opset)]
        runner = ReferenceEvaluator(helper.make_model(graph, opset_imports=opset))
        return [np.asarray(one) for one in runner.run(None, feeds)]  # type: ignore[arg-type]
