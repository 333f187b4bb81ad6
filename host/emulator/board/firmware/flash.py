# /flash: SPIFFS as MaixPy mounts it (vfs_spiffs.c, vfs_spiffs_file.c). Flat, and with its holes.
import os

from machinery import refuse

ENOENT, EIO = 2, 5
BLOCK, BLOCKS = 0x20000, 24  # 3 MiB
NAME_MAX = 31


class Spiffs:
    def __init__(self, folder):
        self.files = os.VfsPosix(folder)

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def name(self, path):
        if path.startswith("./"):
            refuse("./ in a path of /flash is moved about in an interned string: %r" % path)
        name = path[1:] if path.startswith("/") else path
        if "/" in name:
            refuse("/flash is flat: %r becomes one file name" % path)
        if len(name) > NAME_MAX:
            raise OSError(22)
        return "/" + name

    def open(self, path, mode):
        name = self.name(path)
        if "w" not in mode and "x" not in mode and not self.has(name):
            raise OSError(ENOENT)  # also for "a": the firmware forgets the flag that creates
        return self.files.open(name, mode.replace("x", "w"))

    def has(self, name):
        try:
            self.files.stat(name)
            return True
        except OSError:
            return False

    def ilistdir(self, path):
        return self.files.ilistdir("/")

    def stat(self, path):
        if path in ("", "/"):
            return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        try:
            size = self.files.stat(self.name(path))[6]
        except OSError:
            raise OSError(ENOENT)
        return (0x8000, 0, 0, 0, 0, 0, size, 0, 0, 0)

    def statvfs(self, path):
        used = sum(self.files.stat("/" + entry[0])[6] for entry in self.files.ilistdir("/"))
        free = BLOCKS - (used + BLOCK - 1) // BLOCK
        return (BLOCK, BLOCK, BLOCKS, free, free, 0, 0, 0, 0, NAME_MAX + 1)

    def remove(self, path):
        try:
            self.files.remove(self.name(path))
        except OSError:
            raise OSError(ENOENT)

    def rename(self, old, new):
        try:
            self.files.rename(self.name(old), self.name(new))
        except OSError:
            raise OSError(ENOENT)

    def mkdir(self, path):
        raise NotImplementedError("SPIFFS not support")

    def rmdir(self, path):
        raise OSError(EIO)

    def chdir(self, path):
        pass

    def getcwd(self):
        return ""
