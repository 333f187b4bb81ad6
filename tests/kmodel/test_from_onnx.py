"""ONNX files, built by hand, against onnx's own reference evaluator."""

import sys

import numpy as np
import pytest
from small_networks import photos, run64

from host.errors import UserError
from host.kmodel import compile, simulate
from host.kmodel.from_onnx import from_onnx
from host.kmodel.tidy import with_scaling

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SIDE = 32


class File:
    """Collects nodes and weights; `x` is what the next node reads."""

    def __init__(self, seed=0, channels=3, shape=None):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights = [], []
        self.shape = shape or ["N", channels, SIDE, SIDE]
        self.x, self.channels = "picture", channels

    def constant(self, array, dtype=np.float32):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def add(self, kind, *inputs, name="", reads=None, **attrs):
        out = name or f"{kind.lower()}_{len(self.nodes)}"
        sources = [self.x if reads is None else reads, *inputs]
        self.nodes.append(helper.make_node(kind, sources, [out], name=out, **attrs))
        self.x = out
        return self

    def conv(self, outputs, kernel=3, *, stride=1, pads=None, group=1, bias=True, **attrs):
        size = (outputs, self.channels // group, kernel, kernel)
        w = self.rng.normal(size=size) * np.sqrt(2 / (size[1] * kernel**2))
        weights = [self.constant(w)]
        if bias:
            weights.append(self.constant(self.rng.normal(size=outputs) * 0.1))
        if "auto_pad" not in attrs:
            attrs["pads"] = [kernel // 2] * 4 if pads is None else pads
        self.channels = outputs
        return self.add("Conv", *weights, strides=[stride] * 2, group=group, **attrs)

    def norm(self):
        c, rng = self.channels, self.rng
        parts = rng.uniform(0.7, 1.4, c), rng.normal(size=c), rng.normal(size=c) * 0.2
        arrays = [*map(self.constant, parts), self.constant(rng.uniform(0.5, 1.5, c))]
        return self.add("BatchNormalization", *arrays)

    def clip(self, low=0.0, high=6.0):
        return self.add("Clip", self.constant(low), self.constant(high))

    def gemm(self, inputs, outputs, **attrs):
        w = self.rng.normal(size=(outputs, inputs)) * 3 / np.sqrt(inputs)
        return self.add("Gemm", self.constant(w), self.constant(self.rng.normal(size=outputs)),
                        transB=1, **attrs)  # fmt: skip

    def head(self, classes=4):
        self.add("GlobalAveragePool").add("Flatten").gemm(self.channels, classes)
        return self.add("Softmax", axis=1)

    def model(self, opset=17):
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("picture", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(self.x, TensorProto.FLOAT, None)],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])

    def save(self, folder, **more):
        onnx.save(self.model(**more), folder / "m.onnx")
        return folder / "m.onnx"

    def run(self, images, scale=1 / 255, offset=0.0, **more):
        """What the reference evaluator makes of uint8 pictures (n, h, w, c)."""
        from onnx.reference import ReferenceEvaluator

        x = (images * scale + offset).astype(np.float32)
        x = x if self.shape[3] == self.channels_in else x.transpose(0, 3, 1, 2)
        evaluator = ReferenceEvaluator(self.model(**more))
        return np.concatenate([evaluator.run(None, {"picture": one[None]})[0] for one in x])

    @property
    def channels_in(self):
        return 3 if 3 in self.shape else 1


def nodes(file, folder, **more):
    return from_onnx(file.save(folder, **more)).nodes


def ops(file, folder, **more):
    return [node.op for node in nodes(file, folder, **more)]


def agrees(file, folder, *, atol=1e-4, compiled=True, far=0.02, **more):
    """The graph computes what ONNX computes; the kmodel agrees with both."""
    graph = with_scaling(from_onnx(file.save(folder, **more)))
    images = photos(3, graph.input_shape, 8)
    scaling = graph.nodes[0].attrs if graph.nodes[0].name == "input_scaling" else {"scale": 1.0}
    wanted = file.run(images, **scaling, **more)
    got = run64(graph, images)
    if got.ndim == 4:
        got = got.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(got, wanted, atol=atol, rtol=1e-4)
    if compiled:
        answer = simulate(compile(graph, images).data, images)[0]
        flat = wanted.reshape(len(images), -1)
        assert np.abs(answer - flat).mean() < far * max(1.0, np.ptp(flat))


def test_a_mobilenet(tmp_path):
    file = File(1).conv(8, stride=2, bias=False).norm().clip()
    for outputs, stride in ((16, 1), (24, 2)):
        file.conv(file.channels, stride=stride, group=file.channels, bias=False).norm().clip()
        file.conv(outputs, 1, bias=False).norm().clip()
    agrees(file.head(), tmp_path)


def test_pooling_and_leaky(tmp_path):
    file = File(2).conv(8).add("LeakyRelu", alpha=0.1)
    file.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).conv(16).add("Relu")
    file.add("MaxPool", kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_UPPER")
    file.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2]).conv(12, 1)
    agrees(file, tmp_path)


@pytest.mark.parametrize("said", [{"auto_pad": "SAME_UPPER"}, {"pads": [0, 0, 1, 1]}])
def test_pool_by_one(tmp_path, said):
    """Both ways to say it; onnx's reference evaluator takes the second for another size."""
    file = File(2).conv(8).add("MaxPool", kernel_shape=[2, 2], strides=[1, 1], **said)
    assert nodes(file, tmp_path)[-1].attrs == {"window": 2, "stride": 1, "padding": "same"}
    file = File(2).conv(8).add("MaxPool", kernel_shape=[2, 2], strides=[1, 1], ceil_mode=1)
    with pytest.raises(UserError, match="2x2 by 1"):
        nodes(file, tmp_path)


def test_scaling_of_its_own(tmp_path):
    file = File(3)
    file.add("Div", file.constant(127.5)).add("Sub", file.constant(1.0)).conv(8).add("Relu")
    made = nodes(file, tmp_path)
    assert [node.op for node in made] == ["affine", "affine", "conv", "activation"]
    assert made[0].attrs["scale"] == pytest.approx(1 / 127.5)
    agrees(file, tmp_path)


def test_the_last_axis_first(tmp_path):
    """Exporters of Keras models keep pictures with channels last and transpose them."""
    file = File(4, shape=[1, SIDE, SIDE, 3])
    file.add("Transpose", perm=[0, 3, 1, 2]).conv(8).add("Relu").add("GlobalAveragePool")
    file.add("Transpose", perm=[0, 2, 3, 1])
    file.add("Reshape", file.constant([-1, 8], np.int64)).gemm(8, 3)
    agrees(file, tmp_path)


def test_the_mean_and_a_matrix(tmp_path):
    file = File(5).conv(8).add("Relu").add("ReduceMean", axes=[2, 3], keepdims=0)
    file.add("MatMul", file.constant(file.rng.normal(size=(8, 5))))
    file.add("Add", file.constant(file.rng.normal(size=5)))
    assert ops(file, tmp_path) == ["conv", "activation", "global_mean", "dense"]
    agrees(file, tmp_path)


def test_an_addition_behind_a_convolution(tmp_path):
    file = File(6).conv(8, bias=False)
    file.add("Add", file.constant(file.rng.normal(size=(1, 8, 1, 1))))
    file.add("Mul", file.constant(file.rng.uniform(0.5, 2, size=(8, 1, 1)))).add("Relu")
    assert ops(file, tmp_path) == ["conv", "batch_norm", "activation"]
    agrees(file, tmp_path)


def test_a_shape_that_is_computed(tmp_path):
    """What PyTorch writes for x.view(x.size(0), -1)."""
    file = File(7).conv(8).add("Relu").add("GlobalAveragePool")
    pooled = file.x
    file.add("Shape").add("Gather", file.constant(0, np.int64), axis=0)
    file.add("Unsqueeze", file.constant([0], np.int64), name="first")
    file.add("Concat", file.constant([-1], np.int64), axis=0)
    file.add("Reshape", file.x, reads=pooled).gemm(8, 3)
    agrees(file, tmp_path)


def test_a_flattened_map(tmp_path):
    """ONNX flattens planes, the graph pixels: the weights are put into the other order."""
    file = File(8).conv(8, stride=2).add("Relu").conv(6, stride=2).add("Relu")
    file.add("Flatten").gemm(6 * 64, 3)
    assert ops(file, tmp_path)[-2:] == ["flatten", "dense"]
    agrees(file, tmp_path)


def test_zeros_around_a_map(tmp_path):
    file = File(9).add("Pad", "")
    file.nodes[-1].input[1] = file.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    file.conv(8, stride=2, pads=[0] * 4).add("Relu")
    assert ops(file, tmp_path) == ["pad", "conv", "activation"]
    agrees(file, tmp_path)


@pytest.mark.parametrize("padding", [{"pads": [1, 1, 0, 0]}, {"auto_pad": "SAME_LOWER"}])
def test_zeros_at_top_and_left_are_all_that_stride_2_reads(padding, tmp_path):
    file = File(10).conv(8, stride=2, **padding).add("Relu")
    assert ops(file, tmp_path) == ["pad", "conv", "activation"]
    images = photos(3, (SIDE, SIDE, 3), 4)
    got = run64(with_scaling(from_onnx(file.save(tmp_path))), images)
    symmetric = File(10).conv(8, stride=2).add("Relu")
    np.testing.assert_allclose(got.transpose(0, 3, 1, 2), symmetric.run(images), atol=1e-4)


@pytest.mark.parametrize(
    "padding", [{"pads": [0, 0, 1, 1]}, {"auto_pad": "SAME_UPPER"}, {"pads": [1, 0, 0, 1]}]
)
def test_other_zeros_with_stride_2_are_refused(padding, tmp_path):
    with pytest.raises(UserError) as error:
        nodes(File().conv(8, stride=2, **padding), tmp_path)
    assert error.value.code == "kmodel_same_stride"
    assert error.value.findings[0].path == "conv_0"
    assert "32x32 pixels" in str(error.value)


def test_branches(tmp_path):
    """A residual block, and two maps one behind the other."""
    file = File(11).conv(8).add("Relu")
    left = file.x
    file.conv(8).add("Relu")
    file.add("Add", left).add("Relu")
    both = file.x
    file.conv(4, 1)
    file.add("Concat", both, axis=1)
    file.channels = 12
    file.conv(6, 1)
    made = {node.name: node for node in nodes(file, tmp_path)}
    adding = next(node for node in made.values() if node.op == "add")
    assert adding.inputs == ("relu_3", "relu_1")
    joining = next(node for node in made.values() if node.op == "concat")
    assert joining.inputs[1] == both
    assert made["relu_1"].inputs == ()
    agrees(file, tmp_path)


@pytest.mark.parametrize("way", ["asymmetric", "half_pixel", "pytorch_half_pixel"])
def test_pixels_repeated(way, tmp_path):
    file = File(12).conv(4)
    rounding = "floor" if way == "asymmetric" else "round_prefer_floor"
    file.add("Resize", "", file.constant([1, 1, 2, 2]), mode="nearest",
             coordinate_transformation_mode=way, nearest_mode=rounding)  # fmt: skip
    assert nodes(file, tmp_path)[-1].attrs == {"scale": (2, 2)}
    agrees(file, tmp_path)


@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (lambda f: f.add("Sigmoid"), "sigmoid"),
        (lambda f: f.add("Tanh"), "tanh"),
        (lambda f: f.add("HardSwish"), "hard_swish"),
        (lambda f: f.add("Mul", f.add("Sigmoid").x, reads="conv_0"), "silu"),
        (lambda f: f.add("Mul", f.add("HardSigmoid", alpha=1 / 6, beta=0.5).x, reads="conv_0"),
         "hard_swish"),
        (lambda f: f.add("Mul", f.add("Add", f.constant(3)).clip().add("Div", f.constant(6)).x,
                         reads="conv_0"), "hard_swish"),
        (lambda f: f.add("Mul", f.add("Add", f.constant(3)).clip().x, reads="conv_0")
         .add("Div", f.constant(6)), "hard_swish"),
        (lambda f: f.clip(0, np.inf), "relu"),
        (lambda f: f.clip(0, 2.5), "relu_max"),
        (lambda f: f.clip(-1, 1), "hard_tanh"),
        (lambda f: f.add("Elu", alpha=0.5), "elu"),
        (lambda f: f.add("Selu"), "selu"),
        (lambda f: f.add("Softplus"), "softplus"),
        (lambda f: f.add("Mul", f.add("Softplus").add("Tanh").x, reads="conv_0"), "mish"),
        (lambda f: f.clip(0, np.finfo(np.float32).max), "relu"),
        (lambda f: f.add("PRelu", f.constant([0.25])), "leaky"),
        (lambda f: f.add("Sin"), "sin"),
        (lambda f: f.add("Pow", f.constant(2)), "power"),
        (lambda f: f.clip(-2, 1), "= x -2.0 max 1.0 min"),
        (lambda f: f.add("Mul", f.x), "= x x *"),
        (lambda f: f.add("Sub", f.add("Tanh").x, reads="conv_0"), "= x x tanh -"),
    ],
)  # fmt: skip
def test_activations(build, kind, tmp_path):
    file = build(File().conv(8))
    made = nodes(file, tmp_path)
    assert [node.op for node in made] == ["conv", "activation"]
    assert made[1].attrs["kind"] == kind
    agrees(file, tmp_path)


def test_what_does_nothing_is_left_out(tmp_path):
    file = File().conv(8).add("Identity").add("Dropout").add("Relu").clip(-np.inf, np.inf)
    assert ops(file, tmp_path) == ["conv", "activation"]


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda f: f.conv(8).add("Greater", f.constant(0), name="wrong"), "choice"),
        (lambda f: f.conv(8).add("MyOwn", name="wrong", domain="my.own"), "MyOwn"),
        (lambda f: f.conv(8, 5, name="wrong"), "5x5"),
        (lambda f: f.conv(8, stride=3, name="wrong"), "3x3"),
        (lambda f: f.conv(8, dilations=[2, 2], pads=[2] * 4, name="wrong"), "dilation"),
        (lambda f: f.conv(6, group=3, name="wrong"), "depthwise"),
        (lambda f: f.conv(8, 1, pads=[1] * 4, name="wrong"), "1x1"),
        (lambda f: f.conv(8).add("LeakyRelu", alpha=1.5, name="wrong"), "1.5"),
        (lambda f: f.conv(8).add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], name="wrong"),
         "(3, 3)"),
        (lambda f: f.conv(8).conv(8).add("Mul", "conv_0", name="wrong"), "product"),
        (lambda f: f.conv(8).add("Reshape", f.constant([1, 4, 2, -1], np.int64), name="wrong"),
         "reshape"),
        (lambda f: f.conv(8).add("Softmax", axis=1, name="wrong"), "softmax"),
        (lambda f: f.conv(8).add("ReduceMean", axes=[1], name="wrong"), "mean"),
        (lambda f: f.conv(8).add("Resize", "", f.constant([1, 1, 1.5, 1.5]), name="wrong"),
         "nearest"),
        (lambda f: f.conv(8).add("Concat", f.x, axis=2, name="wrong"), "channels"),
    ],
)  # fmt: skip
def test_what_the_chip_does_not_have_is_named(build, text, tmp_path):
    with pytest.raises(UserError) as error:
        nodes(build(File()), tmp_path)
    assert error.value.code == "kmodel_operation_unsupported"
    assert error.value.findings[0].path == "wrong"
    assert text in str(error.value)


def test_an_unknown_operation_is_told_what_is_known(tmp_path):
    with pytest.raises(UserError, match=r"GlobalAveragePool.*HardSwish.*Softmax"):
        nodes(File().conv(8).add("Tan"), tmp_path)


def test_a_quantized_network_is_refused(tmp_path):
    file = File().conv(8)
    file.add("QuantizeLinear", file.constant(0.1), file.constant(0, np.uint8))
    with pytest.raises(UserError, match="already quantized; export the float model") as error:
        nodes(file, tmp_path)
    assert error.value.code == "kmodel_already_quantized"


@pytest.mark.parametrize(
    "shape", [[1, 3, "H", "W"], [1, 4, SIDE, SIDE], [2, 3, SIDE, SIDE], [1, 3 * SIDE * SIDE]]
)
def test_the_input_must_be_a_picture(shape, tmp_path):
    file = File().conv(8)
    file.shape = shape
    with pytest.raises(UserError) as error:
        nodes(file, tmp_path)
    assert error.value.code == "kmodel_network_input"


@pytest.mark.parametrize("data", [b"", b"no network at all", bytes(200)])
def test_what_is_no_onnx_is_refused(data, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        from_onnx(path)
    assert error.value.code == "kmodel_model_unreadable"


def test_a_cut_file_is_refused(tmp_path):
    path = File().conv(64).conv(64).save(tmp_path)
    whole = path.read_bytes()
    for part in (0.2, 0.5, 0.9, 0.99):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(UserError):
            from_onnx(path)


def test_without_onnx_the_finding_says_how_to_get_it(tmp_path, monkeypatch):
    path = File().conv(8).save(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match="pip install onnx") as error:
        from_onnx(path)
    assert error.value.code == "kmodel_reader_missing"


def test_two_outputs(tmp_path):
    file = File().conv(8).add("Relu")
    stem = file.x
    file.conv(4, 1)
    first = file.x
    file.x, file.channels = stem, 8
    file.conv(8, 1)
    model = file.model()
    model.graph.output.append(helper.make_tensor_value_info(first, TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "m.onnx")
    made = from_onnx(tmp_path / "m.onnx").nodes
    assert [node.op for node in made] == ["conv", "activation", "conv", "conv"]
    model.graph.output.append(helper.make_tensor_value_info(stem, TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(UserError, match="an output that other layers read"):
        from_onnx(tmp_path / "m.onnx")
