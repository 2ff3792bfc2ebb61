"""How staff read the fault of a registry's answer.

The path of the field stays; the kind of fault is in Spanish.
"""

import re
from typing import Final

from mipres.domain.server_faults import TLS_FAILED

_STATUS: Final = re.compile(r"HTTP status (\d{3})(?P<unmarked> without the code not_found)?")
_WHOLE: Final = {
    "the answer is too large": "la respuesta es demasiado grande",
    "the answer is not JSON": "la respuesta no es JSON",
}
_KINDS: Final = {
    "missing": "falta",
    "not a day": "no es una fecha",
    "not a text": "no es un texto",
    "not a list": "no es una lista",
    "not an object": "no es un objeto",
    "control character": "tiene caracteres de control",
    "too long": "es demasiado largo",
    "unknown value": "valor desconocido",
    "two values": "tiene dos valores distintos",
    "nested too deeply": "tiene demasiados niveles",
    "another person's": "es de otra persona",
    "end lies before start": "el fin es anterior al inicio",
    "neither name nor code": "sin nombre ni código",
    "neither readable name nor known code": "sin nombre legible ni código conocido",
    "no readable name": "sin nombre legible",
    "no readable kind": "sin clase legible",
    "stands for no day": "es la fecha que otros sistemas escriben cuando falta",
    "neither given_names nor surnames": "sin nombres ni apellidos",
}
_OTHER_KIND: Final = "no tiene la forma acordada"


def fault_for_staff(cause: str) -> str:
    """Say in Spanish what `RegistryUnavailableError.cause` says.

    It may be a status, the class of a failed connection, or a field with its kind of fault.
    """
    if status := _STATUS.fullmatch(cause):
        return f"código HTTP {status[1]}{' sin el código not_found' if status['unmarked'] else ''}"
    path, is_field, kind = cause.partition(": ")
    if is_field:
        return f"{path.replace('the answer', 'la respuesta')}: {_KINDS.get(kind, _OTHER_KIND)}"
    if "Timeout" in cause:
        return f"no respondió a tiempo, {cause}"
    failed = TLS_FAILED if "SSL" in cause else "falló la conexión"
    return _WHOLE.get(cause) or f"{failed}, {cause}"
