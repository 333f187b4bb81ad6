"""The kfpkg of a package: a zip that kflash and kflash_gui write into a board's flash.

Both tools read `flash-list.json` in their own way: kflash 1.1.6 turns `"address": N,` into a
string with a regular expression before it parses (so: one key a line, one blank after the colon,
the address not last), kflash_gui wants valid JSON. Decimal numbers, four blanks of indentation
and the order address, bin, sha256Prefix satisfy both.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import UserError
from ..files import write_zip
from . import firmware as builds
from . import firmware_image
from .flash_map import FIRMWARE_ADDRESS, MODEL_ADDRESS
from .package import Package, require_fit

FLASH_LIST = "flash-list.json"
FIRMWARE = "firmware.bin"


def build(
    package: Package, out: Path, firmware: Path | None = None, key: bytes | None = None
) -> Path:
    """Write the kfpkg of `package` to `out` (whole or not at all) and return `out`.

    The model, plain or sealed, goes to 0x300000. `firmware`, a plain MaixPy image, goes to 0; the
    flashing tool puts the K210's header and hash around it. With `key`, the 16 bytes in one
    board's fuses, it is encrypted for that board and the header comes from here: the tools
    encrypt nothing of a kfpkg. Equal input gives equal bytes.

    Raises:
        UserError: `kfpkg_suffix` (the tools know the format by its name), the model does not
            fit the package's firmware, the firmware file is no plain MaixPy image, or
            `flash_nothing_to_encrypt`: there is a key and no firmware.
    """
    if out.suffix != ".kfpkg":
        raise UserError("kfpkg_suffix", out.name)
    require_fit(package)
    model = package.board_file
    members: dict[str, bytes | Path] = {model.name: model}
    files = [_entry(MODEL_ADDRESS, model.name, prefix=False)]
    if key is not None and firmware is None:
        raise UserError("flash_nothing_to_encrypt", out.name)
    if firmware is not None:
        members[FIRMWARE] = path = builds.identify(firmware).path
        if key is not None:
            members[FIRMWARE] = firmware_image.encrypted(path.read_bytes(), key)
        files.insert(0, _entry(FIRMWARE_ADDRESS, FIRMWARE, prefix=key is None))
    members[FLASH_LIST] = flash_list(files)
    write_zip(out, members)
    return out


def flash_list(files: list[dict[str, object]]) -> bytes:
    """Return `flash-list.json` for the entries, as both flashing tools can read it."""
    return (json.dumps({"version": "0.1.0", "files": files}, indent=4) + "\n").encode("ascii")


def _entry(address: int, name: str, *, prefix: bool) -> dict[str, object]:
    return {"address": address, "bin": name, "sha256Prefix": prefix}
