"""The trained network in the form that other converters read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .runtime import quiet_errors

if TYPE_CHECKING:
    import keras


def to_tflite(model: keras.Model) -> tuple[bytes, tuple[float, float]]:
    """Return a float32 TFLite file of `model`, one picture at a time, and its input's meaning.

    A `Rescaling` that is the first layer stays out of the file, for quantizing converters take
    it as the range of the input's bytes: the file reads float32 (1, height, width, channels)
    whose byte 0 and byte 255 mean the two numbers returned, (0.0, 255.0) without `Rescaling`.
    """
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415
    from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415
        convert_variables_to_constants_v2,
    )

    rest, low, high = model, 0.0, 255.0
    first: Any = next(one for one in model.layers if not isinstance(one, keras.layers.InputLayer))
    if isinstance(first, keras.layers.Rescaling):
        rest = keras.Model(first.output, model.outputs[0])
        low, high = first.offset, 255.0 * first.scale + first.offset
    shape = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    run = tf.function(lambda x: rest(x, training=False), input_signature=[shape])
    with quiet_errors():
        frozen = convert_variables_to_constants_v2(run.get_concrete_function())
        converter: Any = tf.lite.TFLiteConverter.from_concrete_functions([frozen], rest)
        return converter.convert(), (float(low), float(high))
