# What the errors of KPU.load, KPU.forward and KPU.run_yolo2 mean, and what to do about each.
from kit.trouble import CardTrouble, Trouble

KPU_ADVICE = {
    2001: ("Bad model address", "Use boot.py and m.kmodel of the same package."),
    2002: (
        "Model not readable",
        "No kmodel V3 there. Card: copy m.kmodel again. Flash: flash the kfpkg again, to the"
        " address in boot.py.",
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


def explain_kpu(error, source):
    # Of "[MAIXPY]kpu: load error:2002, ERR_NAME: more" small screens show what is between.
    text = str(error).strip()
    print("maixforge:", text)
    at = text.find("error:")
    if at >= 0:
        text = text[at:].split(": ")[0]
    code = int(text[6:10]) if text[6:10].isdigit() else 0
    title, advice = KPU_ADVICE.get(code, ("Cannot load the model", "Copy the package again."))
    kind = CardTrouble if code == 2005 else Trouble
    return kind(title, advice, "", "Model: %s" % source, "KPU says: %s" % text)


def explain_run(error, size):
    said = str(error).strip()
    if "img format" in said:
        said = "boot.py gives it %dx%d. KPU says: %s" % (size + (said,))
        advice = "Use boot.py and m.kmodel of the same package."
        return Trouble("Model wants other pictures", advice, "", said)
    code = 2006 if "region_layer" in said else 2007 if "first layer" in said else 2008
    title, advice = KPU_ADVICE[code]
    return Trouble(title, advice, "", "KPU says: %s" % said)
