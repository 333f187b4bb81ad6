"""Files of Keras 2 (TensorFlow up to 2.15): their configuration, as Keras 3 reads it.

Keras 3 stumbles over arguments that it no longer has, over the numbers that Keras 2 gave to the
calls of a model inside, and over operations of TensorFlow (`x / 127.5`, `tf.nn.relu6(x)`), which
Keras 2 saved as layers of the class TFOpLambda. All three are written anew; what only training
needs is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .advice import instead_of
from .keras_ops import unknown
from .values import refuse

Config = dict[str, Any]
"""What JSON makes of a layer, {"class_name", "config"}, or the arguments inside it."""

_MODELS = ("Functional", "Model", "Sequential")
_CODE = ("Lambda", "SlicingOpLambda", "TensorFlowOpLayer")
_RENAMED = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Model": "Functional",
}
_PLACES = {"Functional": "keras.src.models.functional", "Sequential": "keras"}
_TRAINING = ("_initializer", "_regularizer", "_constraint")
_CONSTANT = "_CONSTANT_VALUE"
_GONE = ("batch_input_shape", "dtype", "input_dtype", "ragged", "seed", "sparse")


def of_keras2(model: Config) -> Config:
    """Return the configuration of a model of Keras 2 as one of Keras 3.

    Raises:
        UserError: `kmodel_operation_unsupported`: code inside, or an operation of TensorFlow that
            no layer stands for.
    """
    return _layer(model, "model")


def _layer(layer: Config, name: str) -> Config:
    """Rewrite a layer, or a model with all that is inside."""
    kind, config = layer["class_name"], layer["config"]
    if kind in _CODE:
        raise unknown(name, kind)
    if kind == "Sequential":
        config = _sequential(config)
    elif kind in _MODELS:
        config = _functional(config)
    elif layer.get("registered_name") in (None, kind):
        config = _arguments(kind, config)
    else:  # a class of somebody's own: Keras says so
        return layer
    return _made(_RENAMED.get(kind, kind), config)


def _made(kind: str, config: Config) -> Config:
    place = _PLACES.get(kind, "keras.layers")
    return {"module": place, "class_name": kind, "config": config, "registered_name": None}


def _arguments(kind: str, config: Config) -> Config:
    """Return the arguments of a layer without what only training needs or Keras 3 has not."""
    kept = {key: value for key, value in config.items()
            if not key.endswith(_TRAINING) and key not in _GONE}  # fmt: skip
    if kind == "InputLayer":
        return {"name": config["name"], "batch_shape": config["batch_input_shape"]}
    if kind in ("DepthwiseConv2D", "SeparableConv2D"):
        kept.pop("groups", None)  # 1, whatever the layer does
    if kind == "LeakyReLU":
        kept["negative_slope"] = kept.pop("alpha", 0.3)
    if isinstance(kept.get("axis"), list) and len(kept["axis"]) == 1:
        (kept["axis"],) = kept["axis"]
    if isinstance(kept.get("activation"), dict):
        kept["activation"] = _layer(kept["activation"], config["name"])
    return kept


def _sequential(config: Any) -> Config:
    """Rewrite the layers of a Sequential; the first becomes an input of known size."""
    parts = config["layers"] if isinstance(config, dict) else config  # Keras 2.2 has a list
    layers = [_layer(one, one["config"].get("name", "")) for one in parts]
    shape = _input_shape(parts[0]) if parts else None
    if shape and parts[0]["class_name"] != "InputLayer":
        layers.insert(0, _made("InputLayer", {"batch_shape": shape}))
    name = {"name": config["name"]} if isinstance(config, dict) else {}
    return {**name, "layers": layers}


def _input_shape(layer: Config) -> list[int | None] | None:
    """Return what a layer, or the first one inside a model, says about its input."""
    config = layer["config"]
    inside = config.get("layers") if isinstance(config, dict) else config
    return _input_shape(inside[0]) if inside else config.get("batch_input_shape")


def _functional(config: Config) -> Config:
    """Rewrite layers and calls; a call is a list of [layer, number of its call, output, kwargs]."""
    layers = config["layers"]
    models = {one["name"]: one for one in layers if one["class_name"] in _MODELS}
    ends = {key: [*_tensors(config[key])] for key in ("input_layers", "output_layers")}
    used = _tensors([[one["inbound_nodes"] for one in layers], *ends.values()])
    # Call 0 of a model was its own making, where it had an input of known size.
    late = {name for name, call, _ in used
            if name in models and call >= len(models[name]["inbound_nodes"])}  # fmt: skip

    def moved(tensor: list[Any]) -> list[Any]:
        return [tensor[0], tensor[1] - (tensor[0] in late), tensor[2]]

    def end(tensor: list[Any]) -> list[Any]:  # here Keras 3 counts the making of a Functional
        name, call, output = moved(tensor)
        counted = name in models and models[name]["class_name"] != "Sequential"
        return [name, call + counted, output]

    made = []
    for one in layers:
        name, nodes = one["name"], one["inbound_nodes"]
        if one["class_name"] == "TFOpLambda":
            layer = _operation(name, one["config"]["function"], *nodes)
        else:
            layer = _layer(one, name)
        calls = [[[*moved(tensor), {}] for tensor in _tensors(node)] for node in nodes]
        made.append({**layer, "name": name, "inbound_nodes": calls})
    moved_ends = {key: _one([*map(end, tensors)]) for key, tensors in ends.items()}
    return {"name": config["name"], "layers": made, **moved_ends}


def _one(tensors: list[Any]) -> list[Any]:
    return tensors[0] if len(tensors) == 1 else tensors


def _tensors(call: Any) -> Iterator[list[Any]]:
    """Yield each [layer, call, output] in any nesting of lists and keyword arguments."""
    if isinstance(call, dict):
        call = list(call.values())
    if not isinstance(call, list):
        return
    if _is_tensor(call):
        yield call[:3]
        call = call[3:]
    for one in call:
        yield from _tensors(one)


def _is_tensor(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and value[0] != _CONSTANT
        and all(isinstance(one, int) for one in value[1:3])
    )


def _operation(name: str, function: str, call: list[Any]) -> Config:
    """Return the layer that does what an operation of TensorFlow does."""
    kind, config = "", None
    first = call[0] if isinstance(call[0], list) else call
    arguments = first[3]
    if function in _ARITHMETIC:
        constant = first[2] if first[0] == _CONSTANT else None
        kind, config = _arithmetic(_ARITHMETIC[function], constant, arguments["y"])
    elif function in _LAYERS:
        kind, config = _LAYERS[function](arguments)
    if config is None:
        known = [f"tf.{one}" for one in (*_ARITHMETIC, *_LAYERS)]
        raise refuse(name, f"tf.{function}", instead_of(function, known))
    return _made(kind, {"name": name, **config})


def _arithmetic(sign: str, constant: Any, other: Any) -> tuple[str, Config | None]:
    """Return the layer for x sign `other`, or for `constant` sign `other`."""
    if constant is None and _is_tensor(other):
        kind = {"+": "Add", "-": "Subtract", "*": "Multiply"}.get(sign, "")
        return kind, {} if kind else None
    if constant is not None:
        numbers = {"+": (1.0, constant), "-": (-1.0, constant), "*": (constant, 0.0)}.get(sign)
    else:
        numbers = {
            "+": lambda: (1.0, other),
            "-": lambda: (1.0, _each(other, lambda one: -one)),
            "*": lambda: (other, 0.0),
            "/": lambda: (_each(other, lambda one: 1 / one), 0.0),
        }[sign]()
    return "Rescaling", dict(zip(("scale", "offset"), numbers, strict=True)) if numbers else None


def _each(numbers: Any, change: Callable[[float], float]) -> Any:
    """Change one number, or each of a list of any depth."""
    return [_each(one, change) for one in numbers] if isinstance(numbers, list) else change(numbers)


_ARITHMETIC = {
    "__operators__.add": "+",
    "math.add": "+",
    "math.divide": "/",
    "math.multiply": "*",
    "math.subtract": "-",
    "math.truediv": "/",
}

Rule = Callable[[Config], tuple[str, Config | None]]
"""From keyword arguments of TensorFlow to a layer of Keras; None where there is none."""


def _is(kind: str, **config: Any) -> Rule:
    return lambda _arguments: (kind, config)


def _clip(arguments: Config) -> tuple[str, Config | None]:
    low, high = arguments["clip_value_min"], arguments["clip_value_max"]
    return "ReLU", {"max_value": high} if low == 0 else None


def _pool(kind: str) -> Rule:
    def rule(arguments: Config) -> tuple[str, Config | None]:
        padding = str(arguments["padding"]).lower()
        sizes = {"pool_size": arguments["ksize"], "strides": arguments["strides"]}
        return kind, {**sizes, "padding": padding} if padding in ("same", "valid") else None

    return rule


def _mean(arguments: Config) -> tuple[str, Config | None]:
    config = {"keepdims": bool(arguments.get("keepdims"))}
    whole = sorted(arguments.get("axis") or []) in ([1, 2], [-3, -2])
    return "GlobalAveragePooling2D", config if whole else None


def _pad(arguments: Config) -> tuple[str, Config | None]:
    batch, *maps, channels = arguments["paddings"]
    return "ZeroPadding2D", {"padding": maps} if not any([*batch, *channels]) else None


_LAYERS: dict[str, Rule] = {
    "cast": _is("Activation", activation="linear"),
    "clip_by_value": _clip,
    "concat": lambda arguments: ("Concatenate", {"axis": arguments["axis"]}),
    "identity": _is("Activation", activation="linear"),
    "math.reduce_mean": _mean,
    "math.sigmoid": _is("Activation", activation="sigmoid"),
    "math.softplus": _is("Activation", activation="softplus"),
    "math.tanh": _is("Activation", activation="tanh"),
    "nn.avg_pool2d": _pool("AveragePooling2D"),
    "nn.elu": _is("Activation", activation="elu"),
    "nn.leaky_relu": lambda arguments: (
        "LeakyReLU", {"negative_slope": arguments.get("alpha", 0.2)}),
    "nn.max_pool2d": _pool("MaxPooling2D"),
    "nn.relu": _is("ReLU"),
    "nn.relu6": _is("ReLU", max_value=6.0),
    "nn.selu": _is("Activation", activation="selu"),
    "nn.silu": _is("Activation", activation="silu"),
    "nn.softmax": lambda arguments: (
        "Softmax", {"axis": -1 if arguments.get("axis") is None else arguments["axis"]}),
    "nn.softsign": _is("Activation", activation="softsign"),
    "pad": _pad,
    "reshape": lambda arguments: ("Reshape", {"target_shape": arguments["shape"][1:]}),
}  # fmt: skip
