"""A test whose program is missing is skipped with its reason, and in CI it fails."""

import os
import subprocess
import sys

import pytest

from tests.dev.programs import ROOT

TESTS = (
    "tests/domain/test_passwords.py::test_the_page_ticks_a_rule_when_and_only_when_it_holds",
    "tests/dev/test_mail_catcher_process.py::test_a_link_in_a_mail_opens_an_unrestricted_page",
    "tests/test_guards.py::test_no_tracked_file_names_a_package_registry",
)


@pytest.mark.parametrize(("ci", "code", "word"), [("", 0, "SKIPPED"), ("true", 1, "ERROR")])
def test_a_missing_program_is_named(ci: str, code: int, word: str) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *TESTS],
        cwd=ROOT,
        env={**own, "PATH": "/nowhere", "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stdout
    assert ended.stdout.count(word) >= len(TESTS)
    for reason in ("node is not on the PATH", "no browser on the PATH", "git is not on the PATH"):
        assert reason in ended.stdout
