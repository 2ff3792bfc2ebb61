"""A mail goes out once: two attempts of any processes decide it here."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import create_engine
from mipres.database.retention import SENT_MAILS, PostgresRetention
from mipres.database.sent_mails import PostgresSentMails
from mipres.database.tables import SentMailRow
from mipres.domain.mail import CLAIM_LIFETIME, HANDED_OVER_LIFETIME, MailClaim
from tests.fakes import FakeClock
from workflows.policies import MAIL_HEARTBEAT

KEY = "password_set:1:2026-11-23T15:00:00+00:00"


@pytest.fixture
def sent_mails(engine: AsyncEngine) -> PostgresSentMails:
    return PostgresSentMails(engine)


async def make_older(engine: AsyncEngine, age: timedelta) -> None:
    async with engine.begin() as connection:
        await connection.execute(update(SentMailRow).values(claimed_at=SentMailRow.claimed_at - age))


async def test_of_many_attempts_at_once_one_takes_the_mail(sent_mails: PostgresSentMails) -> None:
    claims = await asyncio.gather(*(sent_mails.claim(KEY) for _ in range(10)))
    assert sorted(claims) == [MailClaim.BUSY] * 9 + [MailClaim.TAKEN]


async def test_what_was_sent_is_not_sent_again_however_old(
    sent_mails: PostgresSentMails, engine: AsyncEngine
) -> None:
    await sent_mails.claim(KEY)
    await sent_mails.mark_sent(KEY)
    assert await sent_mails.claim(KEY) is MailClaim.SENT
    await make_older(engine, 2 * CLAIM_LIFETIME)
    assert await sent_mails.claim(KEY) is MailClaim.SENT
    assert await sent_mails.claim("password_set:2:x") is MailClaim.TAKEN


async def test_a_crash_between_the_claim_and_the_mail_loses_no_mail(
    sent_mails: PostgresSentMails, engine: AsyncEngine
) -> None:
    await sent_mails.claim(KEY)
    await make_older(engine, CLAIM_LIFETIME - timedelta(seconds=5))
    assert await sent_mails.claim(KEY) is MailClaim.BUSY
    await make_older(engine, timedelta(seconds=5))
    claims = await asyncio.gather(*(sent_mails.claim(KEY) for _ in range(5)))
    assert sorted(claims) == [MailClaim.BUSY] * 4 + [MailClaim.TAKEN]


def test_a_claim_outlives_the_silence_of_every_attempt() -> None:
    assert MAIL_HEARTBEAT <= CLAIM_LIFETIME


async def test_a_claim_that_is_renewed_stays_its_owners(
    sent_mails: PostgresSentMails, engine: AsyncEngine
) -> None:
    await sent_mails.claim(KEY)
    await make_older(engine, CLAIM_LIFETIME - timedelta(seconds=5))
    await sent_mails.renew(KEY)
    await make_older(engine, timedelta(seconds=10))
    assert await sent_mails.claim(KEY) is MailClaim.BUSY


async def test_unknown_ends_are_counted_and_give_the_mail_back_after_hours(
    sent_mails: PostgresSentMails, engine: AsyncEngine
) -> None:
    for times in (1, 2, 3):
        assert await sent_mails.claim(KEY) is MailClaim.TAKEN
        assert await sent_mails.record_unknown_end(KEY) == times
        await make_older(engine, HANDED_OVER_LIFETIME + CLAIM_LIFETIME)
    await sent_mails.claim(KEY)
    # A failure that is known forgets nothing of them.
    await sent_mails.release(KEY)
    assert await sent_mails.record_unknown_end(KEY) == 4


async def test_a_failed_attempt_gives_the_mail_back_and_a_sent_one_stays_sent(
    sent_mails: PostgresSentMails,
) -> None:
    await sent_mails.claim(KEY)
    await sent_mails.release(KEY)
    assert await sent_mails.claim(KEY) is MailClaim.TAKEN
    await sent_mails.mark_sent(KEY)
    await sent_mails.release(KEY)
    assert await sent_mails.claim(KEY) is MailClaim.SENT


async def test_without_the_database_a_mail_goes_out_all_the_same(unused_tcp_port: int) -> None:
    engine = create_engine(f"postgresql+asyncpg://nobody@127.0.0.1:{unused_tcp_port}/none")
    away = PostgresSentMails(engine)
    assert await away.claim(KEY) is MailClaim.TAKEN
    await away.mark_sent(KEY)
    await away.release(KEY)
    await engine.dispose()


async def test_keys_go_when_no_history_can_send_their_mail_again(
    sent_mails: PostgresSentMails, engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    retention = PostgresRetention(engine, audit=audit, clock=clock)
    await sent_mails.claim(KEY)
    async with engine.begin() as connection:
        await connection.execute(update(SentMailRow).values(claimed_at=clock.now()))
    clock.advance(SENT_MAILS - timedelta(seconds=1))
    assert (await retention.purge())["sent_mails"] == 0
    clock.advance(timedelta(seconds=1))
    assert (await retention.purge())["sent_mails"] == 1


async def test_a_crash_after_the_message_was_handed_over_mails_no_copy_for_hours(
    sent_mails: PostgresSentMails, engine: AsyncEngine
) -> None:
    await sent_mails.claim(KEY)
    await sent_mails.hold_for_hours(KEY)
    # The owner shows that it lives until it crashes; that makes its claim no shorter.
    await sent_mails.renew(KEY)
    assert await sent_mails.claim(KEY) is MailClaim.HANDED_OVER
    await make_older(engine, HANDED_OVER_LIFETIME)
    assert await sent_mails.claim(KEY) is MailClaim.BUSY
    await make_older(engine, CLAIM_LIFETIME)
    assert await sent_mails.claim(KEY) is MailClaim.TAKEN


async def test_a_known_end_frees_a_mail_that_was_handed_over(sent_mails: PostgresSentMails) -> None:
    await sent_mails.claim(KEY)
    await sent_mails.hold_for_hours(KEY)
    await sent_mails.release(KEY)
    assert await sent_mails.claim(KEY) is MailClaim.TAKEN


async def test_an_unknown_end_holds_the_mail_for_the_next_attempt_too(sent_mails: PostgresSentMails) -> None:
    """A local attempt is followed by a regular one at once."""
    await sent_mails.claim(KEY)
    assert await sent_mails.record_unknown_end(KEY) == 1
    assert await sent_mails.claim(KEY) is MailClaim.HANDED_OVER
