"""Pages and their scripts say nothing in English to someone who reads Chinese."""

import html
import io
import json
import re
from typing import get_args

import pytest
from host_help import box_zip, dataset_zip, fake_command, wait_for

from host.config import Settings
from host.i18n import LOCALE_DIR
from host.jobs import queue as queue_module
from host.server import create_app
from host.trainer.progress import Stage
from host.web.state import KEY

HOST = LOCALE_DIR.parent
CHINESE = re.compile("[\u4e00-\u9fff]")
SENTENCE = re.compile(r"[A-Z][\w']+( [\w']+)+[.!?]?|[A-Z][a-z]+[.!?]")


def script_keys():
    """The keys of texts that the scripts of the pages use."""
    scripts = "".join(path.read_text("utf-8") for path in (HOST / "web/static").glob("*.js"))
    found = set(re.findall(r'\btext\("(\w+)"', scripts))
    return found | set(re.findall(r'const key = now\.position \? "(\w+)" : "(\w+)"', scripts)[0])


def test_scripts_have_no_sentences_of_their_own():
    for path in (HOST / "web/static").glob("*.js"):
        code = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        code = re.sub(r"(?<!:)//.*", "", code)
        for literal in re.findall(r'"([^"\n]*)"', code):
            assert not re.fullmatch(r"[A-Z][\w']+( [\w']+)+[.!?]?|[A-Z][a-z]+[.!?]", literal), (
                literal
            )


def test_templates_have_no_words_outside_of_marks():
    """Whatever is left between the tags once Jinja's own is taken away is code or a unit."""
    allowed = {"MaixForge", "INT8", "MB", "ms", "pets.zip", "cat", "dog", "rabbit", "jpg"}
    allowed |= {"street.zip", "images", "xml", "labels.txt"}
    for path in (HOST / "web/templates").glob("*.html"):
        text = path.read_text("utf-8")
        text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", " ", text, flags=re.DOTALL)
        text = re.sub(r"<(script|style|code)\b.*?</\1>", " ", text, flags=re.DOTALL)
        words = set(re.findall(r"[A-Za-z][\w.]*", re.sub(r"<[^>]*>|&\w+;", " ", text)))
        assert words <= allowed, path.name


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setattr(queue_module, "child_command", fake_command)
    app = create_app(Settings(data=tmp_path / "data"))
    app.extensions[KEY].queue.start()
    made = app.test_client()
    made.environ_base["HTTP_ACCEPT_LANGUAGE"] = "zh-CN,zh;q=0.9,en;q=0.8"
    yield made
    app.extensions[KEY].queue.stop()
    app.extensions[KEY].store.close()


CODE = {
    *("MaixForge", "English", "zip", "K210", "SD", "boot.py", "MB", "ms", "INT8", "kmodel", "V3"),
    *("CanMV", "V5", "nncase", "Pascal", "VOC", "labelImg", "VoTT", "YOLO", "COCO"),
    *("kfpkg", "kflash_gui", "x", "0x300000", "FAT32", "MBR", "MaixPy", "MobileNetV1"),
    *("minimum", "with", "IDE", "support", "full", "MiB", "JPEG", "USB", "none"),
    *("circle", "square", "triangle", "shapes", "cat", "dog", "rabbit"),
}
"""What stays as it is: names of things, files, labels and firmware."""


KEYS = {
    "Shift",
    "Ctrl",
    "Space",
    "Delete",
    "Enter",
    "Esc",
    "A",
    "D",
    "L",
    "M",
    "N",
    "Y",
    "Z",
    "jpg",
}
"""What the Data pages call keys."""


def english_words(page):
    """The words of a page that people see or hear and that are neither Chinese nor code."""
    parts = "script|style|pre|code"
    text = re.sub(rf"<({parts})\b.*?</\1>", " ", page, flags=re.DOTALL)
    text = re.sub(r'<select[^>]* id="firmware".*?</select>', " ", text, flags=re.DOTALL)
    labels = re.findall(r'(?:aria-label|alt|title|placeholder)="([^"]*)"', text)
    text = " ".join([re.sub(r"<[^>]*>", " ", text), *labels])
    text = re.sub(r"(\w+/)?\d+\.jpg", " ", text)
    words = set(re.findall(r"[A-Za-z0][\w.]*[A-Za-z0-9]|[A-Za-z]", html.unescape(text)))
    return {word for word in words - CODE if re.search("[A-Za-z]", word)}


def sent(client, data):
    """Send a data set; return the address of its job, and the head that carries the token."""
    token = re.search(r'csrf-token" content="([^"]+)"', client.get("/").text)[1]
    head = {"X-CSRFToken": token}
    file = {"file": (io.BytesIO(data), "shapes.zip")}
    return f"/jobs/{client.post('/api/jobs', data=file, headers=head).json['id']}", head


def test_pages_of_boxes_are_in_chinese(client):
    page, _ = sent(client, box_zip(24))
    number = re.search(rf'"{page}/data/([0-9]+)"', client.get(f"{page}/data").text)[1]
    shown = client.get(f"{page}/data/{number}").text.replace("maixforge/shapes/images/", "")
    assert english_words(shown) <= KEYS


def test_pages_are_in_chinese(client):
    home = client.get("/").text
    assert '<html lang="zh-CN">' in home
    assert "为你的 K210 开发板训练模型" in home
    page, head = sent(client, dataset_zip((60, 40, 41)))
    check = client.get(page).text
    assert english_words(check) == set()
    assert english_words(client.get(f"{page}/data").text) <= KEYS

    client.post(f"/api{page}/start", headers=head)
    wait_for(lambda: client.get(f"/api{page}").json["state"] == "done")
    assert english_words(client.get(page).text) == set()
    assert english_words(client.get("/").text) == set()

    wrong = client.post(f"/api{page}/start", data={"seed": "-1"}, headers=head).json["findings"][0]
    assert all(CHINESE.search(wrong[part]) for part in ("what", "needed", "fix")), wrong
    missing = client.get("/jobs/none")
    assert missing.status_code == 404
    assert english_words(missing.text) == set()


def test_texts_of_scripts_are_in_chinese_and_complete(client):
    words, job = {}, sent(client, dataset_zip())[0]
    tried = sent(client, dataset_zip())[0]
    result = {"labels": ["circle"], "input": [224, 224], "int8": {"accuracy": 0.9}}
    store = client.application.extensions[KEY].store
    store.update(tried.rpartition("/")[2], state="done", result=result)
    for page in ("/", job, f"{job}/data", f"{job}/capture", f"{tried}/try"):
        block = re.search(r'id="texts">(.*?)</script>', client.get(page).text, flags=re.DOTALL)
        words |= json.loads(block[1])
    said = {key: re.sub(r"\{\w+\}", "", text) for key, text in words.items()}
    english = {key for key, text in said.items() if re.search("[A-Za-z]", text)}
    assert {key for key in english if not CHINESE.search(said[key])} == set()
    keys = script_keys()
    assert {"uploading", "position", "next", "sure_delete"} <= keys
    stages = {f"train_{stage}" for stage in get_args(Stage)}
    assert keys | stages | {"loss", "valid_loss", "accuracy", "valid_accuracy"} <= set(words)
