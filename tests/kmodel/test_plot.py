"""The picture of a kmodel, and the error of its layers that it shows."""

import io

import numpy as np
import pytest
from PIL import Image
from small_files import classifier, one_of_each
from small_networks import Builder, photos, random_network

from host.errors import UserError
from host.kmodel import Options, compile, read, write
from host.kmodel.describe import LayerError
from host.kmodel.plot import plot
from host.kmodel.sqnr import BEST_DB, dequantized, layer_errors, sqnr_db


def opened(png):
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_a_classifier_is_drawn():
    data = write(classifier())
    pixels = opened(plot(data, "m.kmodel"))
    assert pixels.shape[1] > 800
    blue = (abs(pixels.astype(int) - (0x1F, 0x6F, 0xB4)).max(2) < 12).mean()
    assert blue > 0.01  # bars and rectangles of the convolutions
    assert plot(data, "m.kmodel") == plot(data, "m.kmodel")


def test_a_long_name_stays_off_the_figures():
    """In the head, the ink of the title ends before that of the figures begins."""
    data = write(classifier())
    head, longer = (opened(plot(data, name))[:30].min(2) for name in ("m", "m" * 80))
    start = np.flatnonzero((head < 200).any(0))
    figures = start[start > 100][0]
    np.testing.assert_array_equal(head[:, figures - 10 :], longer[:, figures - 10 :])


def test_errors_add_a_panel():
    data = write(classifier())
    errors = [LayerError("first", (0,), 41.0), LayerError("second", (1,), 7.5)]
    without, with_errors = opened(plot(data, "m")), opened(plot(data, "m", errors))
    assert with_errors.shape[0] > without.shape[0] + 100
    red = (abs(with_errors.astype(int) - (0xC8, 0x37, 0x2D)).max(2) < 12).sum()
    assert red > 20  # the point of the bad layer


def test_real_files_are_drawn(real_kmodels):
    for name, data in real_kmodels.items():
        assert opened(plot(data, name)).std() > 10


def test_a_broken_file_is_not_drawn():
    data = write(one_of_each())
    with pytest.raises(UserError):
        plot(data[: len(data) // 2], "m")


def test_sqnr_by_hand():
    wanted = np.array([3.0, -4.0, 0.0], np.float32)
    assert sqnr_db(wanted, wanted) == BEST_DB
    assert sqnr_db(wanted, wanted + np.array([0.5, 0, 0], np.float32)) == pytest.approx(20.0)
    assert sqnr_db(wanted, np.zeros(3, np.float32)) == pytest.approx(0.0)


def test_bytes_mean_what_comes_closest():
    rng = np.random.default_rng(0)
    found = rng.integers(0, 256, (2, 3, 4, 5), np.uint8)
    steps = np.array([0.5, 0.02, 3.0])[:, None, None]
    wanted = ((found - 37.0) * steps).astype(np.float32)
    np.testing.assert_allclose(dequantized(found, wanted), wanted, rtol=1e-5)
    found[:, 1] = 37  # a silent channel
    wanted[:, 1] = 0
    np.testing.assert_allclose(dequantized(found, wanted), wanted, rtol=1e-5)
    # A shift of a whole channel is an error, not a meaning.
    off = wanted + np.array([20.0, 0, 0], np.float32)[:, None, None]
    assert sqnr_db(off, dequantized(found, off)) < 40


@pytest.mark.parametrize("seed", range(3))
def test_layers_of_a_compiled_network(seed):
    graph = random_network(seed, head=True)
    pictures = photos(seed, graph.input_shape, 24)
    made = compile(graph, pictures)
    errors = layer_errors(graph, made.data, pictures[:3], made.layers)
    assert [one.name for one in errors] == [one.name for one in made.layers]
    assert [number for one in errors for number in one.numbers] == list(
        range(len(read(made.data).convs))
    )
    assert all(12 < one.sqnr_db < 70 for one in errors)
    alone = layer_errors(graph, made.data, pictures[:3])
    for with_ranges, fitted in zip(errors, alone, strict=True):
        assert fitted.sqnr_db >= with_ranges.sqnr_db - 0.01
        assert fitted.sqnr_db == pytest.approx(with_ranges.sqnr_db, abs=6)


def test_a_spoiled_layer_shows():
    graph = Builder(4).rescale(1 / 255, 0).conv(8).act("relu").conv(8).act("relu").head(3).graph()
    pictures = photos(1, graph.input_shape, 16)
    made = compile(graph, pictures)
    good = layer_errors(graph, made.data, pictures[:2], made.layers)
    model = read(made.data)
    weights = model.convs[1].weights
    at = made.data.index(weights.tobytes())
    noise = np.random.default_rng(0).integers(0, 256, len(weights), np.uint8)
    spoiled = made.data[:at] + noise.tobytes() + made.data[at + len(weights) :]
    bad = layer_errors(graph, spoiled, pictures[:2], made.layers)
    assert bad[0].sqnr_db == good[0].sqnr_db
    assert bad[1].sqnr_db < 10 < good[1].sqnr_db


def test_a_file_of_another_network_is_refused():
    graph = random_network(0, head=True)
    pictures = photos(0, graph.input_shape, 8)
    other = Builder(1).rescale(1 / 255, 0).conv(8).head(3).graph(*graph.input_shape[:2])
    data = compile(other, pictures, Options(bias_images=0)).data
    with pytest.raises(UserError) as raised:
        layer_errors(graph, data, pictures[:1])
    assert raised.value.code == "kmodel_other_network"
