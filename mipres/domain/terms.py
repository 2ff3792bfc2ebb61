"""The declaration that every applicant accepts.

The manual's legal text, under a version.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

TERMS_VERSION = "2025-03"
TERMS_TEXT = (
    "Toda vez que al tener acceso a datos de carácter personal es obligatorio cumplir lo establecido en la Ley "
    "Estatutaria 1581 de 2012 y en el Capítulo 25 del Título 2 del Libro 2 de la Parte 2 del Decreto 1074 de 2015. "
    "Por lo anterior declaro que me comprometo a proteger y mantener la confidencialidad de la información a la que "
    "tenga acceso para utilizarla únicamente con los fines del registro, a nunca compartirla con terceros y en "
    "consecuencia a no revelar, publicar o dar a conocer, total o parcialmente esta información a ninguna persona "
    "diferente."
)
TERMS_SHA256 = hashlib.sha256(TERMS_TEXT.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Consent:
    """The declaration as it was accepted."""

    terms_version: str
    terms_sha256: str
    accepted_at: datetime
    channel: str
