"""A small package and a file that looks like MaixPy firmware."""

import pytest
from lookalikes import LABELS, info_of, make_firmware, make_kmodel

from host.deploy import package


@pytest.fixture
def make(tmp_path):
    """Make a package: `make(name=..., labels=..., size=...)`."""

    def build(folder="package", **values):
        size = values.pop("size", 300_000)
        model = make_kmodel(size, values.pop("main_memory", 150_000))
        values = {"name": "Pets", "labels": LABELS, **values}
        info = values.pop("info", info_of(model, len(values["labels"])))
        return package.create(tmp_path / folder, model, info=info, **values)

    return build


@pytest.fixture
def firmware_file(tmp_path):
    path = tmp_path / "maixpy_v0.6.2_84_g8fcd84a58_minimum_with_ide_support.bin"
    path.write_bytes(make_firmware())
    return path
