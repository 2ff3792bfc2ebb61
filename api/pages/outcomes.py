"""What answers a submission: registered, refused, or still in progress."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from fastapi import Request, Response

from api.answers import FormAnswers, RegistrationAnswer
from api.forms import typed_for
from api.registrations.start import Submitted
from api.sent_forms import SentForms
from api.templating import Pages
from mipres.database.failures import DATABASE_ERRORS, database_fault
from mipres.database.receipts import PostgresReceipts
from mipres.domain.applications import application_of
from mipres.domain.divipola import department_name, department_of, municipality_name
from mipres.domain.outcomes import (
    DATA_UPDATED,
    IN_PROGRESS,
    LINK_WILL_BE_SENT,
    REGISTRATION_SUCCESSFUL,
    USE_FIRST_CREDENTIALS,
    OutcomeStatus,
    Refusal,
)
from mipres.domain.receipt import Receipt
from mipres.domain.remedies import Explanation, explain
from mipres.domain.submissions import ENTITY_KIND_LABELS, REGIME_LABELS, Entity, EntityKind, Submission
from mipres.mail.dates import long_date_time

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class OutcomePages:
    """Shows outcomes, with what a receipt says of the product's settings."""

    pages: Pages
    receipts: PostgresReceipts
    sent_forms: SentForms
    answers: FormAnswers
    public_url: str
    mail_from: str
    link_hours: int

    def answer(self, request: Request, submitted: Submitted) -> Response:
        """Lead the browser that sent the form to the first answer, and remember it."""
        answer = RegistrationAnswer(
            radicado=submitted.radicado, submission=submitted.submission, outcome=submitted.outcome
        )
        response = self.answers.redirect(request, answer)
        self.sent_forms.remember(request, response, submitted.radicado)
        return response

    async def page(self, request: Request, submitted: RegistrationAnswer) -> Response:
        """Show the first answer."""
        match submitted.outcome.status:
            case OutcomeStatus.REFUSED:
                refusal = submitted.outcome.refusal
                return self.pages.render(
                    request,
                    "refused",
                    submitted=submitted,
                    message=_explanation(submitted, refusal) if refusal else None,
                    rows=[
                        ("Tipo de Registro", submitted.submission.user_type.label),
                        *_rows_of(submitted.submission),
                        ("Número de radicado", submitted.radicado),
                    ],
                    typed=typed_for(submitted.submission),
                    may_wait=submitted.outcome.may_wait,
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
                return await self._registered(request, submitted)

    async def _registered(self, request: Request, submitted: RegistrationAnswer) -> Response:
        user_type = submitted.submission.user_type
        receipt = await self._receipt_of(submitted.radicado)
        return self.pages.render(
            request,
            "registered",
            submitted=submitted,
            updated=submitted.outcome.status is OutcomeStatus.UPDATED,
            application=application_of(user_type),
            person_rows=_document_rows(receipt.submission) if receipt else [],
            entity_rows=_entity_rows(receipt.submission.entity) if receipt else [],
            registration_rows=_registration_rows(submitted, receipt),
            is_receipt=receipt is not None,
            successful=REGISTRATION_SUCCESSFUL,
            link_will_be_sent=LINK_WILL_BE_SENT,
            data_updated=DATA_UPDATED,
            use_first_credentials=USE_FIRST_CREDENTIALS,
            link_hours=self.link_hours,
            mail_from=self.mail_from,
            status_url=f"{self.public_url}/registro/estado/{submitted.radicado}",
        )

    async def _receipt_of(self, radicado: str) -> Receipt | None:
        try:
            return await self.receipts.of(radicado)
        except DATABASE_ERRORS as error:
            # The registration stands all the same; its page then repeats nothing that was typed.
            log.warning("receipt_unknown", radicado=radicado, error=database_fault(error))
        return None


def _registration_rows(submitted: RegistrationAnswer, receipt: Receipt | None) -> list[tuple[str, str]]:
    rows = [("Número de radicado", submitted.radicado)]
    if receipt:
        rows += [
            ("Fecha del registro", long_date_time(receipt.registered_at)),
            ("Compromiso de confidencialidad", f"Aceptado, versión {receipt.terms_version}"),
        ]
    return rows


def _explanation(submitted: RegistrationAnswer, refusal: Refusal) -> Explanation:
    submission = submitted.submission
    return explain(
        refusal,
        submission.user_type,
        entity=submission.entity,
        may_wait=submitted.outcome.may_wait,
    )


def _rows_of(submission: Submission) -> list[tuple[str, str]]:
    """Every field of a submission, as the receipt and the refusal repeat them."""
    return [*_entity_rows(submission.entity), *_document_rows(submission)]


def _document_rows(submission: Submission) -> list[tuple[str, str]]:
    document = submission.document
    return _given(
        {
            "Tipo Documento Identificación": document.type,
            "Número documento de Identificación": document.number,
            "Registro profesional": submission.professional_registration,
        }
    )


def _entity_rows(entity: Entity | None) -> list[tuple[str, str]]:
    if entity is None:
        return []
    return _given(
        {
            "Tipo de entidad": ENTITY_KIND_LABELS[entity.kind],
            "Régimen de la EPS": entity.regime and REGIME_LABELS[entity.regime],
            "¿Cuenta con NIT?": _has_nit(entity),
            "Nit de la entidad": entity.nit,
            "Departamento": entity.municipality and department_name(department_of(entity.municipality)),
            "Municipio": entity.municipality and municipality_name(entity.municipality),
        }
    )


def _has_nit(entity: Entity) -> str | None:
    """What the form asks of providers alone."""
    if entity.kind is not EntityKind.PROVIDER:
        return None
    return "No" if entity.is_natural_person else "Sí"


def _given(rows: Mapping[str, str | None]) -> list[tuple[str, str]]:
    return [(label, value) for label, value in rows.items() if value]
