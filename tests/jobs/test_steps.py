"""A step that is done is never done again, unless order, data or its files are others."""

import dataclasses

import pytest

from host.jobs import dataset_json, edits
from host.jobs.spec import JobSpec
from host.jobs.steps import Steps, digest, fingerprint


@pytest.fixture
def done(tmp_path):
    """A function that does the step "pack" and says what it returned and how often it worked."""
    calls = []

    def work():
        calls.append(1)
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "a.bin").write_bytes(b"whole")
        return {"sizes": (1, 2)}, ["out"]

    def do(order="order", also=""):
        return Steps(tmp_path, order).do("pack", work, also=also), len(calls)

    return do


def test_a_done_step_is_read_back(done):
    assert done() == done() == ({"sizes": [1, 2]}, 1)


@pytest.mark.parametrize("change", [{"order": "another"}, {"also": "another board"}])
def test_another_order_is_done_anew(done, change):
    done()
    assert done(**change)[1] == 2
    assert done(**change)[1] == 2


def test_a_file_that_was_damaged_or_lost_is_made_again(done, tmp_path):
    done()
    (tmp_path / "out" / "a.bin").write_bytes(b"wh")
    assert done()[1] == 2
    (tmp_path / "out" / "a.bin").unlink()
    assert done()[1] == 3
    assert (tmp_path / "out" / "a.bin").read_bytes() == b"whole"


def test_a_step_can_be_forgotten(done, tmp_path):
    done()
    Steps(tmp_path, "order").forget("pack")
    assert done()[1] == 2


def test_the_time_of_all_runs_counts(done, tmp_path):
    done()
    again = Steps(tmp_path, "order")
    again.do("pack", lambda: pytest.fail("done already"))
    assert again.seconds > 0


def test_the_fingerprint_is_of_contents_and_not_of_places(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data" / "1.jpg").write_bytes(b"1")
    a = JobSpec(str(tmp_path / "a" / "data"), data_folder="/a", firmware_folder="/fa")
    b = JobSpec("data", data_folder="/b")
    first = fingerprint(tmp_path / "a", a)
    assert fingerprint(tmp_path / "b", b) == first
    others = [dataclasses.replace(a, seed=1), dataclasses.replace(a, size=128)]
    others += [dataclasses.replace(a, overrides={"views": 2}), dataclasses.replace(a, test="data")]
    assert len({fingerprint(tmp_path / "a", one) for one in others} | {first}) == 5
    (tmp_path / "a" / edits.NAME).write_text('{"edit": "delete", "pictures": ["x"]}\n')
    edited = fingerprint(tmp_path / "a", a)
    (tmp_path / "a" / "data" / "1.jpg").write_bytes(b"2")
    assert len({first, edited, fingerprint(tmp_path / "a", a)}) == 3


def test_digests_tell_names_and_contents_apart(tmp_path):
    assert digest(tmp_path / "missing") == ""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1").write_bytes(b"ab")
    before = digest(tmp_path / "x")
    (tmp_path / "x" / "1").rename(tmp_path / "x" / "2")
    assert digest(tmp_path / "x") not in ("", before)


def test_a_data_set_comes_back_as_it_was(tmp_path):
    from host.datasets.dataset import Box, Dataset, Sample
    from host.errors import Finding

    samples = (
        Sample("a/1.jpg", 64, 48, 0, split="train", group=3),
        Sample("a/2.jpg", 64, 48, boxes=(Box(1, 0.5, 1, 20.25, 30),), split="valid"),
    )
    found = (Finding("disk_full", "a/1.jpg", "warning", {"reason": "x"}),)
    for root in (tmp_path / "data", tmp_path.parent / "elsewhere"):
        dataset = Dataset("detect", root, ("a", "b"), samples, found)
        values = dataset_json.to_json(dataset, tmp_path)
        assert dataset_json.from_json(values, tmp_path) == dataset
