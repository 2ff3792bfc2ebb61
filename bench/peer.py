"""The peer: the same steps as a DBOS workflow, behind the same API and pages.

Everything around the engine is the product's own code: forms, pages, activities, adapters, argon2. As DBOS is
meant to be used, its workflows run inside the API processes, and several of those share the work.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from dbos import DBOS, DBOSConfig, SetWorkflowID
from fastapi import FastAPI

from activities.accounts import AccountActivities, RegisterAccountResult
from activities.emails import ConfirmPasswordInput, EmailActivities, SendLinkInput
from activities.registries import (
    HealthTalentChecks,
    IdentityResult,
    ProfessionResult,
    SocialSecurityChecks,
)
from api.main import create_app
from api.readiness import Readiness
from api.registrations.act import RegistrationActs
from api.registrations.start import RegistrationStarter, Submitted
from api.services import Services
from mipres import composition
from mipres.database.password_links import PasswordOwner
from mipres.domain.accounts import FirstLink, NewRegistration, ProfileFacts
from mipres.domain.links import LinkPurpose
from mipres.domain.outcomes import Outcome, OutcomeStatus
from mipres.domain.people import Person, Profession
from mipres.domain.radicado import radicado_of
from mipres.domain.submissions import Submission
from mipres.domain.terms import TERMS_SHA256, TERMS_VERSION, Consent
from mipres.port_set import Ports
from mipres.settings.loading import load_settings
from mipres.settings.model import Settings
from workflows.contract import RegistrationRequest

EXECUTOR_VARIABLE = "BENCH_PEER_EXECUTOR"
_OUTCOME = "outcome"
_OUTCOME_SECONDS = 30
# One process's ports, for steps that DBOS wants as plain functions.
_OPEN: list[Ports] = []


@DBOS.step()
async def check_person(submission: Submission) -> IdentityResult:
    return await SocialSecurityChecks(registry=_OPEN[0].miseguridadsocial).check_person(submission)


@DBOS.step()
async def check_profession(submission: Submission) -> ProfessionResult:
    checks = HealthTalentChecks(registry=_OPEN[0].rethus, clock=_OPEN[0].clock)
    return await checks.check_profession(submission)


@DBOS.step()
async def register_account(request: NewRegistration) -> RegisterAccountResult:
    return await AccountActivities(accounts=_OPEN[0].accounts).register_account(request)


@DBOS.step()
async def send_link(request: SendLinkInput) -> None:
    await _mails().send_password_link(request)


@DBOS.step()
async def confirm_password(request: ConfirmPasswordInput) -> None:
    await _mails().confirm_password_set(request)


@DBOS.workflow()
async def registration(request: RegistrationRequest) -> None:
    """The straight path of a professional; it answers once the account exists."""
    person = (await check_person(request.submission)).person
    profession = (await check_profession(request.submission)).profession
    account = await register_account(_account(request, person, profession))
    outcome = Outcome(status=OutcomeStatus.REGISTERED, email_hint=account.email_hint)
    await DBOS.set_event_async(_OUTCOME, outcome)
    link = _first_link(request)
    await send_link(
        SendLinkInput(
            account_id=account.account_id,
            reference=request.radicado,
            purpose=LinkPurpose.CREATE,
            lifetime=link.lifetime,
            issue_key=link.issue_key,
        )
    )
    await DBOS.recv_async(timeout_seconds=link.lifetime.total_seconds())
    message_key = f"peer.{request.radicado}.confirmacion"
    await confirm_password(ConfirmPasswordInput(account_id=account.account_id, message_key=message_key))


class PeerRegistrations:
    """What the API needs of an engine, by DBOS."""

    def __init__(self, *, radicado_key: bytes, link_hours: float) -> None:
        self._key = radicado_key
        self._link_hours = link_hours

    async def submit(self, submission: Submission, *, channel: str, **_others: object) -> Submitted:
        consent = Consent(
            terms_version=TERMS_VERSION,
            terms_sha256=TERMS_SHA256,
            accepted_at=datetime.now(UTC),
            channel=channel,
        )
        radicado = radicado_of(submission, key=self._key)
        request = RegistrationRequest(
            radicado=radicado, submission=submission, consent=consent, link_hours=self._link_hours
        )
        with SetWorkflowID(radicado):
            await DBOS.start_workflow_async(registration, request)
        outcome = await DBOS.get_event_async(radicado, _OUTCOME, _OUTCOME_SECONDS)
        return Submitted(
            radicado=radicado,
            submission=submission,
            consent=consent,
            outcome=outcome or Outcome(status=OutcomeStatus.IN_PROGRESS),
        )

    async def announce_password(self, owner: PasswordOwner) -> None:
        for radicado in owner.radicados:
            await DBOS.send_async(radicado, True)

    async def checks(self) -> dict[str, bool]:
        return {"engine": True}


def create_peer() -> FastAPI:
    """The product's application over the other engine; what `uvicorn --factory` calls."""
    settings = load_settings()
    DBOS(config=_config(settings))
    application = create_app(settings)
    product_lifespan = application.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            product_lifespan(app),
            composition.open_database(settings) as database,
            composition.open_ports(settings, database) as ports,
        ):
            _OPEN[:] = [ports]
            engine = PeerRegistrations(
                radicado_key=composition.purpose_key(settings, "radicado"),
                link_hours=settings.password_link_hours,
            )
            app.state.services = _over(engine, app.state.services)
            DBOS.launch()
            yield
            DBOS.destroy()

    application.router.lifespan_context = lifespan
    return application


def _over(engine: PeerRegistrations, services: Services) -> Services:
    """The services with this engine where they reach Temporal."""
    start, act = cast("RegistrationStarter", engine), cast("RegistrationActs", engine)
    return replace(
        services,
        registration=replace(services.registration, start=start, act=act),
        password=replace(services.password, start=start, act=act),
        api=replace(services.api, start=start, act=act),
        operations=replace(services.operations, readiness=cast("Readiness", engine)),
    )


def _config(settings: Settings) -> DBOSConfig:
    url = settings.database_url.get_secret_value().replace("+asyncpg", "+psycopg")
    return {
        "name": "registro-peer",
        "system_database_url": url.rpartition("/")[0] + "/peer",
        "executor_id": os.environ.get(EXECUTOR_VARIABLE, "peer"),
        "application_version": "bench",
        "log_level": "ERROR",
        # The shortest wait that it offers: its answer should not be later for want of tuning.
        "notification_coalesce_sec": 0.001,
    }


def _account(
    request: RegistrationRequest, person: Person | None, profession: Profession | None
) -> NewRegistration:
    if person is None or profession is None:
        raise ValueError("only people who pass every check are measured")
    facts = ProfileFacts(
        profession_code=profession.code,
        profession_name=profession.name,
        professional_registration=profession.registration,
    )
    return NewRegistration(
        radicado=request.radicado,
        submission=request.submission,
        person=person,
        facts=facts,
        consent=request.consent,
        first_link=_first_link(request),
    )


def _first_link(request: RegistrationRequest) -> FirstLink:
    return FirstLink(
        issue_key=f"peer.{request.radicado}.enlace", lifetime=timedelta(hours=request.link_hours)
    )


def _mails() -> EmailActivities:
    ports = _OPEN[0]
    return EmailActivities(
        accounts=ports.accounts,
        composer=ports.composer,
        mailer=ports.mailer,
        sent_mails=ports.sent_mails,
        address_changes=ports.address_changes,
    )
