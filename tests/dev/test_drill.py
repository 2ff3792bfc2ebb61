"""`make drill`, really played: two products, one after the other."""

import re

from tests.dev.programs import ROOT, printed_by

MOST_SECONDS = 180


async def test_what_was_lost_comes_back_from_the_copies() -> None:
    output = await printed_by("dev.drill", within=MOST_SECONDS)
    steps = [line for line in output.splitlines() if re.search(r" \d+\.\d s$", line)]
    assert len(steps) == 8, output
    assert re.search(r"^audit --verify --head \d+:", output, re.MULTILINE), output
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- drill -->\n```\n")[2].partition("```\n<!-- /drill -->")[0]
    assert of_any_run(shown) == of_any_run(output)


def of_any_run(output: str) -> str:
    """What each run prints, without its times and the head of its trail."""
    return re.sub(r"--head \d+:\w+…| +\d+\.\d s$", "", output, flags=re.MULTILINE)
