"""Shorthands for what happens to an account before the point of a test."""

import uuid
from datetime import timedelta

from mipres.database.accounts import PostgresAccounts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.domain.links import LinkPurpose, PasswordLink
from tests.database.registrations import registration

LIFETIME = timedelta(hours=24)
RADICADO = "RM-000000000001"


async def register(accounts: PostgresAccounts) -> uuid.UUID:
    return (await accounts.register(registration(radicado=RADICADO))).account_id


async def issue(
    accounts: PostgresAccounts,
    account_id: uuid.UUID,
    issue_key: str = "enlace-1",
    *,
    reference: str = RADICADO,
    purpose: LinkPurpose = LinkPurpose.CREATE,
) -> PasswordLink:
    link = await accounts.issue_link(
        account_id, reference=reference, purpose=purpose, lifetime=LIFETIME, issue_key=issue_key
    )
    assert link is not None
    return link


async def give_password(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    account_id: uuid.UUID,
    password_hash: str = "hash",
) -> str:
    """Set the password and return the token that did it."""
    token = (await issue(accounts, account_id)).token
    await links.set_password(token, password_hash)
    return token
