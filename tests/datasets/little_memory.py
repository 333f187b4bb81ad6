"""How much more memory something takes at its peak, all of the process, C libraries included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host.datasets.limits import MIB

MOST = 100 * MIB
PROCESS = Path("/proc/self")


def _bytes(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", (PROCESS / "status").read_text())
    assert found
    return 1024 * int(found[1])


@contextmanager
def little_memory() -> Iterator[None]:
    """Assert that the block takes less than 100 MB at any moment; only Linux can tell."""
    clear = PROCESS / "clear_refs"
    if not clear.exists():
        yield
        return
    clear.write_text("5")  # the peak begins anew (proc(5))
    before = _bytes("VmRSS")
    try:
        yield
    finally:
        assert _bytes("VmHWM") - before < MOST
