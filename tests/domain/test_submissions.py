from dataclasses import fields, replace

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
    user_type=UserType.OTHER, tipo_documento="CC", numero_documento="1020304050", acepta_datos=True
)
PROFESSIONAL = replace(OTHER, user_type=UserType.PROFESSIONAL, registro_profesional="76-1234")
SOCIAL_SERVICE = replace(OTHER, user_type=UserType.SOCIAL_SERVICE)
IPS = replace(OTHER, user_type=UserType.DELEGATE, tipo_entidad="IPS", nit="900123456")
EPS = replace(IPS, tipo_entidad="EPS", regimen="CONTRIBUTIVO")
COMPANY = replace(IPS, tipo_entidad="PROVEEDOR", tiene_nit="SI")
NATURAL_PERSON = replace(
    IPS, tipo_entidad="PROVEEDOR", tiene_nit="NO", nit="", departamento="11", municipio="11001"
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
            ["tipo_documento", "numero_documento", "registro_profesional", "acepta_datos"],
        ),
        (
            RawSubmission(user_type=UserType.SOCIAL_SERVICE),
            ["tipo_documento", "numero_documento", "acepta_datos"],
        ),
        (RawSubmission(user_type=UserType.OTHER), ["tipo_documento", "numero_documento", "acepta_datos"]),
        (
            RawSubmission(user_type=UserType.DELEGATE),
            ["tipo_entidad", "tipo_documento", "numero_documento", "acepta_datos"],
        ),
        (
            RawSubmission(user_type=UserType.DELEGATE, tipo_entidad="IPS"),
            ["nit", "tipo_documento", "numero_documento", "acepta_datos"],
        ),
        (
            RawSubmission(user_type=UserType.DELEGATE, tipo_entidad="EPS"),
            ["regimen", "nit", "tipo_documento", "numero_documento", "acepta_datos"],
        ),
        (
            RawSubmission(user_type=UserType.DELEGATE, tipo_entidad="PROVEEDOR"),
            ["tiene_nit", "tipo_documento", "numero_documento", "acepta_datos"],
        ),
        (
            RawSubmission(user_type=UserType.DELEGATE, tipo_entidad="PROVEEDOR", tiene_nit="SI"),
            ["nit", "tipo_documento", "numero_documento", "acepta_datos"],
        ),
        (
            RawSubmission(user_type=UserType.DELEGATE, tipo_entidad="PROVEEDOR", tiene_nit="NO"),
            ["departamento", "municipio", "tipo_documento", "numero_documento", "acepta_datos"],
        ),
    ],
)
def test_everything_that_is_missing_is_told_at_once_in_the_order_of_the_form(
    raw: RawSubmission, missing: list[str]
) -> None:
    errors = errors_of(raw)
    assert list(errors) == missing
    assert len(set(errors.values())) == len(missing)


def test_blanks_count_as_missing() -> None:
    assert list(errors_of(replace(OTHER, tipo_documento=" ", numero_documento="\u00a0\t"))) == [
        "tipo_documento",
        "numero_documento",
    ]


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (replace(OTHER, tipo_documento="TI"), "tipo_documento"),
        (replace(OTHER, tipo_documento="cc"), "tipo_documento"),
        (replace(OTHER, numero_documento="0123"), "numero_documento"),
        (replace(OTHER, acepta_datos=False), "acepta_datos"),
        (replace(PROFESSIONAL, registro_profesional="76_1234"), "registro_profesional"),
        (replace(IPS, tipo_entidad="PROVIDER"), "tipo_entidad"),
        (replace(IPS, nit="12345"), "nit"),
        (replace(EPS, regimen="ESPECIAL"), "regimen"),
        (replace(COMPANY, tiene_nit="TAL VEZ"), "tiene_nit"),
        (replace(NATURAL_PERSON, departamento="00"), "departamento"),
        (replace(NATURAL_PERSON, municipio="99999"), "municipio"),
    ],
)
def test_a_wrong_field_is_the_only_one_blamed(raw: RawSubmission, field: str) -> None:
    assert list(errors_of(raw)) == [field]


def test_a_nit_with_its_check_digit_is_refused_with_the_nit_that_was_meant() -> None:
    errors = errors_of(replace(IPS, nit="800.197.268-4"))
    assert "800197268" in errors["nit"]
    assert "dígito de verificación (4)" in errors["nit"]


@pytest.mark.parametrize(("typed", "kept"), [("27086", "27493"), ("94663", "94885"), ("27493", "27493")])
def test_a_municipality_is_known_by_its_older_code_too(typed: str, kept: str) -> None:
    entity = check_submission(replace(NATURAL_PERSON, departamento=typed[:2], municipio=typed)).entity
    assert entity is not None
    assert entity.municipality == kept


def test_a_municipality_belongs_to_its_department() -> None:
    errors = errors_of(replace(NATURAL_PERSON, departamento="05", municipio="11001"))
    assert "no pertenece al departamento" in errors["municipio"]


@pytest.mark.parametrize(
    ("raw", "noise"),
    [
        (OTHER, {"registro_profesional": "_", "nit": "x", "tipo_entidad": "x"}),
        (SOCIAL_SERVICE, {"registro_profesional": "_", "regimen": "x"}),
        (PROFESSIONAL, {"tipo_entidad": "x", "nit": "x", "tiene_nit": "x"}),
        (IPS, {"regimen": "SUBSIDIADO", "registro_profesional": "_", "tiene_nit": "NO", "municipio": "x"}),
        (EPS, {"tiene_nit": "x", "departamento": "x", "municipio": "x"}),
        (COMPANY, {"regimen": "CONTRIBUTIVO", "departamento": "x", "municipio": "x"}),
        (NATURAL_PERSON, {"nit": "x", "regimen": "CONTRIBUTIVO"}),
    ],
)
def test_fields_that_do_not_apply_are_ignored(raw: RawSubmission, noise: dict[str, str]) -> None:
    assert check_submission(replace(raw, **noise)) == check_submission(raw)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("76-1234", "76-1234"),
        (" rm 76 \u00a0 1234/2020 ", "76 1234/2020"),
        ("R.M. No. 76-1234", "76-1234"),
        ("76–1234", "76-1234"),
        ("76\u202e-1234", "76-1234"),
        ("Registro médico No. 76-1234567890", "76-1234567890"),
        ("a", "A"),
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
        ("MÉD-1", "letras sin tilde"),
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
        replace(EPS, regimen="SUBSIDIADO"),
        COMPANY,
        NATURAL_PERSON,
        replace(NATURAL_PERSON, departamento="05", municipio="05001"),
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
    ["IPS", "EPS", "PROVEEDOR", "SI", "NO", "CC", "PA", "11", "11001", "CONTRIBUTIVO", "900123456", "\ud800"]
)
_FIELDS = [item.name for item in fields(RawSubmission) if item.name not in {"user_type", "acepta_datos"}]
ANY_SUBMISSION = st.builds(
    RawSubmission,
    user_type=st.sampled_from(UserType),
    acepta_datos=st.booleans(),
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
    assert set(blamed) <= {*_FIELDS, "acepta_datos"}
