import asyncio
import itertools
from dataclasses import replace

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.captcha.challenges import CHALLENGE_LIFETIME_SECONDS, CaptchaChallenges, Place, Verdict
from mipres.captcha.codes import ALPHABET, CODE_LENGTH
from mipres.database.tables import CaptchaAnswerRow
from tests.fakes import FakeClock

KEY = b"k" * 32
HERE = Place(form="/registro/otro", visit="visit-of-a-browser")


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
    challenge = challenges.new(HERE)
    code = code_of(challenges, challenge)
    assert await challenges.redeem(challenge, code, HERE) is Verdict.RIGHT
    assert await challenges.redeem(challenge, code, HERE) is Verdict.USED


async def test_a_wrong_answer_uses_the_challenge_up(challenges: CaptchaChallenges) -> None:
    challenge = challenges.new(HERE)
    assert await challenges.redeem(challenge, "", HERE) is Verdict.WRONG
    assert await challenges.redeem(challenge, code_of(challenges, challenge), HERE) is Verdict.USED


async def test_of_many_right_answers_at_once_one_counts(challenges: CaptchaChallenges) -> None:
    challenge = challenges.new(HERE)
    code = code_of(challenges, challenge)
    answers = await asyncio.gather(*(challenges.redeem(challenge, code, HERE) for _ in range(20)))
    assert answers.count(Verdict.RIGHT) == 1


async def test_case_and_spaces_of_an_answer_do_not_count(challenges: CaptchaChallenges) -> None:
    challenge = challenges.new(HERE)
    typed = " ".join(code_of(challenges, challenge).lower())
    assert await challenges.redeem(challenge, f" {typed}\u00a0", HERE) is Verdict.RIGHT


@pytest.mark.parametrize("answer", ["\ud800", "ñ" * 10_000, "\x00"])
async def test_any_text_can_be_answered(challenges: CaptchaChallenges, answer: str) -> None:
    assert await challenges.redeem(challenges.new(HERE), answer, HERE) is Verdict.WRONG


async def test_the_code_of_one_challenge_does_not_answer_another(challenges: CaptchaChallenges) -> None:
    # Two challenges share a code once in two million times.
    codes = {code_of(challenges, challenges.new(HERE)) for _ in range(20)}
    assert len(codes) > 15


@pytest.mark.parametrize("challenge", ["", "x", "a.b.c", "ñ.ñ.ñ", "\ud800", "." * 1000])
async def test_a_forged_challenge_has_no_code_and_no_right_answer(
    challenges: CaptchaChallenges, challenge: str
) -> None:
    assert challenges.code_of(challenge) is None
    assert await challenges.redeem(challenge, "22222", HERE) is Verdict.WRONG
    assert challenges.another(challenge, visit=HERE.visit) is None


@pytest.mark.parametrize(("key", "salt"), [(b"x" * 32, "captcha"), (KEY, "csrf")])
async def test_a_challenge_signed_with_another_key_or_for_another_use_is_forged(
    challenges: CaptchaChallenges, key: bytes, salt: str
) -> None:
    challenge = URLSafeTimedSerializer(key, salt=salt).dumps("nonce")
    assert challenges.code_of(challenge) is None


async def test_a_signed_value_that_is_no_challenge_has_no_code(challenges: CaptchaChallenges) -> None:
    assert challenges.code_of(URLSafeTimedSerializer(KEY, salt="captcha").dumps(["nonce"])) is None


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (0, Verdict.RIGHT),
        (CHALLENGE_LIFETIME_SECONDS, Verdict.RIGHT),
        (CHALLENGE_LIFETIME_SECONDS + 1, Verdict.EXPIRED),
    ],
)
async def test_a_challenge_lives_half_an_hour_and_then_has_expired(
    challenges: CaptchaChallenges, monkeypatch: pytest.MonkeyPatch, age: int, verdict: Verdict
) -> None:
    assert CHALLENGE_LIFETIME_SECONDS == 30 * 60
    freeze(monkeypatch, 1_800_000_000)
    challenge = challenges.new(HERE)
    code = code_of(challenges, challenge)

    freeze(monkeypatch, 1_800_000_000 + age)

    is_alive = verdict is Verdict.RIGHT
    assert challenges.code_of(challenge) == (code if is_alive else None)
    assert (challenges.is_open(challenge, HERE), challenges.has_expired(challenge)) == (
        is_alive,
        not is_alive,
    )
    assert await challenges.redeem(challenge, code, HERE) is verdict


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(HERE, form="/registro/profesional"),
        replace(HERE, visit="another-visit"),
        replace(HERE, visit=""),
    ],
)
async def test_a_challenge_is_answered_where_it_was_shown_and_nowhere_else(
    challenges: CaptchaChallenges, elsewhere: Place
) -> None:
    challenge = challenges.new(HERE)
    code = code_of(challenges, challenge)
    assert not challenges.is_open(challenge, elsewhere)
    assert await challenges.redeem(challenge, code, elsewhere) is Verdict.WRONG
    # Nor can a stranger who knows the challenge use it up.
    assert await challenges.redeem(challenge, code, HERE) is Verdict.RIGHT


async def test_another_challenge_is_for_the_same_form_and_visit(
    challenges: CaptchaChallenges, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = challenges.new(HERE)
    freeze(monkeypatch, 2_000_000_000)
    assert challenges.has_expired(first)
    second = challenges.another(first, visit=HERE.visit)
    assert second is not None
    assert challenges.is_open(second, HERE)
    assert challenges.another(first, visit="another-visit") is None


async def test_a_challenge_shows_nothing_of_the_visit(challenges: CaptchaChallenges) -> None:
    signed = URLSafeTimedSerializer(KEY, salt="captcha").loads(challenges.new(HERE))
    assert HERE.visit not in str(signed)


async def test_another_process_with_the_same_key_judges_alike(
    challenges: CaptchaChallenges, engine: AsyncEngine, clock: FakeClock
) -> None:
    other = CaptchaChallenges(engine, key=KEY, clock=clock)
    challenge = challenges.new(HERE)
    code = code_of(challenges, challenge)
    assert await other.redeem(challenge, code, HERE) is Verdict.RIGHT
    assert await challenges.redeem(challenge, code, HERE) is Verdict.USED


async def test_looking_at_a_form_stores_nothing_and_an_answer_stores_no_code(
    challenges: CaptchaChallenges, engine: AsyncEngine
) -> None:
    challenge = challenges.new(HERE)
    code = code_of(challenges, challenge)
    assert await stored(engine) == 0
    await challenges.redeem(challenge, code, HERE)
    assert await stored(engine) == 1


async def stored(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(CaptchaAnswerRow))).scalar_one()


def test_codes_are_of_the_alphabet_and_use_all_of_it(challenges: CaptchaChallenges) -> None:
    codes = [code_of(challenges, challenges.new(HERE)) for _ in range(200)]
    assert {len(code) for code in codes} == {CODE_LENGTH}
    assert set(itertools.chain.from_iterable(codes)) == set(ALPHABET)


async def test_a_proven_challenge_is_right_once_and_only_where_it_was_shown(
    challenges: CaptchaChallenges,
) -> None:
    challenge = challenges.new(HERE)
    assert await challenges.redeem_proven(challenge, replace(HERE, form="/registro/sso")) is Verdict.WRONG
    assert await challenges.redeem_proven(challenge, HERE) is Verdict.RIGHT
    assert await challenges.redeem_proven(challenge, HERE) is Verdict.USED
    assert await challenges.redeem(challenge, code_of(challenges, challenge), HERE) is Verdict.USED
    assert await challenges.redeem_proven("", HERE) is Verdict.WRONG


async def test_a_proof_comes_too_late_after_half_an_hour(
    challenges: CaptchaChallenges, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch, 1_800_000_000)
    challenge = challenges.new(HERE)
    freeze(monkeypatch, 1_800_000_000 + CHALLENGE_LIFETIME_SECONDS + 1)
    assert await challenges.redeem_proven(challenge, HERE) is Verdict.EXPIRED
