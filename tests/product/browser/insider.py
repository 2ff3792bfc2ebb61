"""What no visitor can do.

States of the product that only time, support or a fault would bring.
"""

import base64
import time
from datetime import timedelta

from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from temporalio.client import Client

from api.metrics import ApiMetrics
from api.registrations.start import RegistrationStarter
from api.security import FORM_LIFETIME_SECONDS
from mipres.clock import SystemClock
from mipres.database.audit_queue import AuditQueue
from mipres.keys import derive_key
from mipres.temporal.connection import TemporalConnection, connect
from mipres.temporal.names import registration_workflow_id
from tests.fakes import FakeAuditTrail, FakeErasures
from tests.product.conftest import Product
from tests.product.storage import rows


class _StaleSigner(TimestampSigner):
    def get_timestamp(self) -> int:
        return int(time.time()) - FORM_LIFETIME_SECONDS - 60


def stale_form_token(product: Product, visit: str) -> str:
    """The token of a form that was opened in this visit, too long ago."""
    key = derive_key(product.stack.secret("SECRET_KEY"), "form")
    stale = URLSafeTimedSerializer(key, salt="form", signer=_StaleSigner).dumps(visit)
    return stale.decode() if isinstance(stale, bytes) else stale


async def hasty_registrations(product: Product, *, link_lifetime: timedelta) -> RegistrationStarter:
    """Registrations whose links live as short as wanted."""
    return RegistrationStarter(
        await _temporal(product),
        radicado_key=derive_key(product.stack.secret("SECRET_KEY"), "radicado"),
        clock=SystemClock(),
        erasures=FakeErasures(),
        submit_wait=timedelta(seconds=5),
        link_lifetime=link_lifetime,
        registry_wait=timedelta(days=30),
        metrics=ApiMetrics(),
        audit_queue=AuditQueue(FakeAuditTrail()),
    )


async def cancel(product: Product, radicado: str) -> None:
    """End a registration from outside, as support does."""
    client = await _temporal(product)
    await client.get_workflow_handle(registration_workflow_id(radicado)).terminate("prueba")


async def supersede_links(product: Product, radicado: str) -> None:
    """As a later link does, for which a visitor would have to wait some minutes."""
    statement = (
        "UPDATE password_links SET closed_at = now(), closed_reason = 'superseded' WHERE reference = $1"
    )
    await rows(product, statement, radicado)


async def end_placement(product: Product, login: str) -> None:
    """As the calendar does."""
    statement = (
        "UPDATE profiles SET ends_on = '2026-01-31' WHERE user_type = 'social_service' "
        "AND account_id = (SELECT id FROM accounts WHERE login = $1)"
    )
    await rows(product, statement, login)


async def _temporal(product: Product) -> Client:
    key_id, _, encoded = product.stack.secret("PAYLOAD_KEYS").partition(":")
    return await connect(
        TemporalConnection(
            address=f"127.0.0.1:{product.stack.ports['TEMPORAL_PORT']}",
            namespace="default",
            payload_keys={key_id: base64.b64decode(encoded)},
            active_payload_key=key_id,
        ),
        identity="tests",
    )
