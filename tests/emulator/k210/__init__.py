"""A virtual K210 on Unicorn, enough of it to boot real MaixPy firmware."""

from .chip import Chip
from .device import Device, UnknownRegisterError, registers

__all__ = ["Chip", "Device", "UnknownRegisterError", "registers"]
