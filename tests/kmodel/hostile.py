"""What every file has to bear: a named finding or a clean result from all that reads it."""

import numpy as np

from host.errors import UserError
from host.kmodel import Simulator, info, read, write
from host.kmodel.cost import estimate_ms
from host.kmodel.describe import kind_of, layer_table, memory_blocks, peak_bytes
from host.kmodel.diff import diff

CODES = {
    "kmodel_wrong_version",
    "kmodel_damaged",
    "kmodel_unsafe",
    "kmodel_value",
    "kmodel_16_bit",
    "kmodel_overwrites_input",
    "kmodel_unwritten",
    "kmodel_torn",
    "kmodel_mixed",
    "kmodel_too_slow",
    "kmodel_no_picture_input",
}
MOST_MS, MOST_PIXELS = 20.0, 1 << 14
"""What is simulated: longer layers than these only take longer."""


def try_all(data, simulate=True):
    """Read, write, describe, compare and run a file.

    Returns "" where all went well, else the code of the finding. Whatever else is raised is a
    mistake of ours.
    """
    try:
        model = read(data)
        again = write(model)
        assert write(read(again)) == again
        kind_of(data)
        info(data)
        rows, blocks = layer_table(model), memory_blocks(model)
        assert len(rows) == len(model.layers)
        assert all(row.ms >= 0 and row.as_dict() for row in rows)
        assert peak_bytes(blocks, "kpu") <= 2 << 20
        assert peak_bytes(blocks, "main") <= model.main_memory
        assert not diff(data, again).layers
        if simulate and estimate_ms(model) < MOST_MS:
            run(data)
    except UserError as error:
        assert error.code in CODES, error
        for finding in error.findings:
            for language in ("en", "zh"):  # every value of its message is there
                assert all(finding.as_dict(language).values()) or not finding.path
        return error.code
    return ""


def run(data):
    """Simulate one tiny picture, and look at the size of the answers."""
    simulator = Simulator(data)
    channels, height, width = simulator.input_shape
    if channels * height * width > MOST_PIXELS:
        return
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, channels), np.uint8)
    results = simulator.run(image)
    sizes = [size // simulator.dtype.itemsize for _, size in simulator.model.outputs]
    assert [result.shape for result in results] == [(1, size) for size in sizes]
