"""The two applications that one pair of credentials opens, and who belongs to which."""

from enum import StrEnum

from mipres.domain.submissions import UserType


class Application(StrEnum):
    """An application behind the login. Values are the path segments of `/ingreso/{application}`."""

    ADMINISTRATION = "administracion"
    MIPRES = "mipres"

    @property
    def full_title(self) -> str:
        return _TITLES[self]


_TITLES = {
    Application.ADMINISTRATION: "Módulo Administración de Usuarios",
    Application.MIPRES: "MIPRES No UPC",
}


def application_of(user_type: UserType) -> Application:
    """Delegates administer users; everybody else works in MIPRES No UPC."""
    return Application.ADMINISTRATION if user_type is UserType.DELEGATE else Application.MIPRES
