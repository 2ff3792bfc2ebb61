import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mipres.keys import LinkTokens, derive_key

LINK_ID = uuid.UUID("018f6b2e-7a10-7c3b-9d2e-5b0c9a1f4e77")
TOKENS = LinkTokens(b"k" * 32)
TOKEN = TOKENS.token_of(LINK_ID)


def test_a_token_leads_back_to_its_link() -> None:
    assert TOKENS.link_id_of(TOKEN) == LINK_ID


def test_a_link_always_has_the_same_token() -> None:
    assert LinkTokens(b"k" * 32).token_of(LINK_ID) == TOKEN


def test_a_token_is_64_characters_that_need_no_escape_in_an_address() -> None:
    tokens = [TOKENS.token_of(uuid.uuid4()) for _ in range(50)]
    assert all(len(token) == 64 and token.replace("-", "a").replace("_", "a").isalnum() for token in tokens)


def test_whoever_knows_the_id_alone_makes_no_token() -> None:
    forged = base64.urlsafe_b64encode(LINK_ID.bytes + bytes(32)).decode()
    assert TOKENS.link_id_of(forged) is None


def test_a_token_of_another_key_is_refused() -> None:
    assert LinkTokens(b"x" * 32).link_id_of(TOKEN) is None


@pytest.mark.parametrize("position", range(64))
def test_a_token_with_one_character_changed_is_refused(position: int) -> None:
    other = "A" if TOKEN[position] != "A" else "B"
    assert TOKENS.link_id_of(TOKEN[:position] + other + TOKEN[position + 1 :]) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        TOKEN[:-1],
        TOKEN[:-4],
        TOKEN + "A",
        TOKEN + "AAAA",
        f" {TOKEN}",
        TOKEN[:32] + "\n" + TOKEN[32:],
        "ñ" * 64,
        "\ud800" * 64,
        "=" * 64,
        "A" * 100_000,
    ],
)
def test_what_is_not_a_token_is_refused(token: str) -> None:
    assert TOKENS.link_id_of(token) is None


@given(st.text())
def test_any_text_is_refused_without_an_error(text: str) -> None:
    assert TOKENS.link_id_of(text) is None


def test_every_purpose_has_a_key_of_its_own() -> None:
    keys = {derive_key(secret, purpose) for secret in ("a", "b") for purpose in ("link", "radicado")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)


def test_a_token_has_one_spelling() -> None:
    tokens = LinkTokens(b"k" * 32)
    token = next(
        token
        for token in (tokens.token_of(uuid.uuid4()) for _ in range(200))
        if "-" in token and "_" in token
    )
    assert tokens.link_id_of(token)
    assert tokens.link_id_of(token.replace("-", "+")) is None
    assert tokens.link_id_of(token.replace("_", "/")) is None


def test_no_token_ends_in_a_sign_that_mail_programs_leave_out() -> None:
    assert all(TOKENS.token_of(uuid.uuid4())[-1].isalnum() for _ in range(500))


@pytest.mark.parametrize(
    "added", [".", ")", ">", " ", ").", ",", "\n", '">', "\u00a0", "**", "\u200b", "\u2069\u200f.", "\ufeff"]
)
def test_what_a_mail_program_adds_behind_a_link_does_not_count(added: str) -> None:
    assert TOKENS.link_id_of(TOKEN + added) == LINK_ID


def test_a_link_that_was_mailed_before_a_rotation_still_opens() -> None:
    rotated = LinkTokens(b"n" * 32, older_keys=(b"x" * 32, b"k" * 32))
    assert rotated.link_id_of(TOKEN) == LINK_ID
    assert rotated.token_of(LINK_ID) != TOKEN
    assert TOKENS.link_id_of(rotated.token_of(LINK_ID)) is None
