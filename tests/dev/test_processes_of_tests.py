"""Tests that share a server run in one process, however many processes there are."""

import re

from tests.conftest import shared_by
from tests.dev.programs import printed_by

FILES = ("tests/domain/test_access.py", "tests/domain/test_addresses.py")


async def test_the_tests_of_a_file_run_in_one_process() -> None:
    words = ("--numprocesses", "2", "--dist", "load", "--verbose", *FILES)
    output = await printed_by("pytest", *words, within=120)
    ran = set(re.findall(r"\[(gw\d)\].* PASSED (tests/[\w/]+\.py)", output))
    assert sorted(file for _, file in ran) == sorted(FILES), output
    assert len({process for process, _ in ran}) == 2, output


def test_the_tests_of_a_whole_product_are_together() -> None:
    of_product = {shared_by(f"tests/product/{file}::test") for file in ("test_api.py", "test_pages.py")}
    of_browser = {shared_by(f"tests/product/browser/{file}::test") for file in ("test_a.py", "test_b.py")}
    assert len(of_product) == len(of_browser) == 1
    assert of_product != of_browser
