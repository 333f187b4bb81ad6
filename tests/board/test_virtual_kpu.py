"""The virtual board's KPU: real kmodels, MaixPy's error codes, run_yolo2."""

import struct
import textwrap

import numpy as np
import pytest
from PIL import Image

from host import kmodel
from host.emulator import board as virtual
from host.kmodel import Graph, Node, region

START = """
import sensor, lcd, KPU
lcd.init()
sensor.reset()
sensor.set_pixformat(sensor.RGB565)
sensor.set_framesize(sensor.QVGA)
sensor.set_windowing((64, 64))
img = sensor.snapshot()
"""
ANCHORS = (1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 1.0, 2.0, 2.0, 1.0)


def run(body: str, start: str = START, **setup) -> virtual.Result:
    return virtual.run((start + textwrap.dedent(body)).encode(), **setup)


def network(outputs: int, *, boxes: bool, gain: float = 1.5) -> bytes:
    """A small network with random weights: scores of classes, or the map of a detector."""
    rng = np.random.default_rng(5)
    conv = {"kernel": 3, "stride": 2, "padding": "valid"}
    wide = rng.normal(0, 0.4, (3, 3, 3, 8)).astype("f4")
    last = rng.normal(0, gain, (1, 1, 8, outputs)).astype("f4")
    tail = (
        Node("head", "conv", {"kernel": 1, "stride": 1, "padding": "same"},
             {"w": last, "b": np.zeros(outputs, np.float32)}),
    ) if boxes else (
        Node("pool", "global_mean"),
        Node("dense", "dense", {}, {"w": last[0, 0], "b": np.zeros(outputs, np.float32)}),
        Node("softmax", "softmax"),
    )  # fmt: skip
    graph = Graph(
        (
            Node("input", "affine", {"scale": 1 / 127.5, "offset": -1.0}),
            Node("pad", "pad"),
            Node("conv", "conv", conv, {"w": wide, "b": np.zeros(8, np.float32)}),
            Node("relu", "activation", {"kind": "relu6"}),
            *tail,
        ),
        (64, 64, 3),
    )
    pictures = np.random.default_rng(6).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    return kmodel.compile(graph, pictures).data


@pytest.fixture(scope="module")
def classes():
    return network(3, boxes=False, gain=4)


@pytest.fixture(scope="module")
def detector():
    return network(5 * (5 + 2), boxes=True)


@pytest.fixture(scope="module")
def scene():
    """A picture that RGB565 keeps as it is."""
    noise = np.random.default_rng(7).integers(0, 32, (240, 320, 3), dtype=np.uint8)
    noise[..., 1] *= 2
    return Image.fromarray((noise << [3, 2, 3] | noise >> [2, 4, 2]).astype(np.uint8))


def middle(scene) -> np.ndarray:
    return np.asarray(scene)[88:152, 128:192]


FORWARD = """
    net = KPU.load("/sd/m.kmodel")
    values = KPU.forward(net, img)[:]
    print("values", type(values).__name__, *["%.6f" % value for value in values])
    KPU.deinit(net)
"""


def test_forward_gives_what_the_simulator_gives(classes, scene):
    result = run(FORWARD, card={"m.kmodel": classes}, kpu="card", camera=[scene])
    words = next(x for x in result.stdout.splitlines() if x.startswith("values")).split()
    wanted = kmodel.simulate(classes, middle(scene)[None])[0][0]
    assert words[1] == "tuple" and result.models == 0
    assert [float(word) for word in words[2:]] == pytest.approx(wanted.tolist(), abs=2e-6)


def test_a_model_runs_from_the_flash_or_instead_of_the_loaded_one(classes, scene):
    body = FORWARD.replace('"/sd/m.kmodel"', "0x300000")
    first = run(body, kpu="card", camera=[scene], flash_models={0x300000: classes})
    assert first.loaded == (0x300000,)
    second = run(FORWARD, card={"m.kmodel": virtual.fake_kmodel()}, kpu=classes, camera=[scene])
    assert [x for x in first.stdout.splitlines() if "values" in x] == [
        x for x in second.stdout.splitlines() if "values" in x
    ]


YOLO = """
    net = KPU.load("/sd/m.kmodel")
    KPU.init_yolo2(net, {threshold}, {nms}, 5, {anchors})
    found = KPU.run_yolo2(net, img)
    if found is None:
        print("none")
    for one in found or ():
        print("box", one.x(), one.y(), one.w(), one.h(), one.classid(), one.index(), one.objnum(),
              "%.5f" % one.value(), one.rect() == (one.x(), one.y(), one.w(), one.h()))
"""


def test_run_yolo2_gives_the_boxes_of_the_region_layer(detector, scene):
    values = kmodel.simulate(detector, middle(scene)[None])[0][0]
    pairs = np.reshape(ANCHORS, (5, 2))
    best = sorted(x.score for x in region.decode(values, (32, 32), pairs, 0.3, 0.01))[-4:]
    threshold = round(best[0] - 1e-4, 4)
    body = YOLO.format(threshold=threshold, nms=0.01, anchors=ANCHORS)
    result = run(body, card={"m.kmodel": detector}, kpu="card", camera=[scene])
    lines = [x.split()[1:] for x in result.stdout.splitlines() if x.startswith("box")]
    wanted = region.decode(values, (32, 32), pairs, threshold, 0.01)
    assert 0 < len(lines) == len(wanted) <= 10
    assert {line[8] for line in lines} == {"True"}
    assert [int(line[5]) for line in lines] == list(range(len(lines)))
    assert {int(line[6]) for line in lines} == {len(lines)}
    assert sorted(float(x[7]) for x in lines) == pytest.approx(
        sorted(x.score for x in wanted), abs=1e-5
    )
    ours = sorted((int(x[0]), int(x[4])) for x in lines)
    assert ours == sorted((max(int(x.left * 64), 0), x.label) for x in wanted)


def test_more_objects_than_the_firmware_has_room_for_are_refused(detector, scene):
    values = kmodel.simulate(detector, middle(scene)[None])[0][0]
    found = region.decode(values, (32, 32), np.reshape(ANCHORS, (5, 2)), 0.6, 1.0)
    threshold = round(sorted(x.score for x in found)[-30] - 1e-4, 4)
    body = YOLO.format(threshold=threshold, nms=1.0, anchors=ANCHORS)
    with pytest.raises(virtual.BoardError, match="more than 10 overwrite"):
        run(body, card={"m.kmodel": detector}, kpu="card", camera=[scene])


def test_nothing_found_is_none(detector, scene):
    body = YOLO.format(threshold=1.0, nms=0.3, anchors=ANCHORS)
    assert "none" in run(body, card={"m.kmodel": detector}, kpu="card", camera=[scene]).stdout


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("KPU.run_yolo2(net, img)", "run_yolo2 without init_yolo2"),
        ("KPU.init_yolo2(net, 0.5, 0.3, 4, A[:8])", "4 anchors"),
        ("KPU.forward(net, img, 3)", "no output 3"),
        ("KPU.deinit(net); KPU.init_yolo2(net, 0.5, 0.3, 5, A)", "freed model"),
    ],
)
def test_what_crashes_a_board_is_refused(detector, body, why):
    body = f"A = {ANCHORS}\nnet = KPU.load('/sd/m.kmodel')\n{body}"
    with pytest.raises(virtual.BoardError, match=why):
        run(body, card={"m.kmodel": detector}, kpu="card")


def test_a_classifier_is_no_detector(classes):
    body = YOLO.format(threshold=0.5, nms=0.3, anchors=ANCHORS)
    with pytest.raises(virtual.BoardError, match="no YOLOv2 head"):
        run(body, card={"m.kmodel": classes}, kpu="card")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("(net, 1.5, 0.3, 5, A)", "ValueError [MAIXPY]kpu: threshold only support 0 to 1"),
        ("(net, 0.5, -1, 5, A)", "ValueError [MAIXPY]kpu: nms_value only support 0 to 1"),
        ("(net, 0.5, 0.3, 0, A)", "ValueError [MAIXPY]kpu: anchor_number should > 0"),
        ("(net, 0.5, 0.3, 5, A[:4])", "ValueError requested length 10"),
        ("(net, 0.5, 0.3, 5, anchors=A)", "TypeError function missing 1"),
        ("(None, 0.5, 0.3, 5, A)", "TypeError [MAIXPY]kpu: kpu_net type error"),
    ],
)
def test_init_yolo2_wants_five_arguments_in_range(detector, call, error):
    body = f"""
        A = {ANCHORS}
        net = KPU.load("/sd/m.kmodel")
        try:
            KPU.init_yolo2{call}
        except Exception as problem:
            print(type(problem).__name__, problem)
    """
    assert error in run(body, card={"m.kmodel": detector}, kpu="card").stdout


def damaged(model: bytes, at: int, word: int) -> bytes:
    return model[:at] + struct.pack("<I", word) + model[at + 4 :]


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("none.kmodel", None, 2005),
        ("m.kmodel", lambda m: b"", 2005),
        ("m.kmodel", lambda m: m[:6], 2005),
        ("m.kmodel", lambda m: damaged(m, 0, 4), 2002),
        ("m.kmodel", lambda m: b"LDMK" + m[4:], 2002),
        ("m.kmodel", lambda m: damaged(m, 8, 1), 2002),
        ("m.smodel", lambda m: bytes(b ^ 0x5A for b in m), 2004),
        ("m.kmodel", lambda m: damaged(m, 20, 5 << 20), 2006),
        ("m.kmodel", lambda m: m + bytes(6 << 20), 2006),
        ("m.kmodel", lambda m: damaged(m, 28 + 8, 15), 2007),
    ],
)
def test_the_loaders_error_codes(classes, name, change, code):
    body = f"""
        try:
            KPU.load("/sd/{name}")
        except ValueError as error:
            print(error)
    """
    card = {name: change(classes)} if change else {}
    result = run(body, card=card, kpu="card", card_bytes=16 << 20)
    assert f"[MAIXPY]kpu: load error:{code}, " in result.stdout and result.models == 0


def test_a_flash_address_without_a_model(classes):
    body = """
        for address in (0x300000, 0x400000):
            try:
                KPU.load(address)
            except ValueError as error:
                print(error)
    """
    # 0x400000: a header whose bodies have no size.
    layers = struct.unpack_from("<I", classes, 12)[0]
    empty = bytearray(classes)
    for number in range(layers):
        struct.pack_into("<I", empty, 28 + 8 + 8 * number + 4, 0)
    said = run(body, kpu="card", flash_models={0x400000: bytes(empty)}).stdout
    assert "load error:2002" in said and "load error:2003" in said


def test_a_truncated_model_crashes_the_board_and_is_refused(classes):
    with pytest.raises(virtual.BoardError, match="damaged and would crash"):
        run("KPU.load('/sd/m.kmodel')", card={"m.kmodel": classes[:-300]}, kpu="card")


def test_models_share_their_memory_until_they_are_freed(classes):
    body = """
        net = KPU.load("/sd/m.kmodel")
        try:
            KPU.load("/sd/m.kmodel")
        except ValueError as error:
            print(error)
        KPU.deinit(net)
        KPU.load("/sd/m.kmodel")
    """
    main = struct.unpack_from("<I", classes, 20)[0]
    room = len(classes) + main + 1000
    result = run(body, card={"m.kmodel": classes}, kpu="card", model_memory=room)
    assert "load error:2006" in result.stdout and result.models == 1
