"""What a screen reader says of errors.

Every page's headings are heard in accessibility.py.
"""

import pytest

from tests.product.browser.reader import faults_of, heard, inside
from tests.product.browser.visitor import Visitor

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("path", "button"),
    [
        ("/registro/profesional", "Registrar"),
        ("/registro/delegado", "Registrar"),
        ("/ingreso/mipres", "Ingresar"),
        ("/contrasena/recuperar", "Pedir enlace"),
    ],
)
async def test_errors_are_read_first_and_at_each_field(visitor: Visitor, path: str, button: str) -> None:
    await visitor.open(path)
    await visitor.press(button)
    things = await heard(visitor.page)
    [focused] = [thing for thing in things if thing.facts.get("focused") and thing.role != "RootWebArea"]
    assert (focused.role, focused.name) == ("alert", "Revise los datos")
    errors = [thing.name for thing in inside(things, "alert") if thing.role == "link"]
    wrong = [thing for thing in things if thing.facts.get("invalid") == "true"]
    assert len(errors) == len(wrong) > 0
    for error, field in zip(errors, wrong, strict=True):
        assert error in field.description, field
        assert field.name, error


async def test_headings_and_landmarks_are_found_wanting(visitor: Visitor) -> None:
    await visitor.page.set_content("<main><h1>Uno</h1><h3>Tres</h3></main><main><h1>Dos</h1></main>")
    assert faults_of(await heard(visitor.page)) == [
        "2 headings of the first level",
        "headings skip a level: [1, 3, 1]",
        "0 × banner",
        "2 × main",
        "0 × contentinfo",
        "twice ('main', '')",
    ]
