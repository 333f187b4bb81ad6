"""`maixforge package --encrypt`: the firmware of the kfpkg is for one board of the key store."""

import json

import colour_detector
import pytest
from click.testing import CliRunner

from host.cli import main
from host.deploy import firmware_image, flash_file
from host.deploy.board_key import BoardKey
from host.deploy.key_store import KeyStore, StoredKey

KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
BANNER = b"MicroPython v0.6.2-84 on 2021-01-01; Sipeed_M1 with kendryte-k210"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Run the command with `--encrypt door`; `package(firmware=False)` without a firmware file."""
    monkeypatch.setenv("MAIXFORGE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MAIXFORGE_FIRMWARE", str(tmp_path))
    KeyStore(tmp_path / "data").add(StoredKey("door", BoardKey("burnt", KEY), "burnt"))
    (tmp_path / "m.kmodel").write_bytes(colour_detector.network())
    (tmp_path / "labels.txt").write_text("red\ngreen\n")
    anchors = ", ".join(map(str, colour_detector.ANCHORS))

    def run(*, firmware=True):
        if firmware:
            (tmp_path / "minimum_with_ide_support.bin").write_bytes(BANNER + bytes(300_001))
        words = ["package", tmp_path / "m.kmodel", "-o", tmp_path / "out"]
        words += ["--labels", tmp_path / "labels.txt", "--anchors", anchors]
        done = CliRunner().invoke(main, [*map(str, words), "--encrypt", "door", "--json"])
        assert KEY.hex() not in done.output
        return done.exit_code, json.loads(done.stdout)

    return run


def test_the_kfpkg_holds_the_firmware_encrypted(package, tmp_path):
    code, answer = package()
    assert code == 0, answer
    firmware, model = flash_file.read(tmp_path / "out" / "model.kfpkg").parts
    assert firmware.flashed == firmware_image.encrypted(BANNER + bytes(300_001), KEY)
    assert not firmware.header and model.data == (tmp_path / "m.kmodel").read_bytes()


def test_without_a_firmware_there_is_nothing_to_encrypt(package):
    code, answer = package(firmware=False)
    assert code == 1 and answer["error"] == "flash_nothing_to_encrypt"
