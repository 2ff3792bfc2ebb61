"""Check the mechanical part of docs/writing.md in pages, docstrings and comments."""

import ast
import io
import re
import shutil
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITING = ROOT / "docs" / "writing.md"
FIRST_LINE = 80
CHECKED = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "activities",
    "api",
    "bench",
    "deploy",
    "docs",
    "mipres/captcha",
    "mipres/database",
    "mipres/domain",
    "mipres/mail",
    "mipres/registries",
    "mipres/support",
    "mipres/temporal",
    "scripts",
    "templates",
    "tests",
    "worker.py",
    "workflows",
)
"""What follows the rules; `mipres/cli` and `dev` have Spanish help and usage."""
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
SUFFIXES = frozenset({".py", ".md", ".html"})


def phrases() -> list[str]:
    """Return the phrases of the table in docs/writing.md."""
    table = WRITING.read_text(encoding="utf-8").partition("## Phrases to avoid")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def pattern_of(phrase: str) -> str:
    """Return a pattern in which an ellipsis stands for a few words of one sentence."""
    words = [
        r"(?:[^\s.]+\s+){0,4}?" if word == "…" else re.escape(word) + r"\b\s*" for word in phrase.split()
    ]
    return r"\b" + "".join(words)


BANNED = re.compile("|".join(pattern_of(phrase) for phrase in phrases()), re.IGNORECASE)


def prose_of(source: str, suffix: str) -> Iterator[tuple[int, str]]:
    """Yield line number and text of every piece of prose."""
    if suffix == ".py":
        yield from _python_prose(source)
        return
    # Blank lines keep the numbers of what follows right.
    text = FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), source) if suffix == ".md" else source
    yield from _paragraphs(re.sub(r"`[^`]*`", _blanked, text))


def _blanked(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    number = 1
    for paragraph in text.split("\n\n"):
        yield number, paragraph
        number += paragraph.count("\n") + 2


def _python_prose(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for number, text in _docstrings(source):
        yield number, re.sub(r"`[^`]*`", "", text)


def _docstrings(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value


def offences(source: str, suffix: str) -> list[str]:
    """Return what breaks the rules, as `line: what`."""
    found = [
        f"{number}: {' '.join(match[0].split())}"
        for number, text in prose_of(source, suffix)
        for match in BANNED.finditer(text)
    ]
    if suffix == ".py":
        found += [
            f"{number}: first line of {len(first)} characters"
            for number, text in _docstrings(source)
            for first in text.strip().splitlines()[:1]
            if len(first) > FIRST_LINE
        ]
    return found


def tracked(place: str) -> list[Path]:
    # Without git, or in a source archive without its history, every file counts.
    paths = [ROOT / name for name in listed_by_git(place)] or [ROOT / place, *(ROOT / place).rglob("*")]
    return [path for path in paths if path.suffix in SUFFIXES and path.is_file()]


def listed_by_git(place: str) -> list[str]:
    if shutil.which("git") is None:
        return []
    command = ["git", "ls-files", "--", place]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()


@pytest.mark.parametrize("place", CHECKED)
def test_every_sentence_follows_the_rules(place: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{offence}"
        for path in tracked(place)
        for offence in offences(path.read_text(encoding="utf-8"), path.suffix)
    ]
    assert found == []


@pytest.mark.parametrize("place", CHECKED)
def test_a_machine_without_git_reads_the_same_places(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = set(tracked(place))
    monkeypatch.setenv("PATH", "/nowhere")
    assert known
    assert known <= set(tracked(place))


def test_the_table_of_phrases_is_read() -> None:
    assert {"whoever", "nobody's", "of ours", "told", "is said", "lets … be"} <= set(phrases())


@pytest.mark.parametrize("phrase", phrases())
def test_each_phrase_is_noticed_in_pages_comments_and_docstrings(phrase: str) -> None:
    sentence = f"The page {phrase.replace('…', 'the link')} here."
    assert offences(sentence, ".md")
    assert offences(sentence, ".html")
    assert offences(f"# {sentence}\n", ".py")
    assert offences(f'"""{sentence}"""\n', ".py")
    assert offences(f"value = {sentence!r}\n", ".py") == []


def test_a_long_first_line_is_noticed() -> None:
    assert offences(f'"""{"x" * (FIRST_LINE + 1)}"""\n', ".py")
    assert offences(f'"""{"x" * FIRST_LINE}\n\n{"y" * 100}\n"""\n', ".py") == []


def test_code_is_not_prose() -> None:
    assert offences("`test_a_person_is_told`\n\n```\ntold\n```\n", ".md") == []
