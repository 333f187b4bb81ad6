"""Where things lie in a K210 board's 16 MB flash under MaixPy. All figures are bytes."""

FLASH_BYTES = 16 << 20
"""All boards that are known carry this much."""

FIRMWARE_ADDRESS = 0
MODEL_ADDRESS = 0x300000
"""Where Sipeed's examples and tools put a model; MaixPy itself reads any address."""

FILES_ADDRESS = 0xD00000
"""The file system `/flash` (SPIFFS, 3 MiB) begins here in every build of MaixPy v1."""

HEADER_BYTES = 1 + 4 + 32
"""What kflash puts around a firmware: a flag, the length, and the SHA-256 behind it."""

FIRMWARE_BYTES_MAX = MODEL_ADDRESS - FIRMWARE_ADDRESS - HEADER_BYTES

MODEL_BYTES_MAX = 6 << 20
"""The loader of stock MaixPy refuses larger files; they would not fit the memory anyway."""

SECTOR = 4096
"""Flash is erased in sectors of this size; flashing tools want addresses aligned to it."""
