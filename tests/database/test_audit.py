"""The audit trail on a real PostgreSQL.

It only grows, and whatever is done behind its back is noticed.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import GENESIS, PostgresAuditTrail, _seal, holding, write_and_hold
from mipres.database.engine import create_engine, session_factory
from mipres.database.erasures import Erasures
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.tables import AccountRow, AuditRow, SentMailRow
from mipres.domain.audit import AuditEvent, AuditEventType, operator
from mipres.domain.documents import parse_document
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.outcomes import Refusal
from mipres.keys import AuditKey, LinkTokens, audit_keys
from tests.conftest import AUDIT_KEYS
from tests.database.registrations import CONSENT, DOCTOR, registration
from tests.database.stored_accounts import RADICADO, give_password, issue, register
from tests.database.test_accounts import somebody_waits
from tests.fakes import FakeClock
from tests.patience import PATIENCE_SECONDS

LOGIN = "CC1020304050"
REASON = "la persona lo pidió en la mesa de ayuda"


def event(reference: str = RADICADO, **told: object) -> AuditEvent:
    facts: dict[str, object] = {"actor": operator("ana"), "reason": REASON} | told
    return AuditEvent(type=AuditEventType.RETRY_ASKED, reference=reference, **facts)  # type: ignore[arg-type]


async def behind_its_back(engine: AsyncEngine, statement: str) -> None:
    """As the owner of the table can."""
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER audit_entries_append_only"))
        await connection.execute(text(statement))
        await connection.execute(text("ALTER TABLE audit_entries ENABLE TRIGGER audit_entries_append_only"))


async def fill(audit: PostgresAuditTrail, count: int = 4) -> None:
    for number in range(count):
        await audit.record(event(login=LOGIN, details={"attempt": number, "registry": "rethus"}))


# --- what it keeps


async def test_an_event_is_kept_with_all_that_matters(audit: PostgresAuditTrail, clock: FakeClock) -> None:
    await audit.record(event(login=LOGIN, details={"attempt": 3}))
    [entry] = await audit.entries(reference=RADICADO)
    assert (entry.number, entry.occurred_at, entry.type) == (1, clock.now(), "retry_asked")
    assert (entry.actor, entry.reference, entry.reason) == ("operator:ana", RADICADO, REASON)
    assert entry.details == {"attempt": 3}


async def test_events_are_found_by_radicado_and_by_login(audit: PostgresAuditTrail) -> None:
    await audit.record(event("RM-000000000001"))
    await audit.record(event("RM-000000000002", login=LOGIN))
    await audit.record(event("RM-000000000003", login="CC70999001"))
    assert [entry.number for entry in await audit.entries(reference="RM-000000000001")] == [1]
    assert [entry.number for entry in await audit.entries(login=LOGIN)] == [2]
    assert [entry.number for entry in await audit.entries()] == [1, 2, 3]
    assert [entry.number for entry in await audit.entries(limit=2)] == [2, 3]


async def test_what_one_actor_did_is_found(audit: PostgresAuditTrail) -> None:
    for actor in ("staff:ana", "operator:ana", "operator:ana (root)", "operator:ana.rojas (root)"):
        await audit.record(event(actor=actor))
    assert [entry.number for entry in await audit.entries(actor="staff:ana")] == [1]
    assert [entry.number for entry in await audit.entries(actor="operator:ana")] == [2, 3]
    assert await audit.entries(actor="staff:ana", reference="RM-000000000009") == []


async def test_no_document_is_in_the_table(audit: PostgresAuditTrail, engine: AsyncEngine) -> None:
    await audit.record(event(login=LOGIN))
    async with engine.connect() as connection:
        stored = (
            await connection.execute(text("SELECT row_to_json(a)::text FROM audit_entries a"))
        ).scalar_one()
    assert RADICADO in stored
    assert "1020304050" not in stored


# --- that it only grows


async def test_not_even_the_owner_changes_it_by_a_statement(
    audit: PostgresAuditTrail, engine: AsyncEngine
) -> None:
    await fill(audit, 1)
    for statement in (
        "UPDATE audit_entries SET actor = 'operator:nobody'",
        "UPDATE audit_entries SET actor = 'x' WHERE false",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "UPDATE audit_head SET number = 0",
        "INSERT INTO audit_head SELECT is_only, number + 1, seal FROM audit_head",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
    ):
        with pytest.raises(ProgrammingError, match="append-only"):
            async with engine.begin() as connection:
                await connection.execute(text(statement))
    assert (await audit.verify()).checked == 1


async def test_nobody_was_left_the_right_to_change_it(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT DISTINCT privilege_type FROM information_schema.role_table_grants"
                " WHERE table_name = 'audit_entries'"
            )
        )
        assert set(rows.scalars()) & {"UPDATE", "DELETE", "TRUNCATE"} == set()


# --- that a change is noticed


async def test_an_untouched_trail_is_intact(audit: PostgresAuditTrail, clock: FakeClock) -> None:
    assert (await audit.verify()).is_intact
    await fill(audit)
    clock.advance(timedelta(days=400))
    verdict = await audit.verify()
    assert (verdict.checked, verdict.is_intact) == (4, True)
    assert verdict.head is not None
    assert verdict.head.number == 4


CHANGES = (
    "actor = 'operator:nobody'",
    "reason = NULL",
    "details = details || jsonb_build_object('attempt', 9)",
    "occurred_at = occurred_at + interval '1 microsecond'",
    "reference = 'RM-000000000009'",
    "person = NULL",
    "type = 'cancel_asked'",
)


async def test_a_changed_row_is_named(audit: PostgresAuditTrail, engine: AsyncEngine) -> None:
    await fill(audit, len(CHANGES))
    # From the last row to the first, so that each is the first broken one.
    for number, change in reversed(list(enumerate(CHANGES, start=1))):
        await behind_its_back(engine, f"UPDATE audit_entries SET {change} WHERE number = {number}")
        verdict = await audit.verify()
        assert (verdict.checked, verdict.broken_at) == (number - 1, number), change
        assert verdict.problem == "su contenido no es el que se escribió"


async def test_a_missing_row_is_named(audit: PostgresAuditTrail, engine: AsyncEngine) -> None:
    await fill(audit)
    for number in (2, 1):
        await behind_its_back(engine, f"DELETE FROM audit_entries WHERE number = {number}")
        verdict = await audit.verify()
        assert (verdict.broken_at, verdict.problem) == (number, "falta la fila: fue borrada")


async def test_whoever_lacks_the_key_cannot_seal_a_row(
    audit: PostgresAuditTrail, engine: AsyncEngine, clock: FakeClock
) -> None:
    await fill(audit, 2)
    await PostgresAuditTrail(engine, keys=audit_keys({"test": b"another"}, secrets=()), clock=clock).record(
        event()
    )
    verdict = await audit.verify()
    assert (verdict.checked, verdict.broken_at) == (2, 3)


async def lose_the_end(engine: AsyncEngine, *, number: int) -> None:
    """Remove the last row and set back the recorded end, as the owner can."""
    await behind_its_back(engine, f"DELETE FROM audit_entries WHERE number = {number}")
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE audit_head DISABLE TRIGGER audit_head_moves_forward"))
        await connection.execute(text(f"UPDATE audit_head SET {END_OF_THE_ROWS}"))
        await connection.execute(text("ALTER TABLE audit_head ENABLE TRIGGER audit_head_moves_forward"))


END_OF_THE_ROWS = (
    "number = (SELECT max(number) FROM audit_entries),"
    " seal = (SELECT seal FROM audit_entries ORDER BY number DESC LIMIT 1)"
)


async def test_a_lost_end_is_named_also_after_rows_that_came_later(
    audit: PostgresAuditTrail, engine: AsyncEngine
) -> None:
    await fill(audit)
    await behind_its_back(engine, "DELETE FROM audit_entries WHERE number = 4")
    verdict = await audit.verify()
    assert (verdict.checked, verdict.broken_at) == (3, 4)
    assert verdict.problem == "faltan las últimas filas: fueron borradas"
    await fill(audit, 1)
    verdict = await audit.verify()
    assert (verdict.checked, verdict.broken_at, verdict.problem) == (3, 4, "falta la fila: fue borrada")


async def test_a_trail_that_lost_its_end_misses_a_head_noted_before(
    audit: PostgresAuditTrail, engine: AsyncEngine
) -> None:
    await fill(audit)
    noted = str((await audit.verify()).head)
    assert await audit.holds(noted)
    await lose_the_end(engine, number=4)
    assert (await audit.verify()).is_intact
    assert not await audit.holds(noted)
    await fill(audit, 1)
    assert not await audit.holds(noted.replace("4:", "4:0"))
    assert not await audit.holds("nonsense")


# --- its keys


SECRETS = ("the secret of last year", "the secret of this year")
ONE, TWO = {"a1": b"1" * 32}, {"a2": b"2" * 32, "a1": b"1" * 32}


def keyed(engine: AsyncEngine, clock: FakeClock, keys: dict[str, bytes], *secrets: str) -> PostgresAuditTrail:
    return PostgresAuditTrail(engine, keys=audit_keys(keys, secrets=secrets), clock=clock)


async def test_with_another_secret_and_after_a_rotation_the_trail_is_intact(
    engine: AsyncEngine, clock: FakeClock
) -> None:
    old, new = SECRETS
    # A release without keys of the trail, then the first key, another secret, a second key.
    for keys, secrets in (({}, (old,)), (ONE, (old,)), (ONE, (new, old)), (TWO, (new, old))):
        await fill(keyed(engine, clock, keys, *secrets), 2)
    for secrets in ((new, old), (old,)):
        trail = keyed(engine, clock, TWO, *secrets)
        assert (await trail.verify()).is_intact
        assert [entry.number for entry in await trail.entries(login=LOGIN)] == list(range(1, 9))


async def test_a_trail_with_keys_needs_no_secret_at_all(engine: AsyncEngine, clock: FakeClock) -> None:
    await fill(keyed(engine, clock, ONE, SECRETS[0]))
    verdict = await keyed(engine, clock, TWO, SECRETS[1]).verify()
    assert (verdict.checked, verdict.is_intact) == (4, True)


async def test_a_missing_key_is_named_and_is_no_tampering(engine: AsyncEngine, clock: FakeClock) -> None:
    await fill(keyed(engine, clock, ONE, SECRETS[0]), 1)
    await fill(keyed(engine, clock, TWO, SECRETS[0]), 1)
    verdict = await keyed(engine, clock, ONE, SECRETS[0]).verify()
    assert (verdict.checked, verdict.broken_at, verdict.missing_key) == (1, 2, "a2")


async def test_a_row_cannot_be_given_to_another_key(engine: AsyncEngine, clock: FakeClock) -> None:
    trail = keyed(engine, clock, {"a1": b"1" * 32, "a2": b"1" * 32}, SECRETS[0])
    await fill(trail, 1)
    await behind_its_back(engine, "UPDATE audit_entries SET key_id = 'a2'")
    assert (await trail.verify()).broken_at == 1


async def seal_again(engine: AsyncEngine, key: AuditKey, *, last: int) -> None:
    """Rewrite the chain up to a row, as a holder of its key can."""
    seal = GENESIS
    async with session_factory(engine)() as session:
        rows = (await session.scalars(select(AuditRow).order_by(AuditRow.number).limit(last))).all()
    for row in rows:
        row.actor, row.previous_seal = "operator:otra", seal
        seal = _seal(key, row)
        await behind_its_back(
            engine,
            f"UPDATE audit_entries SET actor = 'operator:otra', previous_seal = '\\x{row.previous_seal.hex()}', "
            f"seal = '\\x{seal.hex()}' WHERE number = {row.number}",
        )


async def test_a_replaced_key_cannot_seal_again_what_a_newer_key_follows(
    engine: AsyncEngine, clock: FakeClock
) -> None:
    await fill(keyed(engine, clock, ONE, SECRETS[0]), 3)
    rotated = keyed(engine, clock, TWO, SECRETS[0])
    await fill(rotated, 1)
    [replaced] = audit_keys(ONE, secrets=())
    await seal_again(engine, replaced, last=3)
    verdict = await rotated.verify()
    assert (verdict.checked, verdict.broken_at) == (3, 4)


async def test_another_chain_of_a_replaced_key_misses_a_head_noted_before(
    engine: AsyncEngine, clock: FakeClock
) -> None:
    await fill(keyed(engine, clock, ONE, SECRETS[0]), 3)
    rotated = keyed(engine, clock, TWO, SECRETS[0])
    await fill(rotated, 1)
    noted = (await rotated.verify()).head
    [replaced] = audit_keys(ONE, secrets=())
    await seal_again(engine, replaced, last=3)
    await lose_the_end(engine, number=4)
    await fill(rotated, 1)
    assert (await rotated.verify()).is_intact
    assert not await rotated.holds(str(noted))


def test_seals_and_people_have_keys_of_their_own() -> None:
    keys = audit_keys(TWO, secrets=SECRETS)
    assert [key.id for key in keys] == ["a2", "a1", None, None]
    assert len({part for key in keys if key.id for part in (key.seal, key.person)}) == 4


async def test_an_earlier_secret_that_is_not_named_is_asked_for(
    engine: AsyncEngine, clock: FakeClock
) -> None:
    await fill(keyed(engine, clock, {}, SECRETS[0]), 1)
    problem = (await keyed(engine, clock, ONE, SECRETS[1]).verify()).problem
    assert problem is not None
    assert "MIPRES_SECRET_KEY_PREVIOUS" in problem


# --- that the product's own role only appends


async def test_a_role_that_may_insert_appends_the_next_row_and_no_other(
    audit: PostgresAuditTrail, engine: AsyncEngine
) -> None:
    await fill(audit, 2)
    copied = (
        "INSERT INTO public.audit_entries SELECT {number}, occurred_at, type, actor, reference, person, reason,"
        " details, {previous}, seal, key_id FROM public.audit_entries WHERE number = 2"
    )
    last = "(SELECT seal FROM public.audit_entries WHERE number = 2)"
    shadow = "CREATE TEMPORARY TABLE audit_entries (number bigint, seal bytea)"
    attempts = (
        *([copied.format(number=number, previous=last)] for number in (0, -1, 1, 4, 9_000_000_000)),
        [copied.format(number=3, previous="previous_seal")],
        [shadow, f"INSERT INTO audit_entries VALUES (8, {last})", copied.format(number=9, previous=last)],
    )
    for attempt in attempts:
        with pytest.raises(DBAPIError, match=r"only the row that follows|duplicate key"):
            await as_the_product(engine, *attempt)
    await as_the_product(engine, copied.format(number=3, previous=last))
    assert (await audit.verify()).checked == 2


async def test_rows_of_one_insert_follow_the_last_one_and_each_other(engine: AsyncEngine) -> None:
    row = "({number}, now(), 'made_up', 'bench', '{{}}'::jsonb, sha256('{previous}'), sha256('{seal}'))"
    first = row.format(number=1, previous="", seal="1").replace("sha256('')", f"'\\x{GENESIS.hex()}'::bytea")
    second, third = (row.format(number=n, previous=n - 1, seal=n) for n in (2, 3))
    columns = "(number, occurred_at, type, actor, details, previous_seal, seal)"
    into = f"INSERT INTO public.audit_entries {columns} VALUES "
    short = second.replace("sha256('2')", "'\\x00'::bytea")
    for rows in ((first, third), (second, third), (first, short), (first, third.replace("3, ", "2, ", 1))):
        with pytest.raises(DBAPIError, match="only the row that follows"):
            await as_the_product(engine, into + ", ".join(rows))
    # Their order in the statement is no matter.
    await as_the_product(engine, into + f"{third}, {first}, {second}")


async def test_the_product_s_role_holds_the_end_and_cannot_move_it(
    audit: PostgresAuditTrail, engine: AsyncEngine
) -> None:
    await fill(audit, 1)
    await as_the_product(engine, "SELECT number, seal FROM public.audit_head FOR UPDATE")
    for change in (
        "UPDATE public.audit_head SET number = number + 1",
        "UPDATE public.audit_head SET seal = sha256('')",
        "UPDATE public.audit_head SET is_only = true",
        "INSERT INTO public.audit_head VALUES (true, 9, sha256(''))",
        "DELETE FROM public.audit_head",
        "TRUNCATE public.audit_head",
    ):
        with pytest.raises(DBAPIError, match=r"permission denied|append-only"):
            await as_the_product(engine, change)


async def test_writers_who_do_not_wait_for_the_end_make_no_second_branch(
    audit: PostgresAuditTrail, engine: AsyncEngine
) -> None:
    await fill(audit, 1)
    behind = text(
        "INSERT INTO audit_entries SELECT number + 1, occurred_at, type, actor, reference, person, reason,"
        " details, seal, seal, key_id FROM audit_entries WHERE number = 1"
    )
    async with engine.connect() as observer, engine.connect() as rival:
        async with session_factory(engine).begin() as session:
            await audit.record_in(session, event())
            writing = asyncio.create_task(rival.execute(behind))
            while not await somebody_waits(observer):
                pass
        with pytest.raises(DBAPIError, match=r"only the row that follows|duplicate key"):
            await writing
    assert ((await audit.verify()).checked, (await audit.verify()).is_intact) == (2, True)


async def as_the_product(engine: AsyncEngine, *statements: str) -> None:
    """Run statements with the rights of the product's processes, and take them back."""
    async with engine.connect() as connection:
        for statement in (
            "CREATE ROLE appender",
            "GRANT USAGE ON SCHEMA public TO appender",
            "GRANT SELECT, INSERT ON public.audit_entries TO appender",
            "GRANT SELECT, UPDATE (is_only) ON public.audit_head TO appender",
            "SET LOCAL ROLE appender",
            *statements,
        ):
            await connection.execute(text(statement))
        await connection.rollback()


# --- many writers


async def test_writers_at_once_make_one_chain(audit: PostgresAuditTrail) -> None:
    await asyncio.gather(*(audit.record(event(details={"writer": number})) for number in range(12)))
    verdict = await audit.verify()
    assert (verdict.checked, verdict.is_intact) == (12, True)
    assert len({entry.details["writer"] for entry in await audit.entries()}) == 12


async def test_facts_and_events_at_once_make_one_chain(
    accounts: PostgresAccounts, audit: PostgresAuditTrail
) -> None:
    people = [
        registration(
            replace(DOCTOR, document=parse_document("CC", str(number))), radicado=f"RM-00000000{number}"
        )
        for number in range(1000, 1012)
    ]
    await asyncio.gather(
        *(accounts.register(person) for person in people), *(fill(audit, 2) for _ in range(6))
    )
    verdict = await audit.verify()
    assert (verdict.checked, verdict.is_intact) == (24, True)


@pytest.mark.parametrize("waits_for", ["fact", "other"])
async def test_a_fact_that_waits_for_a_row_keeps_no_writer_of_the_trail_waiting(
    accounts: PostgresAccounts, audit: PostgresAuditTrail, engine: AsyncEngine, waits_for: str
) -> None:
    await register(accounts)
    mail = insert(SentMailRow).values(key="made up", claimed_at=func.now(), unknown_ends=0)
    free = mail.returning(SentMailRow.key).cte("free")
    held = update(AccountRow).values(given_names="Ana").returning(AccountRow.id).cte("held")
    parts = (held, free) if waits_for == "fact" else (free, held)
    async with engine.connect() as rival, engine.connect() as observer:
        await rival.execute(text("UPDATE accounts SET surnames = 'Ruiz'"))
        async with session_factory(engine).begin() as session:
            writing = asyncio.create_task(write_and_hold(session, holding(*parts), {}))
            while not await somebody_waits(observer):
                pass
            await asyncio.wait_for(audit.record(event()), PATIENCE_SECONDS)
            await rival.commit()
            _, head = await writing
            assert head is not None
            await audit.record_in(session, event(), head=head)
    assert ((await audit.verify()).checked, (await audit.verify()).is_intact) == (3, True)


async def test_a_text_that_is_too_long_is_refused_and_not_cut_off(audit: PostgresAuditTrail) -> None:
    with pytest.raises(DBAPIError, match="value too long"):
        await audit.record(event(), event(reference=RADICADO + "0"))
    assert (await audit.verify()).checked == 0


async def test_an_event_is_undone_with_its_fact(audit: PostgresAuditTrail, engine: AsyncEngine) -> None:
    await fill(audit, 1)
    async with async_sessionmaker(engine)() as session:
        await audit.record_in(session, event(), event())
        await session.rollback()
    await fill(audit, 1)
    verdict = await audit.verify()
    assert (verdict.checked, verdict.is_intact) == (2, True)


# --- what the accounts tell


async def told(audit: PostgresAuditTrail) -> list[tuple[str, str, str | None]]:
    return [(entry.type, entry.actor, entry.reference) for entry in await audit.entries(login=LOGIN)]


async def test_a_registration_tells_its_story(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, audit: PostgresAuditTrail
) -> None:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    assert await told(audit) == [
        ("account_created", "product", RADICADO),
        ("link_issued", "product", RADICADO),
        ("link_used", "citizen", RADICADO),
        ("password_set", "citizen", RADICADO),
    ]
    assert (await audit.verify()).is_intact


async def test_the_same_call_again_tells_nothing(
    accounts: PostgresAccounts, audit: PostgresAuditTrail
) -> None:
    account_id = await register(accounts)
    await register(accounts)
    await issue(accounts, account_id)
    await issue(accounts, account_id)
    await accounts.expire_links(account_id, reference=RADICADO)
    await accounts.expire_links(account_id, reference=RADICADO)
    assert [event for event, _, _ in await told(audit)] == ["account_created", "link_issued", "link_expired"]


async def test_another_submission_updates(
    accounts: PostgresAccounts, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    await register(accounts)
    later = replace(CONSENT, accepted_at=CONSENT.accepted_at + timedelta(days=1))
    await accounts.register(registration(radicado=RADICADO, consent=later))
    assert [event for event, _, _ in await told(audit)] == ["account_created", "account_updated"]


async def test_a_refusal_is_written_once_a_run(accounts: PostgresAccounts, audit: PostgresAuditTrail) -> None:
    document = registration().submission.document
    for run in ("first", "first", "second"):
        await accounts.record_refusal(
            reference=RADICADO, document=document, refusal=Refusal.SANCTIONED, run=run
        )
    entries = await audit.entries(login=LOGIN)
    assert [(entry.type, entry.details) for entry in entries] == [
        ("registration_refused", {"refusal": "sanctioned", "run": "first"}),
        ("registration_refused", {"refusal": "sanctioned", "run": "second"}),
    ]


async def test_a_registration_that_is_given_up_is_written_once_a_run(
    accounts: PostgresAccounts, audit: PostgresAuditTrail
) -> None:
    for run in ("first", "first", "second"):
        assert await accounts.record_given_up(reference=RADICADO, waited_for="rethus", run=run)
    entries = await audit.entries(reference=RADICADO)
    assert [(entry.type, entry.details) for entry in entries] == [
        ("registration_given_up", {"waited_for": "rethus", "run": "first"}),
        ("registration_given_up", {"waited_for": "rethus", "run": "second"}),
    ]


async def test_where_the_database_is_away_giving_up_is_not_written_and_no_error(
    clock: FakeClock, audit: PostgresAuditTrail, unused_tcp_port: int
) -> None:
    engine = create_engine(f"postgresql+asyncpg://nobody@127.0.0.1:{unused_tcp_port}/none")
    away = PostgresAuditTrail(engine, keys=AUDIT_KEYS, clock=clock)
    accounts = PostgresAccounts(
        engine,
        tokens=LinkTokens(b"k" * 32),
        audit=away,
        erasures=Erasures(engine, key=b"e" * 32, clock=clock),
        changes=PostgresAddressChanges(
            engine, tokens=LinkTokens(b"c" * 32), audit=away, wait=timedelta(hours=24), clock=clock
        ),
        clock=clock,
    )
    assert not await accounts.record_given_up(reference=RADICADO, waited_for="database", run="first")
    assert await audit.entries(reference=RADICADO) == []
    await engine.dispose()


async def test_a_registration_that_is_taken_back_leaves_its_trace(
    accounts: PostgresAccounts, audit: PostgresAuditTrail
) -> None:
    await register(accounts)
    await accounts.discard(reference=RADICADO)
    await accounts.discard(reference=RADICADO)
    assert [event for event, _, _ in await told(audit)] == ["account_created", "registration_discarded"]


async def test_a_link_that_cannot_be_used_leaves_no_trace(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, audit: PostgresAuditTrail
) -> None:
    account_id = await register(accounts)
    link = await issue(accounts, account_id)
    await accounts.expire_links(account_id, reference=RADICADO)
    with pytest.raises(LinkNotUsableError):
        await links.set_password(link.token, "hash")
    assert "link_used" not in [event for event, _, _ in await told(audit)]
