"""What becomes of what pip-audit says."""

import json
from typing import Any

import pytest

from dev.audit import read, verdict

FINE = {"name": "fastapi", "version": "1", "vulns": []}
WEAK = {"name": "jinja2", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "httpx2", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("dependencies", "code", "said"),
    [
        ([FINE], 0, ""),
        ([FINE, WEAK], 1, "jinja2 2: CVE-1, corregido en 3"),
        ([FINE, UNKNOWN], 0, "no conoce 1 de 2 paquetes"),
    ],
)
def test_a_known_weakness_fails(
    dependencies: list[dict[str, Any]], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdict(read(json.dumps({"dependencies": dependencies})), strict=True) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(("strict", "code"), [(True, 1), (False, 0)])
def test_no_answer_fails_only_where_that_is_wanted(
    *, strict: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdict(read("ERROR: no connection"), strict=strict) == code
    assert "no se auditó nada" in capsys.readouterr().out
