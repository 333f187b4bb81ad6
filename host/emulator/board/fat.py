"""Cards as images: an MBR with one FAT partition, read and checked without FatFs.

Written from Microsoft's "FAT: General Overview of On-Disk Format" so that it is independent of the
driver which wrote the card. FAT12, FAT16 and FAT32; long names; no exFAT, as on the board.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

BLOCK = 512
FIRST = 63
"""The first block of the partition, as cards of this size had it."""
FAT32_BYTES = 34 << 20
"""The smallest card of this module that is FAT32 (65525 clusters and more make it one)."""
PARTITION_TYPES = (0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E)
BOARD_DATE = 80 << 9 | 1 << 5 | 1
FOLDER, LABEL, LONG = 0x10, 0x08, 0x0F


class FatError(ValueError):
    """The image holds no FAT file system that a board would mount."""


@dataclass(frozen=True)
class Entry:
    """A file or folder: path without a leading slash, bytes, clusters in order."""

    path: str
    folder: bool
    size: int
    clusters: tuple[int, ...]


@dataclass(frozen=True)
class Contents:
    """What is on a card, and what is wrong with it.

    `problems` cost data sooner or later. `lost` counts clusters that no file has, and
    `copies_differ` says that the second FAT is behind the first: power-off leaves both, harmless.
    """

    files: dict[str, bytes]
    folders: tuple[str, ...]
    problems: tuple[str, ...]
    lost: int
    copies_differ: bool
    free: int


def blank(size: int) -> bytes:
    """Return the MBR and nothing else of a card whose partition has `size` bytes."""
    entry = struct.pack("<B3sB3sII", 0, b"\1\1\0", 0x0E, b"\xfe\xff\xff", FIRST, size // BLOCK)
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def fat32(size: int) -> bytes:
    """Return the first bytes of a card with an empty FAT32 of `size` bytes, 512 to a cluster.

    Most cards in use are FAT32, but FatFs formats so only from 2 GiB on.
    """
    total = size // BLOCK
    fat_size = (total * 4 + BLOCK - 1) // BLOCK
    reserved, free = 32, total - 32 - 2 * fat_size
    boot = bytearray(BLOCK)
    boot[:11] = b"\xeb\x58\x90MSDOS5.0"
    struct.pack_into("<HBHBHHBHHHII", boot, 11, BLOCK, 1, reserved, 2, 0, 0, 0xF8, 0, 63, 255, 63,
                     total)  # fmt: skip
    struct.pack_into("<IHHIHH", boot, 36, fat_size, 0, 0, 2, 1, 6)
    boot[64:90] = b"\x80\0\x29K210NO NAME    FAT32   "
    boot[510:] = b"\x55\xaa"
    info = bytearray(BLOCK)
    info[:4], info[484:488], info[508:] = b"RRaA", b"rrAa", b"\0\0\x55\xaa"
    struct.pack_into("<II", info, 488, free - 1, 2)
    table = struct.pack("<III", 0x0FFFFFF8, 0x0FFFFFFF, 0x0FFFFFFF).ljust(fat_size * BLOCK, b"\0")
    start = (bytes(boot) + bytes(info)).ljust(6 * BLOCK, b"\0") + bytes(boot) + bytes(info)
    return (
        blank(size).ljust(FIRST * BLOCK, b"\0") + start.ljust(reserved * BLOCK, b"\0") + 2 * table
    )


def partition(image: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """Return first block and number of blocks of the first partition that MaixPy would mount."""
    if len(image) < BLOCK or bytes(image[510:512]) != b"\x55\xaa":
        return None
    for at in range(446, 510, 16):
        kind, first, count = image[at + 4], *struct.unpack_from("<II", image, at + 8)
        if kind in PARTITION_TYPES and count and (first + count) * BLOCK <= len(image):
            return first, count
    return None


def read(image: bytes | bytearray | memoryview) -> Contents:
    """Read everything on a card and check its file system.

    Raises:
        FatError: no partition or no FAT in it.
    """
    return _Volume(image).contents()


def directory_blocks(image: bytes | bytearray | memoryview) -> frozenset[int]:
    """Return the numbers of the blocks that hold folders; none where there is no FAT."""
    try:
        volume = _Volume(image)
    except FatError:
        return frozenset()
    first = fat_first(image)
    blocks = set(range(volume.root_at // BLOCK, (volume.root_at + volume.root_size) // BLOCK))
    chains = [one.clusters for one in volume.walk("", volume.root_directory()) if one.folder]
    chains += [volume.chain(volume.root, "/")] if volume.root else []
    for cluster in (cluster for chain in chains for cluster in chain):
        start = volume.first // BLOCK + (cluster - 2) * volume.per_cluster
        blocks.update(range(start, start + volume.per_cluster))
    return frozenset(first + block for block in blocks)


def fat_first(image: bytes | bytearray | memoryview) -> int:
    """Return the first block of the partition, 0 without one."""
    place = partition(image)
    return place[0] if place else 0


def with_board_time(block: bytes) -> bytes:
    """Return a folder's block with the time that the board's clock begins with.

    The clock says 2000-01-01, which MaixPy writes as 2060-01-01 (fatfs_port.c). FatFs took the
    computer's clock here; the same scenario shall give the same card.
    """
    changed = bytearray(block)
    for at in range(0, len(block), 32):
        if block[at] and block[at + 11] != LONG:
            changed[at + 13 : at + 20] = struct.pack("<BHHH", 0, 0, BOARD_DATE, BOARD_DATE)
            changed[at + 22 : at + 26] = struct.pack("<HH", 0, BOARD_DATE)
    return bytes(changed)


class _Volume:
    def __init__(self, image: bytes | bytearray | memoryview) -> None:
        place = partition(image)
        if place is None:
            raise FatError("no FAT partition in an MBR")
        data = memoryview(image)[place[0] * BLOCK : (place[0] + place[1]) * BLOCK]
        self.data = data
        sector, self.per_cluster, reserved, copies, roots, total = struct.unpack_from(
            "<HBHBHH", data, 11
        )
        if sector != BLOCK or not self.per_cluster or bytes(data[510:512]) != b"\x55\xaa":
            raise FatError("no FAT boot sector")
        fat_size = struct.unpack_from("<H", data, 22)[0] or struct.unpack_from("<I", data, 36)[0]
        total = total or struct.unpack_from("<I", data, 32)[0]
        self.root_at = (reserved + copies * fat_size) * BLOCK
        self.root_size = roots * 32
        self.first = self.root_at + (self.root_size + BLOCK - 1) // BLOCK * BLOCK
        self.count = (total * BLOCK - self.first) // (self.per_cluster * BLOCK)
        self.bits = 12 if self.count < 4085 else 16 if self.count < 65525 else 32
        tables = [
            bytes(data[(reserved + i * fat_size) * BLOCK : (reserved + (i + 1) * fat_size) * BLOCK])
            for i in range(copies)
        ]
        self.copies_differ = len(set(tables)) > 1
        self.problems: list[str] = []
        self.table = _links(tables[0], self.bits, self.count)
        self.root = struct.unpack_from("<I", data, 44)[0] if self.bits == 32 else 0
        self.owner: dict[int, str] = {}

    def contents(self) -> Contents:
        files: dict[str, bytes] = {}
        folders: list[str] = []
        for entry in self.walk("", self.root_directory()):
            if entry.folder:
                folders.append(entry.path)
            elif entry.path in files:
                self.problems.append(f"{entry.path} is there twice")
            else:
                files[entry.path] = self.bytes_of(entry.clusters)[: entry.size]
        used = sum(1 for link in self.table[2:] if link)
        lost = sum(
            1 for n, link in enumerate(self.table) if n >= 2 and link and n not in self.owner
        )
        free = (self.count - used) * self.per_cluster * BLOCK
        return Contents(files, tuple(folders), tuple(self.problems), lost, self.copies_differ, free)

    def root_directory(self) -> bytes:
        if self.bits == 32:
            return self.bytes_of(self.chain(self.root, "/"))
        return bytes(self.data[self.root_at : self.root_at + self.root_size])

    def walk(self, folder: str, directory: bytes) -> Iterator[Entry]:
        for name, attributes, start, size in _entries(directory):
            path = f"{folder}{name}"
            clusters = self.chain(start, path) if start else ()
            is_folder = bool(attributes & FOLDER)
            room = len(clusters) * self.per_cluster * BLOCK
            if not is_folder and size > room:
                self.problems.append(f"{path} has {size} bytes in clusters of {room}")
            if is_folder and not clusters:
                self.problems.append(f"folder {path} has no cluster")
            yield Entry(path, is_folder, size, clusters)
            if is_folder and len(path) < 256:
                yield from self.walk(f"{path}/", self.bytes_of(clusters))

    def chain(self, start: int, path: str) -> tuple[int, ...]:
        """Follow a chain of clusters; each belongs to one file, or something is broken."""
        found: dict[int, None] = {}
        shared = ""
        cluster = start
        while cluster < _end(self.bits):
            if not 2 <= cluster < self.count + 2:
                self.problems.append(f"{path}: the chain leaves the card at {cluster}")
                break
            if cluster in found:
                self.problems.append(f"{path}: the chain is a circle")
                break
            found[cluster] = None
            shared = shared or self.owner.get(cluster, "")
            self.owner.setdefault(cluster, path)
            cluster = self.table[cluster]
        if shared:
            first, second = sorted((shared, path))
            self.problems.append(f"{first} and {second} share clusters")
        return tuple(found)

    def bytes_of(self, clusters: tuple[int, ...]) -> bytes:
        size = self.per_cluster * BLOCK
        starts = (self.first + (cluster - 2) * size for cluster in clusters)
        return b"".join(bytes(self.data[at : at + size]) for at in starts)


def _end(bits: int) -> int:
    return {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}[bits]


def _links(table: bytes, bits: int, count: int) -> list[int]:
    if bits == 16:
        return list(struct.unpack_from(f"<{count + 2}H", table))
    if bits == 32:
        return [link & 0x0FFFFFFF for link in struct.unpack_from(f"<{count + 2}I", table)]
    links = []
    for cluster in range(count + 2):
        at = cluster + cluster // 2
        pair = table[at] | table[at + 1] << 8
        links.append(pair >> 4 if cluster & 1 else pair & 0xFFF)
    return links


def _entries(directory: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Yield name, attributes, first cluster and size of every entry in use."""
    parts: list[bytes] = []
    for at in range(0, len(directory), 32):
        raw = directory[at : at + 32]
        if raw[0] == 0:
            return
        if raw[0] == 0xE5:
            parts = []
        elif raw[11] == LONG:
            parts.insert(0, raw[1:11] + raw[14:26] + raw[28:32])
        else:
            long = b"".join(parts).decode("utf-16-le", "replace").partition("\0")[0]
            parts = []
            if raw[11] & LABEL or raw[:1] == b".":
                continue
            high, low, size = (
                struct.unpack_from("<H", raw, 20)[0],
                *struct.unpack_from("<HI", raw, 26),
            )
            yield long or _short_name(raw), raw[11], high << 16 | low, size


def _short_name(raw: bytes) -> str:
    stem, suffix = (part.decode("cp437").rstrip() for part in (raw[:8], raw[8:11]))
    stem = stem.lower() if raw[12] & 0x08 else stem
    suffix = suffix.lower() if raw[12] & 0x10 else suffix
    return f"{stem}.{suffix}" if suffix else stem
