# Loads a model from the card, else from the flash; load_sealed.py is for sealed ones.
import gc
import KPU
from kit.kpu_errors import explain_kpu
from kit.storage import CARD_FORMAT, PUT_PACKAGE_IN, card_present, exists
from kit.trouble import CardTrouble


def load_model(path, address):
    source, shown = path, path
    if not exists(path):
        source, shown = address, "flash 0x%x, no %s" % (address, path)
    gc.collect()
    try:
        net = KPU.load(source)
    except ValueError as error:
        if source == address and not card_present():
            print("maixforge:", str(error).strip())
            there = "No SD card, and no model in the flash at 0x%x." % address
            raise CardTrouble("No model", there, "", PUT_PACKAGE_IN, CARD_FORMAT)
        raise explain_kpu(error, shown)
    print("maixforge: model from", shown)
    return net
