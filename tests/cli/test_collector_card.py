"""`maixforge collector` and `maixforge card` as a user meets them."""

import json
import os
import subprocess
import sys
import zipfile

WORDS = ["--classes", "cat, dog,bird", "--name", "pets", "--board", "m5stickv"]


def maixforge(*words, code=0, answer=None):
    done = subprocess.run(
        [sys.executable, "-m", "host.cli", *map(str, words)],
        capture_output=True, text=True, check=False, timeout=120, input=answer,
        env={**os.environ, "LANG": "C"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_collector_zip_and_the_same_on_a_card(tmp_path):
    done = maixforge("collector", *WORDS, "-o", tmp_path / "card.zip", "--json")
    made = set(json.loads(done.stdout)["files"])
    assert made - {"collect.mpy"} == {"README.txt", "boot.py", "classes.txt"}
    with zipfile.ZipFile(tmp_path / "card.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert files["classes.txt"] == b"# name: pets\ncat\ndog\nbird\n"

    folder = tmp_path / "card"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    done = maixforge("card", folder, *WORDS, "--json", answer="")
    made = json.loads(done.stdout)
    assert made["files"] == dict.fromkeys(files, "new")
    assert [one["code"] for one in made["findings"]] == ["card_not_mounted"]
    assert "room for about" in done.stderr
    assert {path.name for path in folder.iterdir()} == {*files, "mine.txt"}
    assert all((folder / name).read_bytes() == data for name, data in files.items())


def test_replacing_needs_a_yes(tmp_path):
    maixforge("collector", *WORDS, "-o", tmp_path / "card.zip")
    (tmp_path / "boot.py").write_text("print('mine')")
    words = ("card", tmp_path, "--package", tmp_path / "card.zip", "--json")
    refused = json.loads(maixforge(*words, code=1, answer="").stdout)
    assert refused["error"] == "card_would_replace"
    assert refused["findings"][0]["found"] == "boot.py"
    assert (tmp_path / "boot.py").read_text() == "print('mine')"
    made = json.loads(maixforge(*words, "--yes", answer="").stdout)
    assert made["files"]["boot.py"] == "replaced"
    again = json.loads(maixforge(*words, answer="").stdout)
    assert set(again["files"].values()) == {"same"}
    assert "%" not in maixforge(*words[:-1], answer="").stderr  # nothing to write, no bar


def test_wrong_usage_and_wrong_names(tmp_path):
    assert "Give --package ZIP" in maixforge("card", tmp_path, code=2).stderr
    assert "请给出 --package" in maixforge("--lang", "zh", "card", tmp_path, code=2).stderr
    done = maixforge("collector", "--classes", "a,#b", "-o", tmp_path / "x.zip", "--json", code=1)
    assert json.loads(done.stdout)["error"] == "collector_class_taken"
    assert not (tmp_path / "x.zip").exists()
