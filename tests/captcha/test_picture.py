import io
from random import Random

import pytest
from PIL import Image

from bench.captcha.seeing import solve_by_shapes
from mipres.captcha import codes, picture
from tests.captcha.every_symbol import EVERY_SYMBOL_ONCE


@pytest.mark.parametrize("code", EVERY_SYMBOL_ONCE)
def test_the_image_is_a_png_of_the_size_promised(code: str) -> None:
    with Image.open(io.BytesIO(picture.draw_image(code))) as image:
        image.load()
        assert image.format == "PNG"
        assert image.size == (picture.IMAGE_WIDTH, picture.IMAGE_HEIGHT)


@pytest.mark.parametrize("code", EVERY_SYMBOL_ONCE)
def test_the_picture_is_of_dark_and_light_alone(code: str) -> None:
    with Image.open(io.BytesIO(picture.draw_image(code, random=Random(code)))) as image:
        shades = image.convert("L").histogram()
    dark, light = (part / (image.width * image.height) for part in (sum(shades[:100]), sum(shades[230:])))
    assert dark > 0.15
    assert light > 0.4
    assert dark + light > 0.85


@pytest.mark.parametrize("code", [*EVERY_SYMBOL_ONCE, "MMMMM", "RRRRR"])
@pytest.mark.parametrize("seed", range(10))
def test_every_symbol_is_whole_within_the_picture(code: str, seed: int) -> None:
    random = Random(seed)
    drawn = picture._warped(picture._written(code, random), random)
    left, top, right, bottom = drawn.getbbox() or (0, 0, 0, 0)
    assert left > 0
    assert top > 0
    assert right < drawn.width
    assert bottom < drawn.height


def test_a_code_is_drawn_differently_each_time_and_alike_by_the_same_chance() -> None:
    assert picture.draw_image("7KMXY") != picture.draw_image("7KMXY")
    assert picture.draw_image("7KMXY", random=Random(1)) == picture.draw_image("7KMXY", random=Random(1))


def test_its_own_font_laid_over_it_solves_few_pictures() -> None:
    random = Random(1)
    drawn = ["".join(random.choices(codes.ALPHABET, k=codes.CODE_LENGTH)) for _ in range(6)]
    solved = [code for code in drawn if solve_by_shapes(picture.draw_image(code, random=random)) == code]
    assert len(solved) <= 2
