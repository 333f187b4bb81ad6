"""Try a picture on a done job's kmodel, and pack anew with the values found so."""

import io
import json
import re
import subprocess
import sys
import zipfile

import colour_detector as detector
import numpy as np
import pytest
from host_help import dataset_zip
from PIL import Image

from host import kmodel
from host.datasets.prepare import fit_image
from host.deploy import machine_code, package, sdcard
from host.deploy.board_key import BoardKey
from host.errors import UserError
from host.jobs import outcome, retune
from host.jobs.result_types import TUNED
from host.jobs.spec import JobSpec
from host.jobs.trial import Values
from host.kmodel import Graph, Node, region


def anchors():
    return np.reshape(detector.ANCHORS, (5, 2)).tolist()


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


SCENE = png(detector.scene(3))


@pytest.fixture
def job_id(done_detector):
    return done_detector()


@pytest.fixture
def tries(post, job_id):
    def send(data=SCENE, name="scene.png", **values):
        form = {"picture": (io.BytesIO(data), name), **values}
        return post(f"/api/jobs/{job_id}/try", data=form)

    return send


def expected(model, threshold, nms):
    """What `region.decode` and the firmware's choice of one class a place make of the scene."""
    seen = np.asarray(fit_image(Image.open(io.BytesIO(SCENE)), (224, 224), "letterbox"))
    raw = kmodel.simulate(model, seen[None])[0][0]
    best = {}
    for one in region.decode(raw, (7, 7), np.array(anchors()), threshold, nms):
        best.setdefault(one.place, one)
    return sorted(best.values(), key=lambda one: -one.score)


@pytest.mark.parametrize(("threshold", "nms"), [(0.4, 0.3), (0.02, 0.9), (0.7, 0.05)])
def test_the_answer_is_the_simulated_kmodels(tries, model, threshold, nms):
    answer = tries(threshold=threshold, nms=nms).json
    wanted = expected(model, threshold, nms)
    assert wanted
    assert [one["label"] for one in answer["objects"]] == [
        detector.LABELS[one.label] for one in wanted
    ]
    for edge in ("left", "top", "right", "bottom"):
        found = [one[edge] for one in answer["objects"]]
        assert np.allclose(found, np.clip([getattr(one, edge) for one in wanted], 0, 1))
    assert (answer["threshold"], answer["nms"]) == (threshold, nms)
    assert len(answer["candidates"]) >= len(answer["objects"])


def test_the_values_are_those_of_boot_py_unless_others_are_sent(tries):
    answer = tries().json
    assert (answer["task"], answer["threshold"], answer["nms"]) == ("detect", 0.4, 0.3)


@pytest.mark.parametrize(
    "values", [{"threshold": "0"}, {"threshold": "nan"}, {"threshold": "x"}, {"nms": "1.01"}]
)
def test_values_out_of_range_are_refused(tries, post, job_id, values):
    for answer in (tries(**values), post(f"/api/jobs/{job_id}/values", data=values)):
        assert (answer.status_code, answer.json["error"]) == (400, "option_invalid")
        assert answer.json["findings"][0]["path"] in values


def bomb():
    image = Image.new("1", (6000, 6000))
    return png(image)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "try_picture_empty"),
        (b"PK\x03\x04" + bytes(99), "try_picture_not_a_picture"),
        (b"<svg onload='alert(1)'/>", "try_picture_not_a_picture"),
        (SCENE[: len(SCENE) // 2], "try_picture_truncated"),
        (b"II*\x00" + bytes(99), "try_picture_format"),
        (bomb(), "try_picture_too_large"),
    ],
    ids=["empty", "zip", "svg", "cut", "tiff", "pixels"],
)
def test_hostile_pictures_are_findings_on_both_ways(tries, client, token, job_id, data, code):
    answer = tries(data, "<b>x</b>.jpg")
    assert (answer.status_code, answer.json["error"]) == (422, code)
    form = {"csrf_token": token, "picture": (io.BytesIO(data), "<b>x</b>.jpg")}
    page = client.post(f"/jobs/{job_id}/try", data=form)
    assert page.status_code == 422 and f'data-code="{code}"' in page.text
    assert "<b>x" not in page.text and "Some " not in page.text


def test_only_pages_that_use_a_camera_may_ask_for_it(client, job_id):
    policy = "Permissions-Policy"
    assert "camera=(self)" in client.get(f"/jobs/{job_id}/try").headers[policy]
    for place in ("/", f"/jobs/{job_id}", "/jobs/none/try", "/login", f"/api/jobs/{job_id}"):
        answer = client.get(place)
        # The page of a job scans machine codes; the same view may have nothing to show.
        allowed = place in (f"/jobs/{job_id}", "/jobs/none/try")
        assert ("camera=()" not in answer.headers[policy]) == allowed


def test_no_picture_and_a_large_file_are_told(tries, post, job_id, here):
    assert post(f"/api/jobs/{job_id}/try").json["error"] == "try_picture_missing"
    large = bytes(here.settings.member_bytes + 1)
    assert tries(large).json["error"] == "try_picture_large"


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_picture_is_not_kept(tries, here):
    before = everything(here.settings.data)
    assert tries(SCENE + bytes(2 << 20)).status_code == 200  # too much for the memory's buffer
    assert [one for one in everything(here.settings.data) if one not in before] == []


def test_the_page_works_without_scripts(client, token, job_id):
    page = client.get(f"/jobs/{job_id}/try").text
    assert 'name="threshold"' in page and 'value="0.40"' in page and 'name="nms"' in page
    assert "style=" not in page and "onclick" not in page
    form = {"csrf_token": token, "picture": (io.BytesIO(SCENE), "s.png"), "threshold": "0.3"}
    page = client.post(f"/jobs/{job_id}/try", data=form).text
    assert page.count("<rect") == page.count('<li><i class="tone') > 0
    assert 'value="0.30"' in page
    picture = re.search(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert picture
    assert 'lang="zh-CN"' in client.get(f"/jobs/{job_id}/try?lang=zh").text


@pytest.mark.parametrize("state", ["checked", "running", "failed"])
def test_only_done_jobs_can_be_tried(tries, post, client, here, job_id, state):
    here.store.update(job_id, state=state)
    assert tries().json["error"] == "job_state_wrong"
    assert post(f"/api/jobs/{job_id}/values").json["error"] == "job_state_wrong"
    assert client.get(f"/jobs/{job_id}/try").status_code == 409
    here.store.update(job_id, state="done")


SHAPES = ("circle", "square", "triangle")


def classifier():
    """A kmodel with random weights: scores of three classes of pictures of 64 x 64."""
    rng, size = np.random.default_rng(5), (8, 64, 64, 3)
    wide, last = rng.normal(0, 0.4, (3, 3, 3, 8)), rng.normal(0, 2, (8, 3))
    conv = {"kernel": 3, "stride": 2, "padding": "valid"}
    nodes = (
        Node("input", "affine", {"scale": 1 / 127.5, "offset": -1.0}),
        Node("pad", "pad"),
        Node("conv", "conv", conv, {"w": wide.astype("f4"), "b": np.zeros(8, np.float32)}),
        Node("relu", "activation", {"kind": "relu6"}),
        Node("pool", "global_mean"),
        Node("dense", "dense", {}, {"w": last.astype("f4"), "b": np.zeros(3, np.float32)}),
        Node("softmax", "softmax"),
    )
    pictures = rng.integers(0, 255, size).astype(np.uint8)
    return kmodel.compile(Graph(nodes, (64, 64, 3)), pictures).data


@pytest.fixture
def classified(upload, here):
    job_id, model = upload(dataset_zip(), "shapes.zip").json["id"], classifier()
    folder = here.store.folder(job_id)
    (folder / "spec.json").write_text(JobSpec("upload.zip", "shapes").to_json())
    (folder / "m.kmodel").write_bytes(model)
    packed = package.create(folder / "package", model, name="shapes", labels=SHAPES)
    sdcard.build(packed, folder / "sd.zip")
    result = {
        "task": "classify", "labels": list(SHAPES), "input": [64, 64], "fit": "crop",
        "float": {"accuracy": 0.9}, "int8": {"accuracy": 0.9}, "kmodel": "m.kmodel",
        "sd_zip": "sd.zip", "kfpkg": "", "kmodel_bytes": len(model), "ram_bytes": len(model),
        "ms": 20.0, "seconds": 1.0,
    }  # fmt: skip
    here.store.update(job_id, state="done", result=result)
    return job_id, model


def test_a_classifier_answers_with_a_bar_a_class(post, client, token, classified):
    job_id, model = classified
    form = {"picture": (io.BytesIO(SCENE), "scene.png")}
    answer = post(f"/api/jobs/{job_id}/try", data=form).json
    seen = np.asarray(fit_image(Image.open(io.BytesIO(SCENE)), (64, 64), "crop"))
    raw = kmodel.simulate(model, seen[None])[0][0]
    assert {one["label"]: one["score"] for one in answer["scores"]} == dict(
        zip(SHAPES, map(float, raw), strict=True)
    )
    assert answer["scores"][0]["score"] == raw.max()
    assert (answer["nms"], answer["objects"], answer["candidates"]) == (None, [], [])
    form = {"csrf_token": token, "picture": (io.BytesIO(SCENE), "s.png"), "threshold": "0.99"}
    page = client.post(f"/jobs/{job_id}/try", data=form).text
    assert page.count('class="full"') == 3 and 'name="nms"' not in page
    assert f"<strong>{SHAPES[raw.argmax()]}</strong>" in page
    unsure = page[page.index('class="unsure"') :]
    assert unsure.partition(">")[0].endswith("hidden") == (raw.max() >= 0.99)


def test_a_classifiers_threshold_goes_into_boot_py(post, client, classified):
    job_id, _ = classified
    assert post(f"/api/jobs/{job_id}/values", json={"threshold": 0.8}).status_code == 200
    assert settings_of(client.get(f"/jobs/{job_id}/files/sd.zip").data) == {"threshold": 0.8}
    assert "Below a score of 0.8" in client.get(f"/jobs/{job_id}").text


def settings_of(zipped):
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        text = archive.read("boot.py").decode()
    found = re.findall(r"^    '(threshold|nms)': ([\d.]+)", text, re.M)
    return {key: float(value) for key, value in found}


def test_the_values_go_into_boot_py(client, token, job_id, here):
    form = {"csrf_token": token, "threshold": "0.62", "nms": "0.45"}
    answer = client.post(f"/jobs/{job_id}/values", data=form)
    assert (answer.status_code, answer.location) == (303, f"/jobs/{job_id}#values")
    card = client.get(f"/jobs/{job_id}/files/sd.zip").data
    assert settings_of(card) == {"threshold": 0.62, "nms": 0.45}
    with zipfile.ZipFile(io.BytesIO(card)) as archive:
        said = json.loads(archive.read("manifest.json"))["options"]
        assert (said["threshold"], said["nms"]) == (0.62, 0.45)
        assert archive.read("m.kmodel") == (here.store.folder(job_id) / "m.kmodel").read_bytes()
    with zipfile.ZipFile(
        io.BytesIO(client.get(f"/jobs/{job_id}/files/model.kfpkg").data)
    ) as archive:
        assert "m.kmodel" in archive.namelist()
    page = client.get(f"/jobs/{job_id}").text
    assert "more than 0.62" in page and "more than 0.45" in page and "0.4 and 0.3" in page


def test_again_leaves_one_pack_and_the_advice(post, here, job_id):
    for threshold in (0.6, 0.7):
        sent = {"threshold": threshold}
        assert post(f"/api/jobs/{job_id}/values", json=sent).status_code == 200
    result = here.store.get(job_id).result
    assert (result["threshold"], result["nms"]) == (0.7, 0.3)
    assert result["advised"] == {"threshold": 0.4, "nms": 0.3}
    tuned = here.store.folder(job_id) / TUNED
    assert [one.parent for one in tuned.rglob("sd.zip")] == [next(tuned.iterdir())]


def test_another_training_removes_what_was_packed_anew(post, here, job_id):
    assert post(f"/api/jobs/{job_id}/values", json={"threshold": 0.6}).status_code == 200
    outcome.clear(here.store.folder(job_id))
    assert not (here.store.folder(job_id) / TUNED).exists()


def test_a_sealed_job_is_packed_without_its_key(post, client, done_detector, here):
    job_id = done_detector(BoardKey.of_code(machine_code.of_board(bytes(range(32)))))
    sealed = (here.store.folder(job_id) / "package" / "m.kmx").read_bytes()
    assert post(f"/api/jobs/{job_id}/values", json={"threshold": 0.55}).status_code == 200
    for name in ("sd.zip", "model.kfpkg"):
        with zipfile.ZipFile(
            io.BytesIO(client.get(f"/jobs/{job_id}/files/{name}").data)
        ) as archive:
            assert archive.read("m.kmx") == sealed and "m.kmodel" not in archive.namelist()


@pytest.mark.parametrize("place", ["host.jobs.retune.kfpkg.build", "host.jobs.store.Store.move"])
def test_a_failure_changes_nothing(client, post, here, job_id, monkeypatch, place):
    before = here.store.get(job_id).result
    card = client.get(f"/jobs/{job_id}/files/sd.zip").data

    def full(*_args, **_rest):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(place, full)
        answer = post(f"/api/jobs/{job_id}/values", json={"threshold": 0.6})
    assert (answer.status_code, answer.json["error"]) == (507, "disk_full")
    assert here.store.get(job_id).result == before
    assert client.get(f"/jobs/{job_id}/files/sd.zip").data == card
    assert not list((here.store.folder(job_id) / TUNED).iterdir())


def test_a_job_that_was_started_meanwhile_keeps_its_packages(here, job_id, monkeypatch):
    pack = retune._pack

    def start_then_pack(*args):
        here.store.update(job_id, state="queued")
        return pack(*args)

    monkeypatch.setattr(retune, "_pack", start_then_pack)
    with pytest.raises(UserError) as caught:
        retune.retune(here.store, job_id, Values(0.6, 0.3))
    assert caught.value.code == "job_state_wrong"
    assert here.store.get(job_id).result["threshold"] == 0.4


def test_an_older_or_damaged_package_is_told(post, here, job_id):
    (here.store.folder(job_id) / "package" / "m.kmodel").write_bytes(b"rotten")
    answer = post(f"/api/jobs/{job_id}/values", json={"threshold": 0.6})
    assert answer.json["error"] == "package_unfinished"


def test_trying_loads_no_tensorflow():
    code = "import host.server, host.web.tryit, sys; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
