"""The kit's pure logic in a MicroPython of the board's age: 1.10, from npm, where Node exists.

The board has 1.11; the virtual board 1.28, whose library is richer. Each piece runs in the old one
and in CPython, and both have to print the same.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from host.deploy.board import BOARD_DIR

HARNESS = Path(__file__).with_name("old_micropython.js")
DEFAULT = Path(__file__).parents[2] / "build/micropython-1.1.8/package"
STUBS = """
import sys
class Module:
    pass
for name in ("lcd", "image", "sensor", "gc", "Maix", "uos", "ujson", "ubinascii",
             "uhashlib", "machine", "ucryptolib", "uctypes"):
    sys.modules[name] = Module()
import struct
sys.modules["ustruct"] = struct
class Time:
    now = 0
    def ticks_ms(self):
        return self.now
    def ticks_diff(self, late, early):
        return (late - early + (1 << 29)) % (1 << 30) - (1 << 29)
    def ticks_add(self, at, delta):
        return (at + delta) % (1 << 30)
sys.modules["time"] = sys.modules["utime"] = Time()
"""
CASES = {
    "text is wrapped and cut": (
        ("screen",),
        """
texts = ["", "one", "one two three", "x" * 40, "a " * 9, "caf\\u00e9 ok", "tail " + "y" * 12]
for text in texts:
    for columns in (1, 2, 5, 12, 80):
        print(fit(text, columns), wrap(text, columns), message_rows([text, ""], columns))
""",
    ),
    "boxes": (
        ("boxes",),
        """
print([travel(ms) for ms in range(0, 3000, 130)])
boxes = Boxes(224, 224, 8)
boxes.remember(); boxes.add(0)
for part, pixels in ((LEFT, 40), (TOP, 500), (RIGHT, -3), (BOTTOM, -90), (ACROSS, -60), (DOWN, 9)):
    boxes.remember(); boxes.move(part, pixels)
    print(boxes.items, boxes.active)
boxes.remember(); boxes.add(1); boxes.select(1)
boxes.stretch(200, 10, 20, 90)
print(boxes.items, boxes.touched(50, 50), boxes.objects())
for _ in range(5):
    print(boxes.undo(), boxes.items, boxes.active)
""",
    ),
    "VOC text": (
        ("voc",),
        """
text = voc_xml("1.jpg", 224, 224, [("a<b>&", 1, 2, 30, 40), ("dog", 5, 6, 70, 224)])
print(text, voc_labels(text), voc_labels(text[:-20]), voc_label("a b\\tc\\u00e9 "))
""",
    ),
    "a key's presses": (
        ("keys",),
        """
START = (1 << 30) - 700
for repeats in (False, True):
    for held in (5, 19, 25, 300, 699, 700, 720, 1999, 2001, 3500):
        button, events = Button(repeats, False), []
        for ms in range(0, held + 200, 5):
            bounce = ms in (5, 10) or held < ms < held + 12 and ms % 10
            event = button.update(ms < held and not bounce, (START + ms) % (1 << 30))
            if event:
                events.append((ms, event))
        print(repeats, held, events)
""",
    ),
    "QR code": (
        ("qr",),
        """
for row in qr_rows("0123456789ABCDEF0123456789ABCDEF0123"):
    print("".join(["#" if dark else "." for dark in row]))
""",
    ),
    "a sealed model's blocks": (
        ("unseal",),
        """
# Toys in place of SHA-256 and AES: what is tested is the way of the bytes.
def sha256(data):
    total = 7
    for byte in data:
        total = (total * 31 + byte) & 0xFFFFFFFF
    return ustruct.pack("<8I", *[total ^ n for n in range(8)])
def require_sha256():
    pass
def code_value(unique_id):
    return sha256(unique_id)[:16]
machine.unique_id = lambda: b"u" * 32
class Toy:
    def __init__(self, key, iv):
        self.mask = key[0] ^ iv[1]
    def encrypt(self, data, out=None):
        mixed = bytes([byte ^ self.mask for byte in data])
        if out is None:
            return mixed
        out[:] = mixed
    decrypt = encrypt
cbc = Toy
SIZE = 40000
key, inner, salt = BoardKey(BOUND), bytes(range(48)), bytes(range(100, 116))
plain = [bytes([number + 1]) * KMX_CHUNK for number in range(3)]
chunks = [Toy(inner, sha256(salt + ustruct.pack("<I", n))[:16]).encrypt(plain[n]) for n in range(3)]
head = ustruct.pack(KMX_HEADER, KMX_MAGIC, 1, 1, BOUND, KMX_CHUNK, 3, SIZE, key.board_id(), salt,
                    key.aes(inner, True), bytes(24))
signed = head + b"".join([sha256(chunk) for chunk in chunks])
start = signed + hmac_sha256(inner[16:], signed)
data = bytearray(start + bytes(512 - len(start)) + b"".join(chunks))
class Source:
    name, again, size = "it", "again", len(data)
    def read(self, at, buffer):
        buffer[:] = data[at : at + len(buffer)]
        return True
model = SealedModel(Source())
model.prove()
for block, size in ((0, 512), (63, 1024), (64, 512), (127, 33000), (0, 3 * KMX_CHUNK)):
    got = bytearray(size)
    print(model.readblocks(block, got), sum(got), got[0], got[-1])
print(model.ioctl(4, 0), model.ioctl(5, 0), model.ioctl(1, 0))
for at in (0, 10, 24, 30, 41, 60, 110, 130, 230, 300, 600, 98000):
    data[at] ^= 1
    try:
        SealedModel(Source()).prove()
        print("taken")
    except Trouble as error:
        print(at, error.args)
    data[at] ^= 1
""",
    ),
    "check digits": (
        ("binding",),
        """
for value in (bytes(16), bytes(range(16)), b"\\xff" * 16):
    print(check_digits(value))
print(grouped("0123456789ABCDEF" * 2, "-"))
""",
    ),
}


@pytest.fixture(scope="module")
def old():
    """A function that runs a Python file in the old MicroPython and returns what it printed."""
    package = Path(os.environ.get("TEST_OLD_MICROPYTHON") or DEFAULT)
    node = shutil.which("node")
    if node is None or not (package / "lib/firmware.wasm").exists():
        pytest.skip(
            "no Node, or no npm package micropython@1.1.8 in build/ (.ci/run puts it there)"
        )

    def run(path: Path) -> str:
        done = subprocess.run(
            [node, HARNESS, package, path], capture_output=True, text=True, check=False, timeout=120
        )
        assert "@@begin" in done.stdout, done.stderr
        return done.stdout.split("@@begin\n")[1].split("\n@@end")[0].replace("\r\n", "\n")

    return run


def source(pieces, body) -> str:
    """One file: stubs for the board's modules, the pieces with what they import, the body."""
    done: list[str] = []

    def inline(piece: str) -> str:
        if piece in done:
            return ""
        done.append(piece)
        text = (BOARD_DIR / f"kit/{piece}.py").read_text("ascii")
        needed = re.findall(r"^from kit\.(\w+) import", text, re.MULTILINE)
        before = "".join(inline(one) for one in needed)
        return before + re.sub(r"^from kit\..*\n", "", text, flags=re.MULTILINE) + "\n"

    return STUBS + "".join(inline(piece) for piece in pieces) + body


@pytest.mark.parametrize("name", CASES)
def test_pure_logic_is_the_same_in_the_old_runtime(old, name, tmp_path):
    path = tmp_path / "case.py"
    path.write_text(source(*CASES[name]), encoding="utf-8")
    new = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert new.returncode == 0, new.stderr
    assert len(new.stdout) > 50
    assert old(path).splitlines() == new.stdout.splitlines()


def test_the_old_runtime_is_really_old(old, tmp_path):
    path = tmp_path / "new.py"
    path.write_text("import sys\nprint(sys.implementation.version)\nprint(b'a'.hex())\n")
    said = old(path)
    assert "(1, 10, 0)" in said and "AttributeError" in said
