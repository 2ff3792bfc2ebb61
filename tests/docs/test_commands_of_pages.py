"""Every command of the operators that a page shows is one that the program takes."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from activities.errors import translated
from mipres.cli.app import PROGRAM, app
from mipres.domain.audit import AuditEventType
from mipres.domain.errors import RegistryUnavailableError
from mipres.temporal.names import WorkflowType
from tests.docs.test_docs import FENCE, PAGES, ROOT, named, section, text_of

SUPPORT = ROOT / "docs" / "support.md"


def commands() -> dict[str, frozenset[str]]:
    """The options of every command, by its words."""
    known: dict[str, frozenset[str]] = {}
    whole = typer.main.get_command(app)
    assert isinstance(whole, TyperGroup)
    groups: list[tuple[tuple[str, ...], TyperGroup]] = [((), whole)]
    for words, group in groups:
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                groups.append(((*words, name), command))
            else:
                options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
                known[" ".join((*words, name))] = frozenset(options)
    return known


COMMANDS = commands()
GROUPS = {name.rpartition(" ")[0] for name in COMMANDS} - {""}


def shown(text: str) -> Iterator[tuple[str, set[str]]]:
    """The words and options of each command in blocks and in code within sentences."""
    joined = re.sub(r"\\\n\s*", " ", text)
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", joined))
    lines = [line for block in FENCE.findall(joined) for line in block.splitlines()]
    for line in (*spans, *lines):
        _, _, rest = line.partition(f"{PROGRAM} ")
        # What follows a quotation mark is a reason or a name.
        words = re.sub(r'"[^"]*"', '""', rest).split()
        if words and words[0].isascii() and not words[0].startswith("-"):
            plain = " ".join(takewhile(lambda word: re.fullmatch(r"[a-z-]+", word), words))
            yield plain, {word for word in words if re.fullmatch(r"--[a-z-]+", word)}


def faults(text: str) -> list[str]:
    wrong = []
    for words, options in shown(text):
        names = [name for name in COMMANDS if f"{words} ".startswith(f"{name} ")]
        taken = COMMANDS[max(names, key=len)] if names else frozenset()
        if words in GROUPS and not options:
            continue
        if not names or options - taken - {"--help"}:
            wrong.append(f"{words} {' '.join(sorted(options))}")
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_is_shown_exists_and_takes_its_options(page: Path) -> None:
    assert faults(text_of(page)) == []


def test_a_command_that_is_not_there_is_noticed() -> None:
    page = f"`{PROGRAM} stuk`\n\n```sh\n{PROGRAM} retry RM-1 \\\n  --waiting-for rethus\n```\n"
    assert faults(page) == ["stuk ", "retry --waiting-for"]


def test_the_table_of_commands_has_every_command() -> None:
    table = section(SUPPORT, "The commands")
    cells = re.findall(r"^\| (`.*?) \| ", table.replace(r"\|", "/"), re.MULTILINE)
    listed = set()
    for span in re.findall(r"`([a-z][a-z/ -]+)", " ".join(cells)):
        *group, last = span.split()
        listed |= {" ".join((*group, one)) for one in last.split("/")}
    assert [name for name in COMMANDS if not any(f"{each} ".startswith(f"{name} ") for each in listed)] == []


def test_the_page_says_what_the_commands_say() -> None:
    sample = next(block for block in FENCE.findall(text_of(SUPPORT)) if f"$ {PROGRAM} show" in block)
    rows = re.findall(r"^ +\d+ \S+ \S+ (.*?) · ", sample, re.MULTILINE)
    assert len(rows) > 5
    assert set(rows) <= {event.label for event in AuditEventType}
    with pytest.raises(Exception, match="ReTHUS") as failed, translated():
        raise RegistryUnavailableError("rethus", "RemoteProtocolError")
    remedy = str(failed.value).partition("). ")[2]
    assert remedy in sample


def test_every_workflow_is_on_the_page_of_the_architecture() -> None:
    page = ROOT / "docs" / "architecture.md"
    others = re.findall(r"^\| `(\w+)` \(", section(page, "The other workflows"), re.MULTILINE)
    assert {*others, "Registration"} == set(WorkflowType)
    assert [name for name in WorkflowType if name not in section(page, "Containers")] == []
