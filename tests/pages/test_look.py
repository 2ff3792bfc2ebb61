"""The frame and the macros keep the promises that every page relies on."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mipres.domain import sentences

ROOT = Path(__file__).parents[2]
CSS = (ROOT / "static/css/app.css").read_text()
SOURCES = [*sorted((ROOT / "templates/partials").glob("*.html")), ROOT / "templates/layout.html"]

FORM = """
{% extends "layout.html" %}{% import "partials/forms.html" as f %}
{% block title %}Otro Usuario{% endblock %}
{% block content %}
{{ f.error_summary(errors, sentence="Diligencie todos los campos") }}
{% call f.form("/registro/otro", "token") %}
{{ f.radio_group("tipo_entidad", "Tipo de entidad", [("IPS", "IPS"), ("EPS", "EPS", "Con régimen")], "EPS", errors.get("tipo_entidad")) }}
{{ f.select_field("tipo_documento", "Tipo identificación", [("CC", "Cédula")], "CC", errors.get("tipo_documento")) }}
{{ f.select_field("municipio", "Municipio", [("05001", "Medellín")], "05001") }}
{{ f.text_field("numero_documento", "Número", value, errors.get("numero_documento"), hint="Sin puntos") }}
{{ f.password_field("contrasena", "Contraseña", errors.get("contrasena"), rules=[("Ocho caracteres", "^.{8,}$")]) }}
{{ f.captcha_field({"challenge": "abc", "by_proof": false}, errors) }}
{{ f.checkbox("acepta_datos", "Acepto", error=errors.get("acepta_datos"), text="Texto legal") }}
{{ f.buttons("Registrar", "/") }}
{% endcall %}
{% endblock %}
"""
NAMES = ("tipo_entidad", "tipo_documento", "numero_documento", "contrasena", "captcha", "acepta_datos")


def render(source: str, **context: object) -> str:
    env = Environment(loader=FileSystemLoader(ROOT / "templates"), autoescape=True, undefined=StrictUndefined)
    env.globals |= {"static_url": "/static/{}".format, "say": sentences}
    return env.from_string(source).render(**context)


def form(errors: dict[str, str], value: str = "") -> str:
    return render(FORM, errors=errors, value=value)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_nothing_inline_that_the_content_security_policy_forbids(source: Path) -> None:
    text = source.read_text()
    assert not re.search(r"<[^>]*\s(style|on\w+)\s*=", text)
    assert "<style" not in text
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_every_file_the_style_sheet_names_is_here() -> None:
    names = [name for name in re.findall(r'url\("([^"]+)"\)', CSS) if not name.startswith("data:")]
    assert names
    assert [name for name in names if not (ROOT / "static/css" / name.partition("?")[0]).is_file()] == []


def test_the_script_stays_small() -> None:
    assert (ROOT / "static/js/app.js").stat().st_size < 7_000


def test_the_font_carries_its_licence() -> None:
    assert "SIL OPEN FONT LICENSE Version 1.1" in (ROOT / "static/fonts/OFL.txt").read_text()


def test_title_says_error_only_when_there_is_one() -> None:
    assert "<title>Otro Usuario · Registro MIPRES</title>" in form({})
    assert "<title>Error: Otro Usuario · Registro MIPRES</title>" in form({"captcha": "Escriba el código."})


def test_each_error_is_linked_described_and_marked_invalid() -> None:
    html = form({name: f"Falta {name}." for name in NAMES})
    for name in NAMES:
        assert f'<a href="#{name}">Falta {name}.</a>' in html
        assert html.count(f' id="{name}"') == 1
        assert re.search(rf'aria-describedby="[^"]*\b{name}-error\b[^"]*" aria-invalid="true"', html)


@pytest.mark.parametrize("errors", [{}, dict.fromkeys(NAMES, "Falta.")], ids=["empty", "errors"])
def test_ids_are_unique_and_every_reference_finds_its_element(errors: dict[str, str]) -> None:
    html = form(errors)
    ids = re.findall(r'\sid="([^"]+)"', html)
    references = re.findall(r'(?:for|aria-describedby|aria-labelledby)="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert {word for words in references for word in words.split()} <= set(ids)


def test_an_error_of_no_field_has_no_link() -> None:
    html = form({"_form": "El formulario venció."})
    assert "<li>El formulario venció.</li>" in re.sub(r">\s+|\s+<", lambda gap: gap[0].strip(), html)


def test_what_was_typed_comes_back_escaped_and_passwords_never() -> None:
    html = form({}, value='"><script>alert(1)</script>')
    assert "<script>alert" not in html
    assert 'value="&#34;&gt;&lt;script&gt;' in html
    assert not re.search(r'type="password"[^>]*\svalue=', html)


def test_enter_registers_instead_of_refreshing_the_image() -> None:
    buttons = re.findall(r"<button[^>]*>", form({}))
    submitting = [button for button in buttons if 'type="submit"' in button]
    assert "name=" not in submitting[0]


def _luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _token(name: str) -> str:
    found = re.search(rf"--{name}: (#[0-9a-f]{{3,6}});", CSS)
    assert found, name
    return found[1] if len(found[1]) == 7 else "#" + "".join(digit * 2 for digit in found[1][1:])


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("text-soft", "soft"),
        ("text-soft", "grey"),
        ("main", "soft"),
        ("error", "error-soft"),
        ("ok", "ok-soft"),
    ],
)
def test_tokens_meet_aa_contrast_on_their_background(ink: str, paper: str) -> None:
    dark, light = sorted((_luminance(_token(ink)), _luminance(_token(paper))))
    ratio = (light + 0.05) / (dark + 0.05)
    # Green is used for icons and borders only, where WCAG asks for 3:1.
    assert ratio >= (3 if ink == "ok" else 4.5)


def test_the_button_of_a_repeated_password_has_a_name_that_is_a_sentence() -> None:
    source = '{% import "partials/forms.html" as f %}{{ f.password_field("dos", "Confirme la contraseña", matches="una") }}'
    assert 'aria-label="Mostrar la confirmación"' in render(source)


def test_the_button_of_an_offer_leads_to_no_field() -> None:
    """A fragment in its address keeps the focus from the summary of errors."""
    source = '{% import "partials/forms.html" as f %}{{ f.text_field("nit", "Nit", offer=("Usar 9", "usar_nit", "9")) }}'
    [button] = re.findall(r"<button[^>]*>", render(source))
    assert "formaction" not in button
