import io

import pytest
from PIL import Image

from mipres.captcha import picture
from tests.captcha.every_symbol import EVERY_SYMBOL_ONCE


@pytest.mark.parametrize("code", EVERY_SYMBOL_ONCE)
def test_the_image_is_a_png_of_the_size_promised(code: str) -> None:
    with Image.open(io.BytesIO(picture.draw_image(code))) as image:
        image.load()
        assert image.format == "PNG"
        assert image.size == (picture.IMAGE_WIDTH, picture.IMAGE_HEIGHT)


@pytest.mark.parametrize("code", EVERY_SYMBOL_ONCE)
def test_the_symbols_are_dark_on_light_paper(code: str) -> None:
    with Image.open(io.BytesIO(picture.draw_image(code))) as image:
        shades = image.convert("L").histogram()
    dark, light = sum(shades[:100]), sum(shades[230:])
    assert dark > 0.03 * image.width * image.height
    assert light > 0.5 * image.width * image.height


def test_a_code_is_drawn_differently_each_time() -> None:
    assert picture.draw_image("7KMXY") != picture.draw_image("7KMXY")
