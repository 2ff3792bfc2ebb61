"""Pictures of states, as tests come by them.

PICTURES=1 writes those of the documentation into docs/images, and PICTURES_IN=folder every state in each
manner into a folder, to be looked at.
"""

import io
import os
from pathlib import Path

from PIL import Image
from playwright.async_api import Page

IMAGES = Path(__file__).parents[3] / "docs" / "images"
PHONE, PAPER = 360, 1000
# The file of docs/images that shows a state, and the width at which it is taken.
DOCUMENTED = {
    "home": ("home", PAPER),
    "form-profesional": ("form", PAPER),
    "registered": ("success", PAPER),
    "refused-not_in_rethus": ("refused", PAPER),
    "status-waiting": ("status", PAPER),
    "password-typing": ("password", PAPER),
    "landing-social-service": ("landing", PAPER),
    "errors-profesional": ("phone-errors", PHONE),
    "status-completed": ("phone-status", PHONE),
}


async def document(page: Page, state: str) -> None:
    """Take the picture that the documentation has of a state, if asked to."""
    if not os.environ.get("PICTURES") or state not in DOCUMENTED:
        return
    name, width = DOCUMENTED[state]
    await page.set_viewport_size({"width": width, "height": 740})
    _save(await page.screenshot(full_page=True), IMAGES / f"{name}.png")


async def photograph(page: Page, name: str) -> None:
    """Take a picture of what is seen without scrolling, if asked to."""
    if os.environ.get("PICTURES"):
        _save(await page.screenshot(), IMAGES / f"{name}.png")


async def leave(page: Page, name: str) -> None:
    """Leave a picture in the folder that was asked for."""
    if folder := os.environ.get("PICTURES_IN"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def _save(taken: bytes, path: Path) -> None:
    # Flat colours: a palette makes the file a third as large, and no eye sees it.
    Image.open(io.BytesIO(taken)).convert("RGB").quantize(256).save(path, optimize=True)
