"""Run books of docs/operations.md, played against a running product."""

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from mipres.cli.app import app
from mipres.oidc_keys import keys_of_development, read_keys, signed
from tests.api.conftest import hidden
from tests.oidc.conftest import SECRET, SetStage, Stage, entry, refresh_of
from tests.oidc.test_assertions import ANOTHERS, INVALID, KEY, KNOWN, assertion
from tests.oidc.test_assertions import refusal as assertion_answer

Operator = Callable[..., Awaitable[str]]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    clients, keys = tmp_path / "clients.json", tmp_path / "keys.json"
    clients.write_text(json.dumps([entry()]))
    keys_of_development(keys)
    monkeypatch.setenv("MIPRES_OIDC_CLIENTS_FILE", str(clients))
    monkeypatch.setenv("MIPRES_OIDC_KEYS_FILE", str(keys))
    return clients, keys


@pytest.fixture
def operator(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Run a command beside the product; what it prints."""
    monkeypatch.setenv("MIPRES_DATABASE_URL", database_url)
    monkeypatch.setenv("MIPRES_SECRET_KEY", "s" * 40)
    monkeypatch.setenv("MIPRES_PAYLOAD_KEYS", "uno:" + "A" * 43 + "=")

    async def run(*words: str) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, app, list(words))
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


async def refusal(stage: Stage, code: str, secret: str) -> str | None:
    answer = await stage.exchange(code=code, client_secret=secret)
    error: str | None = answer.json().get("error")
    return error


async def test_a_second_factor_that_is_required_now_counts_for_logins_of_before(
    set_stage: SetStage, files: tuple[Path, Path]
) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code(scope="openid offline_access"))).json()
    assert (await stage.userinfo(tokens["access_token"])).status_code == 200
    files[0].write_text(json.dumps([entry(require_second_factor=True)]))
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    renew = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "code_verifier": None}
    assert (await stage.exchange(**renew)).json()["error"] == "invalid_grant"
    assert (await stage.browser.get(stage.request())).url.path == "/cuenta/segundo-factor"


@pytest.mark.usefixtures("files")
async def test_a_leaked_client_secret(set_stage: SetStage, operator: Operator) -> None:
    stage = await set_stage()
    assert await refusal(stage, await stage.code(), SECRET) is None
    answer = json.loads(await operator("applications", "rotate-secret", "app", "--now", "--json"))
    code = (await stage.answer(stage.request()))["code"]
    assert await refusal(stage, code, SECRET) == "invalid_client"
    assert await refusal(stage, code, answer["client_secret"]) is None


@pytest.mark.usefixtures("files")
async def test_a_leaked_key_of_an_application(
    set_stage: SetStage, operator: Operator, tmp_path: Path
) -> None:
    stage = await set_stage()
    leaked, new = tmp_path / "leaked.json", tmp_path / "new.json"
    for path, key in ((leaked, KEY), (new, ANOTHERS)):
        path.write_text(json.dumps(KeySet([key]).as_dict(private=False)))
    await operator("applications", "rotate-keys", "app", "--jwks", str(leaked), "--now")
    assert await assertion_answer(stage, **assertion(KEY)) == KNOWN
    await operator("applications", "rotate-keys", "app", "--jwks", str(new), "--now")
    assert await assertion_answer(stage, **assertion(KEY)) == INVALID
    assert await assertion_answer(stage, **assertion(ANOTHERS)) == KNOWN
    assert await refusal(stage, "any", SECRET) == "invalid_client"


@pytest.mark.usefixtures("files")
async def test_a_secret_is_changed_without_a_break(set_stage: SetStage, operator: Operator) -> None:
    stage = await set_stage()
    answer = json.loads(await operator("applications", "rotate-secret", "app", "--json"))
    for secret in (SECRET, answer["client_secret"]):
        page = await stage.browser.get(stage.request())
        code = (
            await stage.code()
            if "/ingreso/" in page.url.path
            else (await stage.answer(stage.request()))["code"]
        )
        assert await refusal(stage, code, secret) is None


@pytest.mark.usefixtures("files")
async def test_a_disabled_application_has_nothing_left(
    set_stage: SetStage, operator: Operator, engine: AsyncEngine
) -> None:
    stage = await set_stage(backchannel_logout_uri="https://app.example/cierre")
    tokens = (await stage.exchange(code=await stage.code())).json()
    assert (await stage.userinfo(tokens["access_token"])).status_code == 200
    assert json.loads(await operator("applications", "disable", "app", "--json"))["ended_logins"] == 1
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    assert (await stage.browser.get(stage.request())).status_code == 400
    assert await refusal(stage, "any", SECRET) == "invalid_client"
    async with engine.connect() as connection:
        ended = await connection.scalar(text("SELECT count(*) FROM oidc_grants WHERE ended_at IS NOT NULL"))
    assert ended == 1


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (("--external",), {"external": True}),
        (("--audience", "delegates"), {"audience": "delegates"}),
        (("--require-second-factor",), {"require_second_factor": True}),
    ],
)
async def test_an_application_that_becomes_stricter_has_nothing_left(
    set_stage: SetStage,
    operator: Operator,
    files: tuple[Path, Path],
    words: tuple[str, ...],
    changed: dict[str, Any],
) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code(scope="openid offline_access"))).json()
    answer = json.loads(await operator("applications", "change", "app", *words, "--json"))
    assert answer == {"client_id": "app", "changed": sorted(changed), "ended_logins": 1}
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    # What makes no difference ends nothing.
    assert json.loads(await operator("applications", "change", "app", *words, "--json"))["ended_logins"] == 0
    assert json.loads(files[0].read_text())[0].items() >= changed.items()


async def test_an_application_that_was_of_the_state_has_nothing_that_its_people_did_not_allow(
    set_stage: SetStage, files: tuple[Path, Path]
) -> None:
    """However its entry came to say so."""
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code(scope="openid offline_access"))).json()
    code = (await stage.answer(stage.request()))["code"]
    files[0].write_text(json.dumps([entry(external=True)]))
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    renew = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "code_verifier": None}
    assert (await stage.exchange(**renew)).json()["error"] == "invalid_grant"
    assert (await stage.exchange(code=code)).json()["error"] == "invalid_grant"
    page = await stage.browser.get(stage.request())
    assert "¿Autoriza a Historia clínica?" in page.text
    sent = {**hidden(page), "decision": "si"}
    allowed = await stage.browser.post("/cuenta/aplicaciones/autorizar", data=sent)
    answer = await stage.answer(refresh_of(allowed))
    assert (await stage.exchange(code=answer["code"])).status_code == 200


async def test_an_unusable_file_leaves_what_was_there(set_stage: SetStage, files: tuple[Path, Path]) -> None:
    stage = await set_stage()
    code = await stage.code()
    files[0].write_text("[{")
    assert await refusal(stage, code, SECRET) is None


async def test_a_signing_key_is_changed_without_a_break(
    set_stage: SetStage, operator: Operator, files: tuple[Path, Path]
) -> None:
    stage = await set_stage()
    old = (await stage.exchange(code=await stage.code())).json()["id_token"]
    await operator("keys", "rotate", "signing")
    cached = (await stage.browser.get("/oidc/jwks")).json()
    assert len(cached["keys"]) == 2
    assert "d" not in cached["keys"][1]
    await operator("keys", "rotate", "signing", "--activate")
    code = (await stage.answer(stage.request()))["code"]
    new = (await stage.exchange(code=code)).json()["id_token"]
    kids = [
        jwt.decode(token, read_keys(files[1]).all, algorithms=["RS256"]).header["kid"] for token in (old, new)
    ]
    # An application with a copy of before the activation can read what is signed after it.
    assert kids == [key["kid"] for key in cached["keys"]]
    assert await stage.claims(old)
    assert stat.S_IMODE(files[1].stat().st_mode) == 0o600


async def test_a_leaked_signing_key(
    set_stage: SetStage, operator: Operator, files: tuple[Path, Path]
) -> None:
    stage = await set_stage()
    leaked = read_keys(files[1])
    real = (await stage.exchange(code=await stage.code())).json()["id_token"]
    forged = signed(leaked, await stage.claims(real))
    for step in ((), ("--activate",), ("--retire",)):
        await operator("keys", "rotate", "signing", *step)
    with pytest.raises(InvalidKeyIdError):
        await stage.claims(forged)
    hinted = await stage.answer(stage.request(id_token_hint=forged))
    assert hinted["error"] == "invalid_request"
    code = (await stage.answer(stage.request()))["code"]
    assert await stage.claims((await stage.exchange(code=code)).json()["id_token"])
