# A QR code of version 2 (25 x 25 dots), error correction M: up to 38 capitals, digits or one of
# " $%*+-./:". Made after ISO/IEC 18004; a quiet border of 4 dots must be left around it.
QR_SIDE = 25
QR_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
QR_DATA = 28  # bytes of data, followed by
QR_CHECK = 16  # bytes of error correction, in one block
QR_FORMAT_M = 0  # the two bits that stand for level M


def qr_text_bytes(text):
    bits = 0b0010 << 9 | len(text)  # alphanumeric mode, a length of 9 bits
    count = 13
    for at in range(0, len(text) - 1, 2):
        pair = QR_LETTERS.index(text[at]) * 45 + QR_LETTERS.index(text[at + 1])
        bits, count = bits << 11 | pair, count + 11
    if len(text) % 2:
        bits, count = bits << 6 | QR_LETTERS.index(text[-1]), count + 6
    room = QR_DATA * 8 - count
    if room < 0:
        raise ValueError("text too long for the QR code")
    end = min(4, room)  # the terminator
    bits, count = bits << end, count + end
    bits <<= -count % 8
    data = [bits >> shift & 255 for shift in range(count + -count % 8 - 8, -1, -8)]
    while len(data) < QR_DATA:
        data += [0xEC, 0x11][: QR_DATA - len(data)]
    return data


def qr_times(a, b):
    # A product in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1.
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (a >> 7) * 0x11D
        b >>= 1
    return product


def qr_check_bytes(data, count):
    # Reed-Solomon: the remainder of the data divided by (x - 1)(x - 2)(x - 4)...
    divisor = [0] * (count - 1) + [1]
    root = 1
    for _ in range(count):
        for at in range(count):
            divisor[at] = qr_times(divisor[at], root)
            if at + 1 < count:
                divisor[at] ^= divisor[at + 1]
        root = qr_times(root, 2)
    rest = [0] * count
    for byte in data:
        factor = byte ^ rest[0]
        rest = rest[1:] + [0]
        for at in range(count):
            rest[at] ^= qr_times(divisor[at], factor)
    return rest


def qr_format_bits(mask):
    data = QR_FORMAT_M << 3 | mask
    rest = data << 10
    for bit in range(14, 9, -1):
        if rest >> bit & 1:
            rest ^= 0x537 << bit - 10
    return (data << 10 | rest) ^ 0x5412


def qr_fixed(rows, taken, x, y, dark):
    rows[y][x] = 1 if dark else 0
    taken[y][x] = 1


def qr_patterns(rows, taken):
    # Three finders with their light border, one alignment pattern, two dotted lines, one dot.
    last = QR_SIDE - 1
    for left, top in ((3, 3), (last - 3, 3), (3, last - 3)):
        for y in range(max(0, top - 4), min(QR_SIDE, top + 5)):
            for x in range(max(0, left - 4), min(QR_SIDE, left + 5)):
                ring = max(abs(x - left), abs(y - top))
                qr_fixed(rows, taken, x, y, ring != 2 and ring != 4)
    for y in range(16, 21):
        for x in range(16, 21):
            qr_fixed(rows, taken, x, y, max(abs(x - 18), abs(y - 18)) != 1)
    for at in range(8, QR_SIDE - 8):
        qr_fixed(rows, taken, at, 6, at % 2 == 0)
        qr_fixed(rows, taken, 6, at, at % 2 == 0)


def qr_format(rows, taken, mask):
    # Fifteen bits beside the first finder, and once more beside the other two.
    bits = qr_format_bits(mask)
    for at in range(15):
        dark = bits >> at & 1
        if at < 8:
            qr_fixed(rows, taken, 8, at + (at > 5), dark)
            qr_fixed(rows, taken, QR_SIDE - 1 - at, 8, dark)
        else:
            qr_fixed(rows, taken, 14 - at + (at < 9), 8, dark)
            qr_fixed(rows, taken, 8, QR_SIDE - 15 + at, dark)
    qr_fixed(rows, taken, 8, QR_SIDE - 8, 1)


def qr_fill(rows, taken, data):
    # Pairs of columns from the right, up and down in turn; column 6 is a dotted line.
    bit = 0
    for pair, right in enumerate((24, 22, 20, 18, 16, 14, 12, 10, 8, 5, 3, 1)):
        for step in range(QR_SIDE):
            y = step if pair % 2 else QR_SIDE - 1 - step
            for x in (right, right - 1):
                if not taken[y][x]:
                    byte = data[bit >> 3] if bit >> 3 < len(data) else 0
                    rows[y][x] = byte >> 7 - bit % 8 & 1
                    bit += 1


def qr_masked(mask, x, y):
    if mask < 3:
        return ((x + y) % 2, y % 2, x % 3)[mask] == 0
    if mask == 3:
        return (x + y) % 3 == 0
    if mask == 4:
        return (x // 3 + y // 2) % 2 == 0
    if mask == 5:
        return x * y % 2 + x * y % 3 == 0
    if mask == 6:
        return (x * y % 2 + x * y % 3) % 2 == 0
    return ((x + y) % 2 + x * y % 3) % 2 == 0


def qr_flip(rows, taken, mask):
    for y in range(QR_SIDE):
        for x in range(QR_SIDE):
            if not taken[y][x] and qr_masked(mask, x, y):
                rows[y][x] ^= 1


def qr_penalty(rows):
    # The standard's rules 1 and 2: long runs of one colour and 2 x 2 squares are hard to read.
    points = 0
    for a in range(QR_SIDE):
        across = down = 0
        for b in range(QR_SIDE):
            across = across + 1 if b and rows[a][b] == rows[a][b - 1] else 1
            down = down + 1 if b and rows[b][a] == rows[b - 1][a] else 1
            for run in (across, down):
                points += 3 if run == 5 else run > 5
            if a and b:
                square = rows[a][b] + rows[a - 1][b] + rows[a][b - 1] + rows[a - 1][b - 1]
                points += 3 if square % 4 == 0 else 0
    return points


def qr_rows(text):
    # QR_SIDE rows of 0 (light) and 1 (dark).
    data = qr_text_bytes(text)
    data += qr_check_bytes(data, QR_CHECK)
    rows = [bytearray(QR_SIDE) for _ in range(QR_SIDE)]
    taken = [bytearray(QR_SIDE) for _ in range(QR_SIDE)]
    qr_patterns(rows, taken)
    qr_format(rows, taken, 0)
    qr_fill(rows, taken, data)
    best = least = None
    for mask in range(8):
        qr_format(rows, taken, mask)
        qr_flip(rows, taken, mask)
        points = qr_penalty(rows)
        if least is None or points < least:
            best, least = mask, points
        qr_flip(rows, taken, mask)
    qr_format(rows, taken, best)
    qr_flip(rows, taken, best)
    return rows
