"""Rules that every template keeps."""

import re
from collections.abc import Iterator
from pathlib import Path

from api.templating import sentence
from mipres.composition import TEMPLATES

FIELD = re.compile(r"""name=["']csrf_token["']""")
FORM = re.compile(r"<form\b[^>]*method=\"post\".*?</form>", re.DOTALL)
TOKEN = re.compile(r"\bcsrf\(")


def html() -> Iterator[tuple[Path, str]]:
    for path in TEMPLATES.rglob("*.html"):
        yield path.relative_to(TEMPLATES), path.read_text(encoding="utf-8")


def test_only_the_macro_writes_the_token_of_a_form() -> None:
    written = [str(path) for path, text in html() for _ in FIELD.findall(text)]
    assert written == ["partials/forms.html"]


def test_every_form_that_changes_something_carries_the_token() -> None:
    forms = [(path, form) for path, text in html() for form in FORM.findall(text)]
    assert len(forms) > 5
    assert [str(path) for path, form in forms if not TOKEN.search(form)] == []


def test_citizens_read_every_date_in_one_form() -> None:
    """Tables of support are narrower, and have a form of their own."""
    other_form = re.compile(r"short_moment|strftime|isoformat|%[dYm]|_at *}}")
    texts = [*html(), *((path, path.read_text()) for path in TEMPLATES.rglob("*.txt"))]
    assert [str(path) for path, text in texts if other_form.search(text) and "support" not in path.name] == []


def test_no_template_compares_stages_or_sentences() -> None:
    """What a page shows is decided in Python, where a table of tests covers it."""
    deciding = re.compile(r"stage(\.value)? *(==|in)|waiting_on *(==|in)|outcome *(==|%})")
    assert [str(path) for path, text in html() if deciding.search(text)] == []


def test_no_field_cuts_what_says_who_or_what_is_meant() -> None:
    """A browser cuts a paste without a word; half a number may be another person's."""
    meant = {"numero_documento", "nit", "registro_profesional", "usuario", "radicado"}
    fields = re.compile(r"\btext_field\(\"(\w+)\"[^}]*?}}")
    written = [(name[1], name[0]) for _, text in html() for name in fields.finditer(text)]
    assert meant <= {name for name, _ in written}
    assert [name for name, field in written if name in meant and "maxlength" in field] == []


def test_a_capital_at_the_beginning_changes_no_name() -> None:
    """`capitalize` makes every other letter small: ReTHUS became rethus."""
    assert [str(path) for path, text in html() if re.search(r"\|\s*(capitalize|title)\b", text)] == []
    assert sentence("ya no figura en ReTHUS") == "Ya no figura en ReTHUS"
    assert sentence("") == ""
