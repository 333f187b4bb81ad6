# A detection data set on the card: images/<n>.jpg, xml/<n>.xml and labels.txt.
# Order of a save: the XML under a temporary name, the picture (verified, renamed), then the XML's
# own name. A power cut leaves at most the picture in flight unfinished. What is left is reported
# and kept. Between the two writes of a renaming both names stand for the same bytes: deleting one
# of them would free the other's, so such twins are written anew (mend_draft).
import uos
from kit.storage import card_trouble, draft_of, exists, make_folders, mend_draft
from kit.storage import read_lines, remove, save_picture
from kit.trouble import Trouble
from kit.voc import voc_label, voc_labels, voc_xml

NUMBERS = 10000
PICTURE = 1
BOXES = 2
AWAIT = 4


def put_text(path, text):
    try:
        with open(path, "w") as target:
            target.write(text)
        with open(path) as source:
            if source.read() != text:
                raise OSError(5)
    except OSError as error:
        remove(path)
        raise card_trouble(error, path)


def pair_number(name):
    # "12.jpg" -> 12, PICTURE; 0, 0 for a name that is not ours.
    stem, _, suffix = name.lower().partition(".")
    kind = {"jpg": PICTURE, "xml": BOXES, "tmp": AWAIT}.get(suffix, 0)
    if not kind or not stem or not all([c in "0123456789" for c in stem]) or len(stem) > 4:
        return 0, 0
    return int(stem), kind


class Pairs:
    def __init__(self, folder):
        self.folder = folder
        self.marks = bytearray(NUMBERS)
        self.labels = []
        self.counts = {}
        self.odd = []

    def path(self, kind, number):
        names = {PICTURE: "images/%d.jpg", BOXES: "xml/%d.xml", AWAIT: "xml/%d.tmp"}
        return self.folder + "/" + names[kind] % number

    def open(self, wanted):
        make_folders(self.folder + "/images")
        make_folders(self.folder + "/xml")
        self.merge_labels(wanted)
        self.scan()

    def merge_labels(self, wanted):
        # Labels that pictures on the card may already have keep their place; new ones follow.
        path, spare = self.folder + "/labels.txt", self.folder + "/labels.tmp"
        if exists(path):
            mend_draft(spare, [path])
        source = path if exists(path) else spare
        known = read_lines(source) if exists(source) else []
        self.labels = []
        for name in known + wanted:
            label = voc_label(name)
            if label and label.lower() not in [other.lower() for other in self.labels]:
                self.labels.append(label)
        if source == spare or known != self.labels:
            put_text(spare, "\n".join(self.labels) + "\n")
            if exists(path):
                uos.remove(path)
            uos.rename(spare, path)

    def scan(self):
        # What lies on the card, and the next number: above every number that is in use.
        for number in range(NUMBERS):
            self.marks[number] = 0
        self.odd = []
        for part in ("images", "xml"):
            for entry in uos.ilistdir(self.folder + "/" + part):
                number, kind = pair_number(entry[0])
                if kind:
                    self.marks[number] |= kind
                elif len(self.odd) < 20:
                    self.odd.append(part + "/" + entry[0])
        self.next = 1
        self.pictures = 0
        self.read = 0
        self.counts = {}
        for number in range(1, NUMBERS):
            mark = self.marks[number]
            if mark & AWAIT:
                mark = self.finish(number, mark)
            if mark:
                self.next = number + 1
            self.pictures += mark & 3 == 3
        self.keep_draft()

    def finish(self, number, mark):
        # The power went near the end of a save: its last step is done now.
        spare, boxes = self.path(AWAIT, number), self.path(BOXES, number)
        if mark & BOXES:
            mend_draft(spare, [boxes])
            mark = mark & 3
        elif mark & PICTURE and self.labels_of(number, AWAIT) is not None:
            uos.rename(spare, boxes)
            mark = PICTURE | BOXES
        self.marks[number] = mark
        return mark

    def keep_draft(self):
        # A picture that was being written, under a name that the next save leaves alone.
        draft, last = draft_of(self.folder + "/1.jpg"), self.path(PICTURE, self.next - 1)
        if exists(draft) and exists(last) and uos.stat(draft)[6] == uos.stat(last)[6]:
            mend_draft(draft, [last])
        number = 1
        while exists(draft):
            kept = "%s/unfinished%d.jpg" % (self.folder, number)
            if not exists(kept):
                uos.rename(draft, kept)
            number += 1
        for entry in uos.ilistdir(self.folder):
            if entry[0].startswith("unfinished"):
                self.odd.append(entry[0])

    def labels_of(self, number, kind):
        try:
            with open(self.path(kind, number)) as source:
                return voc_labels(source.read())
        except (OSError, ValueError):
            return None

    def count_one(self):
        # Reads one more XML for the counts of boxes; False when all are read. One at a time, so
        # that a card with a thousand pictures need not be waited for.
        while self.read < self.next:
            self.read += 1
            if self.read < NUMBERS and self.marks[self.read] & BOXES:
                for label in self.labels_of(self.read, BOXES) or ():
                    self.counts[label] = self.counts.get(label, 0) + 1
                return True
        return False

    def leftovers(self):
        # Paragraphs about what has no partner. It is all kept.
        rows = []
        for text, wanted in (
            ("Pictures without boxes", (PICTURE, PICTURE | AWAIT)),
            ("Boxes without picture", (BOXES, BOXES | AWAIT)),
            ("Boxes of unfinished pictures", (AWAIT,)),
        ):
            found = [n for n in range(NUMBERS) if self.marks[n] in wanted]
            if found:
                some = ", ".join([str(n) for n in found[:8]])
                rows.append("%s (kept): %s%s" % (text, some, " ..." if len(found) > 8 else ""))
        if self.odd:
            rows.append("Other files (kept): %s" % ", ".join(self.odd[:4]))
        return rows

    def save(self, picture, quality, objects):
        # Returns the number of the new pair.
        number = self.next
        if number >= NUMBERS:
            raise Trouble("Data set is full", "Start another: change the name in classes.txt.")
        spare = self.path(AWAIT, number)
        name = "%d.jpg" % number
        put_text(spare, voc_xml(name, picture.width(), picture.height(), objects))
        try:
            save_picture(picture, self.path(PICTURE, number), quality)
        except Exception:
            remove(spare)
            raise
        uos.rename(spare, self.path(BOXES, number))
        self.marks[number] = PICTURE | BOXES
        self.next = number + 1
        self.pictures += 1
        if self.read == number - 1:
            self.read = number
        for label in [box[0] for box in objects] if self.read >= number else ():
            self.counts[label] = self.counts.get(label, 0) + 1
        return number

    def same(self, number, picture, objects):
        # Whether the pair of that number is on the card and says this.
        if self.marks[number] != PICTURE | BOXES:
            return False
        with open(self.path(BOXES, number)) as source:
            said = source.read()
        return said == voc_xml("%d.jpg" % number, picture.width(), picture.height(), objects)

    def delete(self, number):
        # A pair of this session. The boxes go first: a cut leaves the picture.
        uos.remove(self.path(BOXES, number))
        uos.remove(self.path(PICTURE, number))
        self.marks[number] = 0
        self.pictures -= 1
        self.read = 0
        self.counts = {}

