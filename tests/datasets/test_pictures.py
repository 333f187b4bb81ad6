"""Pictures of every kind become plain RGB, or say what is wrong with them."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from labelled_folders import picture
from little_memory import little_memory
from PIL import Image

from host.datasets.pictures import decode
from host.datasets.prepare import load_image
from host.errors import UserError, describe


def saved(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def with_orientation(image, orientation, format="JPEG"):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image, format, exif=exif)


JPEG = saved(picture(1, (300, 200)), "JPEG")
PNG = saved(picture(1, (300, 200)), "PNG")
GIF = saved(picture(1).convert("P"), "GIF")

BAD = {
    "empty": (b"", "picture_empty"),
    "text": (b"this is no picture", "picture_not_a_picture"),
    "HTML": (b"<!DOCTYPE html><title>404</title>", "picture_not_a_picture"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "picture_not_a_picture"),
    "zip": (b"PK\3\4" + b"\0" * 99, "picture_not_a_picture"),
    "PDF": (b"%PDF-1.7", "picture_not_a_picture"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "picture_not_a_picture"),
    "video": (b"\0\0\0\x18ftypmp42", "picture_not_a_picture"),
    "HEIC": (b"\0\0\0\x18ftypheic" + b"\0" * 99, "picture_format"),
    "AVIF": (b"\0\0\0\x18ftypavif" + b"\0" * 99, "picture_format"),
    "TIFF": (saved(picture(1), "TIFF"), "picture_format"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", "picture_format"),
    "ICO": (saved(picture(1), "ICO"), "picture_format"),
    "JPEG cut in half": (JPEG[: len(JPEG) // 2], "picture_truncated"),
    "PNG cut in half": (PNG[: len(PNG) // 2], "picture_truncated"),
    "GIF cut in half": (GIF[: len(GIF) // 2], "picture_truncated"),
    "JPEG, only its start": (JPEG[:20], "picture_unreadable"),
    "PNG, damaged": (PNG[:40] + b"damage" + PNG[46:], "picture_unreadable"),
    "many pixels": (saved(Image.new("1", (4001, 4000)), "PNG"), "picture_too_large"),
    "Pillow's bomb": (saved(Image.new("1", (20_000, 20_000)), "PNG"), "picture_too_large"),
}


@pytest.mark.parametrize(("content", "code"), BAD.values(), ids=BAD)
def test_bad_pictures(tmp_path, content, code):
    path = tmp_path / "1.jpg"
    path.write_bytes(content)
    started = time.process_time()
    with little_memory(), pytest.raises(UserError) as refusal:
        decode(path, "cat/1.jpg")
    assert time.process_time() - started < 2
    assert refusal.value.code == code
    assert refusal.value.findings[0].path == "cat/1.jpg"
    assert describe(refusal.value.findings[0]).startswith("cat/1.jpg: ")


def test_missing_picture(tmp_path):
    with pytest.raises(UserError, match="picture_file_missing"):
        load_image(tmp_path / "1.jpg", (224, 224))


def grey16():
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    return Image.fromarray(ramp)


def transparent():
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 32, 64))
    return image


def frames():
    return saved(Image.new("P", (64, 64), 1), "GIF", save_all=True,
                 append_images=[Image.new("P", (64, 64), 2)])  # fmt: skip


KINDS = {
    "JPEG": (JPEG, set()),
    "PNG": (PNG, set()),
    "BMP": (saved(picture(1), "BMP"), set()),
    "WebP": (saved(picture(1), "WEBP"), set()),
    "grey": (saved(picture(1).convert("L"), "JPEG"), set()),
    "one bit": (saved(picture(1).convert("1"), "PNG"), set()),
    "CMYK": (saved(picture(1).convert("CMYK"), "JPEG"), {"CMYK"}),
    "16-bit": (saved(grey16(), "PNG"), {"16-bit"}),
    "palette": (saved(picture(1).convert("P"), "PNG"), {"palette"}),
    "alpha": (saved(transparent(), "PNG"), {"alpha"}),
    "grey and alpha": (saved(transparent().convert("LA"), "PNG"), {"alpha"}),
    "palette and alpha": (
        saved(picture(1).convert("P"), "PNG", transparency=0),
        {"palette", "alpha"},
    ),
    "16-bit and alpha": (saved(grey16(), "PNG", transparency=0), {"16-bit", "alpha"}),
    "rotated": (with_orientation(picture(1), 6), {"EXIF"}),
    "broken EXIF": (saved(picture(1), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"), set()),
}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(("content", "kinds"), KINDS.values(), ids=KINDS)
def test_kinds(tmp_path, content, kinds):
    path = tmp_path / "1"
    path.write_bytes(content)
    decoded = decode(path, "1")
    assert (decoded.image.mode, decoded.kinds) == ("RGB", kinds)
    assert decoded.image.size == (decoded.width, decoded.height)
    assert not decoded.animated
    assert load_image(path, (40, 30)).shape == (30, 40, 3)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_animated(tmp_path, format):
    still, moving = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "blue")
    still.save(tmp_path / "1", format, save_all=True, append_images=[moving], lossless=True)
    decoded = decode(tmp_path / "1", "1")
    assert decoded.animated
    assert decoded.image.getpixel((5, 5)) == (255, 0, 0) or format == "WEBP"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_rotated_as_a_viewer_shows_it(tmp_path, orientation, format):
    """The stored picture is the shown one, turned back; a large one is decoded at half size."""
    shown = picture(3, (900, 600))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose, as EXIF undoes it
    stored = shown.transpose(Image.Transpose(back[orientation])) if orientation > 1 else shown
    (tmp_path / "1").write_bytes(with_orientation(stored, orientation, format))
    decoded = decode(tmp_path / "1", "1", side=256)
    assert (decoded.width, decoded.height) == (900, 600)
    assert decoded.image.size == ((450, 300) if format == "JPEG" else (900, 600))
    difference = np.abs(
        load_image(tmp_path / "1", (90, 60)).astype(int) - np.asarray(shown.resize((90, 60)))
    )
    assert difference.mean() < 4


def test_sixteen_bits_keep_their_range(tmp_path):
    grey16().save(tmp_path / "1.png")
    values = np.asarray(decode(tmp_path / "1.png", "1").image)[..., 0].ravel()
    assert (values[0], values[-1]) == (0, 255)
    assert np.abs(values - np.linspace(0, 255, 64 * 64)).max() < 1


def test_transparent_becomes_white(tmp_path):
    transparent().save(tmp_path / "1.png")
    image = decode(tmp_path / "1.png", "1").image
    assert (image.getpixel((10, 10)), image.getpixel((50, 10))) == ((0, 0, 255), (255, 255, 255))


def test_cmyk_keeps_its_colours(tmp_path):
    Image.new("RGB", (64, 64), (200, 30, 60)).convert("CMYK").save(tmp_path / "1.jpg", quality=95)
    assert np.abs(load_image(tmp_path / "1.jpg", (8, 8)) - np.array([200, 30, 60])).max() < 6


def test_photo_with_preview_is_not_animated(tmp_path):
    """Phones store a second picture behind the first (MPO)."""
    picture(1).save(tmp_path / "1.jpg", "MPO", save_all=True, append_images=[picture(2)])
    decoded = decode(tmp_path / "1.jpg", "1")
    assert not decoded.animated


def test_large_photo_is_allowed_where_asked(tmp_path):
    Image.new("L", (4100, 4000)).save(tmp_path / "1.jpg")
    assert decode(tmp_path / "1.jpg", "1", pixels=20_000_000, side=500).image.size == (513, 500)


def quarters(size):
    """A picture with four coloured quarters and a black cross in the middle."""
    image = Image.new("RGB", size, "red")
    width, height = size
    image.paste("lime", (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    image.paste("yellow", (width // 2, height // 2, width, height))
    return image


@pytest.mark.parametrize("size", [(100, 100), (640, 480), (480, 640), (50, 400), (3000, 200)])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_crop_keeps_the_middle(tmp_path, size, format):
    quarters(size).save(tmp_path / "1", format)
    image = load_image(tmp_path / "1", (64, 48), "crop")
    assert (image.shape, image.dtype) == ((48, 64, 3), np.uint8)
    corners = [image[8, 8], image[8, 55], image[40, 8], image[40, 55]]
    expected = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    assert np.abs(np.array(corners, int) - np.array(expected)).max() < 20


@pytest.mark.parametrize(
    ("size", "box"),
    [((200, 100), (0, 16, 64, 48)), ((100, 200), (16, 0, 48, 64)), ((30, 30), (0, 0, 64, 64))],
)
def test_letterbox_keeps_all(tmp_path, size, box):
    Image.new("RGB", size, "white").save(tmp_path / "1.png")
    image = load_image(tmp_path / "1.png", (64, 64), "letterbox")
    left, top, right, bottom = box
    inside = np.zeros((64, 64), bool)
    inside[top:bottom, left:right] = True
    assert (image[inside] == 255).all()
    assert (image[~inside] == 114).all()


def test_extreme_shapes(tmp_path):
    Image.new("RGB", (5000, 1), "white").save(tmp_path / "1.png")
    for fit in ("crop", "letterbox"):
        assert load_image(tmp_path / "1.png", (224, 224), fit).shape == (224, 224, 3)


def test_no_aliasing(tmp_path):
    """A fine chequerboard becomes grey, not a pattern."""
    board = (np.indices((1024, 1024)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "1.png")
    assert np.abs(load_image(tmp_path / "1.png", (224, 224)).astype(int) - 127).max() < 12


def test_right_size_is_left_alone(tmp_path):
    picture(5, (224, 224)).save(tmp_path / "1.png")
    same = np.asarray(picture(5, (224, 224)))
    for fit in ("crop", "letterbox"):
        assert (load_image(tmp_path / "1.png", (224, 224), fit) == same).all()
