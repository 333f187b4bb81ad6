"""docs/kmodel.md: its example runs, and its tables say what the code says."""

import re

import numpy as np
import pytest

from host import kmodel
from host.kmodel.registers import FIELDS
from host.kmodel.v3 import LayerType


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "kmodel.md").read_text(encoding="utf-8")


def test_the_example_runs(page, tmp_path, monkeypatch):
    pytest.importorskip("keras")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(code.strip().splitlines()) <= 11
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "docs/kmodel.md", "exec"), names)
    written = (tmp_path / "m.kmodel").read_bytes()
    assert kmodel.info(written).width == 64
    assert names["scores"].shape == (4, 3)
    np.testing.assert_allclose(names["scores"].sum(1), 1, rtol=1e-5)


def test_every_public_name_is_explained(page):
    for name in (
        "from_keras",
        "compile",
        "simulate",
        "Simulator",
        "read",
        "write",
        "verify",
        "info",
    ):
        assert name in kmodel.__all__
        assert f"`{name}(" in page


def test_every_layer_type_is_there_with_its_number(page):
    rows = {}
    for numbers, names in re.findall(
        r"^\| ([\d, ]+) \| ([A-Z][A-Z0-9_, ]+) \|", page, re.MULTILINE
    ):
        rows |= dict(zip(names.split(", "), map(int, numbers.split(", ")), strict=True))
    assert rows == {kind.name: int(kind) for kind in LayerType}


def test_bit_ranges_of_the_descriptor_are_those_of_the_code(page):
    section = page[page.index("## The KPU's descriptor") : page.index("**Weights**")]
    found = {
        (int(word), bits)
        for word, text in re.findall(r"^\| (\d+) \| (.*) \|$", section, re.MULTILINE)
        for bits in re.findall(
            r"(?:^|[;,] )(\d+(?::\d+)?) (?!address)", re.sub(r"\(.*?\)", "", text)
        )
    }
    for word, low, bits, _ in FIELDS.values():
        name = f"{low + bits - 1}:{low}" if bits > 1 else str(low)
        if (word, name) in {(0, "1"), (0, "2"), (4, "3"), (4, "8"), (4, "9"), (7, "27:20")}:
            continue  # 0 in every file: not worth a line
        if word == 8:  # listed with commas: the same three fields as word 7
            assert name in section
            continue
        assert (word, name) in found, (word, name)
