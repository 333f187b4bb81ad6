"""The image of the key generator: built again from its source, it has the same bytes."""

import hashlib
import shutil
import subprocess

import pytest

pytest.importorskip("unicorn", reason="no unicorn on this platform")

from keygen_board import FOLDER, IMAGE

COMPILER = "riscv64-unknown-elf-gcc"
VERSION = "12.2.0"
"""Other versions make other code of the same source."""


def compiler_version():
    if not shutil.which(COMPILER):
        return None
    command = [COMPILER, "-dumpversion"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_sum_is_that_of_the_image():
    data = IMAGE.read_bytes()
    expected = f"{hashlib.sha256(data).hexdigest()}  keygen.bin\n"
    assert (FOLDER / "keygen.bin.sha256").read_text() == expected
    assert len(data) < 16384


def test_the_image_is_what_the_source_gives_in_any_folder(tmp_path):
    found = compiler_version()
    if found is None:
        pytest.skip(f"no {COMPILER}: keygen.bin was NOT built again from its source")
    if found != VERSION:
        pytest.skip(f"{COMPILER} is {found}, not {VERSION}: keygen.bin was NOT built again")
    for name in ("a", "a rather/longer folder"):
        copy = tmp_path / name
        shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("keygen.bin*"))
        subprocess.run(["make"], cwd=copy, check=True, capture_output=True)
        assert (copy / "keygen.bin").read_bytes() == IMAGE.read_bytes()
        assert not (copy / "keygen.elf").exists()
