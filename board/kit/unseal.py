# A sealed model (KMX1, see host/deploy/seal.py) as a read-only volume with the file M, which is
# decrypted as it is read. Nothing plain is ever written, and no chunk is used before its SHA-256,
# the table of these and the header have been proved.
import ucryptolib
import uctypes
import ustruct
from kit.binding import chip_id, code_value, require_sha256, sha256
from kit.trouble import Trouble

KMX_MAGIC = b"KMXBOX1\0"
KMX_HEADER = "<8sHBBIII16s16s48s24s"
KMX_TABLE = 128
KMX_CHUNK = 32768
KMX_LARGEST = 6 << 20
BURNT = 1  # where the board's key comes from
BOUND = 2
DIGEST = 32
NO_IV = bytes(16)


def cbc(key, iv):
    # A new one for each message: the firmware does not chain, and it has a default IV of its own.
    return ucryptolib.aes(key, ucryptolib.MODE_CBC, iv)


def hmac_sha256(key, message):
    inner = bytes([byte ^ 0x36 for byte in key]) + b"\x36" * (64 - len(key))
    outer = bytes([byte ^ 0x5C for byte in key]) + b"\x5c" * (64 - len(key))
    return sha256(outer + sha256(inner + message))


class BoardKey:
    # The board's key for AES: derived from the chip's id, or the one in the fuses.
    def __init__(self, kind):
        self.key = None
        if kind == BOUND:
            self.key = sha256(b"KMX1-KEY" + code_value(chip_id()))[:16]

    def aes(self, data, encrypts=False):
        if self.key:
            engine = cbc(self.key, NO_IV)
            return engine.encrypt(data) if encrypts else engine.decrypt(data)
        # While `slot` is 1 the AES engine takes the key in the fuses, which no software can read.
        # Registers: otp.h and sysctl.h of Kendryte's SDK; clocks of bus APB1 and of the fuses.
        otp = uctypes.struct(0x50420000, {"slot": 0x0C | uctypes.UINT32})
        clocks = {"bus": 0x28 | uctypes.UINT32, "devices": 0x2C | uctypes.UINT32}
        clock = uctypes.struct(0x50440000, clocks)
        clock.bus |= 1 << 4
        clock.devices |= 1 << 27
        engine = cbc(NO_IV, NO_IV)  # its own key is not used
        otp.slot = 1
        try:
            return engine.encrypt(data) if encrypts else engine.decrypt(data)
        finally:
            otp.slot = 0

    def board_id(self):
        return sha256(b"KMX1-ID" + self.aes(NO_IV, True))[:16]


class SealedModel:
    # A block device for uos.VfsFat. source.read(at, buffer) fills a buffer or says False;
    # source.size is None where it is not known; source.again says how to copy the model again.
    def __init__(self, source):
        self.source = source
        require_sha256()
        head = self.get(0, KMX_TABLE)
        magic, version, suite, kind, chunk, count, size, board, self.salt, wrapped, zero = (
            ustruct.unpack(KMX_HEADER, head)
        )
        chunks = 1 + (size + KMX_CHUNK - 1) // KMX_CHUNK
        if magic != KMX_MAGIC or (version, suite, chunk, count) != (1, 1, KMX_CHUNK, chunks):
            raise self.damaged()
        if kind not in (BURNT, BOUND) or not 0 < size <= KMX_LARGEST or zero != bytes(24):
            raise self.damaged()
        self.count = count
        table = DIGEST * count
        self.start = (KMX_TABLE + table + DIGEST + 511) // 512 * 512
        if source.size not in (None, self.start + KMX_CHUNK * count):
            raise self.damaged()
        rest = self.get(KMX_TABLE, self.start - KMX_TABLE)
        self.table, tag, zero = rest[:table], rest[table : table + DIGEST], rest[table + DIGEST :]
        if zero != bytes(len(zero)):
            raise self.damaged()
        self.key = self.open_keys(head, wrapped, tag)
        self.buffer = bytearray(KMX_CHUNK)
        self.view = memoryview(self.buffer)
        self.loaded = -1

    def open_keys(self, head, wrapped, tag):
        # The key of the chunks. If all is ours but what names the board, just that was changed.
        kind, board = head[11], head[24:40]
        for guess in (kind, BURNT + BOUND - kind):
            key = BoardKey(guess)
            own = key.board_id()
            keys = key.aes(wrapped)
            ours = head[:11] + bytes([guess]) + head[12:24] + own + head[40:]
            proved = hmac_sha256(keys[16:], ours + self.table) == tag
            if proved and ours == head:
                return keys[:16]
            if proved or own == board:
                raise self.damaged()
        advice = "It is sealed with another board's key. Seal it for this one."
        raise Trouble("Model is for another board", advice, "", "Model: " + self.source.name)

    def damaged(self):
        advice = "It is not as it was written. " + self.source.again
        return Trouble("Model damaged", advice, "", "Model: " + self.source.name)

    def get(self, at, size):
        data = bytearray(size)
        if not self.source.read(at, data):
            raise self.damaged()
        return bytes(data)

    def fetch(self, number):
        # A chunk as it is stored, proved.
        self.loaded = -1
        at = DIGEST * number
        whole = self.source.read(self.start + KMX_CHUNK * number, self.buffer)
        if not whole or sha256(self.buffer) != self.table[at : at + DIGEST]:
            raise self.damaged()

    def prove(self):
        # All chunks, before KPU.load begins: an error in the middle of it costs the memory that
        # it took.
        for number in range(self.count):
            self.fetch(number)

    def load(self, number):
        if number == self.loaded:
            return
        self.fetch(number)
        iv = sha256(self.salt + ustruct.pack("<I", number))[:16]
        cbc(self.key, iv).decrypt(self.buffer, self.buffer)
        self.loaded = number

    def readblocks(self, block, buffer):
        # Errors are raised: the firmware does not look at what this returns. Data are copied, as
        # the AES driver reads words, and a reader's buffer may begin anywhere.
        target, done = memoryview(buffer), 0
        while done < len(target):
            number, at = divmod(512 * block + done, KMX_CHUNK)
            if number >= self.count:
                raise OSError(5)
            try:
                self.load(number)
            except OSError:
                raise Trouble("Card is gone", "Put it in again, then press reset.")
            step = min(KMX_CHUNK - at, len(target) - done)
            target[done : done + step] = self.view[at : at + step]
            done += step
        return 0

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.count * (KMX_CHUNK // 512)
        return 512 if operation == 5 else 0
