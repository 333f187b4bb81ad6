"""Sealed jobs from the terminal: train, package, again; and where code and key do not go."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from host.deploy import machine_code, seal
from host.deploy.board_key import BoardKey
from host.deploy.key_store import KeyStore, StoredKey

TINY = ["--preset", "fast", "--size", "128", "--backbone", "mobilenet_1.0_cut6",
        "--set", "views=1", "--set", "head_epochs=3", "--set", "tune_blocks=1",
        "--set", "tune_epochs=1"]  # fmt: skip
CODE = machine_code.of_board(bytes(range(32)))
KEY = BoardKey.of_code(CODE)
BURNT = BoardKey("burnt", bytes.fromhex("00112233445566778899aabbccddeeff"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with pictures, and a data folder with the keys of two boards."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(5)
    for hue, label in enumerate(("red", "green")):
        (home / "colours" / label).mkdir(parents=True)
        for number in range(40):
            pixels = rng.normal(110, 30, (140, 140, 3))
            pixels[..., hue] += 90
            picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            picture.save(home / "colours" / label / f"{number}.jpg", quality=90)
    store = KeyStore(home / "data")
    store.add(StoredKey.new("front door", KEY))
    store.add(StoredKey.new("back door", BURNT))  # pending: perhaps burnt
    return home


def maixforge(home, *words, code=0, language="en"):
    environment = {**os.environ, "LANG": "C", "MAIXFORGE_DATA": str(home / "data")}
    done = subprocess.run(
        [sys.executable, "-m", "host.cli", "--lang", language, *map(str, words)],
        capture_output=True, text=True, check=False, env=environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def trained(home):
    out = home / "out"
    done = maixforge(
        home, "train", home / "colours", "-o", out, "--seal", "front door", "--json", *TINY
    )
    return out, json.loads(done.stdout), done


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_packages_are_sealed_and_the_folder_keeps_the_plain_model(trained):
    out, result, done = trained
    plain = (out / "m.kmodel").read_bytes()
    for name in ("sd.zip", "model.kfpkg"):
        files = members(out / name)
        assert "m.kmodel" not in files and seal.unseal(files["m.kmx"], KEY) == plain
    said = result["seal"]
    assert said["board"] == "front door" and said["strength"] == "bound"
    assert said["board_id"] == KEY.board_id.hex()[:8] and said["kmx"].endswith("package/m.kmx")
    assert "Sealed for front door" in done.stderr and "plain m.kmodel" in done.stderr
    assert json.loads((out / "spec.json").read_text())["seal"] == "front door"


def test_code_key_and_board_id_are_in_nothing_that_the_job_wrote(trained, home):
    out, _, done = trained
    written = [path for path in home.rglob("*") if path.is_file() and path.parent.name != "keys"]
    assert len(written) > 15
    texts = {path: path.read_bytes() for path in written}
    texts |= {f"{path}/{name}": data for path in (out / "sd.zip", out / "model.kfpkg")
              for name, data in members(path).items()}  # fmt: skip
    texts |= {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    for path, data in texts.items():
        for secret in (KEY.key, CODE.value):
            assert secret not in data, path
        for secret in (KEY.key, CODE.value, KEY.board_id):
            assert secret.hex().encode() not in data.lower(), path
        low = data.lower()
        assert CODE.text.lower().encode() not in low, path
        assert CODE.text.replace("-", "").lower().encode() not in low, path


def test_a_job_that_starts_again_makes_the_same_bytes(trained, home):
    out, _, _ = trained
    names = ("sd.zip", "model.kfpkg", "package/m.kmx", "package/manifest.json")
    before = {name: (out / name).read_bytes() for name in names}
    for name in ("sd.zip", "model.kfpkg", "package/m.kmx", "m.kmodel"):  # killed while it sealed
        (out / name).unlink()
    (out / "package" / "manifest.json").write_text("{")
    maixforge(home, "train", home / "colours", "-o", out, "--seal", "front door", *TINY)
    assert {name: (out / name).read_bytes() for name in names} == before


def test_the_package_command_seals_too(trained, home):
    out, _, _ = trained
    (home / "labels.txt").write_text("green\nred\n")
    words = ["package", out / "m.kmodel", "-o", home / "pack", "--labels", home / "labels.txt"]
    done = maixforge(home, *words, "--seal", "FRONT DOOR", "--json")
    made = json.loads(done.stdout)
    files = members(made["sd_zip"])
    assert files["m.kmx"] == members(out / "sd.zip")["m.kmx"], "the same model for the same board"
    assert made["seal"]["board"] == "front door"
    assert "m.kmodel" in members(json.loads(maixforge(home, *words, "--json").stdout)["sd_zip"])
    assert not (home / "pack/package/m.kmx").exists()


@pytest.mark.parametrize("command", ["train", "package"])
@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("garden", "key_unknown", "front door"),
        ("back door", "seal_key_pending", "keygen"),
        (CODE.text, "key_unknown", "front door"),  # the code in place of the name
    ],
)
def test_a_board_that_cannot_be_sealed_for(home, tmp_path, command, name, code, said):
    model, out = tmp_path / "m.kmodel", tmp_path / "out"
    model.write_bytes(b"x")
    words = {
        "train": ["train", home / "colours", "-o", out],
        "package": ["package", model, "-o", out, "--labels", model],
    }[command]
    done = maixforge(home, *words, "--seal", name, code=1)
    assert f"[{code}]" in done.stderr and said in done.stderr
    assert CODE.text[:14] not in done.stderr
    assert not out.exists(), "refused before anything was written"


def test_canmv_and_a_seal_contradict_each_other(home, tmp_path):
    words = ["train", home / "colours", "-o", tmp_path / "out", "--seal", "front door", "--canmv"]
    done = maixforge(home, *words, code=1, language="zh")
    assert "[seal_canmv]" in done.stderr and "无法封装" in done.stderr
