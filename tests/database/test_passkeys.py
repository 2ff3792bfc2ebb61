import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from webauthn.helpers import bytes_to_base64url

from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.lockouts import LoginLockouts
from mipres.database.passkeys import Passkeys, Purpose, Site
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.second_factors import Holder, SecondFactors, holder_of_staff
from mipres.database.tables import AccountRow, StaffRow
from mipres.domain.second_factor import CHALLENGE_FOR, Proof, methods_of
from mipres.keys import SecretBox
from tests.database.stored_accounts import give_password, register
from tests.fakes import FakeClock

SITE = Site(name="mipres.test", origin="https://mipres.test")
HERE = "this session"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass(kw_only=True)
class Device:
    """An authenticator with one passkey, as far as the protocol goes."""

    origin: str = SITE.origin
    flags: int = PRESENT | VERIFIED
    count: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: uuid.uuid4().bytes)

    def made(self, options: str) -> str:
        numbers = self.key.public_key().public_numbers()
        coordinates = {-2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, **coordinates})
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(ATTESTED) + attested}
        answer = {"attestationObject": bytes_to_base64url(cbor2.dumps(attestation))}
        return self._answer(self._client_data("webauthn.create", options), answer)

    def used(self, options: str, *, count: int | None = None, handle: str | None = None) -> str:
        self.count = self.count + 1 if count is None else count
        client_data, data = self._client_data("webauthn.get", options), self._data()
        signed = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        answer = {
            "authenticatorData": bytes_to_base64url(data),
            "signature": bytes_to_base64url(signed),
            "userHandle": handle,
        }
        return self._answer(client_data, answer)

    def _data(self, more: int = 0) -> bytes:
        flags = bytes([self.flags | more])
        return hashlib.sha256(SITE.name.encode()).digest() + flags + self.count.to_bytes(4, "big")

    def _client_data(self, kind: str, options: str) -> bytes:
        challenge = json.loads(options)["challenge"]
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _answer(self, client_data: bytes, answer: Mapping[str, str | None]) -> str:
        name = bytes_to_base64url(self.id)
        response = {"clientDataJSON": bytes_to_base64url(client_data), **answer}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


@pytest.fixture
def factors(
    engine: AsyncEngine, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> SecondFactors:
    box = SecretBox({"k1": b"o" * 32}, active="k1", purpose="second-factor")
    return SecondFactors(engine, box=box, keys=[b"hide"], lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
def passkeys(engine: AsyncEngine, factors: SecondFactors, clock: FakeClock) -> Passkeys:
    return Passkeys(engine, factors=factors, site=SITE, keys=[b"sign"], clock=clock)


@pytest.fixture
async def holder(engine: AsyncEngine, accounts: PostgresAccounts, links: PostgresPasswordLinks) -> Holder:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    async with engine.connect() as connection:
        login = await connection.scalar(select(AccountRow.login).where(AccountRow.id == account_id))
    return Holder(login=str(login), account_id=account_id, amr=methods_of(Proof.PASSWORD, Proof.CODE))


async def add(passkeys: Passkeys, holder: Holder, device: Device) -> tuple[str, ...] | None:
    options = await passkeys.options_to_add(holder, bound_to=HERE)
    return await passkeys.add(holder, device.made(options), name=" Mi  llave ", bound_to=HERE)


async def login(passkeys: Passkeys, device: Device, *, count: int | None = None) -> Holder | None:
    options = passkeys.options_to_use(Purpose.LOGIN, bound_to=HERE)
    return await passkeys.use(Purpose.LOGIN, device.used(options, count=count), bound_to=HERE)


async def test_a_passkey_is_added_used_and_removed(
    passkeys: Passkeys, factors: SecondFactors, holder: Holder
) -> None:
    device = Device()
    assert len(await add(passkeys, holder, device) or ()) == 10
    found = (await login(passkeys, device)) or Holder(login="")
    assert found.account_id == holder.account_id
    assert await add(passkeys, holder, Device()) == (), "the list of codes stays"
    before = replace(holder, amr=("pwd",))
    assert await add(passkeys, before, Device()) is None, "a session of before the first one has to show it"
    [*_, last] = (await factors.of(holder)).passkeys
    await passkeys.remove(before, uuid.UUID(last.id))
    shown = (await factors.of(holder)).passkeys
    assert [item.name for item in shown] == ["Mi llave"] * 2
    for item in shown:
        await passkeys.remove(holder, uuid.UUID(item.id))
    assert not (await factors.of(holder)).is_set_up
    assert await login(passkeys, device) is None


async def test_a_device_that_names_another_owner_opens_nothing(passkeys: Passkeys, holder: Holder) -> None:
    device = Device()
    made = json.loads(await passkeys.options_to_add(holder, bound_to=HERE))
    assert await add(passkeys, holder, device)
    another = bytes_to_base64url(uuid.uuid4().bytes)
    for handle, is_taken in ((another, False), (made["user"]["id"], True), (None, True), (another, False)):
        options = passkeys.options_to_use(Purpose.LOGIN, bound_to=HERE)
        used = await passkeys.use(Purpose.LOGIN, device.used(options, handle=handle), bound_to=HERE)
        assert (used is not None) is is_taken


async def test_a_challenge_is_answered_once(passkeys: Passkeys, holder: Holder) -> None:
    device = Device()
    options = await passkeys.options_to_add(holder, bound_to=HERE)
    assert await passkeys.add(holder, device.made(options), name="", bound_to=HERE) is not None
    other = Device().made(options)
    assert await passkeys.add(holder, other, name="", bound_to=HERE) is None
    options = passkeys.options_to_use(Purpose.LOGIN, bound_to=HERE)
    answer, again = device.used(options), device.used(options)
    assert await passkeys.use(Purpose.LOGIN, answer, bound_to=HERE) is not None
    assert await passkeys.use(Purpose.LOGIN, again, bound_to=HERE) is None


async def test_a_challenge_is_for_one_session_one_purpose_and_some_minutes(
    passkeys: Passkeys, holder: Holder, clock: FakeClock, engine: AsyncEngine, factors: SecondFactors
) -> None:
    device = Device()
    await add(passkeys, holder, device)
    options = passkeys.options_to_use(Purpose.LOGIN, bound_to=HERE)
    assert await passkeys.use(Purpose.LOGIN, device.used(options), bound_to="another") is None
    assert await passkeys.use(Purpose.SECOND_STEP, device.used(options), bound_to=HERE) is None
    foreign = Passkeys(engine, factors=factors, site=SITE, keys=[b"theirs"], clock=clock)
    options = foreign.options_to_use(Purpose.LOGIN, bound_to=HERE)
    assert await passkeys.use(Purpose.LOGIN, device.used(options), bound_to=HERE) is None
    options = passkeys.options_to_use(Purpose.LOGIN, bound_to=HERE)
    clock.advance(CHALLENGE_FOR)
    assert await passkeys.use(Purpose.LOGIN, device.used(options), bound_to=HERE) is None
    assert await login(passkeys, device) is not None


async def test_a_counter_that_does_not_go_on_locks_the_passkey(
    passkeys: Passkeys, factors: SecondFactors, holder: Holder
) -> None:
    device = Device()
    await add(passkeys, holder, device)
    assert await login(passkeys, device, count=7) is not None
    for count in (7, 8, 9):
        assert await login(passkeys, device, count=count) is None, "the copy that tries again stays out"
    found = await factors.of(holder)
    assert (found.passkeys[0].is_locked, found.is_set_up) == (True, True)


async def test_a_device_that_does_not_count_is_no_copy(passkeys: Passkeys, holder: Holder) -> None:
    device = Device()
    await add(passkeys, holder, device)
    for _ in range(3):
        assert await login(passkeys, device, count=0) is not None


async def test_a_stranger_cannot_lock_a_passkey(passkeys: Passkeys, holder: Holder) -> None:
    device = Device()
    await add(passkeys, holder, device)
    assert await login(passkeys, device, count=7) is not None
    assert await login(passkeys, Device(id=device.id), count=1) is None
    assert await login(passkeys, device, count=8) is not None


@pytest.mark.parametrize(
    "wrong", [{"origin": "https://ajeno.test"}, {"flags": PRESENT}], ids=["another site", "no user"]
)
async def test_the_site_and_the_user_are_checked(
    passkeys: Passkeys, holder: Holder, wrong: dict[str, str | int]
) -> None:
    assert await add(passkeys, holder, Device(**wrong)) is None  # type: ignore[arg-type]
    device = Device()
    assert await add(passkeys, holder, device) is not None
    for name, value in wrong.items():
        setattr(device, name, value)
    assert await login(passkeys, device) is None


@pytest.mark.parametrize(
    "answer",
    ["", "{}", "[]", "null", '{"id": 1}', '{"response": {"clientDataJSON": "é"}}', "[" * 50_000],
    ids=lambda answer: answer[:9],
)
async def test_what_is_no_answer_is_refused(passkeys: Passkeys, answer: str) -> None:
    assert await passkeys.use(Purpose.LOGIN, answer, bound_to=HERE) is None


@pytest.mark.parametrize("odd", ["é", "A", 5, []])
async def test_no_part_of_an_answer_brings_the_product_down(
    passkeys: Passkeys, holder: Holder, odd: object
) -> None:
    device = Device()
    await add(passkeys, holder, device)
    for part in ("authenticatorData", "signature", "userHandle"):
        options = passkeys.options_to_use(Purpose.LOGIN, bound_to=HERE)
        used = json.loads(device.used(options))
        used["response"][part] = odd
        assert await passkeys.use(Purpose.LOGIN, json.dumps(used), bound_to=HERE) is None, part


@pytest.mark.parametrize("public", [{1: 2}, 5, {1: 3, 3: -257, -1: b"", -2: b""}])
@pytest.mark.parametrize("kind", ["none", "packed", "fido-u2f"])
async def test_no_key_of_an_answer_brings_the_product_down(
    passkeys: Passkeys, holder: Holder, kind: str, public: object
) -> None:
    device = Device()
    data = device._data(ATTESTED) + bytes(16) + len(device.id).to_bytes(2, "big") + device.id
    statement = {} if kind == "none" else {"sig": b"x", "x5c": [b"x"], "alg": -7}
    attestation = {"fmt": kind, "attStmt": statement, "authData": data + cbor2.dumps(public)}
    made = json.loads(device.made(await passkeys.options_to_add(holder, bound_to=HERE)))
    made["response"]["attestationObject"] = bytes_to_base64url(cbor2.dumps(attestation))
    assert await passkeys.add(holder, json.dumps(made), name="", bound_to=HERE) is None


async def test_a_passkey_of_support_opens_nothing_of_the_public_and_the_other_way_round(
    engine: AsyncEngine, passkeys: Passkeys, holder: Holder, clock: FakeClock
) -> None:
    staff_id = uuid.uuid4()
    async with session_factory(engine).begin() as session:
        session.add(StaffRow(id=staff_id, name="ana", password_hash="x", created_at=clock.now()))
    member, own, public = holder_of_staff(staff_id, "ana"), Device(), Device()
    assert await add(passkeys, member, own)
    assert await add(passkeys, holder, public)
    assert await login(passkeys, own) is None
    found = []
    for device in (own, public):
        options = passkeys.options_to_use(Purpose.STAFF_STEP, bound_to=HERE)
        found.append(await passkeys.use(Purpose.STAFF_STEP, device.used(options), bound_to=HERE))
    assert found == [member, None]
    options = passkeys.options_to_use(Purpose.STAFF_STEP, bound_to=HERE)
    assert await passkeys.use(Purpose.STAFF_STEP, own.used(options, count=1), bound_to=HERE) is None
    options = passkeys.options_to_use(Purpose.STAFF_STEP, bound_to=HERE)
    assert await passkeys.use(Purpose.STAFF_STEP, own.used(options), bound_to=HERE) is None, "locked"
