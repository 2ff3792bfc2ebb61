import asyncio
import itertools

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.captcha.challenges import CHALLENGE_LIFETIME_SECONDS, CaptchaChallenges
from mipres.captcha.codes import ALPHABET, CODE_LENGTH
from mipres.database.tables import CaptchaAnswerRow
from tests.fakes import FakeClock

KEY = b"k" * 32


@pytest.fixture
def challenges(engine: AsyncEngine, clock: FakeClock) -> CaptchaChallenges:
    return CaptchaChallenges(engine, key=KEY, clock=clock)


def code_of(challenges: CaptchaChallenges, challenge: str) -> str:
    code = challenges.code_of(challenge)
    assert code is not None
    return code


def freeze(monkeypatch: pytest.MonkeyPatch, second: int) -> None:
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: second)


async def test_the_right_answer_is_right_once(challenges: CaptchaChallenges) -> None:
    challenge = challenges.new()
    code = code_of(challenges, challenge)
    assert await challenges.redeem(challenge, code)
    assert not await challenges.redeem(challenge, code)


async def test_a_wrong_answer_uses_the_challenge_up(challenges: CaptchaChallenges) -> None:
    challenge = challenges.new()
    assert not await challenges.redeem(challenge, "")
    assert not await challenges.redeem(challenge, code_of(challenges, challenge))


async def test_of_many_right_answers_at_once_one_counts(challenges: CaptchaChallenges) -> None:
    challenge = challenges.new()
    code = code_of(challenges, challenge)
    answers = await asyncio.gather(*(challenges.redeem(challenge, code) for _ in range(20)))
    assert answers.count(True) == 1


async def test_case_and_spaces_of_an_answer_do_not_count(challenges: CaptchaChallenges) -> None:
    challenge = challenges.new()
    typed = " ".join(code_of(challenges, challenge).lower())
    assert await challenges.redeem(challenge, f" {typed}\u00a0")


@pytest.mark.parametrize("answer", ["\ud800", "ñ" * 10_000, "\x00"])
async def test_any_text_can_be_answered(challenges: CaptchaChallenges, answer: str) -> None:
    assert not await challenges.redeem(challenges.new(), answer)


async def test_the_code_of_one_challenge_does_not_answer_another(challenges: CaptchaChallenges) -> None:
    # Two challenges share a code once in two million times.
    codes = {code_of(challenges, challenges.new()) for _ in range(20)}
    assert len(codes) > 15


@pytest.mark.parametrize("challenge", ["", "x", "a.b.c", "ñ.ñ.ñ", "\ud800", "." * 1000])
async def test_a_forged_challenge_has_no_code_and_no_right_answer(
    challenges: CaptchaChallenges, challenge: str
) -> None:
    assert challenges.code_of(challenge) is None
    assert not await challenges.redeem(challenge, "22222")


@pytest.mark.parametrize(("key", "salt"), [(b"x" * 32, "captcha"), (KEY, "csrf")])
async def test_a_challenge_signed_with_another_key_or_for_another_use_is_forged(
    challenges: CaptchaChallenges, key: bytes, salt: str
) -> None:
    challenge = URLSafeTimedSerializer(key, salt=salt).dumps("nonce")
    assert challenges.code_of(challenge) is None


async def test_a_signed_value_that_is_no_challenge_has_no_code(challenges: CaptchaChallenges) -> None:
    assert challenges.code_of(URLSafeTimedSerializer(KEY, salt="captcha").dumps(["nonce"])) is None


@pytest.mark.parametrize(
    ("age", "is_alive"),
    [(0, True), (CHALLENGE_LIFETIME_SECONDS, True), (CHALLENGE_LIFETIME_SECONDS + 1, False)],
)
async def test_a_challenge_lives_ten_minutes(
    challenges: CaptchaChallenges,
    monkeypatch: pytest.MonkeyPatch,
    age: int,
    is_alive: bool,  # noqa: FBT001
) -> None:
    freeze(monkeypatch, 1_800_000_000)
    challenge = challenges.new()
    code = code_of(challenges, challenge)

    freeze(monkeypatch, 1_800_000_000 + age)

    assert challenges.code_of(challenge) == (code if is_alive else None)
    assert await challenges.redeem(challenge, code) is is_alive


async def test_another_process_with_the_same_key_judges_alike(
    challenges: CaptchaChallenges, engine: AsyncEngine, clock: FakeClock
) -> None:
    other = CaptchaChallenges(engine, key=KEY, clock=clock)
    challenge = challenges.new()
    assert await other.redeem(challenge, code_of(challenges, challenge))
    assert not await challenges.redeem(challenge, code_of(challenges, challenge))


async def test_looking_at_a_form_stores_nothing_and_an_answer_stores_no_code(
    challenges: CaptchaChallenges, engine: AsyncEngine
) -> None:
    challenge = challenges.new()
    code = code_of(challenges, challenge)
    assert await stored(engine) == 0
    await challenges.redeem(challenge, code)
    assert await stored(engine) == 1


async def stored(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(CaptchaAnswerRow))).scalar_one()


def test_codes_are_of_the_alphabet_and_use_all_of_it(challenges: CaptchaChallenges) -> None:
    codes = [code_of(challenges, challenges.new()) for _ in range(200)]
    assert {len(code) for code in codes} == {CODE_LENGTH}
    assert set(itertools.chain.from_iterable(codes)) == set(ALPHABET)
