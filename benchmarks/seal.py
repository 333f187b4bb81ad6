"""What sealing costs: seconds to seal and to open a model, and an estimate for the board.

    python -m benchmarks.seal [--megabytes 2] [--runs 20]

The board's part is an estimate: bytes over the SPI bus to a card at the speed that the virtual
board assumes (512 bytes in 250 microseconds), once for a plain model, twice for a sealed one,
which is proved before it is loaded. What the AES and SHA-256 engines take comes on top.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

from host.deploy import seal
from host.deploy.board_key import BoardKey

CARD_SECONDS = 250e-6 / 512
"""Of a byte, as `host/emulator/board/firmware/card.py` has it."""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=float, default=2.0, help="size of the model")
    parser.add_argument("--runs", type=int, default=20, help="the median of so many is shown")
    given = parser.parse_args()
    size = round(given.megabytes * 1e6)
    model, key = random.Random(0).randbytes(size), BoardKey("bound", bytes(range(16)))
    data = seal.seal(model, key)
    print(f"{size:,} bytes become {len(data):,}")
    print(f"seal    {_median(lambda: seal.seal(model, key), given.runs):.4f} s")
    print(f"unseal  {_median(lambda: seal.unseal(data, key), given.runs):.4f} s")
    plain, sealed = CARD_SECONDS * size, 2 * CARD_SECONDS * len(data)
    print(f"board, card alone (estimate): plain {plain:.1f} s, sealed {sealed:.1f} s")


def _median(work: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[runs // 2]


if __name__ == "__main__":
    main()
