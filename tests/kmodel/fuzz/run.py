"""Fuzz everything that reads a kmodel, with atheris: `make fuzz SECONDS=60`.

    python tests/kmodel/fuzz/run.py FOLDER [libFuzzer's options]

FOLDER holds the findings of earlier runs; the files of `corpus/` are copied there first. A file
that raises anything but a UserError, or takes more than 5 seconds, is left in it as crash-*.
"""

import sys
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[2])]
MOST_BYTES = 6000

with atheris.instrument_imports(include=["host.kmodel"]):
    import hostile
    import mutate


def change(data, most, seed):
    """Damage fields four times out of five, bytes otherwise."""
    if seed % 5:
        return mutate.mutate(data, seed, most)
    return atheris.Mutate(data, most)


def main():
    folder = Path(sys.argv[1])
    work = folder / "corpus"
    work.mkdir(parents=True, exist_ok=True)
    for file in (HERE / "corpus").iterdir():
        (work / file.name).write_bytes(file.read_bytes())
    options = ["-timeout=5", "-rss_limit_mb=3000", f"-max_len={MOST_BYTES}"]
    options += [f"-artifact_prefix={folder}/", *sys.argv[2:]]
    atheris.Setup([sys.argv[0], *options, str(work)], hostile.try_all, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
