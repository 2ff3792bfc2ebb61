import re
from pathlib import Path

import pytest

from mipres.domain.registry_faults import fault_for_staff

SOURCES = (*Path("mipres/registries").glob("*.py"), Path("mipres/domain/eligibility.py"))
RAISED = re.compile(r'(?:(?:fault|failure)\(\s*f?|_U[A-Z_]+ = )"([^"]+)"')


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("HTTP status 503", "código HTTP 503"),
        ("HTTP status 404 without the code not_found", "código HTTP 404 sin el código not_found"),
        ("ReadTimeout", "no respondió a tiempo, ReadTimeout"),
        ("TimeoutError", "no respondió a tiempo, TimeoutError"),
        ("ConnectError", "falló la conexión, ConnectError"),
        ("SSLCertVerificationError", "no se pudo cifrar la conexión (TLS), SSLCertVerificationError"),
        ("sanctions[0].start: not a day", "sanctions[0].start: no es una fecha"),
        (
            "professions: neither readable name nor known code",
            "professions: sin nombre legible ni código conocido",
        ),
        ("the answer: not an object", "la respuesta: no es un objeto"),
        ("the answer is not JSON", "la respuesta no es JSON"),
        ("end: Input should be a valid string", "end: no tiene la forma acordada"),
    ],
)
def test_staff_reads_the_fault_in_spanish(cause: str, words: str) -> None:
    assert fault_for_staff(cause) == words


def kinds_raised() -> set[str]:
    """Every kind of fault that the source of the registries names."""
    root = Path(__file__).parents[2]
    found = {kind for source in SOURCES for kind in RAISED.findall((root / source).read_text("utf-8"))}
    return {kind.rpartition(": ")[2] for kind in found if not kind.startswith(("HTTP", "the answer"))}


@pytest.mark.parametrize("kind", sorted(kinds_raised()))
def test_no_kind_of_fault_lacks_its_words(kind: str) -> None:
    words = fault_for_staff(f"field: {kind}").removeprefix("field: ")
    assert words not in {kind, "no tiene la forma acordada"}
