from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mipres.domain.documents import Document, DocumentType, parse_document
from mipres.domain.radicado import is_radicado, radicado_of, read_radicado, read_reference
from mipres.domain.submissions import Entity, EntityKind, Regime, Submission, UserType

KEY = b"k" * 32
SUBMISSION = Submission(user_type=UserType.OTHER, document=parse_document("CC", "1020304050"))


def delegate_of(**entity: object) -> Submission:
    return replace(SUBMISSION, user_type=UserType.DELEGATE, entity=Entity(**entity))  # type: ignore[arg-type]


def test_a_radicado_never_changes() -> None:
    # The workflow ids of registrations that run already hold this text.
    assert radicado_of(SUBMISSION, key=KEY) == "RM-DBFY2HHTTF0T"


def test_every_person_type_and_entity_has_a_radicado_of_its_own() -> None:
    submissions = [
        SUBMISSION,
        replace(SUBMISSION, document=parse_document("CC", "1020304051")),
        replace(SUBMISSION, document=parse_document("PA", "1020304050")),
        replace(SUBMISSION, user_type=UserType.PROFESSIONAL),
        replace(SUBMISSION, user_type=UserType.SOCIAL_SERVICE),
        delegate_of(kind=EntityKind.IPS, nit="900123456"),
        delegate_of(kind=EntityKind.IPS, nit="900123457"),
        delegate_of(kind=EntityKind.PROVIDER, nit="900123456"),
        delegate_of(kind=EntityKind.EPS, regime=Regime.CONTRIBUTIVO, nit="900123456"),
        delegate_of(kind=EntityKind.EPS, regime=Regime.SUBSIDIADO, nit="900123456"),
        delegate_of(kind=EntityKind.PROVIDER, department="11", municipality="11001"),
        delegate_of(kind=EntityKind.PROVIDER, department="05", municipality="05001"),
    ]
    assert len({radicado_of(item, key=KEY) for item in submissions}) == len(submissions)


def test_another_professional_registration_has_a_radicado_of_its_own() -> None:
    first, second = (replace(SUBMISSION, professional_registration=text) for text in ("76-1234", "76-1235"))
    assert len({radicado_of(item, key=KEY) for item in (first, second, SUBMISSION)}) == 3


@pytest.mark.parametrize("text", ["761234", "RM 76-1234", "R.M. No. 76.1234", "076–1234"])
def test_a_registration_written_another_way_belongs_to_the_same_radicado(text: str) -> None:
    first, second = (replace(SUBMISSION, professional_registration=item) for item in ("76-1234", text))
    assert radicado_of(first, key=KEY) == radicado_of(second, key=KEY)


def test_another_key_gives_another_radicado() -> None:
    assert radicado_of(SUBMISSION, key=KEY) != radicado_of(SUBMISSION, key=b"x" * 32)


@given(st.binary(min_size=1, max_size=40), st.integers(100, 9_999_999_999))
def test_every_radicado_fits_its_pattern(key: bytes, number: int) -> None:
    submission = replace(SUBMISSION, document=Document(type=DocumentType.CC, number=str(number)))
    assert is_radicado(radicado_of(submission, key=key))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RM-",
        "RM-0123456789A",
        "RM-0123456789ABC",
        "rm-0123456789ab",
        "RM-0123456789AI",
        "RM-0123456789AL",
        "RM-0123456789AO",
        "RM-0123456789AU",
        "RM-0123456789AB\n",
        " RM-0123456789AB",
        "RM-٠123456789AB",
        "RM-../../../../",
    ],
)
def test_another_text_is_no_radicado(text: str) -> None:
    assert not is_radicado(text)


def test_the_alphabet_is_crockfords() -> None:
    assert is_radicado("RM-0123456789AB")
    assert is_radicado("RM-CDEFGHJKMNPQ")
    assert is_radicado("RM-RSTVWXYZ0000")


@pytest.mark.parametrize(
    "text",
    [
        "RM-0123456789AB",
        " rm-0123456789ab ",
        "RM 0123 4567 89AB",
        "0123456789AB",
        "RM–Ol23456789ab",
        "rmoi23456789ab",
        "Número de radicado: RM-0123456789AB",
        "radicado RM-0123456789AB.",
        "https://mipres.test/registro/estado/RM-0123456789AB?respuesta=abcdefghijkl",
    ],
)
def test_a_radicado_is_read_as_people_copy_it(text: str) -> None:
    assert read_radicado(text) == "RM-0123456789AB"


def test_a_prefix_that_was_left_out_is_not_looked_for_among_the_symbols() -> None:
    assert read_radicado("RMCDEFGHJKMN") == "RM-RMCDEFGHJKMN"


@pytest.mark.parametrize(
    "text", ["", "RM-", "RM-1", "RM-0123456789ABC", "RM-0123456789AU", "٠123456789AB", "x" * 5000]
)
def test_another_text_is_read_as_no_radicado(text: str) -> None:
    assert read_radicado(text) is None


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("RM-0123456789AB", "RM-0123456789AB"),
        ("radicado", None),
        (" rc ol23.4567.89ab.", "RC-0123456789AB"),
        ("rmoi23456789ab", "RM-0123456789AB"),
        ("RM\u20110123456789AB\u200b", "RM-0123456789AB"),
        # A login of twelve symbols is no radicado without its prefix.
        ("CC1020304050", None),
        ("CC1020304050RM", None),
        ("RM-0123456789AU", None),
        ("", None),
    ],
)
def test_a_reference_is_read_as_people_dictate_it(text: str, reference: str | None) -> None:
    assert read_reference(text) == reference
