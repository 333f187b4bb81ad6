"""Keep what a fuzz run found: python tests/kmodel/fuzz/keep.py build/fuzz/run

Copies the files of a run to `corpus/`, named by what comes of them: the code of the finding, or
"fine". Files above 4 kB, and what is there already, are left out.
"""

import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2])]

from hostile import try_all  # noqa: E402

MOST_BYTES = 4096


def main():
    run = Path(sys.argv[1])
    kept = {file.read_bytes() for file in (HERE / "corpus").iterdir()}
    found = [*(run / "corpus").iterdir(), *run.glob("crash-*"), *run.glob("timeout-*")]
    for data in [file.read_bytes() for file in found if file.exists()]:
        if data in kept or len(data) > MOST_BYTES:
            continue
        kept.add(data)
        name = f"{try_all(data) or 'fine'}-{hashlib.sha1(data).hexdigest()[:10]}.kmodel"
        (HERE / "corpus" / name).write_bytes(data)


if __name__ == "__main__":
    main()
