"""`maixforge doctor`: every line that it can print, and its exit code."""

import json
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from mail_help import PASSWORD, USER, Handler, mail_server

from host import doctor
from host.cli import main
from host.config import Settings
from host.deploy import seal, serial_port
from host.deploy.board_key import BoardKey
from host.deploy.serial_port import Port

BIT = Port("/dev/ttyTest0", "USB", "CH340 (Dock)")


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data", firmware=tmp_path / "firmware")


@pytest.fixture(autouse=True)
def no_ports(monkeypatch):
    monkeypatch.setattr(serial_port, "ports", lambda: [])


def found(settings, card=None):
    """Findings by code, with their states."""
    rows = doctor.checks(settings, card)
    return {row.finding.code: row.state for row in rows if row.finding}


def texts(settings, card=None):
    return [row.text.format(**row.values) for row in doctor.checks(settings, card) if row.text]


def test_a_computer_as_the_tests_need_it(settings):
    states = found(settings)
    assert states.pop("port_not_found") == "warn"
    assert states.pop("doctor_no_firmware") == "ok"  # a note
    states.pop("nncase_missing", None)
    assert set(states) <= {"doctor_memory", "doctor_disk"}
    lines = texts(settings)
    assert any(line.startswith("Python 3.1") for line in lines)
    count = next(line for line in lines if line.startswith("Libraries: "))
    assert int(count.split()[1].rstrip(",")) >= 20


def test_python_and_libraries(settings, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 13, 1, "final", 0))
    wanted = [
        "click>=99",
        "no-such-library",
        "numpy",
        "x; extra == 'dev'",
        "y; python_version < '3'",
    ]
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: wanted)
    rows = [row for row in doctor.checks(settings) if row.state == "bad"]
    assert [row.finding.code for row in rows] == ["doctor_python", "doctor_packages"]
    names = rows[1].finding.params["names"]
    assert names.startswith("click 8.") and names.endswith("(>=99), no-such-library")


@pytest.mark.parametrize(
    ("free", "state"), [(3 << 30, None), (1_500 << 20, "warn"), (1 << 20, "bad")]
)
def test_disk_and_memory(settings, monkeypatch, free, state):
    usage = namedtuple("usage", "total used free")(1 << 40, 0, free)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage)
    memory = namedtuple("memory", "total available")(16 << 30, free)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    states = found(settings)
    assert states.get("doctor_disk") == states.get("doctor_memory") == state


def test_a_data_folder_that_is_somebody_elses(settings, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert found(settings)["doctor_data_folder"] == "bad"


def test_a_processor_without_avx(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.platform, "machine", lambda: "x86_64")
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(doctor, "CPU_INFO", info)
    info.write_text("processor : 0\nflags : fpu sse2\n")
    assert found(settings)["doctor_avx"] == "bad"
    info.write_text("processor : 0\nflags : fpu sse2 avx\n")
    assert "doctor_avx" not in found(settings)


def test_firmware_files(settings):
    settings.firmware.mkdir()
    banner = b"MicroPython v0.6.2-84 on 2021-01-01; Sipeed_M1 with kendryte-k210"
    (settings.firmware / "maixpy.bin").write_bytes(banner + bytes(300_000))
    (settings.firmware / "other.bin").write_bytes(b"hello")
    states = found(settings)
    assert states["firmware_not_maixpy"] == "warn" and "doctor_no_firmware" not in states
    assert "Firmware maixpy.bin: MaixPy v0.6.2-84, 300,065 bytes" in texts(settings)


def test_nncase_that_was_named_and_is_not_there(tmp_path):
    settings = Settings(nncase_python=str(tmp_path / "python"))
    assert [state for code, state in found(settings).items() if "nncase" in code] == ["bad"]


def test_the_mail_server(settings):
    assert any(text.startswith("Mails: none are sent") for text in texts(settings))
    handler = Handler()
    with mail_server(handler, login=True) as given:
        known = replace(settings, **given, smtp_user=USER, smtp_password=PASSWORD)
        assert "Mails: localhost takes them (none)" in texts(known)
        assert found(replace(known, smtp_password="barley"))["mail_login_refused"] == "bad"
        assert found(replace(known, mail_from=""))["mail_setting_missing"] == "bad"
    assert not handler.mails
    assert found(known)["mail_unreachable"] == "bad"


def test_ports(settings, monkeypatch):
    monkeypatch.setattr(serial_port, "ports", lambda: [BIT])
    assert found(settings)["port_forbidden"] == "bad"  # there is no such file
    monkeypatch.setattr(serial_port, "trouble", lambda port: None)
    assert "port_not_found" not in found(settings)
    assert "Board at /dev/ttyTest0: CH340 (Dock)" in texts(settings)


def test_card(settings, tmp_path):
    assert found(settings, tmp_path / "none")["card_missing"] == "bad"
    card = tmp_path / "card"
    card.mkdir()
    states = found(settings, card)
    assert states["doctor_no_boot"] == states["card_not_mounted"] == "warn"
    (card / "boot.py").write_bytes(b"pass")
    (card / "m.kmodel").write_bytes(b"\x03\0\0\0damaged")
    states = found(settings, card)
    assert states["doctor_model"] == "bad" and "doctor_no_boot" not in states


def test_a_card_with_a_sealed_model(settings, tmp_path):
    sealed = seal.seal(b"model", BoardKey("bound", bytes(16)))
    (tmp_path / "m.kmx").write_bytes(sealed[:-1])
    assert found(settings, tmp_path)["doctor_model"] == "bad"
    (tmp_path / "m.kmx").write_bytes(sealed)
    assert "doctor_model" not in found(settings, tmp_path)
    assert any("m.kmx is whole" in text for text in texts(settings, tmp_path))


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("MAIXFORGE_DATA", str(tmp_path))
    done = CliRunner().invoke(main, ["doctor", "--json"])
    answer = json.loads(done.stdout)
    assert done.exit_code == int(not answer["ok"])
    assert {row["state"] for row in answer["checks"]} <= {"ok", "warn", "bad"}
    done = CliRunner().invoke(main, ["--lang", "zh", "doctor", str(tmp_path / "none"), "--json"])
    answer = json.loads(done.stdout)
    assert done.exit_code == 1 and answer["ok"] is False
    assert answer["checks"][-1]["finding"]["code"] == "card_missing"
    assert "内存" in done.stderr


def test_nothing_is_changed(tmp_path):
    command = [sys.executable, "-m", "host.cli", "doctor", "--json"]
    root = Path(__file__).resolve().parents[1]
    subprocess.run(
        command, cwd=tmp_path, capture_output=True, env={"PYTHONPATH": str(root)}, check=True
    )
    assert list(tmp_path.iterdir()) == []
