# Files on the card and in the flash. Absolute paths only: the current folder changes by itself
# when the firmware mounts the card late.
import gc
import time
import uos
from kit.trouble import CardTrouble, Trouble

FOLDER = 0x4000  # a folder's type in ilistdir() and stat()
CARD_FULL = "Card is full"
SPARE = 98304  # bytes that must be free before a picture is saved
PUT_CARD_IN = "Put the card in: the script goes on by itself."
PUT_PACKAGE_IN = "Put in the card with the files of the package: it goes on by itself."
AT_THE_ROOT = "They must lie at the root of the card, not in a folder."
CARD_FORMAT = "It must be FAT32 with an MBR partition table."


def card_present():
    return "sd" in uos.listdir("/")


def wait_for_card(limit_ms):
    # The firmware mounts the card on the other core, after boot.py may already have started.
    started = time.ticks_ms()
    while not card_present():
        if time.ticks_diff(time.ticks_ms(), started) >= limit_ms:
            return False
        time.sleep_ms(50)
    return True


def remount_card():
    # Asks the firmware to mount the card again; it does so on its other core, within 3 s.
    try:
        from machine import SDCard

        SDCard.remount()
    except Exception as error:
        print("maixforge: remount:", error)


def exists(path):
    try:
        uos.stat(path)
        return True
    except OSError:
        return False


def is_folder(path):
    try:
        return bool(uos.stat(path)[0] & FOLDER)
    except OSError:
        return False


def first_existing(paths):
    for path in paths:
        if exists(path):
            return path
    return None


def read_lines(path):
    # Text is only ever text here: nothing that a file says is run. Bytes that are not ASCII
    # become "?", a byte order mark (Windows Notepad writes one) and empty lines are dropped.
    with open(path, "rb") as source:
        data = source.read()
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    text = "".join([chr(byte) if byte < 128 else "?" for byte in data])
    return [line.strip() for line in text.split("\n") if line.strip()]


def free_bytes(path):
    facts = uos.statvfs(path)
    return facts[1] * facts[4]  # free clusters times their size


def size_text(count):
    if count >= 1 << 30:
        return "%.1f GB" % (count / (1 << 30))
    return "%d MB" % (count >> 20) if count >= 1 << 20 else "%d KB" % (count >> 10)


def card_trouble(error, path="/sd"):
    # An error of the card's file system as something that can be mended.
    code = error.args[0] if error.args else 0
    full = code == 28
    try:
        if code == 13:  # what a new entry in a full folder gives, and a file marked read-only
            full = free_bytes("/sd") < SPARE
    except OSError:
        code = 19
    said = "card says: %s %s" % (error, path)
    if full:
        advice = "All saved pictures are kept. Put in another card."
        return CardTrouble(CARD_FULL, advice, "", said)
    if code == 30:
        return CardTrouble("Card is read-only", "Slide its lock to the open side.", "", said)
    if code in (5, 16, 19) or not card_present():
        return CardTrouble("Card is gone", PUT_CARD_IN, "Is its lock open?", "", said)
    return CardTrouble("Card problem", "Copy it on a computer, format it as FAT32.", "", said)


def check_writable():
    # A card that cannot be written to shall say so now; to be called when much was read from it,
    # so that it is there. A full one may still be looked at.
    path = "/sd/~probe"
    try:
        with open(path, "wb") as target:
            target.write(b"1")
        uos.remove(path)
    except OSError as error:
        remove(path)
        if error.args[0] == 5:
            advice = "Slide its lock to the open side, or take another card."
            raise CardTrouble("Card is read-only", advice, "", "card says: %s" % error)
        if error.args[0] != 28 and free_bytes("/sd") >= SPARE:
            raise


def card_answers():
    try:
        return card_present() and uos.listdir("/sd") is not None
    except OSError:
        return False


def make_folders(path):
    # The folder and those above it, where they are missing.
    at = path.find("/", 1)
    while at >= 0:
        at = path.find("/", at + 1)
        folder = path if at < 0 else path[:at]
        if is_folder(folder):
            continue
        try:
            uos.mkdir(folder)
        except OSError as error:
            if exists(folder):
                name = folder.split("/")[-1]
                advice = "Rename or delete it on a computer: a folder must be called so."
                raise Trouble("A file is called " + name, advice, "", folder)
            raise card_trouble(error, folder)


def survey(folder, suffixes):
    # Files with these endings, the highest number in use, the name of the file that has it. In
    # use is everything called <digits><suffix>, a folder too, in any letter case.
    count, highest, newest = 0, 0, ""
    if not is_folder(folder):
        return count, highest, newest
    for entry in uos.ilistdir(folder):
        name, is_file = entry[0].lower(), not entry[1] & FOLDER
        for suffix in suffixes:
            if not name.endswith(suffix):
                continue
            count += is_file
            stem = name[: -len(suffix)]
            if stem.isdigit() and len(stem) < 9 and int(stem) > highest:
                highest, newest = int(stem), entry[0] if is_file else ""
    return count, highest, newest


def next_number(folders, suffixes):
    # Larger than every number in use, whatever else lies there.
    return 1 + max([survey(folder, suffixes)[1] for folder in folders])


def draft_of(path):
    # Unfinished files lie in the data set's folder, /sd/maixforge/<name>/, outside of any class.
    parts = path.split("/")
    return "/".join(parts[:4]) + "/~new." + parts[-1].split(".")[-1]


def remove(path):
    try:
        uos.remove(path)
    except OSError:
        pass


def is_whole_jpeg(path):
    # MaixPy's image.save() loses write errors: only the file itself tells.
    size = uos.stat(path)[6]
    if size < 200:
        return False
    with open(path, "rb") as source:
        head = source.read(2)
        source.seek(size - 2)
        return head == b"\xff\xd8" and source.read(2) == b"\xff\xd9"


def save_picture(picture, path, quality):
    # Writes a draft, looks at it, gives it its name. Returns the size; a Trouble leaves no draft.
    draft = draft_of(path)
    try:
        for _ in range(2):
            if free_bytes("/sd") < SPARE:
                raise OSError(28)
            gc.collect()
            picture.save(draft, quality=quality)
            if is_whole_jpeg(draft):
                break
            code = 28 if free_bytes("/sd") < 16384 else 5  # with what was written of it
            remove(draft)
        else:
            raise OSError(code)
    except OSError as error:
        remove(draft)
        raise card_trouble(error, path)
    return finish_draft(draft, path)


def write_text(path, text):
    # The same for a text.
    draft = draft_of(path)
    data = text.encode()
    try:
        with open(draft, "wb") as target:
            target.write(data)
        if read_bytes(draft) != data:
            raise OSError(5)
    except OSError as error:
        remove(draft)
        raise card_trouble(error, path)
    return finish_draft(draft, path)


def finish_draft(draft, path):
    # A draft is never removed once its rename has begun: see mend_draft.
    try:
        size = uos.stat(draft)[6]
        try:
            uos.stat(path)
            raise OSError(17)  # rename() would remove what is there
        except OSError as error:
            if error.args[0] != 2:
                raise
        uos.rename(draft, path)
        return size
    except OSError as error:
        raise card_trouble(error, path)


def read_bytes(path):
    with open(path, "rb") as source:
        return source.read()


def mend_draft(draft, twins):
    # Without power between the two writes of a rename, a draft and its final file share their
    # clusters: removing the one would free the other's. Both are removed, and written anew. The
    # final name goes first: it shall never stand for half a picture, should the power go again.
    if not exists(draft):
        return
    try:
        data = read_bytes(draft)
    except OSError:  # its clusters are free already: the power went while it was mended
        data = b""
    for twin in twins:
        if data and exists(twin) and uos.stat(twin)[6] == len(data) and read_bytes(twin) == data:
            uos.remove(twin)
            uos.remove(draft)
            with open(draft, "wb") as target:
                target.write(data)
            uos.rename(draft, twin)
            print("maixforge: mended", twin)
            return
    uos.remove(draft)
    print("maixforge: removed an unfinished file", draft)
