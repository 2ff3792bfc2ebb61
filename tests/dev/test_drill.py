"""`make drill`, really played: two products, one after the other."""

import re

from tests.dev.programs import printed_by

MOST_SECONDS = 180


async def test_what_was_lost_comes_back_from_the_copies() -> None:
    output = await printed_by("dev.drill", within=MOST_SECONDS)
    steps = [line for line in output.splitlines() if re.search(r" \d+\.\d s$", line)]
    assert len(steps) == 8, output
    assert re.search(r"^audit --verify --head \d+:", output, re.MULTILINE), output
