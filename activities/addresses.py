"""The address that miseguridadsocial has of a person who recovers a password."""

import asyncio
import uuid
from dataclasses import dataclass

from temporalio import activity

from mipres.domain.documents import Document
from mipres.domain.errors import RegistryUnavailableError
from mipres.ports import AddressChanges, SocialSecurityRegistry

# The person waits for a mail, not for a page; the rest of an attempt's time belongs to the database.
_REGISTRY_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class SettleAddressInput:
    """Whose address is asked for, and by which recovery."""

    account_id: uuid.UUID
    document: Document
    reference: str


@dataclass(frozen=True, kw_only=True)
class SettleAddressResult:
    """`change_id` is the change that waits, if one does."""

    change_id: uuid.UUID | None


class AddressActivities:
    """Served by the queue `registrations`."""

    def __init__(self, *, registry: SocialSecurityRegistry, changes: AddressChanges) -> None:
        self._registry = registry
        self._changes = changes

    @activity.defn
    async def settle_address(self, request: SettleAddressInput) -> SettleAddressResult:
        """Ask the registry once, and note what it says.

        Without an answer the stored address stands: an outage keeps no person out. The address
        itself enters no history.
        """
        address = await self._address_of(request.document)
        change_id = await self._changes.note(
            request.account_id, address, document=request.document, reference=request.reference
        )
        return SettleAddressResult(change_id=change_id)

    async def _address_of(self, document: Document) -> str | None:
        try:
            async with asyncio.timeout(_REGISTRY_SECONDS):
                person = await self._registry.find_person(document)
        except (RegistryUnavailableError, TimeoutError) as error:
            activity.logger.info("no address from the registry: %s", type(error).__name__)
            return None
        return person.email if person is not None and person.has_usable_address else None
