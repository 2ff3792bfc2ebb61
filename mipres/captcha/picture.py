"""A captcha's code as a picture.

Drawing costs some milliseconds of CPU, so callers run it in a thread.
"""

import io
import secrets
from typing import Final

from captcha.image import ImageCaptcha
from PIL import ImageOps

IMAGE_WIDTH: Final = 280
IMAGE_HEIGHT: Final = 90
# The package paints a symbol the paler the darker its colour is, so it paints white on black here; the colours
# that people see come in afterwards: always dark on nearly white, for eyes that need contrast.
_WHITE: Final = (255, 255, 255, 255)
_BLACK: Final = (0, 0, 0)
_PAPER: Final = (247, 249, 252)
_DARKEST_TO: Final = 100


def draw_image(code: str) -> bytes:
    """Draw the code as a PNG of IMAGE_WIDTH by IMAGE_HEIGHT, different each time."""
    painter = _Painter(width=IMAGE_WIDTH, height=IMAGE_HEIGHT)
    stencil = painter.generate_image(code, _BLACK, _WHITE).convert("L")
    red, green, blue = (secrets.randbelow(_DARKEST_TO) for _ in range(3))
    target = io.BytesIO()
    ImageOps.colorize(stencil, black=_PAPER, white=(red, green, blue)).save(target, format="PNG")
    return target.getvalue()


class _Painter(ImageCaptcha):
    # The package's sizes are made for an image of 60 pixels; its turns and overlaps leave some codes unreadable.
    character_rotate = (-22, 22)
    character_warp_dx = (0.05, 0.2)
    character_warp_dy = (0.05, 0.25)
    word_offset_dx = 0.06

    def __init__(self, *, width: int, height: int) -> None:
        super().__init__(width=width, height=height, font_sizes=(54, 60, 66))
