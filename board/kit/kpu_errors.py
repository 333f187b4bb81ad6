# What the error codes of KPU.load mean, and what to do about each.
from kit.trouble import Trouble

KPU_ADVICE = {
    2001: ("Bad model address", "Use boot.py and m.kmodel of the same package."),
    2002: (
        "Model not readable",
        "This firmware reads kmodel V3 and found none. On the card: copy m.kmodel again. In the"
        " flash: flash the kfpkg again, the address must be the one in boot.py.",
    ),
    2003: ("Model damaged", "Copy m.kmodel to the card again, or flash the kfpkg again."),
    2004: ("Model is for another board", "It is sealed with another board's key."),
    2005: ("Cannot read the model", "Copy m.kmodel again. Is the card FAT32 (MBR) and sound?"),
    2006: (
        "Not enough memory",
        "Flash the firmware minimum_with_ide_support, or train a smaller model.",
    ),
    2007: ("Not a K210 model", "Its first layer is no convolution: make the package again."),
    2008: ("Model cannot run", "It is damaged: copy the whole package again."),
    2009: ("Too many models loaded", "Switch the board off and on."),
    2013: ("Model has no output shape", "It is a kmodel V4: this script runs kmodel V3."),
    2014: ("Model not supported", "It uses a layer that this firmware does not have."),
}


def kpu_code(error):
    # "[MAIXPY]kpu: load error:2002, ERR_..." -> 2002; None when the text names no code.
    text = str(error)
    at = text.find("error:")
    digits = text[at + 6 : at + 10]
    return int(digits) if at >= 0 and digits.isdigit() else None


def explain_kpu(error, source):
    code = kpu_code(error)
    title, advice = KPU_ADVICE.get(code, ("Cannot load the model", "Copy the package again."))
    return Trouble(title, advice, "", "Model: %s" % source, "KPU says: %s" % str(error).strip())
