from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mipres.domain.documents import parse_document
from mipres.domain.errors import InvalidSubmissionError
from mipres.domain.submissions import (
    Entity,
    EntityKind,
    RawSubmission,
    Regime,
    Submission,
    UserType,
    check_submission,
    normalise_registration,
)

DOCUMENT = parse_document("CC", "1020304050")
OTHER = RawSubmission(
    user_type=UserType.OTHER, document_type="CC", document_number="1020304050", terms_accepted=True
)
PROFESSIONAL = replace(OTHER, user_type=UserType.PROFESSIONAL, professional_registration="76-1234")
SOCIAL_SERVICE = replace(OTHER, user_type=UserType.SOCIAL_SERVICE)
IPS = replace(OTHER, user_type=UserType.DELEGATE, entity_kind="IPS", nit="900123456")
EPS = replace(IPS, entity_kind="EPS", regime="CONTRIBUTIVO")
COMPANY = replace(IPS, entity_kind="PROVIDER", has_nit=True)
NATURAL_PERSON = replace(
    IPS, entity_kind="PROVIDER", has_nit=False, nit="", department="11", municipality="11001"
)


def errors_of(raw: RawSubmission) -> dict[str, str]:
    with pytest.raises(InvalidSubmissionError) as caught:
        check_submission(raw)
    return {error.field: error.message for error in caught.value.errors}


@pytest.mark.parametrize(
    ("raw", "entity"),
    [
        (IPS, Entity(kind=EntityKind.IPS, nit="900123456")),
        (EPS, Entity(kind=EntityKind.EPS, regime=Regime.CONTRIBUTIVO, nit="900123456")),
        (COMPANY, Entity(kind=EntityKind.PROVIDER, nit="900123456")),
        (NATURAL_PERSON, Entity(kind=EntityKind.PROVIDER, department="11", municipality="11001")),
    ],
)
def test_a_delegate_names_the_entity(raw: RawSubmission, entity: Entity) -> None:
    assert check_submission(raw) == Submission(
        user_type=UserType.DELEGATE, document=DOCUMENT, entity=entity, professional_registration=None
    )


def test_a_professional_names_the_registration() -> None:
    assert check_submission(PROFESSIONAL) == Submission(
        user_type=UserType.PROFESSIONAL, document=DOCUMENT, professional_registration="76-1234"
    )


@pytest.mark.parametrize("raw", [SOCIAL_SERVICE, OTHER])
def test_the_others_name_only_themselves(raw: RawSubmission) -> None:
    assert check_submission(raw) == Submission(user_type=raw.user_type, document=DOCUMENT)


@pytest.mark.parametrize(
    ("raw", "missing"),
    [
        (
            RawSubmission(user_type=UserType.PROFESSIONAL),
            ["document_type", "document_number", "professional_registration", "terms_accepted"],
        ),
        (
            RawSubmission(user_type=UserType.SOCIAL_SERVICE),
            ["document_type", "document_number", "terms_accepted"],
        ),
        (RawSubmission(user_type=UserType.OTHER), ["document_type", "document_number", "terms_accepted"]),
        (
            RawSubmission(user_type=UserType.DELEGATE),
            ["entity_kind", "document_type", "document_number", "terms_accepted"],
        ),
        (
            RawSubmission(user_type=UserType.DELEGATE, entity_kind="IPS"),
            ["nit", "document_type", "document_number", "terms_accepted"],
        ),
        (
            RawSubmission(user_type=UserType.DELEGATE, entity_kind="EPS"),
            ["regime", "nit", "document_type", "document_number", "terms_accepted"],
        ),
        (
            RawSubmission(user_type=UserType.DELEGATE, entity_kind="PROVIDER"),
            ["has_nit", "document_type", "document_number", "terms_accepted"],
        ),
        (
            RawSubmission(user_type=UserType.DELEGATE, entity_kind="PROVIDER", has_nit=True),
            ["nit", "document_type", "document_number", "terms_accepted"],
        ),
        (
            RawSubmission(user_type=UserType.DELEGATE, entity_kind="PROVIDER", has_nit=False),
            ["department", "municipality", "document_type", "document_number", "terms_accepted"],
        ),
    ],
)
def test_everything_that_is_missing_is_told_at_once_in_the_order_of_the_form(
    raw: RawSubmission, missing: list[str]
) -> None:
    errors = errors_of(raw)
    assert list(errors) == missing
    assert len(set(errors.values())) == len(missing)
    with pytest.raises(InvalidSubmissionError) as caught:
        check_submission(raw)
    assert all(error.is_missing for error in caught.value.errors)


def test_blanks_count_as_missing() -> None:
    assert list(errors_of(replace(OTHER, document_type=" ", document_number="\u00a0\t"))) == [
        "document_type",
        "document_number",
    ]


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (replace(OTHER, document_type="TI"), "document_type"),
        (replace(OTHER, document_type="cc"), "document_type"),
        (replace(OTHER, document_number="0123"), "document_number"),
        (replace(OTHER, terms_accepted=False), "terms_accepted"),
        (replace(PROFESSIONAL, professional_registration="76_1234"), "professional_registration"),
        (replace(PROFESSIONAL, professional_registration="N/A"), "professional_registration"),
        (replace(PROFESSIONAL, professional_registration="En tramite"), "professional_registration"),
        (replace(PROFESSIONAL, professional_registration="RM 000"), "professional_registration"),
        (replace(IPS, entity_kind="PROVEEDOR"), "entity_kind"),
        (replace(IPS, nit="12345"), "nit"),
        (replace(EPS, regime="ESPECIAL"), "regime"),
        (replace(COMPANY, has_nit=None), "has_nit"),
        (replace(NATURAL_PERSON, department="00"), "department"),
        (replace(NATURAL_PERSON, municipality="99999"), "municipality"),
    ],
)
def test_a_wrong_field_is_the_only_one_blamed(raw: RawSubmission, field: str) -> None:
    with pytest.raises(InvalidSubmissionError) as caught:
        check_submission(raw)
    assert [error.field for error in caught.value.errors] == [field]
    # Nothing given is one thing, something wrong another: the page asks for it in other words.
    assert caught.value.errors[0].is_missing is (getattr(raw, field) in {False, None})


def test_a_nit_with_its_check_digit_is_refused_with_the_nit_that_was_meant() -> None:
    errors = errors_of(replace(IPS, nit="800.197.268-4"))
    assert "800197268" in errors["nit"]
    assert "dígito de verificación (4)" in errors["nit"]


@pytest.mark.parametrize(("typed", "kept"), [("27086", "27493"), ("94663", "94885"), ("27493", "27493")])
def test_a_municipality_is_known_by_its_older_code_too(typed: str, kept: str) -> None:
    entity = check_submission(replace(NATURAL_PERSON, department=typed[:2], municipality=typed)).entity
    assert entity is not None
    assert entity.municipality == kept


def test_a_municipality_belongs_to_its_department() -> None:
    errors = errors_of(replace(NATURAL_PERSON, department="05", municipality="11001"))
    assert "no pertenece al departamento" in errors["municipality"]


@pytest.mark.parametrize(
    ("raw", "noise"),
    [
        (OTHER, {"professional_registration": "_", "nit": "x", "entity_kind": "x"}),
        (SOCIAL_SERVICE, {"professional_registration": "_", "regime": "x"}),
        (PROFESSIONAL, {"entity_kind": "x", "nit": "x", "has_nit": True}),
        (
            IPS,
            {"regime": "SUBSIDIADO", "professional_registration": "_", "has_nit": False, "municipality": "x"},
        ),
        (EPS, {"has_nit": True, "department": "x", "municipality": "x"}),
        (COMPANY, {"regime": "CONTRIBUTIVO", "department": "x", "municipality": "x"}),
        (NATURAL_PERSON, {"nit": "x", "regime": "CONTRIBUTIVO"}),
    ],
)
def test_fields_that_do_not_apply_are_ignored(raw: RawSubmission, noise: dict[str, Any]) -> None:
    assert check_submission(replace(raw, **noise)) == check_submission(raw)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("76-1234", "76-1234"),
        (" rm 76 \u00a0 1234/2020 ", "76 1234/2020"),
        ("R.M. No. 76-1234", "76-1234"),
        ("76–1234", "76-1234"),
        ("76\u202e-1234", "76-1234"),
        ("Registro médico No. 76-1234567890", "76-1234567890"),
        ("a1", "A1"),
        ("12345678901234567", "12345678901234567"),
    ],
)
def test_a_professional_registration_is_folded(typed: str, kept: str) -> None:
    assert normalise_registration(typed) == kept


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("123456789012345678", "máximo 17"),
        ("-123", "letras sin tilde"),
        ("CÉD-1", "letras sin tilde"),
        ("٧٦١٢٣٤", "letras sin tilde"),
        ("76\x001234", "letras sin tilde"),
        ("76<b>", "letras sin tilde"),
        pytest.param("ſı76", "letras sin tilde", id="letters whose capitals are ASCII"),
        pytest.param("\u212a76", "letras sin tilde", id="Kelvin sign"),
    ],
)
def test_a_professional_registration_has_its_characters(typed: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        normalise_registration(typed)


def test_regimes_of_one_nit_and_places_of_providers_are_different_entities() -> None:
    raws = [
        IPS,
        EPS,
        replace(EPS, regime="SUBSIDIADO"),
        COMPANY,
        NATURAL_PERSON,
        replace(NATURAL_PERSON, department="05", municipality="05001"),
        OTHER,
    ]
    assert len({check_submission(raw).entity_key for raw in raws}) == len(raws)


def test_a_provider_without_a_nit_is_a_natural_person() -> None:
    natural, company = check_submission(NATURAL_PERSON).entity, check_submission(COMPANY).entity
    assert natural is not None
    assert natural.is_natural_person
    assert company is not None
    assert not company.is_natural_person


@pytest.mark.parametrize("user_type", UserType)
def test_a_slug_leads_back_to_its_type(user_type: UserType) -> None:
    assert UserType.of_slug(user_type.slug) is user_type
    assert user_type.label


def test_another_slug_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        UserType.of_slug("delegate")


# Values that lead deep into the form, mixed with anything at all.
_TEXT = st.text(max_size=50) | st.sampled_from(
    ["IPS", "EPS", "PROVIDER", "CC", "PA", "11", "11001", "CONTRIBUTIVO", "900123456", "\ud800"]
)
_FIELDS = [
    item.name for item in fields(RawSubmission) if item.name not in {"user_type", "has_nit", "terms_accepted"}
]
ANY_SUBMISSION = st.builds(
    RawSubmission,
    user_type=st.sampled_from(UserType),
    has_nit=st.none() | st.booleans(),
    terms_accepted=st.booleans(),
    **dict.fromkeys(_FIELDS, _TEXT),
)


@given(ANY_SUBMISSION)
def test_anything_at_all_is_a_submission_or_told_field_by_field(raw: RawSubmission) -> None:
    try:
        check_submission(raw)
    except InvalidSubmissionError as error:
        told = error
    else:
        return
    blamed = [item.field for item in told.errors]
    assert blamed
    assert len(set(blamed)) == len(blamed)
    assert all(item.message for item in told.errors)
    # The error's own text may be logged: it names fields and repeats nothing that was typed.
    assert str(told).split(", ") == blamed
    assert set(blamed) <= {*_FIELDS, "has_nit", "terms_accepted"}
