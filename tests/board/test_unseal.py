"""The board's reader of sealed models, on real MicroPython: every byte, every seek."""

import random
import re

import pytest

from host.deploy import machine_code, seal
from host.deploy.board import BOARD_DIR
from host.deploy.board_key import BoardKey
from host.emulator import board as virtual

BOUND = BoardKey.of_code(machine_code.of_board(bytes(range(32))))
BURNT = BoardKey("burnt", bytes.fromhex("00112233445566778899aabbccddeeff"))
CHIPS = {"bound": {}, "burnt": {"otp_key": BURNT.key}}
KEYS = {"bound": BOUND, "burnt": BURNT}
SMALL = b"\x03\0\0\0" + bytes(range(250))
CHUNK = seal.CHUNK
REFUSE = """
import gc
with open("/sd/m.kmx", "rb") as file:
    data = bytearray(file.read())

class Source:
    name, again = "it", ""
    def __init__(self, size):
        self.size = size
    def read(self, at, buffer):
        if at + len(buffer) > self.size:
            return False
        buffer[:] = memoryview(data)[at : at + len(buffer)]
        return True

def title(size):
    try:
        model = SealedModel(Source(size))
        model.prove()
    except Trouble as error:
        return error.args[0]
    for number in range(model.count):
        model.load(number)
    return "taken"

said = {}
assert title(len(data)) == "taken"
for at, mask in trials():
    data[at] ^= mask
    answer = title(len(data))
    data[at] ^= mask
    said[answer] = said.get(answer, 0) + 1
print("flips", said)
said = {}
for size in cuts():
    answer = title(size)
    said[answer] = said.get(answer, 0) + 1
print("cuts", said)
assert title(len(data)) == "taken"
"""
READ = """
import uos
def opened(path):
    with open(path, "rb") as file:
        return file.read()

class Source:
    name, again = "it", ""
    def __init__(self, path):
        self.file, self.size = open(path, "rb"), uos.stat(path)[6]
    def read(self, at, buffer):
        self.file.seek(at)
        return self.file.readinto(buffer) == len(buffer)

model = SealedModel(Source("/sd/m.kmx"))
uos.mount(uos.VfsFat(model), "/m.kmodel")
print(uos.listdir("/m.kmodel"), uos.stat("/m.kmodel/M")[6])
plain = open("/sd/plain", "rb")
secret = open("/m.kmodel/M", "rb")
for at, size, shift in READS:
    plain.seek(at)
    secret.seek(at)
    wanted, got = bytearray(size + 8), bytearray(size + 8)
    counts = (plain.readinto(memoryview(wanted)[shift : shift + size]),
              secret.readinto(memoryview(got)[shift : shift + size]))
    assert counts[0] == counts[1] and wanted == got, (at, size, shift, counts)
for path in ("/m.kmodel/M", "/m.kmodel/x"):
    try:
        open(path, "wb")
        print("written")
    except OSError as error:
        print("refused", error.args[0] in (13, 30))
try:
    model.readblocks(model.count * 64, bytearray(512))
except OSError as error:
    print("end", error.args[0])
uos.umount("/m.kmodel")
print("all reads agree")
"""


def kit(*pieces):
    """The pieces as one file, as the bundler inlines them."""
    texts = [(BOARD_DIR / f"kit/{piece}.py").read_text("ascii") for piece in pieces]
    return re.sub(r"^from kit\..*\n", "", "".join(texts), flags=re.MULTILINE)


def run(body, card, strength="bound", **setup):
    script = kit("trouble", "binding", "unseal") + body
    setup = {"heap": 1_000_000, **CHIPS[strength], **setup}
    return virtual.run(script.encode(), card=card, until_ms=10**9, timeout=600, **setup).stdout


def counts(stdout, what):
    """{title: how often} that the script printed."""
    line = next(line for line in stdout.splitlines() if line.startswith(what))
    return {key: int(number) for key, number in re.findall(r"'([^']*)': (\d+)", line)}


def refuse(strength, trials, cuts):
    """Run the trials (code of a generator's body) on a file of 66,048 bytes; return the counts."""
    head = f"\ndef trials():\n{trials}\ndef cuts():\n    return {cuts!r}\n"
    data = seal.seal(SMALL, KEYS[strength])
    assert len(data) == 512 + 2 * CHUNK
    said = run(head + REFUSE, {"m.kmx": data}, strength)
    return counts(said, "flips"), counts(said, "cuts")


@pytest.mark.parametrize("strength", KEYS)
def test_every_bit_of_header_and_table_and_samples_of_every_chunk(strength):
    trials = (
        "    for at in range(512):\n        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 3, 255):\n"
        "            yield at, mask\n"
        "    for at in range(512, len(data), 127):\n        yield at, 1 + at % 255\n"
    )
    cuts = [*range(300), 511, 512, 513, 512 + CHUNK, 512 + 2 * CHUNK - 1, 512 + 2 * CHUNK + 1]
    flips, cut = refuse(strength, trials, cuts)
    sampled = len(range(512, 512 + 2 * CHUNK, 127))
    assert flips == {"Model damaged": 5120 + sampled}
    assert cut == {"Model damaged": len(cuts)}


@pytest.mark.slow
@pytest.mark.parametrize("strength", KEYS)
def test_every_byte_of_the_payload(strength):
    trials = "    for at in range(512, len(data)):\n        yield at, 1 + at * 7 % 255\n"
    flips, _ = refuse(strength, trials, [])
    assert flips == {"Model damaged": 2 * CHUNK}


def reads(size):
    """(at, bytes, alignment of the buffer) of many reads of a file of `size` bytes."""
    chance = random.Random(size)
    edges = (0, 1, 511, 512, 513, CHUNK - 1, CHUNK, CHUNK + 1, size - 1, size)
    found = [(at, length, 0) for at in edges if at <= size for length in (1, 2, 16, 512, 1025)]
    for _ in range(60):
        at = chance.randrange(size)
        found.append((at, chance.choice((3, 700, CHUNK, 2 * CHUNK + 5)), chance.randrange(8)))
    return [(0, size, 0), *found]


@pytest.mark.parametrize(
    "size", [1, 511, 512, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 4 * CHUNK - 3, 200_001]
)
def test_seeks_and_odd_reads_give_the_models_bytes(size):
    model = random.Random(size).randbytes(size)
    body = f"\nREADS = {reads(size)!r}\n" + READ
    card = {"m.kmx": seal.seal(model, BOUND), "plain": model}
    said = run(body, card)
    assert f"['M'] {size}" in said and "all reads agree" in said and "end 5" in said
    assert "written" not in said and said.count("refused True") == 2
