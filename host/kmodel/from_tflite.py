"""Read a float TFLite file. TensorFlow's schema parses it; TensorFlow itself is not loaded."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import UserError
from .advice import instead_of
from .file_op import FileOp, Tensor, choice, div, extreme, greater, mul, sum_of
from .graph import Graph
from .normalise import Builder
from .values import Value, refuse, reshape, squeeze, transpose

SCHEMA = Path("lite", "python", "schema_py_generated.py")
"""Where TensorFlow keeps the generated reader of the format; it needs flatbuffers only."""
MAGIC = b"TFL3"
DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "<u1", 4: "<i8", 6: "?", 7: "<i2", 9: "<i1"}
"""numpy's names of TFLite's tensor types."""


def from_tflite(data: bytes, name: str = "model.tflite") -> Graph:
    """Read a TFLite file of float32 (or float16 weights); `name` is what findings call it.

    The network has one picture as its input, of fixed size with 1 or 3 channels. Where it has
    several outputs, the kmodel's are in the order in which they are computed. See
    `tidy.with_scaling` for what the input holds.

    Raises:
        UserError: `kmodel_model_unreadable`, `kmodel_already_quantized`, `kmodel_network_input`,
            `kmodel_operation_unsupported` (naming the tensor), `kmodel_same_stride`.
    """
    schema, model = _schema(), _parse(data, name)
    graph = model.subgraphs[0]
    for tensor in graph.tensors:
        scales = tensor.quantization.scale if tensor.quantization is not None else None
        if scales is not None and len(scales):
            found = f"tensor {_text(tensor.name)} of type {DTYPES.get(tensor.type, tensor.type)}"
            raise UserError("kmodel_already_quantized", name, found=found)
    return _Reader(schema, model, graph, name).read()


@functools.cache
def _schema() -> ModuleType:
    """Load the schema by its place: importing it by name would load all of TensorFlow."""
    found = importlib.util.find_spec("tensorflow")
    folders = found.submodule_search_locations if found else None
    path = Path(folders[0]) / SCHEMA if folders else None
    if path is None or not path.is_file():
        raise UserError("kmodel_reader_missing", package="tensorflow", python=sys.executable)
    spec = importlib.util.spec_from_file_location("maixforge_tflite_schema", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _parse(data: bytes, name: str) -> Any:
    if data[4:8] != MAGIC:
        raise UserError("kmodel_model_unreadable", name, reason="it does not begin like TFLite")
    schema = _schema()
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        sound = model.subgraphs and model.subgraphs[0].operators and model.buffers
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError("kmodel_model_unreadable", name, reason=reason) from error
    if not sound:
        raise UserError("kmodel_model_unreadable", name, reason="it holds no network")
    return model


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw or "")


@dataclass(frozen=True, slots=True)
class Op(FileOp):
    """One operation of the file; its name is that of its result."""

    options: Any


class _Reader:
    def __init__(self, schema: ModuleType, model: Any, graph: Any, file: str) -> None:
        self.model, self.graph, self.file = model, graph, file
        self.kinds = _names(schema.BuiltinOperator)
        self.fused = _names(schema.ActivationFunctionType)
        self.build = Builder()
        self.known: dict[int, Tensor] = {-1: None}

    def read(self) -> Graph:
        if len(self.graph.inputs) != 1 or len(self.model.subgraphs) != 1:
            found = f"{len(self.graph.inputs)} inputs, {len(self.model.subgraphs)} graphs"
            raise UserError("kmodel_network_input", self.file, found=found)
        first = self.graph.tensors[self.graph.inputs[0]]
        signature = first.shapeSignature if first.shapeSignature is not None else first.shape
        shape = [max(int(size), 0) for size in signature]
        self.known[self.graph.inputs[0]] = self.build.begin(_text(first.name), shape, "1hwc")
        for operator in self.graph.operators:
            self.operator(operator)
        made = [self.known.get(index) for index in self.graph.outputs]
        values = [value for value in made if isinstance(value, Value)]
        if not values or len(values) != len(made):
            raise refuse(self.file, "an output that no layer makes", "outputs made of the picture")
        return self.build.graph(values)

    def operator(self, operator: Any) -> None:
        target = operator.outputs[0]
        name = _text(self.graph.tensors[target].name)
        code = self.model.operatorCodes[operator.opcodeIndex]
        # Files of before 2020 know the older, one-byte field only.
        kind = self.kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode), "")
        kind = _text(code.customCode) if kind in ("", "CUSTOM") else kind
        try:
            inputs = tuple(self.tensor(index) for index in operator.inputs)
            op = Op(name, kind, inputs, operator.builtinOptions)
            if kind in FOLDED and not any(isinstance(one, Value) for one in inputs):
                self.known[target] = np.asarray(FOLDED[kind](op))
                return
            if kind == "SHAPE":
                self.known[target] = np.array(op.value.shape, np.int32)
                return
            handler = HANDLERS.get(kind)
            if handler is None:
                raise refuse(name, kind, instead_of(kind, HANDLERS))
            made = handler(self.build, op)
            self.known[target] = self.activated(name, made, op.options)
        except UserError:
            raise
        except Exception as error:  # the file says something that cannot be
            found = f"{kind} ({type(error).__name__}: {error})"
            raise refuse(name, found, "a sound layer") from error

    def activated(self, name: str, value: Value, options: Any) -> Value:
        kind = self.fused[getattr(options, "fusedActivationFunction", 0)]
        known = {"NONE": "linear", "RELU": "relu", "RELU6": "relu6", "TANH": "tanh"}
        known["RELU_N1_TO_1"] = "hard_tanh"
        if kind not in known:
            raise refuse(name, f"activation {kind}", ", ".join(known))
        return self.build.activation(name, value, known[kind])

    def tensor(self, index: int) -> Tensor:
        """Return what is known under an index; constants are decoded when they are read."""
        if index not in self.known:
            tensor = self.graph.tensors[index]
            raw = self.model.buffers[tensor.buffer].data
            if raw is None:
                raise ValueError("a tensor that nothing fills")
            flat = np.frombuffer(np.asarray(raw, np.uint8).tobytes(), DTYPES[tensor.type])
            self.known[index] = flat.reshape([] if tensor.shape is None else tensor.shape)
        return self.known[index]


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _pads(op: Op) -> str | tuple[int, int, int, int]:
    return "same" if op.options.padding == 0 else (0, 0, 0, 0)


def _conv(build: Builder, op: Op) -> Value:
    """Weights: (outputs, rows, columns, inputs), depthwise (1, rows, columns, channels)."""
    depthwise = op.kind == "DEPTHWISE_CONV_2D"
    value, options, w = _map(op), op.options, op.constant(1)
    if w.shape[3] != value.sizes[2]:
        if not w.shape[3] == 1 or w.shape[0] != value.sizes[2]:
            raise refuse(op.name, "grouped convolution", instead_of("groups", ()))
        w, depthwise = w.transpose(3, 1, 2, 0), True
    if op.kind == "DEPTHWISE_CONV_2D" and options.depthMultiplier not in (0, 1):
        raise refuse(op.name, "depth multiplier", instead_of("multiplier", ()))
    return build.conv(
        op.name,
        value,
        w.transpose(1, 2, 3, 0),
        op.constant(2),
        depthwise=depthwise and value.sizes[2] > 1,
        stride=(options.strideH, options.strideW),
        dilation=(max(options.dilationHFactor, 1), max(options.dilationWFactor, 1)),
        pads=_pads(op),
    )


def _map(op: Op) -> Value:
    value = op.value
    if value.axes not in ("1hwc", "111c"):
        raise refuse(op.name, f"{op.kind} of axes {value.axes}", "batch, rows, columns, channels")
    return value


def _dense(build: Builder, op: Op) -> Value:
    value, w = op.value, op.constant(1)
    if value.axes != "pc" and (not op.options.keepNumDims or not value.is_vector):
        value = reshape(op.name, value, (1, -1))
    return build.dense(op.name, value, w.T, op.constant(2))


def _activation(kind: str) -> Callable[[Builder, Op], Value]:
    return lambda build, op: build.activation(op.name, op.value, kind)


def _gelu(build: Builder, op: Op) -> Value:
    return build.activation(op.name, op.value, "gelu_tanh" if op.options.approximate else "gelu")


def _leaky(build: Builder, op: Op) -> Value:
    return build.activation(op.name, op.value, "leaky", float(op.options.alpha))


def _prelu(build: Builder, op: Op) -> Value:
    return build.prelu(op.name, op.value, op.constant(1))


def _pool(kind: str) -> Callable[[Builder, Op], Value]:
    def read(build: Builder, op: Op) -> Value:
        options = op.options
        window = (options.filterHeight, options.filterWidth)
        stride = (options.strideH, options.strideW)
        return build.pool(op.name, _map(op), kind, window, stride, round_up=_pads(op) == "same")

    return read


def _mean(build: Builder, op: Op) -> Value:
    axes = [int(axis) for axis in np.atleast_1d(op.constant(1))]
    return build.mean(op.name, op.value, axes, keep=bool(op.options.keepDims))


def _concat(build: Builder, op: Op) -> Value:
    values = [op.at(index) for index in range(len(op.inputs))]
    return build.join(op.name, "concat", values, op.options.axis)


def _resize(build: Builder, op: Op) -> Value:
    height, width = (int(size) for size in op.constant(1))
    if op.options.alignCorners:
        raise refuse(op.name, "a resize that aligns corners", "align_corners=False")
    half = 0.5 if op.options.halfPixelCenters else 0.0
    return build.resize(op.name, _map(op), (height, width), half=half)


def _reshape(build: Builder, op: Op) -> Value:
    wanted = op.constant(1)
    sizes: Sequence[int] = op.options.newShape if wanted is None else wanted
    return reshape(op.name, op.value, sizes)


def _squeeze(build: Builder, op: Op) -> Value:
    axes = op.options.squeezeDims
    return squeeze(op.name, op.value, None if axes is None or not len(axes) else list(axes))


def _softmax(build: Builder, op: Op) -> Value:
    if op.options.beta not in (0.0, 1.0):
        raise refuse(op.name, f"softmax with beta {op.options.beta:g}", "beta 1")
    return build.softmax(op.name, op.value)


def _pad(build: Builder, op: Op) -> Value:
    if op.constant(2) is not None and np.any(op.constant(2)):
        raise refuse(op.name, f"padding with {op.constant(2)}", "zeros")
    return build.pad(op.name, op.value, op.constant(1).tolist())


def _expand(build: Builder, op: Op) -> Value:
    place = int(op.constant(1)) % (len(op.value.axes) + 1)
    axes = op.value.axes
    return replace(op.value, axes=f"{axes[:place]}1{axes[place:]}")


def _tile(build: Builder, op: Op) -> Value:
    """What Keras' UpSampling2D is: an axis of one behind the rows or columns, repeated."""
    value, times = op.value, [int(one) for one in op.constant(1)]
    (place,) = [place for place, one in enumerate(times) if one > 1] or [-1]
    along = value.axes[place - 1 : place + 1]
    if along not in ("h1", "w1") or sorted(value.axes.replace("1", "", 2)) != ["c", "h", "w"]:
        raise refuse(op.name, "TILE", instead_of("TILE", HANDLERS))
    height, width, _ = value.sizes
    factors = (times[place], 1) if along == "h1" else (1, times[place])
    axes = value.axes[: place - 1] + along[0].upper() + value.axes[place + 1 :]
    sizes = (height * factors[0], width * factors[1])
    return build.resize(op.name, replace(value, axes=axes), sizes)


def _transpose(build: Builder, op: Op) -> Value:
    return transpose(op.value, op.constant(1).tolist())


def _negative(build: Builder, op: Op) -> Value:
    return build.scale_shift(op.name, op.value, -1.0)


def _power(build: Builder, op: Op) -> Value:
    return build.activation(op.name, op.value, "power", float(np.reshape(op.constant(1), ())))


def _nothing(build: Builder, op: Op) -> Value:
    return op.value


def _slice(op: Op) -> np.ndarray:
    """STRIDED_SLICE of a list of numbers, such as a shape."""
    (begin,), (end,), (step,) = (op.constant(index) for index in (1, 2, 3))
    options = op.options
    if options.shrinkAxisMask & 1:
        return op.constant(0)[begin]
    first = None if options.beginMask & 1 else begin
    return op.constant(0)[first : None if options.endMask & 1 else end : step]


FOLDED: dict[str, Callable[[Op], Any]] = {
    "ADD": lambda op: op.constant(0) + op.constant(1),
    "CONCATENATION": lambda op: np.concatenate(op.inputs, op.options.axis),  # type: ignore[arg-type]
    "DEQUANTIZE": lambda op: op.constant(0).astype(np.float32),  # weights of 16 bits
    "GATHER": lambda op: np.take(op.constant(0), op.constant(1), op.options.axis),
    "MUL": lambda op: op.constant(0) * op.constant(1),
    "PACK": lambda op: np.stack(op.inputs, op.options.axis),  # type: ignore[arg-type]
    "REDUCE_PROD": lambda op: np.prod(op.constant(0), keepdims=op.options.keepDims),
    "STRIDED_SLICE": _slice,
}
"""What files work out from constants: shapes and weights."""

HANDLERS: dict[str, Callable[[Builder, Op], Value]] = {
    "ABS": _activation("abs"),
    "ADD": sum_of(1.0),
    "AVERAGE_POOL_2D": _pool("mean_pool"),
    "CAST": _nothing,
    "CONCATENATION": _concat,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _conv,
    "COS": _activation("cos"),
    "DIV": div,
    "ELU": _activation("elu"),
    "EXP": _activation("exp"),
    "EXPAND_DIMS": _expand,
    "FULLY_CONNECTED": _dense,
    "GELU": _gelu,
    "GREATER": greater,
    "HARD_SWISH": _activation("hard_swish"),
    "LEAKY_RELU": _leaky,
    "LOGISTIC": _activation("sigmoid"),
    "LOG": lambda build, op: build.logarithm(op.name, op.value),
    "MAXIMUM": extreme("max"),
    "MAX_POOL_2D": _pool("max_pool"),
    "MEAN": _mean,
    "MINIMUM": extreme("min"),
    "MUL": mul,
    "NEG": _negative,
    "PAD": _pad,
    "PADV2": _pad,
    "POW": _power,
    "PRELU": _prelu,
    "RELU": _activation("relu"),
    "RELU6": _activation("relu6"),
    "RELU_N1_TO_1": _activation("hard_tanh"),
    "RESHAPE": _reshape,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SELECT": choice,
    "SELECT_V2": choice,
    "SIN": _activation("sin"),
    "SOFTMAX": _softmax,
    "SQRT": _activation("sqrt"),
    "SQUARE": _activation("square"),
    "SQUEEZE": _squeeze,
    "SUB": sum_of(-1.0),
    "TILE": _tile,
    "TANH": _activation("tanh"),
    "TRANSPOSE": _transpose,
}
