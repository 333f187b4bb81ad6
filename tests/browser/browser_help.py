"""What tests of pages in a real browser share."""

import os
from pathlib import Path

PHONE = {"width": 390, "height": 800}


def shoot(page, name):
    folder = os.environ.get("TEST_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fits_the_width(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
