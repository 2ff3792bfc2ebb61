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
# Their sentences are for programmers, and for logs and metrics.
_ENGLISH = ("api/v1/", "api/oidc/", "metrics.py", "registry_faults.py")
MODULES = sorted(
    path
    for folder in ("activities", "api", "mipres/cli", "mipres/domain", "mipres/support", "workflows")
    for path in (ROOT / folder).rglob("*.py")
    if not any(name in path.as_posix() for name in _ENGLISH)
)
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))
_JINJA = re.compile(r"{#.*?#}|{[{%].*?[}%]}", re.DOTALL)
_QUOTED = re.compile(r'"([^"{}]*)"')
_SCRIPTED = re.compile(r'"([^"\n]*)"|`([^`]*)`')
_FILLED_IN = re.compile(r"\$\{[^}]*\}")
# Commands, a heading of the operators' English manual, and what is filled in.
_NO_WORDS = re.compile(r"`[^`]*`|--\S+|docs/\S+ «[^»]*»|{\w+}|[a-z]+-[a-z]+(?=\.)")
_SPANISH_LETTER = re.compile(r"[áéíóúñ¿¡]")
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
    """The sentences of a module, and the help that its commands show."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    texts = [
        _whole(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in docstrings | parts
    ]
    shown = [text for text in texts if is_sentence(text)] + [
        ast.get_docstring(node) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and is_command(node)
    ]
    return _ADDRESS.sub(" ", _NO_WORDS.sub(" ", " ".join(shown)))


def _whole(node: ast.Constant | ast.JoinedStr) -> str:
    """A string, with a mark that makes no word where something is filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_whole(part) if isinstance(part, ast.Constant) else "_" for part in node.values)
    return node.value if isinstance(node.value, str) else ""


def script_text(path: Path) -> str:
    """The sentences that a script shows."""
    strings = [double or back for double, back in _SCRIPTED.findall(path.read_text(encoding="utf-8"))]
    return " ".join(_FILLED_IN.sub(" ", text) for text in strings if is_sentence(text))


def is_sentence(text: str) -> bool:
    return " " in text and (text[0].isupper() or bool(_SPANISH_LETTER.search(text)))


def is_command(node: ast.FunctionDef) -> bool:
    return any(re.search(r"\.(command|callback)\(", ast.unparse(one)) for one in node.decorator_list)


def read_texts() -> Iterator[tuple[Path, str]]:
    yield from ((path, template_text(path)) for path in TEMPLATES)
    yield from ((path, python_text(path)) for path in MODULES)
    yield from ((path, script_text(path)) for path in SCRIPTS)


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


def test_scripts_commands_and_workflows_are_read() -> None:
    read = {path.relative_to(ROOT).as_posix(): text for path, text in read_texts()}
    assert "Cambió el estado del registro" in read["static/js/status.js"]
    assert "Muestra perfiles y sus estados" in read["mipres/cli/accounts.py"]
    assert "Revisión de accesos en curso" in read["workflows/details.py"]


def test_the_person_is_addressed_as_usted() -> None:
    familiar = {path: found for path, text in read_texts() if (found := _FAMILIAR.findall(text))}
    assert familiar == {}
