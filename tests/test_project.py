"""The project as a whole: what is locked, what is licensed, what must not be in it."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_OURS = {".git", ".venv", "build", "dist", "out", "data", "node_modules"}
TARGETS = ["help", "setup", "run", "demo", "demo-detect", "board", "keygen", "nncase", "test"]
TARGETS += ["test-slow", "fuzz", "lint", "bench", "translations", "lock", "clean"]
LINES_MAX = 400
LOCKS = ("run", "dev", "nncase")


def own_files(suffixes: tuple[str, ...] = ()) -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS
            and not name.endswith((".egg-info", "_cache"))
            and name not in ("__pycache__", ".hypothesis")
        ]
        for name in names:
            if not suffixes or name.endswith(suffixes):
                yield Path(folder, name)


def pins(lock: str) -> dict[str, set[str]]:
    """The pinned versions of a lock file by the package's name; every one has hashes."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=[a-z])", text.strip()):
        pin, *hashes = entry.replace("\\\n", "\n").splitlines()
        match = re.match(r"([a-z0-9-]+)==([\w.]+)\s*(;.*)?$", pin)
        assert match, f"{lock}.txt: not pinned: {pin}"
        assert hashes, f"{lock}.txt: no hash for {pin}"
        for line in hashes:
            assert re.fullmatch(r"\s+--hash=sha256:[0-9a-f]{64}\s*", line), line
        found.setdefault(match[1], set()).add(match[2])
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_hashes(lock):
    assert len(pins(lock)) >= 2


def test_what_runs_is_what_is_tested():
    run, dev = pins("run"), pins("dev")
    assert {name: dev.get(name) for name in run if name != "colorama"} == {
        name: versions for name, versions in run.items() if name != "colorama"
    }


def test_everything_that_pyproject_asks_for_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for lock, wanted in (
        ("run", project["dependencies"]),
        ("dev", project["optional-dependencies"]["dev"]),
    ):
        names = {re.match(r"[A-Za-z0-9-]+", line)[0].lower() for line in wanted}
        assert names <= set(pins(lock))


def test_the_makefile_lists_its_targets():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"^  make ([a-z-]+)", listed.stdout, re.MULTILINE) == TARGETS


def test_the_makefile_refuses_other_pythons_in_words(tmp_path):
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    for name in ("requirements/run.txt", "requirements/dev.txt", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    command = ["make", "setup", "PYTHON=false"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "needs Python 3.11 or 3.12" in refused.stdout
    assert "apt install" in refused.stdout
    assert not (tmp_path / ".venv").exists()


def test_the_script_of_continuous_integration_is_sound():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert re.search(r"^make lint$.*^make test$", text, re.MULTILINE | re.DOTALL)


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert re.match(r"\s*Apache License\s+Version 2\.0, January 2004", text)
    for section in ("1. Definitions.", "4. Redistribution.", "9. Accepting Warranty"):
        assert section in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"


def test_the_notice_names_all_foreign_data():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    made = ROOT / "tests"  # by scripts that lie beside them
    found = [path for path in own_files((".npz",)) if not path.is_relative_to(made)]
    data = [path.relative_to(ROOT).as_posix() for path in found]
    assert data
    for path in data:
        assert path in notice


def test_no_python_file_is_too_long():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in own_files((".py",))
        if path.parent.name != "messages"  # a catalogue is a table, not code
    }
    assert len(lengths) > 30
    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


FOREIGN = [
    # Written in pieces, so that this file does not find itself.
    "/wo" + "rk/",
    "/ro" + "ot/",
    "/opt/" + "pypi",
    "pypi." + "org",
    "files." + "pythonhosted",
    "registry." + "npmjs",
]


def test_nothing_speaks_of_where_it_was_written():
    found = []
    for path in own_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {word}" for word in FOREIGN if word in text]
    assert found == []
