"""Whether the database finds every row that the product asks for by an index.

`python -m bench.plans`.

Fills the tables with made-up rows, does once what the product does, and has PostgreSQL explain each statement.
"""

import asyncio
import json
import os
import re
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.report import RESULTS
from dev.postgres import embedded_postgres_server
from dev.private_stack import open_directory
from mipres.arguments import take_none
from mipres.captcha.challenges import CaptchaChallenges, Place
from mipres.clock import SystemClock
from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher, PostgresCredentials
from mipres.database.ended_logins import PostgresEndedLogins
from mipres.database.engine import create_engine, migrate
from mipres.database.erasures import Erasures
from mipres.database.limits import PostgresLimits
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.retention import PostgresRetention
from mipres.database.sent_mails import PostgresSentMails
from mipres.database.sessions import PostgresSessions, SecondStepNeededError
from mipres.domain.accounts import NewRegistration, ProfileFacts
from mipres.domain.applications import Application
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.domain.documents import Document, parse_document
from mipres.domain.limits import SUBMISSIONS
from mipres.domain.links import LinkPurpose
from mipres.domain.lockout import Origin
from mipres.domain.outcomes import Refusal
from mipres.domain.people import Person
from mipres.domain.second_factor import Proof
from mipres.domain.submissions import Submission, UserType
from mipres.domain.terms import Consent
from mipres.keys import LinkTokens, audit_keys
from mipres.support.records import SupportRecords

_PASSWORD = "a password of nobody"  # noqa: S105 - of an account that does not exist.
_HERE = Origin(network="203.0.113.0/24")
_KEY = bytes(32)
_DAY = timedelta(days=1)
_FILL = Path(__file__).with_name("fill.sql")


# Sessions end within hours, so this table stays small, and an index on what every page updates would cost
# more than the purge's one look a day.
SCANNED_ON_PURPOSE = frozenset({"DELETE FROM sessions WHERE sessions.last_seen_at"})
_OF_ONE_ROW = "audit_head"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How PostgreSQL would run one statement.

    Attributes:
        scanned: Tables of more than one row that it would read from one end to the other.
    """

    statement: str
    scanned: tuple[str, ...]

    @property
    def is_a_mistake(self) -> bool:
        on_purpose = any(self.statement.startswith(beginning) for beginning in SCANNED_ON_PURPOSE)
        return bool(self.scanned) and not on_purpose


async def fill(engine: AsyncEngine, rows: int) -> None:
    """The same number of rows in every table that grows, and statistics about them."""
    async with engine.begin() as connection:
        for statement in _fill_statements():
            await connection.execute(text(statement), {"rows": rows})
    async with engine.connect() as connection:
        autocommitting = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommitting.execute(text("VACUUM ANALYZE"))


def _fill_statements() -> list[str]:
    """A colon that is no cast names a parameter."""
    uncommented = re.sub(r"^--.*$", "", _FILL.read_text(encoding="utf-8"), flags=re.MULTILINE)
    statements = (part.strip() for part in uncommented.split(";"))
    return [re.sub(r"::", r"\:\:", statement) for statement in statements if statement]


async def explain_everything(engine: AsyncEngine) -> list[Plan]:
    """Do what the product does, and explain every kind of statement that it took."""
    with _listening(engine) as heard:
        await _live(engine)
    return [await _explain(engine, statement, parameters) for statement, parameters in heard.items()]


async def _live(engine: AsyncEngine) -> None:
    """Every adapter's statements, on an account in the middle of the tables."""
    clock = SystemClock()
    audit = PostgresAuditTrail(engine, keys=audit_keys({"bench": _KEY}, secrets=()), clock=clock)
    lockouts = LoginLockouts(engine, key=_KEY, clock=clock)
    erasures = Erasures(engine, key=_KEY, clock=clock)
    changes = PostgresAddressChanges(
        engine, tokens=LinkTokens(_KEY), audit=audit, wait=timedelta(hours=24), clock=clock
    )
    accounts = PostgresAccounts(
        engine, tokens=LinkTokens(_KEY), audit=audit, erasures=erasures, changes=changes, clock=clock
    )
    links = PostgresPasswordLinks(
        engine, tokens=LinkTokens(_KEY), audit=audit, lockouts=lockouts, clock=clock
    )
    document = parse_document("CC", "40000777")
    await _register_and_set_password(accounts, links, document)
    credentials = PostgresCredentials(engine, hasher=Hasher(), lockouts=lockouts, audit=audit, clock=clock)
    await credentials.authenticate(document.login, "wrong", Application.MIPRES, origin=_HERE)
    result = await credentials.authenticate(document.login, _PASSWORD, Application.MIPRES, origin=_HERE)
    right = result.account
    await accounts.find(document)
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    if right is not None:
        # Each person of the filled tables has a second factor.
        with suppress(SecondStepNeededError):
            await sessions.open(right.account_id, Application.MIPRES, verified_hash=right.verified_hash)
        token = await sessions.open(
            right.account_id,
            Application.MIPRES,
            verified_hash=right.verified_hash,
            proofs=(Proof.PASSWORD, Proof.CODE),
        )
        if token is not None:
            await sessions.user_of(token, Application.MIPRES)
            await sessions.end(token)
    logins = PostgresEndedLogins(engine, audit=audit, clock=clock)
    await logins.end_with_last_days()
    challenges = CaptchaChallenges(engine, key=_KEY, clock=clock)
    form = Place(form="/registro/otro", visit="bench")
    await challenges.redeem(challenges.new(form), "XXXXX", form)
    limits = PostgresLimits(engine, key=_KEY, clock=clock)
    await limits.take(SUBMISSIONS, "203.0.113.7")
    await limits.forget(SUBMISSIONS, "203.0.113.7")
    await lockouts.lift(document.login)
    await _support(SupportRecords(engine, audit=audit, clock=clock), audit, document)
    sent_mails = PostgresSentMails(engine)
    for _ in range(2):
        await sent_mails.claim("password_set:bench")
    await sent_mails.mark_sent("password_set:bench")
    await sent_mails.release("password_set:bench")
    retention = PostgresRetention(engine, audit=audit, clock=clock)
    await retention.close_links(list(await retention.open_links())[:1])
    await retention.purge()


async def _register_and_set_password(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, document: Document
) -> None:
    radicado = "RM-BENCH0000001"
    consent = Consent(terms_version="1", terms_sha256="0" * 64, accepted_at=datetime.now(UTC), channel="api")
    submission = Submission(
        user_type=UserType.PROFESSIONAL, document=document, professional_registration="76-1234"
    )
    # The address on file: another one would wait, and issue no link.
    person = Person(given_names="Ana", surnames="Ruiz", email="p777@ejemplo.test")
    registered = await accounts.register(
        NewRegistration(
            radicado=radicado, submission=submission, person=person, facts=ProfileFacts(), consent=consent
        )
    )
    link = await accounts.issue_link(
        registered.account_id,
        reference=radicado,
        purpose=LinkPurpose.RECOVER,
        lifetime=_DAY,
        issue_key=uuid.uuid4().hex,
    )
    await accounts.contact(registered.account_id)
    await accounts.open_link(registered.account_id, reference=radicado)
    if link is not None:
        await links.link(link.token)
        await links.owner_of(link.token)
        await links.renewal_of(link.token)
        await links.set_password(link.token, await Hasher().hash(_PASSWORD))
    await accounts.expire_links(registered.account_id, reference=radicado)
    await accounts.record_refusal(
        reference=radicado, document=document, refusal=Refusal.NOT_IN_RETHUS, run="run"
    )
    await accounts.record_given_up(reference=radicado, waited_for="rethus", run="run")
    await accounts.discard(reference=radicado)


async def _support(records: SupportRecords, audit: PostgresAuditTrail, document: Document) -> None:
    await records.person(document, actor="bench")
    await records.person_of("RM-BENCH0000001", actor="bench", reason="bench")
    await records.with_password(["RM-BENCH0000001"])
    await audit.entries(reference="RM-BENCH0000001")
    await audit.entries(login=document.login)
    await audit.entries()
    await audit.holds("5:0")
    event_of_once = AuditEvent(
        type=AuditEventType.DATA_VIEWED, actor="bench", reference="RM-BENCH0000001", login=document.login
    )
    await audit.record_once(event_of_once)


@contextmanager
def _listening(engine: AsyncEngine) -> Iterator[dict[str, Any]]:
    """The statements of the block with the parameters of their first time."""
    heard: dict[str, Any] = {}

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.partition(" ")[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}:
            heard.setdefault(statement, parameters)

    event.listen(engine.sync_engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", hear)


async def _explain(engine: AsyncEngine, statement: str, parameters: Any) -> Plan:
    async with engine.connect() as connection:
        result = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        found = result.scalar_one()
        await connection.rollback()
    plan = json.loads(found) if isinstance(found, str) else found
    return Plan(statement=statement, scanned=tuple(sorted(set(_scanned(plan[0]["Plan"])))))


def _scanned(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan" and node["Relation Name"] != _OF_ONE_ROW:
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _scanned(child)


async def explained(url: str, rows: int) -> Sequence[Plan]:
    """Plans on a migrated database with so many rows."""
    engine = create_engine(url)
    await fill(engine, rows)
    plans = await explain_everything(engine)
    await engine.dispose()
    return plans


async def _main(rows: int) -> int:
    with open_directory() as directory:
        async with embedded_postgres_server(directory / "postgres") as url:
            await migrate(url)
            plans = await explained(url, rows)
    RESULTS.mkdir(exist_ok=True)
    kept = {"rows": rows, "plans": [asdict(plan) for plan in plans]}
    text_ = json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
    await asyncio.to_thread((RESULTS / "plans.json").write_text, text_, encoding="utf-8")
    scanning = [plan for plan in plans if plan.is_a_mistake]
    for plan in scanning:
        print(f"{', '.join(plan.scanned)}: {' '.join(plan.statement.split())}")
    print(f"{len(plans)} statements on {rows} rows a table, {len(scanning)} without an index")
    return 1 if scanning else 0


if __name__ == "__main__":
    take_none("python -m bench.plans", __doc__)
    sys.exit(asyncio.run(_main(int(os.environ.get("BENCH_ROWS", "1000000")))))
