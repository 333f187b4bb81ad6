"""The machine code in a photograph of a board's screen: its QR code is read, nothing is kept."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import IO

import numpy as np
import zxingcpp

from ..deploy import machine_code
from ..deploy.machine_code import MachineCode
from ..errors import UserError
from .trial import decoded

SIDE = 1000
"""Pixels that the sides of a large photograph keep; a QR code has 33 dots with its border."""

_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_reading = BoundedSemaphore(1)
"""A picture of 16 megapixels takes 50 MB while it is decoded."""


def machine_code_in(source: IO[bytes], name: str, pixels: int) -> MachineCode:
    """Return the machine code whose QR code is in the picture in `source`.

    Args:
        source: an open file of any kind that the intake takes.
        name: of the picture, for messages.
        pixels: most pixels of the picture.

    Raises:
        UserError: `machine_code_scan` when there is none, or more than one; no text of a QR code is
            in it. Or as `trial.decoded`.
    """
    with _reading:
        grey = np.asarray(decoded(source, name, pixels, SIDE).convert("L"))
        texts = [one.text for one in zxingcpp.read_barcodes(grey, _QR)]
    codes = {code for text in texts if (code := _parsed(text))}
    if len(codes) != 1:
        raise UserError("machine_code_scan", name, found=len(codes), total=len(texts))
    return codes.pop()


def _parsed(text: str) -> MachineCode | None:
    try:
        return machine_code.parse(text)
    except UserError:
        return None  # another QR code, of which there are many
