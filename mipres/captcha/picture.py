"""A captcha's code as a picture.

Drawing costs some milliseconds of CPU, so callers run it in a thread.
"""

import io
import math
from collections.abc import Callable
from functools import cache
from random import Random, SystemRandom
from typing import Final, cast

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

IMAGE_WIDTH: Final = 280
IMAGE_HEIGHT: Final = 90
# It is drawn larger and then reduced, which smooths every edge alike.
_SCALE: Final = 2
_WIDTH: Final = IMAGE_WIDTH * _SCALE
_HEIGHT: Final = IMAGE_HEIGHT * _SCALE
_SIZES: Final = (60, 74)
_TURN: Final = 12
_SLANT: Final = 0.2
_STRETCH: Final = (0.8, 1.15)
_STEP: Final = (0.98, 1.08)
_ROOM: Final = 0.86
_LINES: Final = 1
_LINE_WIDTH: Final = 2
_GRID: Final = 20
_PAPER: Final = (247, 249, 252)
_DARKEST_TO: Final = 90

_random: Final = SystemRandom()


def draw_image(code: str, *, random: Random = _random) -> bytes:
    """Draw the code as a PNG of IMAGE_WIDTH by IMAGE_HEIGHT, different each time."""
    stencil = _written(code, random)
    for _ in range(_LINES):
        _cross_out(stencil, random)
    stencil = ImageChops.difference(_warped(stencil, random), _band(random))
    stencil = stencil.resize((IMAGE_WIDTH, IMAGE_HEIGHT), Image.Resampling.LANCZOS)
    ink = tuple(random.randrange(_DARKEST_TO) for _ in range(3))
    target = io.BytesIO()
    # Always dark and nearly white, for eyes that need contrast.
    ImageOps.colorize(stencil, black=_PAPER, white=ink).save(target, format="PNG")
    return target.getvalue()


def _written(code: str, random: Random) -> Image.Image:
    """Write the symbols in white on black, turned, and so close that some touch."""
    symbols = _narrowed([_symbol(symbol, random) for symbol in code])
    steps = [symbol.width * random.uniform(*_STEP) for symbol in symbols]
    written = Image.new("L", (_WIDTH, _HEIGHT))
    left = (_WIDTH - sum(steps)) / 2
    for symbol, step in zip(symbols, steps, strict=True):
        middle = (_HEIGHT - symbol.height) / 2
        top = middle + random.uniform(-0.3, 0.3) * middle
        # Where two symbols touch, both stay.
        written.paste(255, (round(left), round(top)), symbol)
        left += step
    return written


def _narrowed(symbols: list[Image.Image]) -> list[Image.Image]:
    """Make wide symbols narrower where they would not fit beside each other."""
    part = min(1.0, _WIDTH * _ROOM / sum(symbol.width for symbol in symbols))
    return [symbol.resize((round(symbol.width * part), symbol.height)) for symbol in symbols]


def _symbol(symbol: str, random: Random) -> Image.Image:
    font = _font(random.randint(*_SIZES) * _SCALE)
    left, top, right, bottom = font.getbbox(symbol, stroke_width=_SCALE)
    drawn = Image.new("L", (round(right - left), round(bottom - top)))
    ImageDraw.Draw(drawn).text((-left, -top), symbol, font=font, fill=255, stroke_width=_SCALE)
    slanted = _slanted(drawn, random.uniform(-_SLANT, _SLANT))
    wide = slanted.resize((round(slanted.width * random.uniform(*_STRETCH)), slanted.height))
    turned = wide.rotate(random.uniform(-_TURN, _TURN), Image.Resampling.BICUBIC, expand=True)
    return turned.crop(turned.getbbox())


def _slanted(image: Image.Image, slant: float) -> Image.Image:
    width = round(image.width + abs(slant) * image.height)
    shift = -slant * image.height if slant > 0 else 0
    matrix = (1, slant, shift, 0, 1, 0)
    return image.transform((width, image.height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)


def _cross_out(image: Image.Image, random: Random) -> None:
    """Draw a wave through the symbols, so that no gap parts them."""
    wave = _wave(_HEIGHT * 0.18, random)
    height = _HEIGHT * random.uniform(0.35, 0.65)
    points = [(x, height + wave(x)) for x in range(0, _WIDTH + 1, 4)]
    ImageDraw.Draw(image).line(points, fill=255, width=_LINE_WIDTH * _SCALE, joint="curve")


def _warped(image: Image.Image, random: Random) -> Image.Image:
    """Bend the whole picture in both directions."""
    across, down = _wave(_SCALE * 4, random), _wave(_SCALE * 5, random)

    def moved(x: int, y: int) -> tuple[float, float]:
        return x + across(y * 2), y + down(x)

    mesh = []
    for left in range(0, _WIDTH, _GRID):
        for top in range(0, _HEIGHT, _GRID):
            right, bottom = min(left + _GRID, _WIDTH), min(top + _GRID, _HEIGHT)
            corners = (moved(left, top), moved(left, bottom), moved(right, bottom), moved(right, top))
            mesh.append(((left, top, right, bottom), tuple(value for corner in corners for value in corner)))
    return image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def _band(random: Random) -> Image.Image:
    """Return where dark and light change places: a wavy band through every symbol."""
    upper, lower = _wave(_HEIGHT * 0.1, random), _wave(_HEIGHT * 0.1, random)
    middle, half = _HEIGHT * random.uniform(0.4, 0.6), _HEIGHT * random.uniform(0.14, 0.2)
    edge = [(x, middle - half + upper(x)) for x in range(0, _WIDTH + 1, 4)]
    edge += [(x, middle + half + lower(x)) for x in range(_WIDTH, -1, -4)]
    band = Image.new("L", (_WIDTH, _HEIGHT))
    ImageDraw.Draw(band).polygon(edge, fill=255)
    return band


def _wave(height: float, random: Random) -> Callable[[float], float]:
    length, begin = _WIDTH * random.uniform(0.5, 0.9), random.uniform(0, 2 * math.pi)
    return lambda x: height * math.sin(begin + 2 * math.pi * x / length)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))
