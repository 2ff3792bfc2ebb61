"""Every Spanish sentence that people read stands once, at one owner."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from tests.pages.test_spelling import ROOT, TEMPLATES

_SHORTEST = 5
_SOURCES = sorted(
    path for folder in ("mipres", "api", "workflows", "activities") for path in (ROOT / folder).rglob("*.py")
)
_SCRIPTS = sorted((ROOT / "static/js").glob("*.js"))
_COMMENT = re.compile(r"{#.*?#}", re.DOTALL)
_CODE = re.compile(r"{%.*?%}", re.DOTALL)
_SHOWN = re.compile(r"{{.*?}}", re.DOTALL)
_QUOTED = re.compile(r'"([^"{}]*)"')
_HIDDEN = re.compile(r"<(svg|style|code)\b.*?</\1>", re.DOTALL)
_INLINE = re.compile(r"</?(a|strong|em|span|b|abbr|time)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")
_END = re.compile(r"(?<=[.:?!;])\s+|\n\s*\n|\x00")
_WORD = re.compile(r"[^\W\d_]+")
# Words that Spanish has and English has not.
_SPANISH = re.compile(
    r"\b(de|la|el|los|las|en|su|que|con|para|por|del|una|un|se|al|no está|ya|esta|este|sin)\b", re.IGNORECASE
)


def template_passages(source: str) -> Iterator[str]:
    """What stands between the tags of a template, and the quoted words of its code."""
    source = _COMMENT.sub("", source)
    for code in (*_CODE.findall(source), *_SHOWN.findall(source)):
        yield from _QUOTED.findall(code)
    shown = _SHOWN.sub(" … ", _CODE.sub("\x00", _HIDDEN.sub("\x00", source)))
    yield _TAG.sub("\x00", _INLINE.sub("", shown))


def python_passages(source: str) -> Iterator[str]:
    """The strings of a module, without its docstrings."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
    } - {id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    for node in ast.walk(tree):
        if id(node) in docstrings or id(node) in inner:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else " … " for part in node.values
            )


def script_passages(source: str) -> Iterator[str]:
    yield from ("".join(found) for found in re.findall(r'"([^"\n]*)"|`([^`]*)`', source))


def sentences(passages: Iterator[str]) -> Iterator[str]:
    """The Spanish sentences of five words or more, without marks and capitals."""
    for passage in passages:
        for sentence in _END.split(passage):
            words = _WORD.findall(sentence)
            if len(words) >= _SHORTEST and len(_SPANISH.findall(sentence)) > 0:
                yield " ".join(words).lower()


def _read() -> Iterator[tuple[str, str]]:
    kinds = (
        (TEMPLATES, template_passages),
        (_SOURCES, python_passages),
        (_SCRIPTS, script_passages),
    )
    for paths, passages in kinds:
        for path in paths:
            for sentence in sentences(passages(path.read_text(encoding="utf-8"))):
                yield sentence, str(path.relative_to(ROOT))


def repeated(found: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    places: dict[str, list[str]] = defaultdict(list)
    for sentence, place in found:
        places[sentence].append(place)
    return {sentence: sorted(where) for sentence, where in places.items() if len(where) > 1}


def test_every_sentence_stands_once() -> None:
    found = list(_read())
    assert len(found) > 500
    assert repeated(iter(found)) == {}


def test_a_sentence_that_stands_twice_is_found() -> None:
    page = '<p>Guarde el <b>número</b> de radicado.</p>{{ f.text("Guarde el número de radicado") }}'
    assert list(sentences(template_passages(page))) == ["guarde el número de radicado"] * 2
    module = '"""Guarde el número de radicado."""\nA = f"Guarde el número de {x} radicado"\n'
    assert list(sentences(python_passages(module))) == ["guarde el número de radicado"]
    assert repeated(iter([("a b", "uno"), ("a b", "dos"), ("c d", "uno")])) == {"a b": ["dos", "uno"]}
