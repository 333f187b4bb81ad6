"""Jobs that are begun without any picture."""

from dataclasses import replace

import pytest
from host_help import picture

from host.errors import UserError
from host.jobs import adding, receive, submit
from host.jobs.progress import Progress
from host.jobs.spec import JobSpec


def pictures(label, count):
    return [(f"{number}.jpg", picture(label, 500 + number)) for number in range(count)]


@pytest.mark.parametrize("task", ["classify", "detect"])
def test_a_job_is_begun_without_pictures_and_grows(store, settings, task):
    small = replace(settings, images_min=4)
    job = adding.begin(store, small, "mine", task, ["cat", "dog", "cat"])
    assert (job.state, job.dataset["task"], job.dataset["labels"]) == (
        "checked", task, ["cat", "dog"],
    )  # fmt: skip
    assert job.dataset["counts"] == {"cat": 0, "dog": 0}
    assert job.findings[0]["severity"] == "error"
    if task == "detect":
        added = adding.add_pictures(store, small, job.id, pictures("circle", 1))
        assert added.numbers == (0,)
        return
    for label, shape in (("cat", "circle"), ("dog", "square")):
        done = adding.add_pictures(store, small, job.id, pictures(shape, 4), label)
    assert not done.after.checked.errors()
    spec = JobSpec(submit.UPLOAD, rules={"images_min": 4})
    trained, _ = receive.receive(store.folder(job.id), spec, Progress(lambda *_: None))
    assert trained.counts() == {"cat": 4, "dog": 4}


@pytest.mark.parametrize(
    ("task", "labels", "code"),
    [
        ("judge", ["cat"], "option_invalid"),
        ("classify", ["猫"], "label_not_ascii"),
        ("classify", ["cat", "Cat"], "label_twice"),
        ("detect", [f"c{n}" for n in range(1001)], "labels_too_many"),
    ],
)
def test_what_cannot_be_begun_leaves_nothing(store, settings, task, labels, code):
    with pytest.raises(UserError) as refused:
        adding.begin(store, settings, "mine", task, labels)
    assert refused.value.code == code
    assert list(store.jobs_folder.iterdir()) == []
