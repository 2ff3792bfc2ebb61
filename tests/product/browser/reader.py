"""A page as a screen reader has it: Chromium's accessibility tree, in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page

LANDMARKS = ("banner", "main", "contentinfo", "navigation", "complementary")


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One thing that is read.

    Attributes:
        facts: What a reader adds to the name: level, live, invalid, focused and the like.
        around: The roles of what it lies in.
    """

    role: str
    name: str
    description: str
    facts: dict[str, Any]
    around: tuple[str, ...]


async def heard(page: Page) -> list[Heard]:
    """Everything that a reader comes by, from the top."""
    session = await page.context.new_cdp_session(page)
    nodes = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    await session.detach()
    by_id = {node["nodeId"]: node for node in nodes}
    return list(_read(nodes[0], by_id, ()))


def inside(things: list[Heard], role: str) -> list[Heard]:
    """What lies in something of a role."""
    return [thing for thing in things if role in thing.around]


def faults_of(things: list[Heard]) -> list[str]:
    """What would lose somebody who goes by headings and landmarks."""
    levels = [thing.facts["level"] for thing in things if thing.role == "heading"]
    found = [] if levels.count(1) == 1 else [f"{levels.count(1)} headings of the first level"]
    # What went wrong comes first, above the page's own heading.
    if any(after > before + 1 for before, after in zip([1, *levels], levels, strict=False)):
        found.append(f"headings skip a level: {levels}")
    marks = [(thing.role, thing.name) for thing in things if thing.role in LANDMARKS]
    roles = [role for role, _ in marks]
    found += [f"{roles.count(role)} × {role}" for role in LANDMARKS[:3] if roles.count(role) != 1]
    found += [f"twice {mark}" for mark in sorted(set(marks)) if marks.count(mark) > 1]
    return found


def _read(node: dict[str, Any], by_id: dict[str, Any], around: tuple[str, ...]) -> Iterator[Heard]:
    role = _value(node, "role")
    if not node["ignored"]:
        yield Heard(
            role=role,
            name=_value(node, "name"),
            description=_value(node, "description"),
            facts={fact["name"]: fact["value"].get("value") for fact in node.get("properties", ())},
            around=around,
        )
    for child in node.get("childIds", ()):
        if child in by_id:
            yield from _read(by_id[child], by_id, (*around, role))


def _value(node: dict[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", ""))
