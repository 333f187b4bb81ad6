"""Sealed packages on the virtual board: boot.py opens its own board's model, and no other."""

import subprocess
import sys

import pytest
from colour_detector import ANCHORS, network, scene

from host.deploy import machine_code, seal
from host.deploy.board import SEALED, render
from host.deploy.board_key import BoardKey
from host.emulator import board as virtual

UNIQUE_ID = bytes(range(32))
BOUND = BoardKey.of_code(machine_code.of_board(UNIQUE_ID))
BURNT = BoardKey("burnt", bytes.fromhex("00112233445566778899aabbccddeeff"))
CHIPS = {"bound": {"unique_id": UNIQUE_ID}, "burnt": {"otp_key": BURNT.key}}
DOG = (0.1, 0.85, 0.05)
MODEL = virtual.fake_kmodel(size=100_007)
LABELS = b"cat\ndog\nbird\n"
KEYS = [BOUND, BURNT]
COMPILE_HEAP = 256  # KiB of the 512 that MaixPy has


def rendered(script="run_classify", **settings):
    return render(script, {"model": "/sd/m.kmx", **settings}, SEALED)


@pytest.fixture(scope="module")
def sealed():
    return {key.strength: seal.seal(MODEL, key) for key in KEYS}


@pytest.fixture(scope="module")
def boot():
    return rendered()


def run(boot, sealed, strength="bound", chip=None, **setup):
    card = {"m.kmx": sealed, "labels.txt": LABELS}
    chip = CHIPS[strength] if chip is None else chip
    return virtual.run(boot, **{"card": card, "kpu": DOG, **chip, **setup})


# The same as unsealed


@pytest.mark.parametrize("strength", CHIPS)
@pytest.mark.parametrize("board", [virtual.BIT, virtual.M5STICKV], ids=lambda board: board.name)
def test_a_detector_sees_what_it_sees_unsealed(strength, board):
    model, key = network(), next(key for key in KEYS if key.strength == strength)
    setup = {"kpu": "card", "camera": [scene(2), scene(3)], "until_ms": 1500, "board": board}
    labels, anchors = b"red\ngreen\n", {"anchors": ANCHORS}
    plain_card = {"m.kmodel": model, "labels.txt": labels}
    sealed_card = {"m.kmx": seal.seal(model, key), "labels.txt": labels}
    plain = virtual.run(render("run_detect", anchors), card=plain_card, **setup)
    boot = rendered("run_detect", **anchors)
    mine = virtual.run(boot, card=sealed_card, **setup, **CHIPS[strength])
    seen = [[line["objects"] for line in run.json_lines()][:8] for run in (plain, mine)]
    assert seen[0] == seen[1] and len(seen[0][-1]) >= 2
    assert mine.last.image.size == plain.last.image.size
    assert mine.models == 0 and mine.loaded == ("/m.kmodel/M",)


@pytest.mark.parametrize("strength", CHIPS)
@pytest.mark.parametrize("place", ["card", "flash", "address"])
def test_the_model_may_lie_in_three_places(boot, sealed, strength, place):
    data = sealed[strength]
    where = {
        "card": {"card": {"m.kmx": data, "labels.txt": LABELS}},
        "flash": {"card": None, "flash": {"m.kmx": data, "labels.txt": LABELS}},
        "address": {"card": {"labels.txt": LABELS}, "flash_models": {0x300000: data}},
    }[place]
    result = run(boot, b"", strength, until_ms=6000, **where)
    assert result.last.says("dog", "85%")
    shown = {"card": "/sd/m.kmx", "flash": "/flash/m.kmx", "address": "flash 0x300000"}[place]
    assert f"maixforge: sealed model from {shown}\n" in result.stdout.replace("\r", "")


@pytest.mark.parametrize("kmx", [32767, 32768, 32769, 65536, 3 * 32768 - 1, 3 * 32768])
def test_models_around_the_borders_of_chunks(boot, kmx):
    model = virtual.fake_kmodel(size=kmx)
    seen = []
    result = run(boot, seal.seal(model, BOUND), kpu=lambda _: seen.append(1) or DOG, until_ms=1500)
    assert result.last.says("dog", "85%") and seen


def test_nothing_plain_is_ever_on_the_card(boot):
    model = virtual.fake_kmodel(size=64) + bytes((i * 7919 >> 3) & 255 for i in range(70_000))
    result = run(boot, seal.seal(model, BOUND))
    assert result.last.says("dog") and result.writes == 0
    pieces = [model[at : at + 16] for at in range(64, len(model) - 16, 512)]
    assert not any(piece in result.card_image for piece in pieces)


# Refused


@pytest.mark.parametrize(
    ("strength", "chip"),
    [
        ("bound", {"unique_id": bytes(32)}),
        ("bound", {"unique_id": bytes(32), "otp_key": BURNT.key}),
        ("burnt", {}),  # no fuse is burnt
        ("burnt", {"otp_key": BOUND.key}),
        ("burnt", {"otp_key": bytes(15) + b"\1"}),
    ],
)
def test_another_board_says_that_it_is_another(boot, sealed, strength, chip):
    result = run(boot, sealed[strength], strength, chip)
    assert result.last.says("Model is for another board", "another board's key", "/sd/m.kmx")
    assert "maixforge: Model is for another board" in result.stdout
    assert result.loaded == () and not result.last.says("damaged")


def test_a_key_of_the_other_strength_opens_nothing(boot, sealed):
    """The very bytes of a bound key in the fuses: the header says bound, so it was changed."""
    in_fuses = {"unique_id": bytes(32), "otp_key": BOUND.key}
    result = run(boot, sealed["bound"], chip=in_fuses)
    assert result.last.says("Model damaged") and result.loaded == ()


CHANGES = {
    "a byte of the magic": lambda data: b"X" + data[1:],
    "a newer version": lambda data: data[:8] + b"\2" + data[9:],
    "the board's name": lambda data: data[:24] + bytes((data[24] ^ 1,)) + data[25:],
    "the wrapped keys": lambda data: data[:60] + bytes((data[60] ^ 1,)) + data[61:],
    "the first chunk": lambda data: data[:600] + bytes((data[600] ^ 1,)) + data[601:],
    "the last byte": lambda data: data[:-1] + bytes((data[-1] ^ 1,)),
    "half of it": lambda data: data[: len(data) // 2],
    "the header alone": lambda data: data[:100],
    "nothing": lambda data: b"",
    "a byte more": lambda data: data + b"\0",
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("strength", CHIPS)
def test_damage_says_that_it_is_damage(boot, sealed, strength, what):
    result = run(boot, CHANGES[what](sealed[strength]), strength)
    assert result.last.says("Model damaged", "Copy it to the card again.", "/sd/m.kmx"), what
    assert "maixforge: Model damaged" in result.stdout
    assert result.loaded == () and not result.last.says("another")


def test_damage_in_the_flash(boot, sealed):
    data = bytearray(sealed["bound"])
    data[70_000] ^= 1
    card = {"labels.txt": LABELS}
    result = run(boot, b"", card=card, flash_models={0x300000: bytes(data)})
    assert result.last.says("Model damaged", "Flash the kfpkg again.", "flash 0x300000")
    result = run(boot, b"", card=card, flash_models={0x300000: MODEL})  # a plain one
    assert result.last.says("Model damaged")


def test_a_plain_model_is_not_taken_for_a_sealed_one(boot):
    assert run(boot, MODEL).last.says("Model damaged")


def test_no_sealed_model_anywhere(boot):
    result = run(boot, b"", card={"labels.txt": LABELS, "m.kmodel": MODEL})
    assert result.last.says("m.kmx is missing", "root of the card")
    with_labels = rendered(labels=("cat", "dog", "bird"))
    card = {"m.kmx": seal.seal(MODEL, BOUND), "labels.txt": LABELS}
    result = run(with_labels, b"", card=card, card_at_ms=7000, until_ms=15_000)
    assert any(f.says("No model", "in the flash at 0x300000", "FAT32") for f in result.frames)
    assert result.last.says("dog", "85%")


def test_firmware_with_a_wrong_sha256_is_told(boot, sealed):
    broken = boot.replace(b"uhashlib.sha256(data).digest()", b"bytes(32)")
    assert broken != boot
    assert run(broken, sealed["bound"]).last.says("Old firmware", "MaixPy")


def test_a_chip_without_an_id_is_told(boot, sealed):
    result = run(boot, sealed["bound"], chip={"unique_id": None})
    assert result.last.says("No unique id") and "Card" not in " ".join(result.texts)
    result = run(boot, sealed["burnt"], chip={"unique_id": None, "otp_key": BURNT.key})
    assert result.last.says("dog", "85%")


def test_the_kpus_own_errors_are_told_as_ever(boot, sealed):
    result = run(boot, sealed["bound"], model_memory=50_000)
    assert result.last.says("Not enough memory", "error:2006", "/sd/m.kmx") and result.models == 0
    result = run(boot, sealed["bound"], load_error=2014)
    assert result.last.says("not supported", "error:2014") and result.ended == "returned"


# The card comes and goes


@pytest.mark.parametrize("out", [20, 50, 80])
def test_a_card_that_is_pulled_while_the_model_is_proved_is_waited_for(boot, sealed, out):
    result = run(boot, sealed["bound"], card_out_ms=out, card_back_ms=4000, until_ms=12_000)
    assert any(frame.says("Card is gone", "goes on by itself") for frame in result.frames)
    assert result.last.says("dog", "85%")
    assert "missing" not in " ".join(result.texts) and "damaged" not in " ".join(result.texts)


@pytest.mark.parametrize("out", [140, 300, 500])
def test_a_card_that_is_pulled_while_the_kpu_loads_needs_a_reset(boot, sealed, out):
    """The KPU's library was interrupted: what it took of the memory is lost until a reset."""
    result = run(boot, sealed["bound"], card_out_ms=out, card_back_ms=4000, until_ms=12_000)
    assert result.last.says("Card is gone", "then press reset") and result.models == 0


def test_ctrl_c_at_any_time_leaves_no_model_and_no_volume_behind(boot, sealed):
    probe = b"\nimport uos\nprint(uos.listdir('/'))\n"
    for until in (1, 50, 150, 250, 400, 560, 700):
        result = run(boot + probe, sealed["bound"], until_ms=until)
        assert result.ended == "returned" and result.models == 0
        assert "m.kmodel" not in result.stdout, until


# Memory


@pytest.mark.parametrize("place", ["card", "address"])
def test_a_large_model_needs_little_of_the_heap(boot, place):
    model = virtual.fake_kmodel(size=2_000_003)
    data = seal.seal(model, BOUND)
    flash = {"flash_models": {0x300000: data}, "card": {"labels.txt": LABELS}}
    setup = flash if place == "address" else {"card_bytes": 8 << 20}
    small = run(boot, seal.seal(MODEL, BOUND), measure_heap=True)
    large = run(boot, data, measure_heap=True, **setup)
    assert large.last.says("dog", "85%")
    assert large.heap_high < 160 << 10
    assert abs(large.heap_kept - small.heap_kept) < 2000, "what opens the model was not freed"


@pytest.mark.parametrize("script", ["run_classify", "run_detect"])
def test_the_script_compiles_in_half_of_the_boards_heap(script, tmp_path):
    labels = [f"class number {number}" for number in range(50)]
    (tmp_path / "boot.py").write_bytes(rendered(script, labels=labels))
    (tmp_path / "c.py").write_text("compile(open('boot.py').read(), 'b', 'exec')\nprint('ok')\n")
    command = [sys.executable, "-m", "micropython_unix", "-X", f"heapsize={COMPILE_HEAP}K", "c.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "ok\n", done.stderr


def test_the_unsealed_script_has_none_of_it():
    for script in ("run_classify", "run_detect"):
        text = render(script, {})
        assert b"ucryptolib" not in text and b"kmx" not in text.lower()
        assert b"ucryptolib" in rendered(script)
