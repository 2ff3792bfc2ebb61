"""The statements of a registration and its links, each written once."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, ScalarSelect, Select, bindparam, case, select
from sqlalchemy.dialects.postgresql import insert

from mipres.database.address_changes import WITH_OPEN_CHANGE
from mipres.database.audit import holding
from mipres.database.erasures import WAS_ERASED
from mipres.database.link_statements import WAS_INSERTED, closing_links
from mipres.database.profiles import PROFILE_KEY, PROFILE_VALUES, profile_key, profile_values
from mipres.database.tables import (
    AccountRow,
    AddressChangeRow,
    ConsentRow,
    PasswordLinkRow,
    ProfileRow,
    arguments,
    parameters,
)
from mipres.domain.accounts import NewRegistration
from mipres.domain.links import LinkPurpose, LinkState

_LINK = ("id", "reference", "purpose", "issue_key", "issued_at", "expires_at")


def _holding_account() -> CTE:
    """Write the account of the document, and hold it, so that no join comes between."""
    names = parameters(AccountRow, "given_names", "surnames", "updated_at")
    key = parameters(AccountRow, "document_type", "document_number")
    others = parameters(AccountRow, "id", "login", "email")
    # Defaults of Python are not applied within a larger statement.
    row = insert(AccountRow).values(
        {**key, **others, **names, "created_at": names["updated_at"], "is_password_changed": False}
    )
    returned = (
        AccountRow.id.label("account_id"),
        AccountRow.password_hash.is_not(None).label("has_password"),
        AccountRow.joined_to.is_not(None).label("is_replaced"),
        WAS_ERASED.label("is_erased"),
        WAS_INSERTED,
    )
    held = row.on_conflict_do_update(index_elements=[*key], set_=names)
    return held.returning(*returned).cte("account")


def _registering(*, issues_link: bool) -> Select[Any]:
    """Write account, declaration and profile, and the first link of a new account.

    Only a new account has nothing more to write before the trail.
    """
    account = _holding_account()
    account_id = select(account.c.account_id).scalar_subquery()
    declaration = parameters(
        ConsentRow, "id", "radicado", "terms_version", "terms_sha256", "accepted_at", "channel"
    )
    declared = insert(ConsentRow).values(declaration | {"account_id": account_id})
    consent = declared.on_conflict_do_nothing().returning(ConsentRow.id).cte("consent")
    # The declaration belongs to one submission: without a new one, this is the same call again.
    fact = select(account, select(consent.c.id).exists().label("is_declaration_new")).cte("registered")
    others = [consent, _holding_profile(account_id)]
    if issues_link:
        link = parameters(PasswordLinkRow, *_LINK)
        of_a_new_account = select(*link.values(), account.c.account_id).where(account.c.was_inserted)
        issued = insert(PasswordLinkRow).from_select([*link, "account_id"], of_a_new_account)
        others.append(issued.returning(PasswordLinkRow.id).cte("link"))
    return holding(fact, *others, only_if=select(account.c.was_inserted).scalar_subquery())


def _holding_profile(account_id: ScalarSelect[uuid.UUID]) -> CTE:
    """Write a new profile, or what the registries say now of a known one."""
    now = parameters(AccountRow, "updated_at")["updated_at"]
    key = {"account_id": account_id, **parameters(ProfileRow, *PROFILE_KEY)}
    fresh = {**parameters(ProfileRow, *PROFILE_VALUES), "updated_at": now, "reviewed_at": now}
    row = insert(ProfileRow).values({**parameters(ProfileRow, "id"), **key, **fresh, "created_at": now})
    held = row.on_conflict_do_update(index_elements=[*key], set_=fresh)
    return held.returning(ProfileRow.id).cte("profile")


def _superseding_link() -> Select[Any]:
    """Insert or revive the link of one mail, and close the account's others.

    An earlier attempt of the mail may have left it. The lifetime counts from the attempt that gets
    through, not from the first that failed. Another link may have superseded it meanwhile; this one is
    the newest now. A used one stays used.
    """
    link = parameters(PasswordLinkRow, *_LINK, "account_id")
    others = (
        PasswordLinkRow.account_id == link["account_id"],
        PasswordLinkRow.issue_key != link["issue_key"],
    )
    was_used = PasswordLinkRow.closed_reason == LinkState.USED
    revived = {
        "expires_at": link["expires_at"],
        "closed_at": case((was_used, PasswordLinkRow.closed_at), else_=None),
        "closed_reason": case((was_used, PasswordLinkRow.closed_reason), else_=None),
    }
    issued = insert(PasswordLinkRow).values(link)
    kept = issued.on_conflict_do_update(index_elements=["issue_key"], set_=revived)
    closing = closing_links(LinkState.SUPERSEDED, link["issued_at"], *others)
    return holding(
        kept.returning(PasswordLinkRow.id, WAS_INSERTED).cte("issued"),
        closing.returning(PasswordLinkRow.id).cte("others"),
    )


_CONTACT = (
    AccountRow.login,
    AccountRow.given_names,
    AccountRow.surnames,
    AccountRow.email,
    AccountRow.password_set_at,
    AccountRow.is_password_changed,
)
WITH_CHANGE = (
    select(
        *_CONTACT,
        AddressChangeRow.new_address,
        AddressChangeRow.warned_at,
        AddressChangeRow.takes_effect_at,
    )
    .outerjoin(AddressChangeRow, WITH_OPEN_CHANGE)
    .where(AccountRow.id == bindparam("account_id"))
)
JUST_ISSUED = (
    select(PasswordLinkRow.id.label("link_id"), PasswordLinkRow.expires_at, *_CONTACT)
    .join(AccountRow, AccountRow.id == PasswordLinkRow.account_id)
    .where(
        PasswordLinkRow.issue_key == bindparam("issue_key"),
        PasswordLinkRow.account_id == bindparam("account_id"),
        PasswordLinkRow.closed_at.is_(None),
        PasswordLinkRow.expires_at >= bindparam("not_before"),
        AccountRow.password_hash.is_(None),
        AccountRow.joined_to.is_(None),
    )
)
REGISTER = _registering(issues_link=False)
REGISTER_WITH_LINK = _registering(issues_link=True)
SUPERSEDE = _superseding_link()


def link_values(
    *, reference: str, purpose: LinkPurpose, issue_key: str, lifetime: timedelta, now: datetime
) -> dict[str, object]:
    """The columns of a new link, but its account."""
    return {
        "id": uuid.uuid4(),
        "reference": reference,
        "purpose": purpose,
        "issue_key": issue_key,
        "issued_at": now,
        "expires_at": now + lifetime,
    }


def registration_values(registration: NewRegistration, now: datetime) -> dict[str, object]:
    """The values of REGISTER, or of REGISTER_WITH_LINK, but those of WAS_ERASED."""
    document, person, consent = registration.submission.document, registration.person, registration.consent
    account = {
        "id": uuid.uuid4(),
        "document_type": document.type,
        "document_number": document.number,
        "login": document.login,
        "email": person.email,
        "given_names": person.given_names,
        "surnames": person.surnames,
        "updated_at": now,
    }
    declaration = {
        "id": uuid.uuid4(),
        "radicado": registration.radicado,
        "terms_version": consent.terms_version,
        "terms_sha256": consent.terms_sha256,
        "accepted_at": consent.accepted_at,
        "channel": consent.channel,
    }
    profile = {"id": uuid.uuid4(), **profile_key(registration.submission), **profile_values(registration)}
    values = arguments(AccountRow, account)
    values |= arguments(ConsentRow, declaration) | arguments(ProfileRow, profile)
    if registration.first_link is None:
        return values
    link = link_values(
        reference=registration.radicado,
        purpose=LinkPurpose.CREATE,
        issue_key=registration.first_link.issue_key,
        lifetime=registration.first_link.lifetime,
        now=now,
    )
    return values | arguments(PasswordLinkRow, link)
