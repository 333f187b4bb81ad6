"""Everything that our board scripts can say has a place in the help."""

import ast
import importlib
import sys
from pathlib import Path

from host.deploy.board_errors import ERRORS

BOARD = Path(__file__).parents[2] / "board"
TROUBLES = ("Trouble", "CardTrouble", "CameraTrouble")


def titles(path):
    """Yield the titles of the troubles in a script: texts, or their fixed part and three dots."""
    tree = ast.parse(path.read_text("ascii"))
    sources = [path, *(BOARD / "kit").glob("*.py")]
    constants = {
        node.targets[0].id: node.value.value
        for source in sources
        for node in ast.parse(source.read_text("ascii")).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in TROUBLES:
            first = node.args[0]
            if isinstance(first, ast.Name) and first.id == "title":
                continue  # of KPU_ADVICE, below
            yield text_of(first, constants)


def text_of(node, constants):
    if isinstance(node, ast.BinOp):
        return text_of(node.left, constants) + text_of(node.right, constants)
    if isinstance(node, ast.Constant):
        return node.value
    return constants.get(getattr(node, "id", ""), "...")


def advice():
    sys.path.insert(0, str(BOARD))
    try:
        return importlib.import_module("kit.kpu_errors").KPU_ADVICE
    finally:
        sys.path.remove(str(BOARD))


def test_every_trouble_of_the_scripts_has_an_entry():
    said = {one for error in ERRORS if error.source == "ours" for one in error.said}
    scripts = [*(BOARD / "kit").glob("*.py"), *BOARD.glob("run_*.py"), *BOARD.glob("collect_*.py")]
    shown = {title for path in scripts for title in titles(path)}
    assert len(shown) > 20 and not shown - said
    explained = ast.parse((BOARD / "kit" / "trouble.py").read_text("ascii"))
    returned = {
        node.value.elts[0].value
        for node in ast.walk(explained)
        if isinstance(node, ast.Return)
        and isinstance(node.value, ast.Tuple)
        and isinstance(node.value.elts[0], ast.Constant)
    }
    assert returned and not returned - said


def test_every_number_of_the_loader_has_an_entry_under_its_title():
    for code, (title, _) in advice().items():
        rows = [error for error in ERRORS if f"load error:{code}" in error.said]
        assert [title in error.said for error in rows] == [True], code
    numbers = {f"load error:{code}" for code in range(2001, 2016)}
    assert numbers == {s for e in ERRORS for s in e.said if s.startswith("load error:")}


def test_the_entries_can_be_linked_and_read():
    names = [error.name for error in ERRORS]
    assert len(set(names)) == len(names) and all(error.cause and error.fix for error in ERRORS)
