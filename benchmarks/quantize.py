"""How much a network loses by quantization: ours, nncase 0.1's rules, nncase 1.9, and ablations.

    python -m benchmarks.quantize [--networks samples,grocery-0.25] [--ablation] [--vendor 150]

benchmarks/README.md says which pictures and weights are needed and where they come from; a network
that misses some is left out, with a message. nncase 1.9 (`make nncase`, or the interpreter that
TEST_NNCASE_PYTHON names) gets the same calibration pictures, but is judged on at most `--vendor`
of the test pictures, evenly spaced, for it is slow.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from host import kmodel
from host.errors import UserError
from host.kmodel import Options, canmv
from host.trainer.export import to_tflite

from .networks import BUILD, NETWORKS, ROOT, Case, Sources, case_of, missing, spaced

OURS = Options()
OLD = Options(
    zero_search=False,
    range_search=False,
    channel_steps=False,
    round_weights=False,
    bias_images=0,
    copies_time=0.0,
)
ALONE = replace(OURS, copies_time=0.0)
RULES = {"ours": OURS, "ours without copies": ALONE, "nncase 0.1's rules": OLD}
ABLATIONS = {
    "nncase 0.1's rules": OLD,
    "+ zero point by search": replace(OLD, zero_search=True),
    "+ bias correction": replace(OLD, zero_search=True, bias_images=32),
    "+ steps of channels": replace(OLD, zero_search=True, bias_images=32, channel_steps=True),
    "+ adapted rounding": replace(ALONE, range_search=False),
    "+ range of least error": ALONE,
    "+ two copies of the first maps, 4 % of the time": replace(OURS, copies_time=0.04),
    "+ copies of the first maps (all)": OURS,
    "+ as many copies as fit, whatever the time": replace(
        OURS, copies_time=math.inf, copies_ms=math.inf
    ),
    "biases by 16 pictures": replace(ALONE, bias_images=16),
    "biases by 64 pictures": replace(ALONE, bias_images=64),
    "dense layer in float": replace(ALONE, dense_on_kpu=False),
}


@dataclass(frozen=True)
class Seconds:
    """Time that has passed, and what processors spent (user and system, children included)."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> Seconds:
        """Return both clocks."""
        return cls(time.perf_counter(), sum(os.times()[:4]))

    def since(self, start: Seconds) -> Seconds:
        """Return what has passed from `start` to here."""
        return Seconds(self.wall - start.wall, self.processor - start.processor)


@dataclass(frozen=True)
class Row:
    """One line of the table: probabilities (n, classes) of the test pictures `places`."""

    name: str
    scores: np.ndarray
    places: np.ndarray
    size: int = 0
    seconds: Seconds = Seconds(0.0, 0.0)

    def at(self, places: np.ndarray) -> Row:
        """Return the line of a row of all pictures for some of them."""
        name = f"{self.name}, the same {len(places)}"
        return replace(self, name=name, scores=self.scores[places], places=places)


def compiled(name: str, case: Case, options: Options) -> Row:
    """Compile and simulate."""
    graph = kmodel.from_keras(case.model)
    start = Seconds.now()
    made = kmodel.compile(graph, case.calibration, options)
    seconds = Seconds.now().since(start)
    scores = kmodel.simulate(made.data, case.test)[0]
    return Row(name, scores, np.arange(len(scores)), len(made.data), seconds)


def vendor(case: Case, count: int) -> Row | None:
    """Compile with nncase 1.9 and run its simulator on `count` pictures; None if it is missing."""
    try:
        named = os.environ.get("TEST_NNCASE_PYTHON")
        python = canmv.find_python(Path(named) if named else None)
    except UserError:
        return None
    network, meaning = to_tflite(case.model)
    start = Seconds.now()
    data = canmv.compile_v5(network, case.calibration, input_range=meaning, python=python)
    seconds = Seconds.now().since(start)
    places = np.array(spaced(range(len(case.test)), count))
    scores = canmv.simulate_v5(data, case.test[places], python=python)[0]
    return Row(f"nncase 1.9, {len(places)} pictures", scores, places, len(data), seconds)


def cosines(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return the cosine of the logits of each picture, from probabilities (n, classes).

    Logits are known but for a constant: those of a picture have mean 0.
    """
    # A softmax in float32 reaches 0 only where logits differ by more than 87.
    logits = [np.log(np.maximum(part.astype(np.float64), 1e-37)) for part in (wanted, found)]
    a, b = (part - part.mean(1, keepdims=True) for part in logits)
    return (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)


def line(row: Row, case: Case, wanted: np.ndarray) -> str:
    """Return one line of the table, in Markdown; `wanted` are float's scores of all pictures."""
    best, wanted = row.scores.argmax(1), wanted[row.places]
    top = np.mean(best == case.truth[row.places])
    agree = np.mean(best == wanted.argmax(1))
    cosine = cosines(wanted, row.scores)
    text = f"| {row.name} | {top:.3f} | {agree:.3f} | {cosine.mean():.4f} / {cosine.min():.4f} |"
    if not row.size:
        return f"{text} | |"
    return f"{text} {row.size:,} | {row.seconds.wall:.1f} / {row.seconds.processor:.1f} |"


def report(name: str, case: Case, choices: Mapping[str, Options], count: int) -> None:
    """Print the table of one network: float, `choices`, nncase on `count` pictures (0: without)."""
    wanted = case.model.predict(case.test, verbose=0)
    print(f"\n**{name}**, {len(case.calibration)} calibration and {len(case.test)} test pictures\n")
    print("| | top-1 | agreement | logit cosine mean / min | bytes | compile s, wall / processor |")
    print("|---|---|---|---|---|---|")
    rows = [Row("float", wanted, np.arange(len(wanted)))]
    print(line(rows[0], case, wanted), flush=True)
    for title, options in choices.items():
        rows.append(compiled(title, case, options))
        print(line(rows[-1], case, wanted), flush=True)
    found = vendor(case, count) if count else None
    if found is None:
        return
    if len(found.places) < len(case.test):
        for row in rows[:2]:  # float and the first choice
            print(line(row.at(found.places), case, wanted))
    print(line(found, case, wanted), flush=True)


def main() -> None:
    """Print a table for each network whose files are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--networks", default=",".join(NETWORKS), metavar="NAME,NAME")
    parser.add_argument("--ablation", action="store_true", help="a line for each step")
    parser.add_argument("--vendor", type=int, default=150, help="pictures for nncase 1.9 (0: none)")
    digits = ROOT.parent / "shared" / "data" / "cls_sign_digits10.zip"
    parser.add_argument("--digits", type=Path, default=digits, metavar="ZIP")
    parser.add_argument("--grocery", type=Path, default=BUILD / "grocery", metavar="FOLDER")
    parser.add_argument("--imagenet", type=Path, default=BUILD / "imagenet", metavar="FOLDER")
    archive = BUILD / "nudity-0.2.3.tar.gz"
    parser.add_argument("--archive", type=Path, default=archive, metavar="TAR.GZ")
    arguments = parser.parse_args()
    names = arguments.networks.split(",")
    if unknown := set(names) - set(NETWORKS):
        parser.error(f"no network {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}")
    sources = Sources(*(getattr(arguments, one.name) for one in fields(Sources)))
    for name in names:
        if lacking := missing(name, sources):
            print(f"\n**{name}**: left out, there is no {lacking}")
            continue
        choices = ABLATIONS if arguments.ablation else RULES
        report(name, case_of(name, sources), choices, arguments.vendor)


if __name__ == "__main__":
    main()
