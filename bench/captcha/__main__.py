"""Attack the captcha and print how often each attack solves it.

`python -m bench.captcha [codes] [seed]`: the same numbers give the same codes, pictures and recordings. Reading by OCR
needs Debian's tesseract-ocr, and the time in a browser Chromium; without them the rest is measured.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from random import Random

from bench.captcha.hearing import solve_recording
from bench.captcha.seeing import OCR_MODES, PREPARATIONS, read_by_ocr, solve_by_shapes
from bench.captcha.working import print_times
from mipres.arguments import Arguments
from mipres.captcha.codes import ALPHABET, CODE_LENGTH, normalise_answer
from mipres.captcha.picture import draw_image
from mipres.captcha.recording import speak

Attack = Callable[[bytes], str]
_CODES, _SEED = 100, 1


def main() -> None:
    """Print a line for each attack."""
    parser = Arguments(prog="python -m bench.captcha", description=__doc__)
    parser.add_argument("codes", type=int, nargs="?", default=_CODES, help="how many codes are attacked")
    parser.add_argument("seed", type=int, nargs="?", default=_SEED, help="what the codes are made of")
    given = parser.parse_args()
    number, seed = given.codes, given.seed
    print_times()
    for name, make, attack in _attacks():
        random, began = Random(seed), time.perf_counter()  # noqa: S311 -- repeatable on purpose
        codes = ["".join(random.choices(ALPHABET, k=CODE_LENGTH)) for _ in range(number)]
        guesses = [(code, attack(make(code, random=random))) for code in codes]
        each = (time.perf_counter() - began) / number
        print(
            f"{name}: {_solved(guesses)} of {number} codes, {_right(guesses):.0%} of symbols, {each:.2f} s each"
        )


def _attacks() -> Iterator[tuple[str, Callable[..., bytes], Attack]]:
    yield "recording, by its own voices", speak, solve_recording
    yield "picture, by its own font", draw_image, solve_by_shapes
    if shutil.which("tesseract") is None:
        print("picture, by OCR: not measured, because there is no tesseract")
        return
    for preparation in PREPARATIONS:
        for mode in OCR_MODES:
            yield f"picture, by OCR, {preparation}, as a {mode}", draw_image, _reading(preparation, mode)


def _reading(preparation: str, mode: str) -> Attack:
    return lambda picture: read_by_ocr(picture, preparation, mode)


def _solved(guesses: list[tuple[str, str]]) -> int:
    return sum(normalise_answer(guess) == normalise_answer(code) for code, guess in guesses)


def _right(guesses: list[tuple[str, str]]) -> float:
    pairs = [pair for code, guess in guesses for pair in zip(code, guess.ljust(CODE_LENGTH), strict=False)]
    return sum(one == other for one, other in pairs) / len(pairs)


if __name__ == "__main__":
    main()
