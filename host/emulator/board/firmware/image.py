# MaixPy's image module: RGB565 pictures, stored byte-swapped as the firmware stores them.
import framebuf
from machinery import ask, measure_heap, only, refuse, whole

LETTER = (8, 12)
_font = [None]  # 95 glyphs of 12 bytes, from the host
_large = {}  # the same at scales 1 to 4, one buffer each
_glyphs = {}  # at other scales
_full = [False]
_jpeg = bytearray(256 << 10)  # the encoder's memory is not of MicroPython's heap
# What the builds' image objects can do beside what is made here (py_image.c).
_MINIMUM = (
    "mean_pool to_bitmap to_grayscale to_rgb565 to_rainbow compress compressed"
    " compressed_for_ide crop to_bytes draw_circle draw_ellipse draw_font draw_arrow lens_corr"
    " dump_roi conv3 ai_to_pix strech_char stretch"
).split(" ")
_FULL = (
    "mean median mode midpoint histeq get_statistics statistics get_stats get_histogram"
    " find_blobs find_lines find_circles find_rects find_qrcodes rotation_corr binary invert"
    " erode dilate gaussian laplacian morph difference blend replace"
).split(" ")


def use_font(data, large):
    _font[0] = data
    _large.update(large)


def use_build(full):
    _full[0] = full


def swapped565(color):
    # (r, g, b) in the order the firmware stores; a plain number is stored as it is.
    if color is None or color == -1:
        return 0xFFFF
    if isinstance(color, int):
        return color & 0xFFFF
    if len(color) != 3:
        raise TypeError("requested length 3 but object has length %d" % len(color))
    # Rounded, where a camera cuts the lower bits off (seen on MaixPy 0.6.2; so is get_pixel).
    r, g, b = [max(0, min(255, whole(v, "colour"))) for v in color]
    value = ((r * 31 + 127) // 255 << 11) | ((g * 63 + 127) // 255 << 5) | ((b * 31 + 127) // 255)
    return ((value & 255) << 8) | (value >> 8)


def check_text(text):
    if not isinstance(text, str):
        raise TypeError("can't convert '%s' object to str implicitly" % type(text).__name__)
    for letter in text:
        if letter not in "\r\n" and not " " <= letter <= "~":
            refuse("the font has no %r in %r" % (letter, text))


def ink(letter):
    # First and last column with ink, None for the space.
    rows = _font[0][(ord(letter) - 32) * 12 : (ord(letter) - 31) * 12]
    columns = [x for x in range(8) if any(row & (0x80 >> x) for row in rows)]
    return (columns[0], columns[-1]) if columns else None


def glyph(letter, scale):
    # The board's font is no part of its heap: nothing is kept there for the usual scales.
    if scale == int(scale) and int(scale) in _large:
        scale = int(scale)
        size = 12 * scale * scale
        at = (ord(letter) - 32) * size
        data = memoryview(_large[scale])[at : at + size]
        return framebuf.FrameBuffer(data, 8 * scale, 12 * scale, framebuf.MONO_HLSB)
    key = (letter, scale)
    if key not in _glyphs:
        width, height = int(8 * scale + 0.5), int(12 * scale + 0.5)
        stride = (width + 7) // 8
        buffer = framebuf.FrameBuffer(bytearray(stride * height), width, height, framebuf.MONO_HLSB)
        base = (ord(letter) - 32) * 12
        for y in range(height):
            row = _font[0][base + min(11, int(y / scale))]
            for x in range(width):
                if row & (0x80 >> min(7, int(x / scale))):
                    buffer.pixel(x, y, 1)
        _glyphs[key] = buffer
    return _glyphs[key]


def palette(color):
    colours = framebuf.FrameBuffer(bytearray(4), 2, 1, framebuf.RGB565)
    colours.pixel(0, 0, 2 if color == 1 else 1)  # what is not drawn
    colours.pixel(1, 0, color)
    return colours


class Image:
    def __init__(self, path=None, size=None, copy_to_fb=False, _store=None):
        if copy_to_fb:
            refuse("copy_to_fb= is broken in builds with a double buffer")
        self.pix_ai = None  # None, "camera", "copied" or "wild": a pointer to anywhere
        self.texts = []
        if _store is not None:
            self.w, self.h, self.data = _store
        elif path is not None:
            self._load(path)
        else:
            self.w, self.h = size or (320, 240)
            whole(self.w, "width"), whole(self.h, "height")
            self.data = bytearray(self.w * self.h * 2)
        self.canvas = framebuf.FrameBuffer(self.data, self.w, self.h, framebuf.RGB565)
        measure_heap()

    def __getattr__(self, name):
        if name in _MINIMUM or (_full[0] and name in _FULL):
            refuse("the virtual board has no image.%s(), though the firmware does" % name)
        raise AttributeError("'Image' object has no attribute '%s'" % name)

    def _load(self, path):
        with open(path, "rb") as source:
            data = source.read()
        if data[:2] not in (b"\xff\xd8", b"BM"):
            raise ValueError("format not supported")
        facts, self.data = ask("decode", {}, data)
        if facts["error"]:
            raise OSError(facts["error"])
        self.w, self.h = facts["size"]  # 0, 0 for a progressive JPEG: no error, no picture

    def width(self):
        return self.w

    def height(self):
        return self.h

    def size(self):
        return self.w * self.h * 2

    def format(self):
        return 2

    def clear(self):
        self.canvas.fill(0)
        self.texts = []
        return self

    def get_pixel(self, x, y):
        if not (0 <= x < self.w and 0 <= y < self.h):
            return None
        v = self.canvas.pixel(x, y)
        v = ((v & 255) << 8) | (v >> 8)
        r, g, b = v >> 11, v >> 5 & 63, v & 31
        return (r * 255 + 15) // 31, (g * 255 + 31) // 63, (b * 255 + 15) // 31

    def set_pixel(self, x, y, color=-1):
        self.canvas.pixel(whole(x, "x"), whole(y, "y"), swapped565(color))
        return self

    def copy(self, roi=None, x_scale=1.0, y_scale=1.0, copy_to_fb=False):
        if copy_to_fb:
            refuse("copy_to_fb= is broken in builds with a double buffer")
        if roi is not None or x_scale != 1.0 or y_scale != 1.0:
            refuse("the virtual board copies whole pictures only")
        other = Image(_store=(self.w, self.h, bytearray(self.data)))
        other.pix_ai = "wild"
        other.texts = list(self.texts)
        return other

    def resize(self, w, h):
        # Downwards: nearest neighbour. Upwards is bilinear on the board and not done here.
        if w > self.w or h > self.h:
            refuse("the virtual board does not enlarge pictures")
        other = Image(size=(w, h))
        for y in range(h):
            row = y * self.h // h
            for x in range(w):
                other.canvas.pixel(x, y, self.canvas.pixel(x * self.w // w, row))
        return other

    def cut(self, x, y, w, h):
        if x < 0 or y < 0 or x + w > self.w or y + h > self.h:
            refuse("cut() outside of the picture gives garbage")
        other = Image(size=(w, h))
        other.canvas.blit(self.canvas, -x, -y)
        return other

    def pix_to_ai(self):
        if self.pix_ai == "wild":
            refuse("pix_to_ai() on a copy() writes through a wild pointer")
        self._ai = bytearray(((self.w + 63) & ~63) * self.h * 3)  # from the same heap, as there
        measure_heap()
        self.pix_ai = "copied"

    def draw_rectangle(self, *args, **keywords):
        only(keywords, ("color", "thickness", "fill"), "draw_rectangle")
        (x, y, w, h), rest = vector(args, 4)
        color = swapped565(option(keywords, "color", rest, 0, -1))
        thickness = whole(option(keywords, "thickness", rest, 1, 1), "thickness")
        if w <= 0 or h <= 0:
            refuse("draw_rectangle of %d x %d" % (w, h))
        if option(keywords, "fill", rest, 2, False):
            self.canvas.fill_rect(x, y, w, h, color)
            self.texts = [t for t in self.texts if not covers((x, y, w, h), t)]
        else:
            for i in range(thickness):
                self.canvas.rect(x + i, y + i, w - 2 * i, h - 2 * i, color)
        return self

    def draw_line(self, *args, **keywords):
        only(keywords, ("color", "thickness"), "draw_line")
        (x0, y0, x1, y1), rest = vector(args, 4)
        self.canvas.line(x0, y0, x1, y1, swapped565(option(keywords, "color", rest, 0, -1)))
        return self

    def draw_cross(self, *args, **keywords):
        only(keywords, ("color", "size", "thickness"), "draw_cross")
        (x, y), rest = vector(args, 2)
        color = swapped565(option(keywords, "color", rest, 0, -1))
        size = whole(option(keywords, "size", rest, 1, 5), "size")
        self.canvas.hline(x - size, y, 2 * size + 1, color)
        self.canvas.vline(x, y - size, 2 * size + 1, color)
        return self

    def draw_image(self, other, x, y):
        self.canvas.blit(other.canvas, whole(x, "x"), whole(y, "y"))
        self.texts = [t for t in self.texts if not covers((x, y, other.w, other.h), t)]
        self.texts += [[x + t[0], y + t[1]] + t[2:] for t in other.texts]
        return self

    def draw_string(self, *args, **keywords):
        only(keywords, ("color", "scale", "x_spacing", "y_spacing", "mono_space"), "draw_string")
        if isinstance(args[0], (tuple, list)):
            args = tuple(args[0]) + args[1:]
        x, y, text = whole(args[0], "x"), whole(args[1], "y"), args[2]
        rest = args[3:]
        check_text(text)
        scale = option(keywords, "scale", rest, 1, 1.0)
        if not scale > 0:
            raise OSError("Error: 0 < scale!")
        mono = option(keywords, "mono_space", rest, 4, 0)
        spacing = whole(option(keywords, "x_spacing", rest, 2, 0), "x_spacing")
        colors = palette(swapped565(option(keywords, "color", rest, 0, -1)))
        line = int(12 * scale + 0.5) + whole(option(keywords, "y_spacing", rest, 3, 2), "y")
        for number, row in enumerate(text.replace("\r\n", "\n").split("\n")):
            end = self._draw_row(x, y + number * line, row, scale, spacing, mono, colors)
            height = int(12 * scale + 0.5)
            if x < 0 or y < 0 or end > self.w or y + number * line + height > self.h:
                refuse("text off the picture at %d,%d: %r" % (x, y, row))
            self.texts.append([x, y + number * line, end - x, height, row])
        return self

    def _draw_row(self, x, y, row, scale, spacing, mono, colors):
        for letter in row:
            columns = ink(letter)
            if not mono and columns:
                x -= int(columns[0] * scale + 0.5)
            if columns:
                self.canvas.blit(glyph(letter, scale), x, y, colors.pixel(0, 0), colors)
            if mono:
                x += int(8 * scale + 0.5) + spacing
            else:
                x += int((columns[1] + 2 if columns else 3) * scale + 0.5)
                x += spacing if columns else 0
        return x

    def save(self, path, roi=None, quality=50):
        if not 1 <= quality <= 100:
            raise OSError("Error: 1 <= quality <= 100!")
        if roi is not None:
            refuse("save() ignores roi= for a JPEG")
        lower = path.lower()
        if not (lower.endswith(".jpg") or lower.endswith(".jpeg")):
            return self  # as the firmware: nothing happens, no error
        _, data = ask("encode", {"size": [self.w, self.h], "quality": quality}, self.data, _jpeg)
        try:
            target = open(path, "wb")
        except OSError:
            raise OSError(2)  # whatever the cause
        try:
            target.write(data)
        except OSError:
            pass  # the write error of a full card is lost
        try:
            target.close()
        except OSError:
            pass
        return self


def vector(args, count):
    # Coordinates as one tuple or as separate numbers, and the arguments after them.
    if isinstance(args[0], (tuple, list)):
        numbers, rest = args[0], args[1:]
    else:
        numbers, rest = args[:count], args[count:]
    if len(numbers) != count:
        raise TypeError("requested length %d but object has length %d" % (count, len(numbers)))
    return [whole(number, "coordinate") for number in numbers], rest


def option(keywords, name, rest, position, default):
    if name in keywords:
        return keywords[name]
    return rest[position] if len(rest) > position else default


def covers(box, text):
    x, y, w, h = box
    return (
        x <= text[0] and y <= text[1] and text[0] + text[2] <= x + w and text[1] + text[3] <= y + h
    )
