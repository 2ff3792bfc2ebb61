"""The part of the API that starts registrations, over a given client."""

from collections.abc import Collection
from datetime import timedelta

from temporalio.client import Client

from api.metrics import ApiMetrics
from api.registrations.start import RegistrationStarter
from mipres.clock import SystemClock
from mipres.database.audit_queue import AuditQueue
from tests.fakes import FakeAuditTrail, FakeErasures

KEY = b"k" * 32


def starting_with(client: Client, *, erased: Collection[str] = ()) -> RegistrationStarter:
    return RegistrationStarter(
        client,
        radicado_key=KEY,
        clock=SystemClock(),
        erasures=FakeErasures(erased=set(erased)),
        submit_wait=timedelta(seconds=0.5),
        link_lifetime=timedelta(hours=1),
        registry_wait=timedelta(days=30),
        metrics=ApiMetrics(),
        audit_queue=AuditQueue(FakeAuditTrail()),
    )
