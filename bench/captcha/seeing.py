"""Solve the picture: by plain OCR, and with the picture's own font.

A change of dark and light keeps the edges, so the second way lays the edges of every symbol, turned and in several
sizes, over those of the picture.
"""

import io
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from bench.captcha.candidates import Candidate, likeliest_code
from mipres.captcha.codes import ALPHABET

_SIZES = (60, 67, 74)
_TURNS = (-12, -6, 0, 6, 12)
_BEST_OF_EACH = 6
OCR_MODES = {"line": "7", "word": "8"}


def solve_by_shapes(picture: bytes) -> str:
    """Guess the code by the edges of the font's symbols."""
    with Image.open(io.BytesIO(picture)) as image:
        seen = _edges(image.convert("L"))
    return likeliest_code(
        candidate for symbol, known in _known() for candidate in _found(seen, known, symbol)
    )


def _found(seen: NDArray[Any], known: NDArray[Any], symbol: str) -> Iterator[Candidate]:
    height, width = known.shape
    if height > seen.shape[0]:
        return
    wanted = known - known.mean()
    windows = np.lib.stride_tricks.sliding_window_view(seen, known.shape)
    flat = windows.reshape(windows.shape[0], windows.shape[1], -1)
    energy = np.sqrt((flat**2).sum(-1) - flat.sum(-1) ** 2 / flat.shape[-1]) + 1e-9
    likeness = (flat @ wanted.ravel() / (energy * np.linalg.norm(wanted))).max(axis=0)
    for place in np.argsort(likeness)[-_BEST_OF_EACH:]:
        yield Candidate(float(likeness[place]), int(place), width, symbol)


@cache
def _known() -> tuple[tuple[str, NDArray[Any]], ...]:
    return tuple(
        (symbol, _edges(_symbol(symbol, size, turn)))
        for symbol in ALPHABET
        for size in _SIZES
        for turn in _TURNS
    )


def _symbol(symbol: str, size: int, turn: int) -> Image.Image:
    font = ImageFont.load_default(size)
    box = font.getbbox(symbol, stroke_width=1)
    drawn = Image.new("L", (round(box[2] - box[0]), round(box[3] - box[1])))
    ImageDraw.Draw(drawn).text((-box[0], -box[1]), symbol, font=font, fill=255, stroke_width=1)
    turned = drawn.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    return turned.crop(turned.getbbox())


def _edges(image: Image.Image) -> NDArray[np.float32]:
    """Return how much the brightness changes; blurred, so that a near miss counts too."""
    down, across = np.gradient(np.asarray(image, dtype=np.float32))
    change = np.minimum(np.hypot(down, across), 64).astype(np.uint8)
    blurred = Image.fromarray(change).filter(ImageFilter.GaussianBlur(1))
    return np.asarray(blurred.reduce(2), dtype=np.float32)


def _black_and_white(image: Image.Image) -> Image.Image:
    """Part dark from light where both differ most (Otsu's threshold)."""
    counts = np.asarray(image.histogram(), dtype=float)
    below, sums = counts.cumsum(), (counts * np.arange(256)).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return image.point((np.arange(256) > np.nanargmax(spread)) * 255)


def _larger(image: Image.Image) -> Image.Image:
    return image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)


PREPARATIONS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "larger": _larger,
    "black and white": lambda image: _black_and_white(_larger(image)),
    "without thin lines": lambda image: _black_and_white(_larger(image.filter(ImageFilter.MedianFilter(5)))),
    "outlines alone": lambda image: ImageOps.invert(
        _black_and_white(_larger(image).filter(ImageFilter.FIND_EDGES))
    ),
    "what differs from its surroundings": lambda image: _larger(
        _black_and_white(
            ImageOps.autocontrast(ImageChops.difference(image, image.filter(ImageFilter.GaussianBlur(14))))
        )
    ),
}


def read_by_ocr(picture: bytes, preparation: str, mode: str) -> str:
    """Let Tesseract read the picture; it knows which symbols there are."""
    with Image.open(io.BytesIO(picture)) as image:
        prepared = ImageOps.expand(PREPARATIONS[preparation](image.convert("L")), 20, 255)
    content = io.BytesIO()
    prepared.save(content, "PNG")
    command = ["tesseract", "-", "-", "--psm", OCR_MODES[mode], "-c", f"tessedit_char_whitelist={ALPHABET}"]
    one_thread = os.environ | {"OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(command, input=content.getvalue(), capture_output=True, env=one_thread, check=True)
    return done.stdout.decode()
