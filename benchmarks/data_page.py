"""How long the Data page takes with 2,000 pictures: `python -m benchmarks.data_page`.

Times the host's answers, then, where there is a Chromium, scrolling through all pictures and
deleting one with all of them loaded. The pictures are noise of 320 x 240 pixels, made here.
"""

from __future__ import annotations

import io
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from host.config import Settings
from host.server import create_app, listen
from host.web.state import KEY

PICTURES = 2000
LABELS = ("cat", "dog", "fish", "background")
SCROLL = """async () => {
  const frames = [];
  let last = performance.now();
  const step = 400;
  while (document.querySelector('#more') ||
         scrollY + innerHeight < document.documentElement.scrollHeight - 2) {
    scrollBy({ top: step, behavior: "instant" });
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last);
    last = performance.now();
  }
  return frames;
}"""

DELETE = """async () => {
  const gone = document.querySelector('.pick:checked').closest('.picture');
  const began = performance.now();
  const key = new KeyboardEvent('keydown', { key: 'Delete', bubbles: true });
  document.activeElement.dispatchEvent(key);
  await new Promise(requestAnimationFrame);
  if (!gone.hidden) throw new Error('still there');
  return performance.now() - began;
}"""


def pictures() -> bytes:
    """Return a zip of `PICTURES` pictures in folders."""
    noise = np.random.default_rng(0)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(PICTURES):
            small = noise.integers(0, 255, (12, 16, 3), np.uint8)
            image = Image.fromarray(small).resize((320, 240), Image.Resampling.BICUBIC)
            data = io.BytesIO()
            image.save(data, "JPEG", quality=80)
            archive.writestr(f"{LABELS[number % 4]}/{number:04}.jpg", data.getvalue())
    return buffer.getvalue()


def timed(name: str, act: Callable[[], Any], times: int = 1) -> Any:
    """Call `act` and print the median of its times."""
    took, answer = [], None
    for _ in range(times):
        began = time.perf_counter()
        answer = act()
        took.append(1000 * (time.perf_counter() - began))
    print(f"{name:44}{statistics.median(took):9.0f} ms{'' if times == 1 else f'  (of {times})'}")
    return answer


def main() -> int:
    """Run and print."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        settings = Settings(data=Path(folder), port=port, upload_bytes=200 * 1024 * 1024)
        app = create_app(settings)
        app.config["WTF_CSRF_ENABLED"] = False
        job = _answers(app)
        server = listen(app, settings)
        threading.Thread(target=server.run, daemon=True).start()
        _browser(f"http://127.0.0.1:{port}/jobs/{job}/data")
        server.close()
        app.extensions[KEY].store.close()
    return 0


def _answers(app: Any) -> str:
    client, data = app.test_client(), pictures()
    print(f"{PICTURES} pictures, {len(data) / 1024**2:.1f} MB")
    form = {"file": (io.BytesIO(data), "noise.zip")}
    job = timed("upload: unpack and check", lambda: client.post("/api/jobs", data=form)).json["id"]
    timed("page of 200", lambda: client.get(f"/jobs/{job}/data"), 5)
    timed("page of 2,000", lambda: client.get(f"/jobs/{job}/data?count=2000"), 5)
    where = f"/api/jobs/{job}/pictures"
    moves = iter(range(PICTURES))

    def move() -> None:
        edit = {"edit": "move", "pictures": [next(moves)], "label": "bird"}
        assert client.post(f"{where}/edits", json=edit).json["undo"]

    timed("edit: on the disk and checked again", move, 9)
    timed("thumbnail, made", lambda: client.get(f"{where}/{next(moves)}/small.jpg"), 50)
    timed("thumbnail, kept", lambda: client.get(f"{where}/20/small.jpg"), 50)
    return job


def _browser(address: str) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        print("no chromium: scrolling not measured")
        return
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is needed

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 850})
        timed("page of 200 in Chromium, until it is quiet", lambda: _quiet(page, address))
        for name in ("scroll to the end, thumbnails not made yet", "the same again"):
            page.goto(address)
            frames = timed(name, lambda: page.evaluate(SCROLL))
            slow = 100 * sum(one > 50 for one in frames) / len(frames)
            print(
                f"  {len(frames)} frames, median {statistics.median(frames):.0f} ms, longest "
                f"{max(frames):.0f} ms, {slow:.0f} % longer than 50 ms"
            )
        assert page.locator(".picture").count() == PICTURES
        page.locator(".pick").last.click()
        print(
            f"{'delete one of 2,000, until it is out of sight':44}{page.evaluate(DELETE):9.0f} ms"
        )
        timed("until it is on the disk and checked", lambda: _deleted(page))
        browser.close()


def _quiet(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_load_state("networkidle")


def _deleted(page: Any) -> None:
    page.locator("#chosen", has_text="1 deleted").wait_for()


if __name__ == "__main__":
    sys.exit(main())
