"""What to use instead of an operation that the chip does not have."""

from __future__ import annotations

from collections.abc import Iterable

_POOL = "a 2x2 or 4x4 pool with the same stride, or global average pooling at the end"
_UP = "nearest upsampling by a whole factor and a 3x3 convolution behind it"
_NORM = "batch norm, which costs nothing on the chip"
_ORDER = "layers on whole maps; cut, turn or join pictures on the computer before training"
_GATE = "a network without squeeze-and-excite or attention, such as MobileNet V1 or V2"
_RECURRENT = "convolutions on one picture; the chip keeps no state between pictures"
_AFTER = "the network without this operation; do it in the script behind KPU.forward"

_INSTEAD = {
    **dict.fromkeys(
        ("Conv2DTranspose", "ConvTranspose", "TRANSPOSE_CONV", "RESIZE_BILINEAR", "DepthToSpace",
         "DEPTH_TO_SPACE", "ResizeBilinear", "image.resize", "nn.conv2d_transpose"), _UP),
    **dict.fromkeys(
        ("LayerNormalization", "GroupNormalization", "InstanceNormalization", "LpNormalization",
         "LRN", "RMSNormalization", "UnitNormalization", "L2_NORMALIZATION",
         "LOCAL_RESPONSE_NORMALIZATION"), _NORM),
    **dict.fromkeys(
        ("GlobalMaxPooling2D", "GlobalMaxPool", "ReduceMax", "REDUCE_MAX", "LpPool", "Max"), _POOL),
    **dict.fromkeys(
        ("Split", "SPLIT", "SPLIT_V", "Slice", "SLICE", "STRIDED_SLICE", "GetItem", "Gather",
         "GATHER", "Tile", "TILE", "Expand", "SpaceToDepth", "SPACE_TO_DEPTH", "Cropping2D", "PACK",
         "UNPACK", "SlicingOpLambda"), _ORDER),
    **dict.fromkeys(
        ("MultiHeadAttention", "Attention", "Einsum", "BATCH_MATMUL", "Dot"), _GATE),
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN", "ConvLSTM2D", "UNIDIRECTIONAL_SEQUENCE_LSTM"), _RECURRENT),
    **dict.fromkeys(
        ("ArgMax", "ARG_MAX", "TopK", "TOPK_V2", "NonMaxSuppression", "NON_MAX_SUPPRESSION_V4",
         "TFLite_Detection_PostProcess", "Argmax", "LogSoftmax", "LOG_SOFTMAX"), _AFTER),
    **dict.fromkeys(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), "no dilation"),
    **dict.fromkeys(
        ("GREATER", "LESS", "SELECT", "SELECT_V2", "Less", "NEG", "Neg"),
        "an activation that the converter writes as one operation, such as ReLU or hard swish"),
    "MIRROR_PAD": "padding with zeros",
    "Lambda": "layers of Keras; code inside a file is not run",
    "TensorFlowOpLayer": "layers of Keras, or the network as TFLite or ONNX",
    "Conv1D": "Conv2D with a 1x1 or 3x3 kernel",
    "Conv3D": "Conv2D with a 1x1 or 3x3 kernel",
    "groups": "ordinary (groups=1) or depthwise convolution (groups = channels)",
    "multiplier": "depth_multiplier=1, with a 1x1 convolution before it for more channels",
}  # fmt: skip


def instead_of(kind: str, known: Iterable[str]) -> str:
    """Return what can stand in for an operation: known advice, or all that the chip has."""
    return _INSTEAD.get(kind) or "one of: " + ", ".join(sorted(known))
