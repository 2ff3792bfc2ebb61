"""The plain part of a mail says what its HTML says."""

import pytest

from mipres.mail.plain import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Uno\n dos.</p><p>Tres.</p>", "Uno dos.\n\nTres.\n"),
        ('<p>Abra <a href="https://x.test/a">AQUÍ</a>.</p>', "Abra AQUÍ.\nhttps://x.test/a\n"),
        (
            '<p><a href="https://x.test/a">Uno</a> o <a href="https://x.test/b">dos</a></p>',
            "Uno o dos\nUno: https://x.test/a\ndos: https://x.test/b\n",
        ),
        ("<p>1. Uno.<br>2. Dos.</p>", "1. Uno.\n2. Dos.\n"),
        ("<head><title>No</title></head><h1>No</h1><p>Sí &amp; &lt;b&gt;</p>", "Sí & <b>\n"),
        ('<p class="small html-only">No <a href="https://x.test/">no</a></p><p>Sí</p>', "Sí\n"),
        ('<p>Sí</p><div class="foot"><p>Ayuda</p></div>', "Sí\n\n--\nAyuda\n"),
    ],
)
def test_paragraphs_links_and_breaks(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize("kept", ["RM-0123456789AB", "11:30 p. m.", "https://x.test/" + "a-" * 60])
@pytest.mark.parametrize("before", range(60, 78))
def test_no_line_ends_within_what_belongs_together(kept: str, before: int) -> None:
    assert kept.split(" ", 1)[-1] in plain_text(f"<p>{'x' * before} {kept} y más palabras.</p>")
    assert kept in plain_text(f"<p>{'x' * before} {kept}</p>")
