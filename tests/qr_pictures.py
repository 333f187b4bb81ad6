"""QR codes for tests, drawn by the decoder's own library and not by `board/kit/qr.py`."""

import io

import numpy as np
import zxingcpp
from PIL import Image, ImageFilter


def drawn(text, dot=6):
    """A QR code with its white border, grey."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="L")
    rows = np.asarray(code.to_image(scale=1, add_quiet_zones=True))
    return Image.fromarray(rows).convert("L").resize((dot * len(rows), dot * len(rows)), 0)


def photo(*screens, size=(1600, 1200), turn=8.0, seed=0):
    """A photograph of screens side by side: turned, seen at an angle, blurred, noisy."""
    wide = size[0] // len(screens)
    side = int(0.5 * min(wide, size[1]))
    scene = Image.new("RGB", size, (70, 74, 66))
    for place, screen in enumerate(screens):
        shown = screen.convert("RGB")
        shown = shown.resize((side, side * shown.height // shown.width)).rotate(
            turn, Image.Resampling.BICUBIC, expand=True, fillcolor=(20, 20, 22)
        )
        scene.paste(
            shown, (place * wide + (wide - shown.width) // 2, (size[1] - shown.height) // 2)
        )
    width, height = size
    seen = (0, 0, -0.05 * width, height, 1.08 * width, 1.04 * height, width, 0.03 * height)
    scene = scene.transform(size, Image.Transform.QUAD, seen, Image.Resampling.BICUBIC)
    scene = scene.filter(ImageFilter.GaussianBlur(1.2))
    noise = np.random.default_rng(seed).normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(scene) + noise, 0, 255).astype(np.uint8))


def jpeg(image):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
