"""People with a password whose profiles are due for a review."""

import asyncio
from typing import Any

from bench.http import Connection, expect
from dev.citizen import MEDICINE, Citizen
from dev.private_stack import PrivateStack

_BATCH = 500
_LOOK_SECONDS = 0.2
_GONE, _SANCTIONED, _OF = 1, 2, 200
_ACCOUNTS = """
INSERT INTO accounts (id, document_type, document_number, login, given_names, surnames, email, password_hash, password_set_at)
SELECT md5(n)::uuid, 'CC', n, 'CC' || n, 'Ana María', 'Rodríguez Peña', 'p' || n || '@ejemplo.test', 'hash', now()
FROM unnest($1::text[]) n
"""
_PROFILES = """
INSERT INTO profiles (id, account_id, user_type, registration_key, radicado, professional_registration, profession_name, reviewed_at)
SELECT md5(n)::uuid, md5(n)::uuid, 'professional', '761234', 'RM-' || upper(substr(md5(n), 1, 12)), '76-1234', 'MEDICINA', now() - interval '8 days'
FROM unnest($1::text[]) n
"""
_SANCTION = {"authority": "Tribunal", "kind": "Suspensión", "start": "2020-01-01", "end": None}


async def in_use(stack: PrivateStack, count: int) -> list[Citizen]:
    """People with a password, whose last answer is eight days old."""
    people = [Citizen(number=str(50_000_000 + index)) for index in range(count)]
    registries = Connection(port=stack.settings.registry_port)
    for start in range(0, count, _BATCH):
        records = [_record(person, index) for index, person in enumerate(people[start : start + _BATCH])]
        expect(await registries.post("/_control/people", json=records), 200)
    registries.close()
    numbers = [person.number for person in people]
    async with stack.database() as database:
        await database.execute(_ACCOUNTS, numbers)
        await database.execute(_PROFILES, numbers)
    return people


def _record(person: Citizen, index: int) -> dict[str, Any]:
    known = person.record()
    if index % _OF == _GONE:
        return known | {"rethus": None}
    sanctions = [_SANCTION] if index % _OF == _SANCTIONED else []
    return known | {"rethus": {"professions": [MEDICINE], "sanctions": sanctions}}


async def until_it_asks(registries: Connection) -> None:
    """Wait until ReTHUS has got a call."""
    while not (await registries.get("/_control/calls/peak")).json()["rethus"]["total"]:
        await asyncio.sleep(_LOOK_SECONDS)
