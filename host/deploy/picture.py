"""The start picture: what the board shows while the model loads."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont

from .package import Package

SIZE = (320, 240)
SAFE = (46, 56, 274, 184)
"""Left, top, right, bottom of what every board shows: smaller screens (240x240, 240x135) show the
middle of the picture."""

NIGHT, DUSK = (13, 20, 33), (26, 46, 72)
WHITE, MIST, MINT, INK = (245, 248, 252), (150, 170, 192), (84, 214, 160), (13, 30, 42)
TITLES = {"classify": "Image classifier", "detect": "Object detector"}
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def start_picture(package: Package) -> bytes:
    """Return a 320x240 baseline JPEG with the model's name and labels; equal input, equal bytes.

    Only ASCII is drawn (the font that comes with Pillow has no Chinese): a model with another
    name is called by its task.
    """
    image = _background()
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = SAFE
    _wordmark(draw, left, top)
    title = package.name if package.name.isascii() else TITLES[package.task]
    font = _fitting_font(draw, title, right - left)
    draw.text((left, top + 24), _cut(draw, title, font, right - left), fill=WHITE, font=font)
    _chips(draw, package.labels, (left, top + 62, right, bottom))
    width, height = package.input_size
    megabytes = package.kmodel_bytes / 1e6
    footer = f"{len(package.labels)} classes    {width} x {height}    {megabytes:.1f} MB    K210"
    draw.text((left, bottom + 28), footer, fill=MIST, font=ImageFont.load_default(11))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, subsampling=0, progressive=False)
    return buffer.getvalue()


def _background() -> Image.Image:
    shade = Image.linear_gradient("L").resize(SIZE)
    image = Image.composite(Image.new("RGB", SIZE, DUSK), Image.new("RGB", SIZE, NIGHT), shade)
    draw = ImageDraw.Draw(image)
    for step in range(6):  # a quiet pattern of layers, fading to the corner
        x = 224 + 15 * step
        ink = tuple(value + 10 + 5 * step for value in DUSK)
        draw.rounded_rectangle((x, 12 + 2 * step, x + 10, 46 - 2 * step), 3, fill=ink)
    return image


def _wordmark(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    draw.rounded_rectangle((left, top + 2, left + 13, top + 15), 3, fill=MINT)
    draw.rectangle((left + 4, top + 6, left + 9, top + 11), fill=INK)
    draw.text((left + 21, top), "MaixForge", fill=MINT, font=ImageFont.load_default(14))


def _fitting_font(draw: ImageDraw.ImageDraw, text: str, width: int) -> Font:
    sizes = (26, 22, 18)
    fonts = [ImageFont.load_default(size) for size in sizes]
    return next((f for f in fonts if draw.textlength(text, f) <= width), fonts[-1])


def _cut(draw: ImageDraw.ImageDraw, text: str, font: Font, width: int) -> str:
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(f"{text}...", font) > width:
        text = text[:-1]
    return f"{text}..."


def _chips(
    draw: ImageDraw.ImageDraw, labels: tuple[str, ...], box: tuple[int, int, int, int]
) -> None:
    """Draw the labels as rounded chips; when they do not all fit, the last says how many more."""
    font = ImageFont.load_default(13)
    left, top, right, bottom = box
    x, y = left, top
    for number, label in enumerate(labels):
        rest = len(labels) - number
        text = _cut(draw, label, font, right - left - 20)
        width = int(draw.textlength(text, font)) + 16
        if x > left and x + width > right:
            x, y = left, y + 25
        last_row = y + 50 > bottom
        if last_row and rest > 1 and x + width > right - 44:
            text = f"+{rest}"
            width = int(draw.textlength(text, font)) + 16
        draw.rounded_rectangle((x, y, x + width, y + 20), 10, fill=(40, 66, 98))
        draw.text((x + 8, y + 2), text, fill=WHITE, font=font)
        if text == f"+{rest}" and last_row:
            return
        x += width + 6
