"""What a job does for CanMV: refuses early, adds to the result, and never loses the result."""

import numpy as np
import pytest

from host.errors import UserError
from host.jobs import canmv, sampling
from host.jobs.progress import Progress
from host.jobs.spec import JobSpec
from host.jobs.task import Run


def test_missing_nncase_is_refused_before_the_training():
    with pytest.raises(UserError) as error:
        canmv.require(JobSpec("data", canmv=True, nncase_python="/nowhere/python"))
    assert error.value.code == "nncase_missing"
    canmv.require(JobSpec("data", nncase_python="/nowhere/python"))


def add(tmp_path, monkeypatch, compile_file):
    monkeypatch.setattr(canmv, "_compile", compile_file)
    monkeypatch.setattr(canmv, "read_pictures", lambda *_: np.zeros((1, 4, 4, 3), np.uint8))
    progress = Progress(lambda _: None, step="package")
    return canmv.make(Run(tmp_path, JobSpec("data"), _Data(), None, _Options(), progress), None)


class _One:
    label = 1


class _Data:
    labels = ("a", "b")

    def of_split(self, _name):
        return (_One(),)


class _Options:
    size, fit = (4, 4), "crop"


def test_the_result_names_file_and_accuracy(tmp_path, monkeypatch):
    scores = np.array([[0.1, 0.9]], np.float32)
    monkeypatch.setattr(canmv.canmv, "simulate_v5", lambda *_args, **_kw: [scores])
    result, files = add(tmp_path, monkeypatch, lambda *_: b"LDMK")
    assert files == ["m_v5.kmodel"]
    assert result["canmv"] == {
        "accuracy": 1.0, "pictures": 1, "kmodel": "m_v5.kmodel", "kmodel_bytes": 4
    }  # fmt: skip
    assert (tmp_path / "m_v5.kmodel").read_bytes() == b"LDMK"


def test_a_failure_of_nncase_is_a_warning_beside_the_result(tmp_path, monkeypatch):
    def fail(*_):
        raise UserError("nncase_failed", reason="it was stopped by SIGSEGV")

    (tmp_path / "m_v5.kmodel").write_bytes(b"of an earlier run")
    result, files = add(tmp_path, monkeypatch, fail)
    (problem,) = result["canmv_problems"]
    assert (problem["code"], problem["severity"]) == ("nncase_failed", "warning")
    assert not files
    assert not (tmp_path / "m_v5.kmodel").exists()
    assert "canmv" not in result


@pytest.mark.parametrize("classes", [1, 2, 7, 15])
def test_no_more_pictures_than_promised(classes):
    from host.datasets.dataset import Sample

    samples = [Sample(f"{n}.jpg", 1, 1, n % classes) for n in range(900)]
    chosen = sampling.stratified(samples, canmv.JUDGED - classes + 1)
    assert 45 < len(chosen) <= canmv.JUDGED
