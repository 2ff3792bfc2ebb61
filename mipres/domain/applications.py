"""The two applications that one pair of credentials opens, and who enters which."""

from enum import StrEnum

from mipres.domain.submissions import UserType

# Where the manual sends people for the manuals of each role.
TODO_SOBRE_MIPRES = "https://www.sispro.gov.co/central-prestadores-de-servicios/Pages/MIPRES.aspx"


class Application(StrEnum):
    """An application behind the login.

    Values are the path segments of `/ingreso/{application}`.
    """

    ADMINISTRATION = "administracion"
    MIPRES = "mipres"

    @property
    def full_title(self) -> str:
        return _TITLES[self]

    @property
    def invitation(self) -> str:
        """The words of a link that leads to its login."""
        article = "al" if self is Application.ADMINISTRATION else "a"
        return f"Ingresar {article} {self.full_title}"

    @property
    def warning(self) -> str:
        """What the manual (sections 10.5 and 10.6) says about its credentials."""
        return _WARNINGS[self]


_TITLES = {
    Application.ADMINISTRATION: "Módulo Administración de Usuarios",
    Application.MIPRES: "MIPRES No UPC",
}
_WARNINGS = {
    Application.ADMINISTRATION: (
        "El usuario y la contraseña de acceso al Módulo Administración de Usuarios es personal e intransferible y tanto "
        "la información registrada, como los procesos informáticos realizados con la misma, tienen plena validez jurídica."
    ),
    Application.MIPRES: (
        "El Usuario y la contraseña de acceso al aplicativo para el Reporte de Prescripción de Tecnologías en Salud no "
        "financiadas con recursos de la UPC o Servicios Complementarios - MIPRES No UPC, es personal e intransferible y "
        "tanto la información registrada, como los procesos informáticos realizados con la misma, tienen plena validez "
        "jurídica."
    ),
}


def application_of(user_type: UserType) -> Application:
    """Delegates administer users; all others work in MIPRES No UPC."""
    return Application.ADMINISTRATION if user_type is UserType.DELEGATE else Application.MIPRES
