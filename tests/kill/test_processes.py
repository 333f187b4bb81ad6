"""A real host or its job's process is killed at random moments; it goes on, nothing is left."""

import os

import pytest
from processes import kill_and_compare

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are killed by signals")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_many_random_kills(undisturbed, job, tmp_path, seed):
    killed = kill_and_compare(job, undisturbed("classify")[0], tmp_path, kills=12, seed=seed)
    print(killed, "kills")
    assert killed >= 2
