"""Conv layers give the very bytes of Kendryte's own simulator (nncase 1.9.0.20230322).

nncase compiles a layer of the same shape; our registers, weights, batch norm and activation table
are written over its own, so both run the same constants (see nncase_run.py).
"""

import struct

import numpy as np
import pytest
from any_layer import BYTES, KINDS, TABLES, any_layer
from random_layers import STRIDE, pictures, random_layer
from real_names import REAL

from host.kmodel import Simulator
from host.kmodel.kpu import ConvPlan

ADDRESSES, MODE, ARGS, ARG_ADD = 1, 4, 9, 10
"""Register words that nncase chooses differently: it places maps itself, and quantizes."""


def compare(nncase, layers, inputs):
    """Run all in both simulators; returns outputs compared and how many different bytes."""
    count, levels = 0, set()
    for i, (theirs, words) in enumerate(nncase(layers, inputs)):
        ours = ConvPlan(layers[i]).run(inputs[i])
        np.testing.assert_array_equal(ours, theirs, err_msg=str(layers[i].registers))
        own = struct.unpack("<12Q", layers[i].registers.pack())
        for word in set(range(12)) - {ADDRESSES, MODE, ARGS, ARG_ADD}:
            assert own[word] == words[word], f"register word {word}"
        count += ours.size
        levels |= set(np.unique(ours).tolist())
    return count, len(levels)


def shape_for(rng, code, most=40):
    """Sizes that the pool divides: nncase pads others on the CPU."""
    stride = STRIDE[code]
    return int(rng.integers(2, most)), *(stride * rng.integers(4, 12, 2)).tolist()


@pytest.mark.parametrize("activation", ["relu", "leaky", "random", "ties"])
@pytest.mark.parametrize("args", ["exact", "any"])
def test_random_layers_of_every_kind(nncase, args, activation):
    rng = np.random.default_rng([len(args), len(activation)])
    layers = []
    for kernel in (1, 3):
        for code in STRIDE:
            shape, outputs = shape_for(rng, code), int(rng.integers(1, 40))
            options = {"kernel": kernel, "pool": code, "args": args, "activation": activation}
            layers.append(random_layer(rng, shape, outputs, **options))
        shape = shape_for(rng, 0)
        options = {"kernel": kernel, "args": args, "activation": activation}
        layers.append(random_layer(rng, shape, shape[0], depthwise=True, **options))
    inputs = [pictures(rng, layer) for layer in layers]
    count, levels = compare(nncase, layers, inputs)
    assert count > 30_000
    assert levels > 150


@pytest.mark.parametrize(
    ("shape", "outputs", "options"),
    [
        ((3, 8, 320), 24, {"pool": 5}),
        ((3, 240, 320), 16, {"pool": 1}),
        ((1024, 4, 4), 1024, {"kernel": 1}),
        ((1024, 4, 4), 1024, {"depthwise": True}),
        ((1024, 7, 7), 30, {"kernel": 1}),
        ((256, 7, 9), 512, {}),
        ((1, 28, 28), 16, {"pool": 1}),
        ((64, 4, 17), 1, {"kernel": 1}),
        ((16, 4, 65), 9, {}),
        ((2, 256, 4), 3, {"pool": 9}),
        ((2, 4, 512), 3, {"pool": 8}),
        ((512, 15, 15), 1024, {"kernel": 1, "pool": 5}),
        ((8, 15, 20), 12, {"pool": 5}),
        ((3, 33, 35), 8, {"pool": 5}),
    ],
)
def test_shapes_at_the_edges(nncase, shape, outputs, options):
    rng = np.random.default_rng(shape)
    layers = [
        random_layer(rng, shape, outputs, activation=activation, args=args, **options)
        for activation, args in (("leaky", "exact"), ("random", "any"))
    ]
    compare(nncase, layers, [pictures(rng, layer, 1) for layer in layers])


def test_extreme_bytes(nncase):
    """All weights and pixels 0 or 255, zero points at both ends: the largest sums there are."""
    rng = np.random.default_rng(20)
    layers, inputs = [], []
    for fill in (0, 255, None):
        for activation in ("relu", "random"):
            layer = random_layer(rng, (512, 8, 8), 20, kernel=1, activation=activation)
            weights = rng.choice(np.array([0, 255], np.uint8), layer.weights.size)
            x = rng.choice(np.array([0, 255], np.uint8), (1, 512, 8, 8))
            if fill is not None:
                weights[:], x[:] = fill, 255
            layers.append(type(layer)(**{**fields_of(layer), "weights": weights}))
            inputs.append(x)
    compare(nncase, layers, inputs)


def compare_series(nncase, numbers, work):
    """Compare layers of the series of `any_layer`; returns their facts, outputs and levels."""
    made = [any_layer(np.random.default_rng([7, number]), number, work) for number in numbers]
    count, levels = compare(nncase, [one[0] for one in made], [one[1] for one in made])
    return [one[2] for one in made], count, levels


def test_layers_drawn_from_everything(nncase):
    """All kinds with all tables: 22 x 12 layers."""
    facts, count, levels = compare_series(nncase, range(len(KINDS) * len(TABLES)), 500_000)
    assert {(one["kernel"], one["depthwise"], one["pool"]) for one in facts} == set(KINDS)
    assert {one["table"] for one in facts} == set(TABLES)
    assert {one["args"] for one in facts} == {"exact", "any", "extreme"}
    for name in ("weights", "pixels"):
        assert {one[name] for one in facts} == set(BYTES)
    assert count > 500_000
    assert levels == 256


@pytest.mark.slow
def test_two_thousand_layers_drawn_from_everything(nncase):
    """Channels 1 to 1024 both ways, widths 4 to 320, odd ones, too."""
    facts, count = [], 0
    for start in range(0, 2000, 100):
        series, outputs, _ = compare_series(nncase, range(start, start + 100), 20_000_000)
        facts, count = facts + series, count + outputs
    for channels in (
        {one["shape"][0] for one in facts},
        {one["outputs"] for one in facts},
    ):
        assert {1, 1024} <= channels
    widths = {one["shape"][2] for one in facts}
    assert {4, 320} <= widths
    assert any(width % 2 and width > 64 for width in widths)
    assert count > 50_000_000


def fields_of(layer):
    return {name: getattr(layer, name) for name in layer.__dataclass_fields__}


@pytest.fixture
def maps_inside(monkeypatch):
    """Record what every conv layer of a model gets on a picture."""

    def run(data, image):
        seen = []
        plain = ConvPlan.run

        def recording(plan, x):
            seen.append((plan.layer, x.copy()))
            return plain(plan, x)

        with monkeypatch.context() as patch:
            patch.setattr(ConvPlan, "run", recording)
            Simulator(data).run(image[None])
        return seen

    return run


@pytest.mark.parametrize("name", REAL)
def test_every_layer_of_the_real_models(nncase, real_kmodels, maps_inside, name):
    """Each layer on what the layers before it make of a photograph."""
    skimage = pytest.importorskip("skimage")
    from PIL import Image

    size = {"fruit": (224, 224), "mnist": (28, 28)}.get(name, (320, 240))
    mode = "L" if name == "mnist" else "RGB"
    picture = Image.fromarray(skimage.data.astronaut()).resize(size).convert(mode)
    image = np.asarray(picture).reshape(size[1], size[0], -1)
    seen = maps_inside(real_kmodels[name], image)
    layers, inputs = zip(*seen, strict=True)
    results = nncase(layers, inputs)
    for layer, x, (theirs, _words) in zip(layers, inputs, results, strict=True):
        np.testing.assert_array_equal(ConvPlan(layer).run(x), theirs)
