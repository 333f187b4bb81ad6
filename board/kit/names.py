# Names of classes and data sets as the card's file system and Windows can hold them.
from kit.storage import exists, read_lines

NAME_MAX = 32
REFUSED = '"*/:<>?\\|`' + "'"
DEVICES = ("con", "prn", "aux", "nul")
# The host takes folders of these names for parts of a data set.
PARTS = ("train", "training", "valid", "val", "vaild", "validation", "test", "testing")


def clean_name(text, taken=PARTS):
    # What may stand as a folder's name: ASCII, nothing that FAT refuses; "" when nothing is left.
    letters = []
    for c in text:
        good = " " <= c <= "~" and c not in REFUSED
        if good or not letters or letters[-1] != "_":
            letters.append(c if good else "_")
    name = "".join(letters).strip(" .")[:NAME_MAX].strip(" .")
    if not [c for c in name if c.isalpha() or c.isdigit()]:
        return ""
    stem = name.split(".")[0].lower()
    port = len(stem) == 4 and stem[:3] in ("com", "lpt") and stem[3].isdigit()
    if stem in DEVICES or port or name.lower() in taken:
        name = ("_" + name)[:NAME_MAX]
    return name


def read_names(path, count):
    # Name of the data set, the classes, and what was changed or left out, for the person.
    name, classes, notes, seen = "", [], [], []
    lines = []
    if exists(path):
        try:
            lines = read_lines(path)
        except (OSError, MemoryError) as error:
            notes.append("classes.txt cannot be read: %s" % error)
    for line in lines:
        if line[0] == "#":
            if line[1:].strip().lower().startswith("name:"):
                name = line[line.find(":") + 1 :].strip()
            continue
        label = clean_name(line, ("valid",)) or "class%d" % (len(classes) + 1)
        if label.lower() in seen:
            notes.append("Twice: %s" % line)
            continue
        if label != line:
            notes.append("%s -> %s" % (line, label))
        classes.append(label)
        seen.append(label.lower())
    return name, classes or ["class%d" % (n + 1) for n in range(max(1, count))], notes
