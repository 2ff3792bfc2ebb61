"""What becomes of what pip-audit says."""

import json
from typing import Any

import pytest

from dev.audit import read, verdict

FINE = {"name": "fastapi", "version": "1", "vulns": []}
WEAK = {"name": "jinja2", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "httpx2", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("dependencies", "said"),
    [([FINE], ""), ([FINE, WEAK], "jinja2 2: CVE-1, corregido en 3"), ([WEAK, UNKNOWN], "CVE-1")],
)
@pytest.mark.parametrize("strict", [True, False])
def test_a_known_weakness_fails(
    dependencies: list[dict[str, Any]], said: str, *, strict: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdict(read(json.dumps({"dependencies": dependencies})), strict=strict) == (WEAK in dependencies)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("dependencies", [[UNKNOWN], [FINE, UNKNOWN], []])
def test_what_no_advisory_database_knows_was_not_audited(
    dependencies: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    report = read(json.dumps({"dependencies": dependencies}))
    assert (verdict(report, strict=True), verdict(report, strict=False)) == (1, 0)
    if dependencies:
        assert f"no conoce 1 de {len(dependencies)} paquetes: httpx2" in capsys.readouterr().out


@pytest.mark.parametrize(("strict", "code"), [(True, 1), (False, 0)])
def test_no_answer_fails_only_where_that_is_wanted(
    *, strict: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdict(read("ERROR: no connection"), strict=strict) == code
    assert "no se auditó nada" in capsys.readouterr().out
