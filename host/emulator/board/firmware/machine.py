# MaixPy's machine module, as far as scripts for pictures use it.
from machinery import machine as state


def unique_id():
    # 32 bytes: SHA-256 of factory data (MaixPy port/src/Maix/modmachine.c:31-41).
    known = state.config.get("unique_id")
    return bytes(known) if known else bytes(range(32))
