import pytest

from mipres.domain.audit import (
    MAXIMUM_REASON,
    AuditEntry,
    AuditEventType,
    ReasonRefusedError,
    checked_reason,
    operator,
    staff,
)
from tests.fakes import FakeClock


def test_a_reason_is_kept_with_its_spaces_in_order() -> None:
    assert checked_reason("  ReTHUS   volvió\na responder ") == "ReTHUS volvió a responder"


@pytest.mark.parametrize(
    "text", ["", "   ", "corto", "123456789", "x" * (MAXIMUM_REASON + 1), "nulo\0 en el texto"]
)
def test_a_poor_reason_is_refused(text: str) -> None:
    with pytest.raises(ReasonRefusedError):
        checked_reason(text)


@pytest.mark.parametrize(
    "text",
    [
        "llamó la cédula 1020304050",
        "llamó la cédula 1.020.304.050",
        "llamó desde el 310 555 12 34",
        "escribió desde ana.ruiz@ejemplo.test",
    ],
)
def test_a_reason_that_names_a_person_is_refused(text: str) -> None:
    with pytest.raises(ReasonRefusedError, match="sin documentos"):
        checked_reason(text)


@pytest.mark.parametrize("text", ["caso 123456 de la mesa de ayuda", "ReTHUS caído el 2026-11-24"])
def test_a_ticket_and_a_date_are_no_person(text: str) -> None:
    assert checked_reason(text) == text


def test_actors_say_what_they_are() -> None:
    assert (staff("ana"), operator("root")) == ("staff:ana", "operator:root")


def test_an_event_of_a_later_release_is_still_shown() -> None:
    def entry(event: str) -> AuditEntry:
        return AuditEntry(
            number=1,
            occurred_at=FakeClock().now(),
            type=event,
            actor="product",
            reference=None,
            reason=None,
            details={},
        )

    assert entry("link_used").label == "Enlace usado"
    assert entry("of_tomorrow").label == "of_tomorrow"


def test_every_event_has_words_of_its_own() -> None:
    labels = [event.label for event in AuditEventType]
    assert all(labels)
    assert len(set(labels)) == len(labels)
