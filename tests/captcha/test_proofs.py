import base64
import json
from typing import Any

import pytest
from altcha.v2 import Challenge, Payload, Solution, solve_challenge

from mipres.captcha.proofs import ProofsOfWork

KEY = b"k" * 32


@pytest.fixture(scope="module")
def proofs() -> ProofsOfWork:
    return ProofsOfWork(key=KEY, most_keys=4)


def done(work: dict[str, Any]) -> Payload:
    """What a browser sends."""
    challenge = Challenge.from_dict(work)
    solution = solve_challenge(challenge)
    assert solution is not None
    return Payload(challenge, solution)


def test_the_work_that_was_done_proves_its_challenge(proofs: ProofsOfWork) -> None:
    assert proofs.proven(done(proofs.set_work("a-challenge")).to_base64()) == "a-challenge"


@pytest.mark.parametrize("most_keys", [2, 3, 4, 9])
def test_nobody_works_for_less_than_half_of_the_most(most_keys: int) -> None:
    proofs = ProofsOfWork(key=KEY, most_keys=most_keys)
    for _ in range(12):
        assert most_keys // 2 <= done(proofs.set_work("c")).solution.counter < most_keys


def test_work_for_one_challenge_proves_no_other(proofs: ProofsOfWork) -> None:
    payload = done(proofs.set_work("one")).to_dict()
    payload["challenge"]["parameters"]["data"]["captcha_id"] = "another"
    assert proofs.proven(encoded(payload)) is None


def test_less_work_than_was_set_proves_nothing(proofs: ProofsOfWork) -> None:
    payload = done(proofs.set_work("one")).to_dict()
    payload["challenge"]["parameters"] |= {"cost": 1, "keyPrefix": ""}
    assert proofs.proven(encoded(payload)) is None


def test_a_key_that_was_not_derived_proves_nothing(proofs: ProofsOfWork) -> None:
    challenge = Challenge.from_dict(proofs.set_work("one"))
    guessed = challenge.parameters.key_prefix + "0" * 32
    for solution in (Solution(0, guessed), Solution(0, ""), Solution(10**30, "zz")):
        assert proofs.proven(Payload(challenge, solution).to_base64()) is None


def test_another_key_signs_nothing_of_ours() -> None:
    foreign = done(ProofsOfWork(key=b"x" * 32, most_keys=2).set_work("one")).to_base64()
    assert ProofsOfWork(key=KEY, most_keys=2).proven(foreign) is None


def encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "payload",
    [
        *("", "x", "ñ", "\ud800", "A" * 100_000),
        *("bnVsbA==", "MQ==", "W10=", "e30=", encoded({"challenge": 1, "solution": []})),
        encoded({"challenge": {"parameters": "x"}, "solution": {"counter": 0, "derivedKey": 1}}),
        encoded({"challenge": {"parameters": {"algorithm": [], "nonce": {}, "salt": 1, "cost": "x", "data": [1]}, "signature": "s"}, "solution": {"counter": [], "derivedKey": {}}}),
        base64.b64encode(b"[" * 3_000).decode(),
        base64.b64encode(b"\xff\xfe").decode(),
    ],
)  # fmt: skip
def test_nonsense_proves_nothing(proofs: ProofsOfWork, payload: str) -> None:
    assert proofs.proven(payload) is None
