"""The page that answers a submission: registered, refused, or still in progress."""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import Request, Response

from api.forms import typed_for
from api.registrations.start import Submitted
from api.templating import Pages
from mipres.domain.applications import application_of
from mipres.domain.outcomes import (
    DATA_UPDATED,
    IN_PROGRESS,
    LINK_WILL_BE_SENT,
    REFUSAL_MESSAGES,
    REGISTRATION_SUCCESSFUL,
    USE_FIRST_CREDENTIALS,
    OutcomeStatus,
)
from mipres.domain.terms import TERMS_VERSION
from mipres.mail.dates import long_date_time


@dataclass(frozen=True, kw_only=True)
class OutcomePages:
    """Shows outcomes, with what a receipt says of the product's settings."""

    pages: Pages
    public_url: str
    mail_from: str
    link_hours: int

    def page(self, request: Request, submitted: Submitted) -> Response:
        """Show the first answer of a registration that was submitted."""
        match submitted.outcome.status:
            case OutcomeStatus.REFUSED:
                refusal = submitted.outcome.refusal
                return self.pages.render(
                    request,
                    "refused",
                    submitted=submitted,
                    message=REFUSAL_MESSAGES[refusal] if refusal else None,
                    rows=[*_rows_of(submitted), ("Número de radicado", submitted.radicado)],
                    typed=typed_for(submitted.submission),
                )
            case OutcomeStatus.IN_PROGRESS:
                return self.pages.render(
                    request,
                    "in_progress",
                    status=HTTPStatus.ACCEPTED,
                    submitted=submitted,
                    message=IN_PROGRESS,
                )
            case _:
                return self._registered(request, submitted)

    def _registered(self, request: Request, submitted: Submitted) -> Response:
        user_type = submitted.submission.user_type
        rows = [
            ("Tipo de Registro", user_type.label),
            *_rows_of(submitted),
            ("Número de radicado", submitted.radicado),
            ("Fecha del registro", long_date_time(datetime.now(UTC))),
            ("Declaración de protección de datos", f"Aceptada, versión {TERMS_VERSION}"),
        ]
        return self.pages.render(
            request,
            "registered",
            submitted=submitted,
            updated=submitted.outcome.status is OutcomeStatus.UPDATED,
            application=application_of(user_type),
            rows=rows,
            successful=REGISTRATION_SUCCESSFUL,
            link_will_be_sent=LINK_WILL_BE_SENT,
            data_updated=DATA_UPDATED,
            use_first_credentials=USE_FIRST_CREDENTIALS,
            link_hours=self.link_hours,
            mail_from=self.mail_from,
            status_url=f"{self.public_url}/registro/estado/{submitted.radicado}",
        )


def _rows_of(submitted: Submitted) -> list[tuple[str, str]]:
    """What the person typed, as the receipt and the refusal repeat it."""
    submission = submitted.submission
    rows = {
        "Tipo Documento Identificación": submission.document.type,
        "Número documento de Identificación": submission.document.number,
        "Registro profesional": submission.professional_registration,
        "Nit de la entidad": submission.entity and submission.entity.nit,
    }
    return [(label, value) for label, value in rows.items() if value]
