"""The whole way as a person goes it: `python -m benchmarks.by_hand [--preset fast]`.

A Chromium drops the sample zip on the start page of a real host, starts the training, waits, and
takes both downloads. Clicks are counted. The time is that of the host and the browser; what a
person adds by looking before each click is told apart (`PAUSE_SECONDS` a click).
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import shutil
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, sync_playwright

from .load import BOXES, DUMP, host

PAUSE_SECONDS = 3.0
TRAINING_SECONDS = 3600
DROP = """async ([name, text]) => {
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const file = new File([bytes], name, { type: "application/zip" });
  const drop = new Event("drop", { bubbles: true, cancelable: true });
  const entry = { name, isFile: true, file: (good) => good(file) };
  drop.dataTransfer = { items: [{ webkitGetAsEntry: () => entry }], files: [file] };
  document.getElementById("drop").dispatchEvent(drop);
}"""


@dataclass
class Hand:
    """What a person did, and the seconds of each part of the way."""

    clicks: int = 0
    pauses: int = 0
    parts: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def click(self, place: Locator) -> None:
        """Look, then click."""
        self.clicks += 1
        self.pauses += 1
        place.click()

    def reached(self, name: str) -> None:
        """Note how long this part took."""
        now = time.monotonic()
        self.parts[name] = now - self.began
        self.began = now


def zipped(folder: Path) -> bytes:
    """Return the sample pictures as somebody would zip them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, str(path.relative_to(folder.parent)))
    return buffer.getvalue()


def way(page: Page, address: str, folder: Path, preset: str) -> Hand:
    """Go from the drop to both downloads."""
    data = base64.b64encode(zipped(folder)).decode()
    page.goto(address)
    hand = Hand(pauses=1)
    page.evaluate(DROP, [f"{folder.name}.zip", data])
    page.wait_for_url("**/jobs/*")
    hand.reached("drop to checked")
    if page.locator("#preset").input_value() != preset:
        hand.clicks += 2  # the list and one of its lines, as a mouse does it
        hand.pauses += 1
        page.locator("#preset").select_option(preset)
    hand.click(page.locator("#order button[type=submit]"))
    page.wait_for_selector("#live, #int8")
    hand.reached("start")
    page.wait_for_selector("#int8", timeout=1000 * TRAINING_SECONDS)
    hand.reached("training")
    for name in ("sd.zip", "model.kfpkg"):
        link = page.locator(f'main a[href$="/{name}"]').first
        with page.expect_download() as file:
            hand.click(link)
        assert zipfile.is_zipfile(file.value.path())
    hand.reached("both downloads")
    return hand


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="fast", help="fast, balanced (what is set) or best")
    preset = parser.parse_args().preset
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        print("no chromium")
        return 1
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    options: dict[str, Any] = {"executable_path": chromium, "args": ["--no-sandbox"]}
    with (
        tempfile.TemporaryDirectory() as name,
        host(Path(name)) as (one, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(**options)
        for folder in (DUMP, BOXES):
            hand = way(browser.new_page(), one.url, folder, preset)
            whole, looked = sum(hand.parts.values()), hand.pauses * PAUSE_SECONDS
            print(f"\n{folder.name}, {preset}: one drop, {hand.clicks} clicks")
            for part, seconds in hand.parts.items():
                print(f"  {part:20}{seconds:8.1f} s")
            print(
                f"  {'all':20}{whole:8.1f} s, with {looked:.0f} s of looking {whole + looked:.1f} s"
            )
        browser.close()
    print(f"\nload after: {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
