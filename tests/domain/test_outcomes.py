import pytest

from mipres.domain.outcomes import (
    DATA_UPDATED,
    FILL_ALL_FIELDS,
    REFUSAL_MESSAGES,
    REGISTRATION_SUCCESSFUL,
    USE_FIRST_CREDENTIALS,
    Outcome,
    OutcomeStatus,
    Refusal,
    mask_email,
    message_of,
)

# Section 11 of the manual, to the letter.
MANUAL = {
    Refusal.NOT_IN_MISEGURIDADSOCIAL: "El usuario no se encuentra registrado en www.miseguridadsocial.gov.co. Por favor verifique antes de realizar el registro",
    Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL: "Usuario no registrado como persona jurídica en www.miseguridadsocial.gov.co",
    Refusal.NOT_IN_RETHUS: "Profesional no encontrado en RETHUS",
    Refusal.SANCTIONED: "El profesional se encuentra sancionado",
    Refusal.NOT_IN_SSO: "Profesional no encontrado en SSO",
}


def refused(refusal: Refusal) -> Outcome:
    return Outcome(status=OutcomeStatus.REFUSED, refusal=refusal)


@pytest.mark.parametrize(("refusal", "sentence"), MANUAL.items())
def test_a_refusal_is_told_in_the_manuals_words(refusal: Refusal, sentence: str) -> None:
    assert message_of(refused(refusal)) == sentence


def test_the_manual_has_no_words_for_two_refusals_only() -> None:
    assert set(Refusal) - set(MANUAL) == {
        Refusal.PROFESSION_NOT_AUTHORIZED,
        Refusal.NO_VALID_EMAIL,
        Refusal.DATA_ERASED,
        Refusal.DOCUMENT_REPLACED,
    }


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_message_with_a_remedy(refusal: Refusal) -> None:
    message = REFUSAL_MESSAGES[refusal]
    assert message_of(refused(refusal)) == message.title
    assert message.remedy.endswith(".")
    assert message.remedy != message.title


def test_no_two_refusals_are_told_alike() -> None:
    assert len({message.title for message in REFUSAL_MESSAGES.values()}) == len(Refusal)


def test_the_manuals_other_sentences() -> None:
    assert FILL_ALL_FIELDS == "Diligencie todos los campos"
    assert REGISTRATION_SUCCESSFUL == "REGISTRO SATISFACTORIO"
    assert DATA_UPDATED == "Datos del usuario actualizados satisfactoriamente"
    assert (
        USE_FIRST_CREDENTIALS
        == "Auténtiquese con las credenciales de acceso creadas al realizar su registro por primera vez"
    )


def test_success_and_update_are_told_in_the_manuals_words() -> None:
    registered = message_of(Outcome(status=OutcomeStatus.REGISTERED))
    assert registered == (
        "REGISTRO SATISFACTORIO. Al correo electrónico registrado en www.miseguridadsocial.gov.co, se le enviará "
        "el enlace que le permitirá crear la contraseña de ingreso al aplicativo MIPRES No UPC y/o al Módulo "
        "Administración de Usuarios, según corresponda"
    )
    updated = message_of(Outcome(status=OutcomeStatus.UPDATED))
    assert updated == f"{DATA_UPDATED}. {USE_FIRST_CREDENTIALS}"


@pytest.mark.parametrize(
    "status", [status for status in OutcomeStatus if status is not OutcomeStatus.REFUSED]
)
def test_every_status_has_a_message_and_is_its_own_code(status: OutcomeStatus) -> None:
    outcome = Outcome(status=status)
    assert message_of(outcome)
    assert outcome.code == status


def test_the_code_of_a_refused_outcome_is_the_refusals() -> None:
    assert refused(Refusal.SANCTIONED).code == "sanctioned"


def test_a_refused_outcome_without_a_refusal_has_no_message() -> None:
    with pytest.raises(ValueError, match="names its refusal"):
        message_of(Outcome(status=OutcomeStatus.REFUSED))


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("juan@hospital.gov.co", "j•••@h•••.co"),
        ("a@b.co", "a•••@b•••.co"),
        ("ñandú@clínica.test", "ñ•••@c•••.test"),
    ],
)
def test_a_masked_address_can_be_recognised_but_not_learnt(address: str, masked: str) -> None:
    assert mask_email(address) == masked
