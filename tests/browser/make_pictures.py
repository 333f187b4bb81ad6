"""Take the pictures of docs/tour.md: every page in both languages, on a desk and on a phone.

    python tests/browser/make_pictures.py [folder]

Trains on the sample pictures in earnest and writes <page>-<language>[-phone].png to
docs/pictures/pages (or the folder): some minutes. Needs Chromium and a font with Chinese
characters (Debian: fonts-wqy-zenhei). What is seen is the same each time but for dates and times.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
PROJECT = TESTS.parent
sys.path[:0] = [str(PROJECT), str(TESTS)]

from browser_help import ARGUMENTS, DESKTOP, PHONE, free_port  # noqa: E402 - paths come first
from host_help import running_host, wait_for  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from host.config import Settings  # noqa: E402
from host.deploy import serial_port  # noqa: E402
from host.files import write_zip  # noqa: E402
from host.remote import Remote  # noqa: E402
from host.web.credentials import Credentials  # noqa: E402

LANGUAGES = ("en", "zh")
SIZES = {"": DESKTOP, "-phone": PHONE}
TALLEST, GRID = 1700, 950
"""Pixels after which a picture is cut off; one of many photographs sooner."""
MOST_BYTES = 100 * 1024
QUALITIES = ((200, 1), (96, 1), (64, 1), (96, 0.75), (64, 0.75), (64, 0.6), (40, 0.5))
"""Colours and scale of a picture, the best first."""
OURS = bytes.fromhex(
    "ffffff f5f6f3 dde3df e9edea 1c2b2d 55666a 0f6b5c 0a5247 e3f1ed 2d8c7a b34a12 a8271c"
    "fcefe6 fbeae8 ffd400 00d5ff ff5fa2 7dff5a 1f6fb4 8aa3a0"
)
"""Colours of the pages."""
FORTY_MINUTES = 2400


class Pictures:
    """Where the pictures go, and what takes them."""

    def __init__(self, browser: Browser, address: str, folder: Path) -> None:
        self.browser, self.address, self.folder = browser, address, folder

    def take(self, name: str, place: str, prepare: Any = None, tallest: int = TALLEST) -> None:
        """Take a page in both languages and sizes, cut off after so many pixels."""
        for language in LANGUAGES:
            for suffix, size in SIZES.items():
                page = self.browser.new_page(viewport=size)  # type: ignore[arg-type]
                page.goto(f"{self.address}{place}{'&' if '?' in place else '?'}lang={language}")
                if prepare:
                    prepare(page)
                settle(page)
                data = page.screenshot(full_page=True)
                page.close()
                target = self.folder / f"{name}-{language}{suffix}.png"
                target.write_bytes(small(data, tallest))
                print(f"{target.name} {target.stat().st_size // 1024} kB")


def settle(page: Page) -> None:
    """Wait until every picture is there, those below the fold too."""
    page.evaluate(
        """async () => {
          for (const one of document.images) one.loading = "eager";
          await Promise.all([...document.images].map((one) => one.decode().catch(() => {})));
          scrollTo(0, 0);
          document.activeElement.blur();
        }"""
    )


def small(data: bytes, tallest: int) -> bytes:
    """Return a PNG of few colours: as many, and as large, as its bytes allow."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, tallest)))
    made = b""
    for colours, scale in QUALITIES:
        size = round(image.width * scale), round(image.height * scale)
        scaled = image.resize(size, Image.Resampling.LANCZOS) if scale < 1 else image
        buffer = io.BytesIO()
        few = scaled.quantize(palette=palette(scaled, colours), dither=Image.Dither.NONE)
        few.save(buffer, "PNG", optimize=True)
        made = buffer.getvalue()
        if len(made) <= MOST_BYTES:
            break
    return made


def palette(image: Image.Image, colours: int) -> Image.Image:
    """Return a palette of the image's colours in which those of the pages themselves stay true."""
    found = image.quantize(colours - len(OURS) // 3, Image.Quantize.MEDIANCUT).getpalette() or []
    table = Image.new("P", (1, 1))
    table.putpalette([*OURS, *found])
    return table


def send(remote: Remote, folder: Path, sample: str, name: str) -> str:
    """Send the sample pictures and return the job's id."""
    root = PROJECT / "samples" / sample
    files = {str(one.relative_to(root)): one for one in root.rglob("*") if one.is_file()}
    write_zip(folder / f"{name}.zip", files)
    return remote.upload(folder / f"{name}.zip", name)["id"]


def train(remote: Remote, job: str, part: float | None = None, **options: Any) -> None:
    """Start a training; wait for its end, or until `part` of it is done."""
    remote.start(job, {"preset": "fast", **options})

    def far() -> bool:
        one = remote.job(job)
        assert one["state"] not in ("failed", "cancelled"), one["failure"]
        time.sleep(0.5)
        return one["state"] == "done" or (part is not None and one["fraction"] >= part)

    wait_for(far, FORTY_MINUTES)


def unseen(folder: Path, module: str, count: str) -> Path:
    """Render a picture that no training has seen and return its path."""
    out = folder / module
    command = [
        sys.executable,
        "-m",
        f"samples.{module}",
        "--out",
        str(out),
        "--seed",
        "2",
        count,
        "3",
    ]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    return sorted(out.rglob("*.jpg"))[1]


def shown(picture: Path) -> Any:
    """Return what tries a picture on a page."""

    def prepare(page: Page) -> None:
        page.set_input_files("#picture", picture)
        page.wait_for_selector("#answer img")

    return prepare


def refused(page: Page) -> None:
    """Send something that is no zip."""
    page.set_input_files(
        "#file", {"name": "pets.zip", "mimeType": "application/zip", "buffer": b"no zip"}
    )
    page.wait_for_selector("#problems .finding")


def curves(page: Page) -> None:
    """Wait for the learning curves."""
    page.wait_for_selector("#chart-loss polyline", timeout=120_000)


def camera(page: Page) -> None:
    """Wait for what the camera sees."""
    page.locator("#view:not([hidden])").wait_for()
    page.wait_for_timeout(1000)


def video(folder: Path) -> Path:
    """Return a film of one picture, for the camera that Chromium makes up."""
    path = folder / "Camera.mjpeg"
    buffer = io.BytesIO()
    frame = Image.open(unseen(folder, "render", "--per-class")).resize((480, 480))
    wide = Image.new("RGB", (640, 480), (120, 124, 128))
    wide.paste(frame, (80, 0))
    wide.save(buffer, "JPEG", quality=90)
    path.write_bytes(buffer.getvalue() * 8)
    return path


def tour(take: Any, remote: Remote, folder: Path) -> None:
    """Take a picture of every page as it is after real trainings."""
    parts, scene = (send(remote, folder, f"sample_{one}", name) for one, name in
                    (("dump", "fasteners"), ("boxes", "scattered")))  # fmt: skip
    take("home", "/")
    take("refused", "/", refused)
    take("collector", "/collector")
    take("boards", "/boards")
    take("check", f"/jobs/{parts}")
    take("check-boxes", f"/jobs/{scene}")
    take("capture", f"/jobs/{parts}/capture", camera)
    take("data", f"/jobs/{parts}/data", tallest=GRID)
    take("data-boxes", f"/jobs/{scene}/data", tallest=GRID)
    take("boxes", f"/jobs/{scene}/data/4")
    train(remote, parts)
    train(remote, scene, part=0.5, stride=16)
    take("live", f"/jobs/{scene}", curves)
    wait_for(lambda: remote.job(scene)["state"] == "done", FORTY_MINUTES)
    take("result", f"/jobs/{parts}", curves)
    take("result-boxes", f"/jobs/{scene}", curves)
    take("deploy", f"/jobs/{parts}/deploy")
    take("judged", f"/jobs/{parts}/judged/int8", tallest=GRID)
    take("judged-boxes", f"/jobs/{scene}/judged/int8", tallest=GRID)
    take("try", f"/jobs/{parts}/try", shown(unseen(folder, "render", "--per-class")))
    take("try-boxes", f"/jobs/{scene}/try", shown(unseen(folder, "scatter", "--pictures")))
    other = send(remote, folder, "sample_dump", "fasteners-narrow")
    train(remote, other, backbone="mobilenet_1.0_cut6")
    take("compare", f"/compare?a={parts}&b={other}")


@contextmanager
def chromium(film: Path) -> Iterator[Browser]:
    """Yield a browser that can show Chinese."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        sys.exit("This needs Chromium (Debian: chromium).")
    fonts = subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, check=False)
    if not fonts.stdout:
        sys.exit("This needs a font with Chinese characters (Debian: fonts-wqy-zenhei).")
    os.chdir(film.parent)  # the page shows the camera's name, which is the path
    film_flag = f"--use-file-for-fake-video-capture={film.name}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, film_flag])
        yield browser
        browser.close()


def main() -> None:
    """Write them all."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else PROJECT / "docs/pictures/pages").resolve()
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, chromium(video(Path(name))) as browser:
        folder = Path(name)
        port = serial_port.Port("/dev/ttyUSB0", "USB Serial", "CH340 (Dock)")
        serial_port.ports = lambda: [port]  # what this computer has is of no matter
        settings = Settings(data=folder / "data", port=free_port())
        token = Credentials(settings.data).add_token("pictures")
        with running_host(settings) as address:
            pictures = Pictures(browser, address, target)
            tour(pictures.take, Remote(address, token), folder)
            Credentials(settings.data).set_password("of this tour")
            pictures.take("login", "/login")


if __name__ == "__main__":
    main()
