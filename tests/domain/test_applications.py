from mipres.domain.applications import Application, application_of
from mipres.domain.submissions import UserType

# Sections 10.5 and 10.6 of the manual, to the letter.
WARNINGS = {
    Application.ADMINISTRATION: "El usuario y la contraseña de acceso al Módulo Administración de Usuarios es personal e intransferible y tanto la información registrada, como los procesos informáticos realizados con la misma, tienen plena validez jurídica.",
    Application.MIPRES: "El Usuario y la contraseña de acceso al aplicativo para el Reporte de Prescripción de Tecnologías en Salud no financiadas con recursos de la UPC o Servicios Complementarios - MIPRES No UPC, es personal e intransferible y tanto la información registrada, como los procesos informáticos realizados con la misma, tienen plena validez jurídica.",
}


def test_each_application_warns_in_the_manuals_words() -> None:
    assert {application: application.warning for application in Application} == WARNINGS


def test_delegates_administer_and_the_others_work_in_mipres() -> None:
    assert {user_type: application_of(user_type) for user_type in UserType} == {
        UserType.DELEGATE: Application.ADMINISTRATION,
        UserType.PROFESSIONAL: Application.MIPRES,
        UserType.SOCIAL_SERVICE: Application.MIPRES,
        UserType.OTHER: Application.MIPRES,
    }
