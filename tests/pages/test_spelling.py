"""The Spanish of pages and mails: spelled, and addressed to the person as *usted*."""

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DICTIONARY = Path("/usr/share/hunspell/es_CO.dic")
WORDS = ROOT / "tests" / "pages" / "own_words.txt"
_FOR_PROGRAMMERS = ("api_docs",)
TEMPLATES = sorted(
    path
    for path in (ROOT / "templates").rglob("*")
    if path.suffix in {".html", ".txt"}
    and not f"{path.parent.name}/{path.name}".removeprefix("pages/").startswith(_FOR_PROGRAMMERS)
)
SENTENCES = sorted(
    ROOT / name
    for name in (
        "api/errors.py",
        "api/pages/support.py",
        "api/pages/support_accounts.py",
        "api/pages/support_cases.py",
        "api/pages/support_password.py",
        "api/pages/timeline.py",
        "mipres/domain/access.py",
        "mipres/domain/applications.py",
        "mipres/domain/outcomes.py",
        "mipres/domain/remedies.py",
        "mipres/domain/sentences.py",
        "mipres/domain/submissions.py",
    )
)
_JINJA = re.compile(r"{#.*?#}|{[{%].*?[}%]}", re.DOTALL)
_QUOTED = re.compile(r'"([^"{}]*)"')
_TAG = re.compile(r"<(script|style|svg|code)\b.*?</\1>|<[^>]*>|&\w+;", re.DOTALL)
_ADDRESS = re.compile(r"\S*[@/]\S*|\S+\.gov\.co\S*|\bRM-\w+|\baria-\w+")
_WORD = re.compile(r"\b[^\W\d_]{2,}\b")
# Forms of tú and vos, in words that no form of usted shares.
_FAMILIAR = re.compile(
    r"\b(tú|te|ti|contigo|tu|tus|tuyo|tuya|vos|puedes|debes|tienes|quieres|haz|podrás|recibirás)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def dictionary() -> None:
    """Leave out what needs a dictionary that this machine has not, except in CI."""
    if not DICTIONARY.exists():
        stop = pytest.fail if os.environ.get("CI", "").lower() in {"1", "true"} else pytest.skip
        stop(f"{DICTIONARY} is not here: install hunspell-es")


def template_text(path: Path) -> str:
    """What people read of a template, also in the quoted words of its code."""
    source = path.read_text(encoding="utf-8")
    code = " ".join(match for match in _JINJA.findall(source) if not match.startswith("{#"))
    quoted = " ".join(text for text in _QUOTED.findall(code) if " " in text and text[0].isupper())
    return _ADDRESS.sub(" ", _TAG.sub(" ", f"{_JINJA.sub(' ', source)} {quoted}"))


def python_text(path: Path) -> str:
    """The sentences of a module; its docstrings are English."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    texts = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    )
    return _ADDRESS.sub(" ", " ".join(text for text in texts if text[:1].isupper() and " " in text))


def read_texts() -> Iterator[tuple[Path, str]]:
    yield from ((path, template_text(path)) for path in TEMPLATES)
    yield from ((path, python_text(path)) for path in SENTENCES)


def misspelled(words: set[str]) -> list[str]:
    """Find what neither Colombia's dictionary nor the product's own list has."""
    own = {line for line in WORDS.read_text(encoding="utf-8").splitlines() if line}
    asked = "\n".join(sorted(words - own))
    done = subprocess.run(
        ["hunspell", "-i", "utf-8", "-d", "es_CO", "-l"],
        input=asked,
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=30,
    )
    return done.stdout.split()


@pytest.mark.needs("hunspell")
@pytest.mark.usefixtures("dictionary")
def test_every_word_is_spelled() -> None:
    words = {word for _, text in read_texts() for word in _WORD.findall(text)}
    assert len(words) > 700
    assert misspelled(words) == []


@pytest.mark.needs("hunspell")
@pytest.mark.usefixtures("dictionary")
def test_a_missing_accent_is_found() -> None:
    assert misspelled({"contraseña", "electronico", "municpio"}) == ["electronico", "municpio"]


@pytest.mark.parametrize("path", [*TEMPLATES, *SENTENCES], ids=lambda path: path.stem)
def test_the_person_is_addressed_as_usted(path: Path) -> None:
    text = template_text(path) if path in TEMPLATES else python_text(path)
    assert _FAMILIAR.findall(text) == []
