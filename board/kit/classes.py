# A data set of classes on the card: <class>/<n>.jpg and valid/<class>/<n>.jpg.
import ujson
import uos
from kit.names import clean_name, read_names
from kit.storage import card_present, card_trouble, check_writable, draft_of, exists
from kit.storage import free_bytes, is_folder, make_folders, mend_draft, save_picture, survey
from kit.trouble import CardTrouble

CLASSES_FILE = "/sd/classes.txt"
PICTURES = (".jpg", ".jpeg")


class Card:
    # The data set on the card: its classes, how many pictures each has, which number comes next.
    def __init__(self, settings):
        self.settings = settings
        self.classes = []
        self.at = 0
        self.root = ""
        self.flying = ""  # path of the picture that is being saved
        self.notes = []

    def open(self):
        # Reads everything anew: it may be another card than before.
        if not card_present():
            advice = "Put in a card: FAT32 with an MBR partition table. Then it goes on by itself."
            raise CardTrouble("No SD card", advice)
        current = self.label() if self.classes else ""
        try:
            uos.listdir("/sd")
            name, self.classes, self.notes = read_names(CLASSES_FILE, self.settings["classes"])
            name = clean_name(self.settings["name"] or name) or "dataset"
            self.at = self.classes.index(current) if current in self.classes else 0
            self.root = "/sd/maixforge/" + name
            make_folders(self.root)
            self.counts = [self.count(label) for label in self.classes]
            self.mend()
            check_writable()
            self.free = free_bytes("/sd")
        except OSError as error:
            raise card_trouble(error)

    def mend(self):
        # The twin is the newest of its class, which may be one that classes.txt has no more.
        draft, twins = draft_of(self.root + "/x/1.jpg"), []
        for parent in (self.root, self.root + "/valid") if exists(draft) else ():
            for entry in uos.ilistdir(parent) if is_folder(parent) else ():
                folder = parent + "/" + entry[0]
                newest = survey(folder, PICTURES)[2]
                if newest:
                    twins.append(folder + "/" + newest)
        mend_draft(draft, twins)

    def folders(self, label):
        return self.root + "/" + label, self.root + "/valid/" + label

    def count(self, label):
        # [pictures, highest number, path of that picture or ""] of a class
        total, best, newest = 0, 0, ""
        for folder in self.folders(label):
            count, number, name = survey(folder, PICTURES)
            total += count
            if number > best:
                best, newest = number, folder + "/" + name if name else ""
        return [total, best, newest]

    def label(self):
        return self.classes[self.at]

    def newest(self, index):
        return self.counts[index][2]

    def pictures(self):
        return self.counts[self.at][0]

    def missing(self):
        return max(0, self.settings["minimum"] - self.pictures())

    def step(self, by):
        self.at = (self.at + by) % len(self.classes)

    def save(self, picture):
        # Returns the path of the saved picture. Numbers only ever go up while the board is on.
        entry, self.flying = self.counts[self.at], ""
        number = entry[1] + 1
        every = self.settings["valid_every"]
        folder = self.folders(self.label())[bool(every) and number % every == 0]
        make_folders(folder)
        path = self.flying = "%s/%d.jpg" % (folder, number)
        save_picture(picture, path, self.settings["quality"])
        entry[0] += 1
        entry[1], entry[2] = number, path
        return self.landed()

    def landed(self):
        # Tells of the picture that was saved, and returns its path.
        path = self.flying
        try:
            size = uos.stat(path)[6]
            self.free = free_bytes("/sd")
        except OSError as error:
            raise card_trouble(error, path)
        split = "valid" if path.startswith(self.folders(self.label())[1] + "/") else "train"
        facts = (ujson.dumps(path), ujson.dumps(self.label()), split)
        line = '{"saved":%s,"class":%s,"split":"%s"' % facts
        facts = (self.counts[self.at][1], size, self.pictures(), self.missing(), self.free)
        print(line + ',"number":%d,"bytes":%d,"count":%d,"missing":%d,"free":%d}' % facts)
        self.flying = ""
        return path

    def delete(self, path):
        try:
            uos.remove(path)
            highest = self.counts[self.at][1]
            self.counts[self.at] = self.count(self.label())
            self.counts[self.at][1] = highest
            self.free = free_bytes("/sd")
        except OSError as error:
            raise card_trouble(error, path)
        print('{"deleted":%s,"count":%d}' % (ujson.dumps(path), self.pictures()))
