"""Personal data, passwords and links stay in PostgreSQL and in the mails.

Canaries, looked for everywhere else.
"""

import base64
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from temporalio.client import Client

from mipres.domain.documents import Document, DocumentType
from mipres.domain.submissions import Submission, UserType
from tests.product.conftest import Product
from tests.product.storage import radicado_for, stored_text, with_the_keys, without_the_keys
from tests.product.visits import ask_recovery, log_in, professional_form, set_password, submit_form

pytestmark = pytest.mark.one_of_each

PASSWORD, NEW_PASSWORD = "Canario-Amarillo-91", "Canario-Naranja-92"
STATES = {"completed", "recovered", "refused", "waiting", "mail down", "mail rejected"}


@dataclass(frozen=True, kw_only=True)
class Canary:
    """One person of the tale, and the secrets that were theirs alone."""

    person: dict[str, Any]
    secrets: list[str] = field(default_factory=list)

    @property
    def personal(self) -> list[str]:
        one = self.person
        return [one["document"]["number"], one["given_names"], one["surnames"], one["email"]]


class Aviary:
    """Six people, whose registrations came to as many different ends."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.canaries: dict[str, Canary] = {}

    async def hatch(self, name: str, number: str, **facts: Any) -> dict[str, Any]:
        person = await self.product.new_professional(
            document={"type": "CC", "number": number},
            given_names=f"Zulmira{number[-2:]} Ñusta",
            surnames=f"Inconfundible{number[-2:]}",
            email=f"canario.{number[-4:]}@pajarera.test",
            **facts,
        )
        self.canaries[name] = Canary(person=person)
        return person

    async def complete(self, name: str, number: str) -> dict[str, Any]:
        person = await self.hatch(name, number)
        secrets = self.canaries[name].secrets
        async with self.product.browser() as visitor:
            await submit_form(self.product, visitor, "profesional", professional_form(person))
            link = await self.product.link_for(person)
            secrets += [PASSWORD, link.rpartition("/")[2]]
            assert (await set_password(visitor, link, PASSWORD)).status_code == 200
            assert (await log_in(visitor, person, PASSWORD)).url.path == "/inicio/mipres"
        await self.product.reaches(self.radicado(name), "completed")
        return person

    async def recover(self, name: str, number: str) -> None:
        person = await self.complete(name, number)
        secrets = self.canaries[name].secrets
        async with self.product.browser() as visitor:
            await log_in(visitor, person, "Canario-Equivocado-93")
            await ask_recovery(self.product, visitor, person["document"])
            link = await self.product.link_for(person, count=2)
            secrets += [NEW_PASSWORD, "Canario-Equivocado-93", link.rpartition("/")[2]]
            assert (await set_password(visitor, link, NEW_PASSWORD)).status_code == 200

    async def refuse(self, name: str, number: str) -> None:
        person = await self.hatch(name, number, rethus=None)
        assert (await self.product.register_professional(person)).status_code == 422

    async def keep_waiting(self, name: str, number: str) -> None:
        """Somebody in social service, whose registry stays away.

        The others need ReTHUS again.
        """
        person = await self.hatch(name, number)
        answer = await self.product.register(user_type="social_service", document=person["document"])
        assert answer.status_code == 202
        await self.product.reaches(self.radicado(name), "waiting_registry")

    async def fail_mail(self, name: str, number: str, waits_on: str) -> None:
        person = await self.hatch(name, number)
        assert (await self.product.register_professional(person)).status_code == 201

        async def failed() -> bool:
            return bool((await self.product.view(self.radicado(name)))["waiting_on"] == [waits_on])

        await self.product.eventually(failed)

    def radicado(self, name: str) -> str:
        number = self.canaries[name].person["document"]["number"]
        document = Document(type=DocumentType.CC, number=number)
        user_type = UserType.SOCIAL_SERVICE if name == "waiting" else UserType.PROFESSIONAL
        return radicado_for(self.product, Submission(user_type=user_type, document=document))


@pytest.fixture(scope="module")
async def aviary(product: Product) -> AsyncIterator[Aviary]:
    """The whole tale, once; registries and mail still fail while the tests look."""
    tale = Aviary(product)
    await tale.complete("completed", "1987654301")
    await tale.recover("recovered", "1987654302")
    await tale.refuse("refused", "1987654303")
    try:
        await product.set_registry("sso", mode="garbage")
        await tale.keep_waiting("waiting", "1987654304")
        await product.mail.put("/_control", json={"mode": "down"})
        await tale.fail_mail("mail down", "1987654305", "mail")
        await product.mail.put("/_control", json={"mode": "reject"})
        await tale.fail_mail("mail rejected", "1987654306", "mail_address")
        yield tale
    finally:
        await product.set_registry("sso", mode="up")
        await product.mail.put("/_control", json={"mode": "up"})


def disguises(text: str) -> set[bytes]:
    """A text as it might be written.

    Plain, escaped, in hexadecimal, or in base64 wherever it begins.
    """
    plain = text.encode()
    found = {plain, ascii(text)[1:-1].encode(), text.encode("utf-16-le"), plain.hex().encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain).rstrip(b"=")
        # The first symbols and the last one mix with what stands beside the text.
        middle = encoded[(shift * 4 + 2) // 3 : -1]
        found |= {middle, middle.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def betrayed(haystack: bytes, texts: Iterable[str]) -> list[str]:
    return [text for text in texts if any(form in haystack for form in disguises(text))]


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_the_search_sees_through_disguises(before: str) -> None:
    for text in ("1987654301", "Zulmira01 Ñusta"):
        whole = f"{before}{text}|".encode()
        for hidden in (whole, base64.b64encode(whole), base64.urlsafe_b64encode(whole), whole.hex().encode()):
            assert betrayed(hidden, [text]) == [text]
    assert betrayed(b"1987654302", ["1987654301"]) == []


async def histories(client: Client) -> AsyncIterator[bytes]:
    """Everything that Temporal tells of every workflow.

    Its history, its description, its place in the list.
    """
    async for execution in client.list_workflows():
        yield execution.raw_info.SerializeToString()
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        yield (await handle.describe()).raw_description.SerializeToString()
        async for event in handle.fetch_history_events():
            yield event.SerializeToString()


async def test_the_canaries_did_go_through_temporal(aviary: Aviary) -> None:
    """A holder of the keys reads them.

    Else the tests below would look for what was never there.
    """
    assert set(aviary.canaries) == STATES
    client = await with_the_keys(aviary.product)
    for name, canary in aviary.canaries.items():
        handle = client.get_workflow_handle(f"registration/{aviary.radicado(name)}")
        events = [event async for event in handle.fetch_history_events()]
        payload = events[0].workflow_execution_started_event_attributes.input.payloads
        assert client.data_converter.payload_codec
        [decoded] = await client.data_converter.payload_codec.decode(payload)
        assert canary.person["document"]["number"].encode() in decoded.data


async def test_nothing_personal_is_readable_in_temporal(aviary: Aviary) -> None:
    client = await without_the_keys(aviary.product)
    everything = b"\n".join([piece async for piece in histories(client)])
    assert aviary.radicado("completed").encode() in everything
    for name, canary in aviary.canaries.items():
        assert (name, betrayed(everything, canary.personal + canary.secrets)) == (name, [])


async def test_nothing_personal_is_in_temporals_files(aviary: Aviary) -> None:
    files = list(aviary.product.stack.data_dir.glob("temporal.db*"))
    content = b"".join(file.read_bytes() for file in files)
    assert aviary.radicado("completed").encode() in content
    for name, canary in aviary.canaries.items():
        assert (name, betrayed(content, canary.personal + canary.secrets)) == (name, [])


async def test_nothing_personal_was_printed(aviary: Aviary) -> None:
    printed = "\n".join(aviary.product.stack.lines).encode()
    assert aviary.radicado("completed").encode() in printed
    for name, canary in aviary.canaries.items():
        assert (name, betrayed(printed, canary.personal + canary.secrets)) == (name, [])


async def test_nothing_personal_is_in_metrics(aviary: Aviary) -> None:
    told = "\n".join([(await aviary.product.metrics(process)).text for process in ("api", "worker")])
    assert "mipres_mail_failures_total{" in told
    assert "mipres_registry_failures_total{" in told
    assert aviary.radicado("completed") not in told
    for name, canary in aviary.canaries.items():
        assert (name, betrayed(told.encode(), canary.personal + canary.secrets)) == (name, [])


async def test_nothing_personal_is_in_traces(aviary: Aviary) -> None:
    wire = aviary.product.traces.bodies

    async def told() -> bool:
        return all(aviary.radicado(name).encode() in b"".join(wire) for name in STATES)

    await aviary.product.eventually(told)
    for name, canary in aviary.canaries.items():
        assert (name, betrayed(b"".join(wire), canary.personal + canary.secrets)) == (name, [])


async def test_ids_and_search_attributes_are_opaque(aviary: Aviary) -> None:
    client = await without_the_keys(aviary.product)
    found: dict[str, dict[str, Any]] = {}
    async for execution in client.list_workflows():
        assert re.fullmatch(
            r"(registration/RM|recovery/RC|lock-notice/RC|cancel-notice/RM)-[0-9A-HJKMNP-TV-Z]{12}|factor-reset/[0-9a-f-]{36}|(temporal-sys-scheduler:)?(retention|access-notices|access-review|backchannel-logouts)[-\w:.]*",
            execution.id,
        )
        pairs = execution.typed_search_attributes.search_attributes
        found[execution.id] = {pair.key.name: pair.value for pair in pairs}
        assert dict(execution.raw_info.memo.fields) == {}
    names = {name for attributes in found.values() for name in attributes}
    ours = {"RegistrationStage", "UserType", "WaitingOn", "StuckSince", "ReviewStage", "ReviewedProfiles"}
    of_schedules = {"TemporalScheduledById", "TemporalScheduledStartTime"}
    of_versions = {"BuildIds", "TemporalChangeVersion", "TemporalUsedWorkerDeploymentVersions"}
    assert names - ours <= of_versions | of_schedules
    assert found[f"registration/{aviary.radicado('waiting')}"]["WaitingOn"] == ["sso"]


async def test_postgresql_holds_the_person_and_neither_link_nor_password(aviary: Aviary) -> None:
    stored = (await stored_text(aviary.product)).encode()
    for name in STATES - {"refused", "waiting"}:
        canary = aviary.canaries[name]
        assert [text for text in canary.personal if text.encode() not in stored] == []
        assert (name, betrayed(stored, canary.secrets)) == (name, [])
    for name in ("refused", "waiting"):
        assert (name, betrayed(stored, aviary.canaries[name].personal)) == (name, [])


async def test_a_mail_shows_the_link_and_not_the_document(aviary: Aviary) -> None:
    for name in ("completed", "recovered"):
        canary = aviary.canaries[name]
        number = canary.person["document"]["number"]
        mails = await aviary.product.mails_to(canary.person["email"])
        assert len(mails) >= 2
        assert not any(number in mail["Text"] + mail["HTML"] + mail["Subject"] for mail in mails)
        assert not any(PASSWORD in mail["Text"] + mail["HTML"] for mail in mails)
