"""What tests of jobs, pages and the browser share."""

import io
import sys
import threading
import time
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

from PIL import Image, ImageDraw

from host.server import create_app, listen
from host.web.state import KEY

FAKE_CHILD = Path(__file__).parent / "jobs" / "fake_child.py"
LABELS = ("circle", "square", "triangle")


def fake_command(folder):
    """The command of the fake child, for `host.jobs.queue.child_command`."""
    return [sys.executable, str(FAKE_CHILD), str(folder)]


def wait_for(condition, seconds=60.0):
    """Wait until `condition()` is true and return it; fail when it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def picture(label, number):
    """A JPEG of 64 x 64 pixels; each number of a label looks different."""
    hue = (number * 37) % 360
    image = Image.new("HSV", (64, 64), (hue * 255 // 360, 90, 200)).convert("RGB")
    draw = ImageDraw.Draw(image)
    x, y = 6 + number * 7 % 20, 6 + number * 11 % 20
    size = 14 + number * 5 % 18
    box = (x, y, x + size, y + size)
    ink = (number * 53 % 120, number * 29 % 120, number * 71 % 120)
    if label == "circle":
        draw.ellipse(box, fill=ink)
    elif label == "square":
        draw.rectangle(box, fill=ink)
    else:
        draw.polygon([(x, y + size), (x + size, y + size), (x + size / 2, y)], fill=ink)
    for i in range(8):
        draw.point((number * (i + 3) % 64, number * (2 * i + 5) % 64), fill=(255, 255, 255))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def dataset_zip(counts=(40, 40, 40), labels=LABELS, extra=()):
    """The bytes of a zip with one folder a class, and `extra` (name, bytes) members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for label, shape, count in zip(labels, LABELS, counts, strict=False):
            for number in range(count):
                archive.writestr(f"{label}/{number:03}.jpg", picture(shape, number))
        for name, data in extra:
            archive.writestr(name, data)
    return buffer.getvalue()


@contextmanager
def running_host(settings):
    """Serve on the settings' port in a thread, with a working queue; yield the address."""
    app = create_app(settings)
    queue = app.extensions[KEY].queue
    queue.start()
    server = listen(app, settings)

    def serve():
        with suppress(OSError):  # its own socket, closed while it waits for it
            server.run()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        queue.interrupt()
        server.close()
        queue.stop()
        thread.join(10)
        app.extensions[KEY].store.close()


def box_zip(pictures=24, labels=("circle", "square")):
    """The bytes of a card of the box collector; every picture has one box of each label."""
    from board.kit.voc import voc_xml

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("maixforge/shapes/labels.txt", "".join(f"{one}\n" for one in labels))
        for number in range(1, pictures + 1):
            image = Image.new("RGB", (224, 224), (40 + 7 * number, 90, 255 - 9 * number))
            draw, objects = ImageDraw.Draw(image), []
            for place, label in enumerate(labels):
                x, y = 10 + 100 * place + number, 30 + 5 * number
                size = 40 + number
                shape = draw.ellipse if label == "circle" else draw.rectangle
                shape((x, y, x + size - 1, y + size - 1), fill=(250, 250 - 8 * number, 20))
                objects.append((label, x + 1, y + 1, x + size, y + size))
            data = io.BytesIO()
            image.save(data, "JPEG")
            archive.writestr(f"maixforge/shapes/images/{number}.jpg", data.getvalue())
            text = voc_xml(f"{number}.jpg", 224, 224, objects)
            archive.writestr(f"maixforge/shapes/xml/{number}.xml", text)
    return buffer.getvalue()
