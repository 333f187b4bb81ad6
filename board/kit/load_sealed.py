# Loads a sealed model from the card or the flash; the counterpart of load_plain.py.
import gc
import KPU
import uos
from Maix import utils
from kit.kpu_errors import explain_kpu
from kit.storage import AT_THE_ROOT, CARD_FORMAT, PUT_PACKAGE_IN
from kit.storage import card_present, card_trouble
from kit.trouble import CardTrouble, Trouble
from kit.unseal import SealedModel

VOLUME = "/m.kmodel"  # KPU.load wants ".kmodel" somewhere in a path
PIECE = 4096


class SealedFile:
    again = "Copy it to the card again."

    def __init__(self, path):
        self.name = path
        self.file = open(path, "rb")
        self.size = uos.stat(path)[6]

    def read(self, at, buffer):
        self.file.seek(at)
        return self.file.readinto(buffer) == len(buffer)

    def close(self):
        self.file.close()


class SealedFlash:
    again = "Flash the kfpkg again."
    size = None

    def __init__(self, address):
        self.address = address
        self.name = "flash 0x%x" % address

    def read(self, at, buffer):
        # In pieces: flash_read takes twice the memory of what it returns.
        try:
            for done in range(0, len(buffer), PIECE):
                size = min(PIECE, len(buffer) - done)
                buffer[done : done + size] = utils.flash_read(self.address + at + done, size)
        except OSError as error:
            raise Trouble("Cannot read the flash", "Press reset to try again.", "", str(error))
        return True

    def close(self):
        pass


def find_sealed(path, address):
    own = path.split("/")[-1]
    for one in (path, "/flash/" + own):
        try:
            uos.stat(one)
            return SealedFile(one)
        except OSError as error:
            if error.args[0] == 5:  # the card was pulled
                raise
    flash, first = SealedFlash(address), bytearray(8)
    flash.read(0, first)
    if first != b"\xff" * 8:
        return flash
    if card_present():
        raise CardTrouble(own + " is missing", PUT_PACKAGE_IN, "", AT_THE_ROOT)
    there = "No SD card, and no model in the flash at 0x%x." % address
    raise CardTrouble("No model", there, "", PUT_PACKAGE_IN, CARD_FORMAT)


def load_model(path, address):
    gc.collect()
    try:
        source = find_sealed(path, address)
        try:
            net = load_from(source)
        finally:
            source.close()
    except OSError as error:
        raise card_trouble(error, path)
    gc.collect()  # of the buffer of a chunk
    print("maixforge: sealed model from", source.name)
    return net


def load_from(source):
    model = SealedModel(source)
    model.prove()
    uos.mount(uos.VfsFat(model), VOLUME)
    try:
        return KPU.load(VOLUME + "/M")
    except ValueError as error:
        raise explain_kpu(error, source.name)
    finally:
        uos.umount(VOLUME)
