"""Is everything in place? What `maixforge doctor` looks at, one `Check` a line.

Nothing is changed and no serial port is opened; a mail server that is set is logged in to, no mail
is sent.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
from packaging.requirements import Requirement

from . import kmodel
from .config import Settings
from .deploy import card as cards
from .deploy import firmware, package, seal, serial_port
from .errors import Finding, UserError
from .i18n import N_
from .jobs import smtp
from .kmodel import canmv

PYTHONS = ((3, 11), (3, 12))
DISK_LOW, DISK_MINIMUM = 2 << 30, 256 << 20
"""A job of 2,000 pictures with its results takes 100 to 300 MB."""
MEMORY_LOW, MEMORY_MINIMUM = 2_500 << 20, 1_200 << 20
"""The demo's training takes 1.9 GB at its peak (README)."""
CPU_INFO = Path("/proc/cpuinfo")
STATES: dict[str, Literal["ok", "warn", "bad"]] = {"error": "bad", "warning": "warn", "note": "ok"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line: a text with its values, and what is wrong if something is."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    finding: Finding | None = None

    @property
    def state(self) -> Literal["ok", "warn", "bad"]:
        """ok, warn (works, but), bad (does not work)."""
        return STATES[self.finding.severity] if self.finding else "ok"


def checks(settings: Settings, card: Path | None = None) -> Iterator[Check]:
    """Yield what was found, one after the other; `card` is where a card is mounted."""
    yield _python()
    yield _packages()
    yield _processor()
    yield _disk(settings.data)
    yield _memory()
    yield from _firmware(settings.firmware)
    yield _nncase(settings.nncase_python)
    yield _mail(settings)
    yield from _ports()
    if card is not None:
        yield from _card(card)


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    wrong = None
    if sys.version_info[:2] not in PYTHONS:
        wrong = Finding("doctor_python", sys.executable, params={"found": found})
    return Check(N_("Python {found}"), {"found": found}, wrong)


def _packages() -> Check:
    """Compare what is installed with what the project asks for."""
    wrong, count = [], 0
    for line in importlib.metadata.requires("maixforge") or []:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            found = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(wanted.name)
            continue
        if found not in wanted.specifier:
            wrong.append(f"{wanted.name} {found} ({wanted.specifier})")
    finding = Finding("doctor_packages", params={"names": ", ".join(wrong)}) if wrong else None
    return Check(N_("Libraries: {count}, all in their versions"), {"count": count}, finding)


def _processor() -> Check:
    """TensorFlow's wheels for x86 end with "Illegal instruction" without AVX."""
    values = {"count": os.cpu_count(), "kind": platform.machine()}
    text = N_("Processor: {count} x {kind}")
    if platform.machine() in ("x86_64", "AMD64") and CPU_INFO.is_file():
        flags = {word for line in CPU_INFO.read_text().splitlines() if line.startswith("flags")
                 for word in line.split()}  # fmt: skip
        if "avx" not in flags:
            return Check(text, values, Finding("doctor_avx"))
    return Check(text, values)


def _disk(data: Path) -> Check:
    folder = data.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    finding = _scarce("doctor_disk", str(data), free, DISK_LOW, DISK_MINIMUM)
    if not os.access(folder, os.W_OK):
        finding = Finding("doctor_data_folder", str(data))
    values = {"free": _size(free), "folder": data}
    return Check(N_("Disk: {free} free for {folder}"), values, finding)


def _memory() -> Check:
    memory = psutil.virtual_memory()
    values = {"free": _size(memory.available), "total": _size(memory.total)}
    finding = _scarce("doctor_memory", "", memory.available, MEMORY_LOW, MEMORY_MINIMUM)
    return Check(N_("Memory: {free} free of {total}"), values, finding)


def _scarce(code: str, path: str, found: int, low: int, minimum: int) -> Finding | None:
    if found >= low:
        return None
    severity = "error" if found < minimum else "warning"
    return Finding(code, path, severity, {"found": _size(found), "needed": _size(low)})


def _size(count: int) -> str:
    return f"{count / 1000**3:.1f} GB"


def _firmware(folder: Path) -> Iterator[Check]:
    files = sorted(folder.glob("*.bin")) if folder.is_dir() else []
    if not files:
        yield Check("", finding=Finding("doctor_no_firmware", str(folder), "note"))
    text = N_("Firmware {name}: MaixPy {version}, {bytes} bytes")
    for path in files:
        try:
            image = firmware.identify(path)
        except UserError as error:
            yield Check(path.name, finding=_as_warning(error))
            continue
        values = {"name": path.name, "version": image.version, "bytes": f"{image.bytes:,}"}
        yield Check(text, values)


def _as_warning(error: UserError) -> Finding:
    found = error.findings[0]
    return Finding(found.code, found.path, "warning", found.params)


def _nncase(named: str) -> Check:
    try:
        python = canmv.find_python(Path(named) if named else None)
    except UserError as error:
        found = error.findings[0]
        severity = "error" if named else "note"  # only CanMV needs it
        return Check("", finding=Finding(found.code, found.path, severity, found.params))
    return Check(N_("nncase 1.9 for CanMV: {python}"), {"python": python})


def _mail(settings: Settings) -> Check:
    """Log in to the mail server, if one is set."""
    if not settings.smtp_host:
        return Check(N_("Mails: none are sent (MAIXFORGE_SMTP_HOST is not set)"))
    try:
        smtp.try_out(settings)
    except UserError as error:
        return Check("", finding=error.findings[0])
    values = {"host": settings.smtp_host, "security": settings.smtp_security}
    return Check(N_("Mails: {host} takes them ({security})"), values)


def _ports() -> Iterator[Check]:
    ports = serial_port.ports()
    known = [one for one in ports if one.bridge]
    if not known:
        others = ", ".join(one.name for one in ports) or "-"
        yield Check("", finding=Finding("port_not_found", "", "warning", {"found": others}))
    for one in known:
        wrong = serial_port.trouble(one.name)
        yield Check(N_("Board at {name}: {chip}"), {"name": one.name, "chip": one.bridge}, wrong)


def _card(folder: Path) -> Iterator[Check]:
    try:
        found = cards.inspect(folder)
    except UserError as error:
        yield Check("", finding=error.findings[0])
        return
    values = {"folder": folder, "kind": found.file_system or "?", "free": _size(found.free)}
    text = N_("Card at {folder}: {kind}, {free} free")
    wrong = cards.problems(found, {})
    yield Check(text, values, wrong[0] if wrong else None)
    yield from (Check("", finding=one) for one in wrong[1:])
    if not (folder / "boot.py").is_file():
        yield Check("", finding=Finding("doctor_no_boot", str(folder), "warning"))
    for name, check in ((package.KMODEL, kmodel.info), (package.KMX, seal.check)):
        if (folder / name).is_file():
            yield _model(folder / name, check)


def _model(path: Path, check: Callable[[bytes], object]) -> Check:
    try:
        check(path.read_bytes())
    except (UserError, OSError) as error:
        reason = str(error).splitlines()[0]
        return Check("", finding=Finding("doctor_model", str(path), params={"reason": reason}))
    return Check(N_("Model {path} is whole"), {"path": path})
