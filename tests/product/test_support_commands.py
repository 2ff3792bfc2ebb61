"""What support types, and what it reads."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dev.citizen import MEDICINE
from dev.probes import free_port
from mipres.cli.app import app
from mipres.cli.running import AWAY, MISUSED, NOT_POSSIBLE
from tests.product.conftest import Product
from tests.product.storage import rows
from tests.product.visits import ask_recovery, log_in

ROOT = Path(__file__).parents[2]
REASON = "la persona lo pidió en la mesa de ayuda"
Command = Callable[..., Awaitable[Result]]


@pytest.fixture
def command(product: Product, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command as it is run beside `make run`.

    It finds the servers in the data directory.
    """
    for name in [name for name in os.environ if name.startswith("MIPRES_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MIPRES_DATA_DIR", str(product.stack.data_dir))

    async def run(*words: str, stdin: str | None = None) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(words), input=stdin)

    return run


async def trail(command: Command, reference: str) -> list[str]:
    return [line for line in (await command("audit", reference)).stdout.splitlines() if " · " in line]


def address(product: Product, radicado: str) -> str:
    port = product.stack.ports["TEMPORAL_UI_PORT"]
    return f":{port}/namespaces/default/workflows/registration%2F{radicado}"


async def waiting(product: Product, registry: str = "sso") -> tuple[dict[str, Any], str]:
    """A registration that waits for a registry which is down."""
    person = await product.new_person()
    answer = await product.register(user_type="social_service", document=person["document"])
    assert answer.status_code == 202, answer.text
    radicado: str = answer.json()["radicado"]
    await product.reaches(radicado, "waiting_registry")
    return person, radicado


# ---- An outage, from the first look to the bulk retry


async def test_support_finds_what_waits_sees_why_and_retries_it(product: Product, command: Command) -> None:
    await product.set_registry("sso", mode="error")
    try:
        person, radicado = await waiting(product)
        number = person["document"]["number"]

        found = await command("find", "CC", number)
        assert found.exit_code == 0, found.output
        assert f"{radicado} · esperando un registro · espera SSO" in found.stdout
        assert address(product, radicado) in found.stdout

        shown = await command("show", radicado)
        assert re.search(r"pendiente +consultar-sso · intento \d+", shown.stdout), shown.output
        assert "RegistryUnavailable" in shown.stdout
        assert "sin cuenta todavía" in shown.stdout

        once = await command("retry", radicado, "--reason", REASON, "--as", "ana")
        assert (once.exit_code, once.stdout.splitlines()[0]) == (0, f"Reintento pedido: {radicado}")
        assert address(product, radicado) in once.stdout

        rehearsal = await command("retry", "--waiting-on", "sso", "--reason", REASON, "--dry-run")
        assert "Simulación: no se hizo nada." in rehearsal.stdout
        assert radicado in rehearsal.stdout
        asked = [line for line in await trail(command, radicado) if "Reintento pedido" in line]
        assert ["operator:ana" in line for line in asked] == [True]

        # Somebody who is in SSO after all, so that the retry lets the registration go on.
        placement = {
            "profession": "MEDICINA",
            "site_code": "1100100001",
            "site_name": "Hospital",
            "municipality": "11001",
            "start": "2026-01-01",
            "end": "2099-12-31",
        }
        await product.registries.post("/_control/people", json=[{**person, "sso": placement}])
        await product.set_registry("sso", mode="up")
        everybody = await command("retry", "--waiting-on", "sso", "--reason", REASON, "--jitter", "0s")
        assert everybody.exit_code == 0, everybody.output
        assert "0 sin hacer." in everybody.stdout
        await product.reaches(radicado, "awaiting_password")
        asked = [line for line in await trail(command, radicado) if "Reintento pedido" in line]
        # One more, or two when it had just gone on by itself and says so.
        assert len(asked) in {2, 3}
        assert all(REASON in line for line in asked)
    finally:
        await product.set_registry("sso", mode="up")


async def test_stuck_registrations_are_listed_with_their_query(command: Command) -> None:
    listed = await command("stuck", "--waiting-on", "sso")
    assert (listed.exit_code, "StuckSince%20IS%20NOT%20NULL" in listed.stdout) == (0, True)
    assert "WaitingOn%3D%22sso%22" in listed.stdout


async def test_support_reads_which_field_of_which_registry_is_wrong(
    product: Product, command: Command
) -> None:
    person = await product.new_person()
    document = person["document"]
    sanction = {"kind": "SUSPENSION", "start": "1999-07-31", "end": "1999-01-02"}
    body = {"professions": [MEDICINE], "sanctions": [sanction]}
    path = f"/profesionales/{document['type']}/{document['number']}"
    raw = {"path": path, "status": 200, "headers": {}, "body": body}
    assert (await product.registries.put("/_control/raw/rethus", json=raw)).is_success
    try:
        radicado = (await product.register_professional(person)).json()["radicado"]
        shown = ""

        async def is_told() -> bool:
            nonlocal shown
            shown = (await command("show", radicado)).stdout
            return "ReTHUS no respondió bien (sanctions[0]: el fin es anterior al inicio)" in shown

        await product.eventually(is_told)
    finally:
        await product.registries.delete("/_control/raw/rethus")
    assert "1999" not in shown
    assert (await command("cancel", radicado, "--reason", REASON)).exit_code == 0


async def test_everybody_with_a_refused_address_gets_another_link(product: Product, command: Command) -> None:
    people = [await product.new_professional() for _ in range(2)]
    refusal = {"mode": "script", "rcpt": "550 5.1.1 No such user", "data": "250 OK"}
    assert (await product.mail.put("/_control", json=refusal)).is_success
    try:
        radicados = [(await product.register_professional(person)).json()["radicado"] for person in people]

        async def all_wait() -> bool:
            found = [await product.view(radicado) for radicado in radicados]
            listed = (
                await command("resend", "--waiting-on", "mail_address", "--reason", REASON, "--dry-run")
            ).stdout
            return all(view["waiting_on"] == ["mail_address"] for view in found) and all(
                radicado in listed for radicado in radicados
            )

        await product.eventually(all_wait)
    finally:
        await product.mail.put("/_control", json={"mode": "up"})
    words = ("resend", "--waiting-on", "mail_address", "--reason", REASON, "--jitter", "0s")
    everybody = await command(*words)
    assert (everybody.exit_code, "0 sin hacer." in everybody.stdout) == (0, True), everybody.output
    for person in people:
        assert await product.link_for(person)


# ---- A person


async def test_a_look_is_masked_and_a_reason_unmasks_it(product: Product, command: Command) -> None:
    person = await product.new_professional()
    radicado = await product.complete(person)
    number = person["document"]["number"]
    masked = await command("show", radicado)
    assert f"P••• C••• Ú••• · CC•••{number[-3:]} · p•••@e•••.test" in masked.stdout
    assert number not in masked.stdout
    assert person["email"] not in masked.stdout
    clear = await command("show", radicado, "--reason", REASON, "--as", "ana")
    assert f"Pepa Canaria Única · CC{number} · {person['email']}" in clear.stdout
    looks = [line for line in await trail(command, f"CC{number}") if "consultados" in line]
    assert ["in_clear=yes" in line for line in looks] == [False, True]
    assert ("operator:ana" in looks[1], REASON in looks[1]) == (True, True)


async def test_the_story_of_a_registration_is_in_the_trail(product: Product, command: Command) -> None:
    radicado = await product.complete(await product.new_professional())
    told: list[str] = []

    async def is_noted() -> bool:
        # What was asked may be noted a moment after the answer.
        lines = map(str.strip, await trail(command, radicado))
        told[:] = [line.split(" ", 3)[3].split(" · ")[0] for line in lines]
        return "Registro solicitado" in told

    await product.eventually(is_noted)
    wanted = ["Cuenta creada", "Enlace emitido", "Enlace usado", "Contraseña creada o cambiada"]
    assert [event for event in told if event in wanted] == wanted


async def test_what_was_refused_and_what_was_asked_is_in_the_trail_too(
    product: Product, command: Command
) -> None:
    person = await product.new_professional(rethus=None)
    refused = await product.register_professional(person)
    assert refused.status_code == 422
    login = f"CC{person['document']['number']}"
    async with product.browser() as visitor:
        await ask_recovery(product, visitor, person["document"])
    told = ""

    async def is_noted() -> bool:
        nonlocal told
        told = "\n".join(await trail(command, login))
        return "Registro solicitado" in told and "Recuperación" in told

    await product.eventually(is_noted)
    assert "Registro no procedente · product" in told
    assert "refusal=not_in_rethus" in told
    assert "Registro solicitado · program" in told
    assert "Recuperación de contraseña pedida · citizen" in told
    assert (await command("find", "CC", person["document"]["number"])).stdout.count("· no procedente") == 1


async def test_resending_and_cancelling(product: Product, command: Command) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    await product.link_for(person)
    too_soon = await command("resend", radicado, "--reason", REASON)
    assert too_soon.exit_code == NOT_POSSIBLE
    assert "Espere para pedir otro enlace" in too_soon.stderr
    done = await command("cancel", radicado.lower(), "--reason", REASON)
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, f"Registro cancelado: {radicado}")
    await product.reaches(radicado, "cancelled")
    again = await command("cancel", radicado, "--reason", REASON)
    assert (again.exit_code, "Ningún registro en curso" in again.stderr) == (NOT_POSSIBLE, True)
    refused = [line for line in await trail(command, radicado) if "refused=" in line]
    assert ["TooSoon" in refused[0], "NotRunning" in refused[1]] == [True, True]


async def test_a_locked_login_is_let_in_again(product: Product, command: Command) -> None:
    person = await product.new_professional()
    await product.complete(person)
    login = f"CC{person['document']['number']}"
    async with product.browser() as visitor:
        attempts = 0
        while attempts < 30 and "login_locked" not in str(await audited(product)):
            await log_in(visitor, person, f"equivocada-{attempts}")
            attempts += 1
        assert (await log_in(visitor, person)).status_code != 200
    done = await command("unlock", login.lower(), "--reason", REASON)
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "Ingreso desbloqueado."), done.output
    assert "namespaces/default/workflows/registration%2F" in done.stdout
    async with product.browser() as visitor:
        assert (await log_in(visitor, person)).url.path == "/inicio/mipres"
    assert any("desbloqueado" in line and REASON in line for line in await trail(command, login))
    again = await command("unlock", login, "--reason", REASON)
    assert "no tenía intentos fallidos" in again.stdout


async def audited(product: Product) -> list[Any]:
    """The newest events' types, read from the table."""
    return await rows(product, "SELECT type FROM audit_entries ORDER BY number DESC LIMIT 1")


# ---- The trail, keys and staff


async def test_the_trail_is_checked_with_one_command(command: Command) -> None:
    checked = await command("audit", "--verify")
    assert checked.exit_code == 0, checked.output
    head = re.search(r"Cabeza: (\d+:[0-9a-f]{16})", checked.stdout)
    assert head
    assert (await command("audit", "--verify", "--head", head[1])).exit_code == 0
    foreign = await command("audit", "--verify", "--head", "1:0000000000000000")
    assert (foreign.exit_code, "ya no está en la cadena" in foreign.stderr) == (NOT_POSSIBLE, True)


async def test_keys_are_rotated_step_by_step(
    product: Product, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = product.stack.secret("PAYLOAD_KEYS")
    monkeypatch.setenv("MIPRES_PAYLOAD_KEYS", active)
    # The value of the running product must stay, so the rotation is asked of an environment of its own.
    monkeypatch.setenv("MIPRES_ENVIRONMENT", "development")
    secrets = product.stack.data_dir / "secrets.env"
    before = secrets.read_text()
    try:
        first = await command("keys", "rotate")
        assert first.exit_code == 0, first.output
        line = next(line for line in secrets.read_text().splitlines() if "PAYLOAD_KEYS" in line)
        old, new = line.partition("=")[2].split(",")
        assert (old, new[:3]) == (active, "k2:")
        assert secrets.stat().st_mode & 0o077 == 0
        monkeypatch.setenv("MIPRES_PAYLOAD_KEYS", f"{old},{new}")
        second = await command("keys", "rotate", "--activate")
        assert "activa es ahora k2" in second.stdout, second.output
        assert f"MIPRES_PAYLOAD_KEYS={new},{old}\n" in secrets.read_text()
    finally:
        secrets.write_text(before)
    noted = [entry for entry in (await command("audit")).stdout.splitlines() if "rotadas" in entry]
    assert ["step=added" in noted[-2], "step=activated" in noted[-1]] == [True, True]
    assert not any(new.partition(":")[2] in entry for entry in noted)


async def test_one_key_alone_cannot_be_activated(command: Command) -> None:
    alone = await command("keys", "rotate", "--activate")
    assert (alone.exit_code, "Hay una sola clave" in alone.stderr) == (NOT_POSSIBLE, True)


async def test_staff_accounts_come_and_go(command: Command) -> None:
    added = await command("staff", "add", "luz.mar")
    assert re.search(r"Contraseña: [\w-]{20}\n", added.stdout), added.output
    taken = await command("staff", "add", "luz.mar")
    assert (taken.exit_code, "Ya hay una cuenta" in taken.stderr) == (NOT_POSSIBLE, True)
    assert (await command("staff", "add", "Luz Mar")).exit_code == NOT_POSSIBLE
    assert (await command("staff", "disable", "luz.mar")).exit_code == 0
    assert "luz.mar · deshabilitada" in (await command("staff", "list")).stdout
    reset = await command(
        "staff", "reset", "luz.mar", "--password-stdin", stdin="una contraseña bien larga\n"
    )
    assert (reset.exit_code, "una contraseña" in reset.stdout) == (0, False)
    assert "luz.mar · activa" in (await command("staff", "list")).stdout
    assert (
        await command("staff", "reset", "luz.mar", "--password-stdin", stdin="corta\n")
    ).exit_code == MISUSED
    assert (await command("staff", "disable", "nadie")).exit_code == NOT_POSSIBLE


# ---- Misuse, and what is away


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("retry", "RM-000000000000", "--reason", "corto"), "al menos 10 caracteres"),
        (("cancel", "RM-000000000000", "--reason", "llamó la cédula 1020304050"), "sin documentos"),
        (("retry", "--reason", REASON), "Diga un radicado, o --waiting-on"),
        (("retry", "RM-000000000000", "--waiting-on", "sso", "--reason", REASON), "Diga un radicado"),
        (("retry", "RM-000000000000", "--dry-run", "--reason", REASON), "--dry-run es para --waiting-on"),
        (("retry", "--waiting-on", "sso", "--jitter", "un rato", "--reason", REASON), "como 60s o 5m"),
        (("stuck", "--waiting-on", "la luna"), "use uno de miseguridadsocial"),
        (("show", "1020304050"), "no es un radicado"),
        (("find", "TI", "1020304050"), "no es un tipo de documento"),
        (("find", "CC", "1"), "El número no corresponde"),
        (("resend", "RM-000000000000", "--reason", REASON, "--as", "a b"), "--as: use"),
    ],
)
async def test_misuse_is_told_in_one_line(command: Command, words: tuple[str, ...], told: str) -> None:
    result = await command(*words)
    assert (result.exit_code, told in result.stderr) == (MISUSED, True), result.output
    assert len(result.stderr.strip().splitlines()) == 1


async def test_a_reason_cannot_be_left_out(command: Command) -> None:
    for action in ("retry", "resend", "cancel"):
        result = await command(action, "RM-000000000000")
        assert (result.exit_code, "--reason" in result.stderr) == (MISUSED, True)


async def test_what_nobody_knows_is_not_there(command: Command) -> None:
    assert (await command("show", "RM-000000000000")).exit_code == NOT_POSSIBLE
    assert (await command("find", "CC", "99999999")).exit_code == NOT_POSSIBLE
    assert (await command("audit", "RM-000000000000")).exit_code == NOT_POSSIBLE


async def test_what_is_away_is_told(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIPRES_TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    away = await command("stuck")
    assert (away.exit_code, "Temporal no responde" in away.stderr) == (AWAY, True)
    nowhere = f"postgresql+asyncpg://mipres:secreto@127.0.0.1:{free_port()}/mipres"
    monkeypatch.setenv("MIPRES_DATABASE_URL", nowhere)
    away = await command("staff", "list")
    assert (away.exit_code, "no se pudo conectar (ConnectionRefusedError)" in away.stderr) == (AWAY, True)
    assert "secreto" not in away.output


def test_the_process_ends_with_the_command_s_own_code(product: Product) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MIPRES_")}
    settings = {**own, "MIPRES_DATA_DIR": str(product.stack.data_dir)}
    codes = []
    for words in (("stuck",), ("show", "RM-000000000000"), ("show", "nada")):
        done = subprocess.run(
            [sys.executable, "-m", "mipres.cli", *words],
            cwd=ROOT,
            env=settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        codes.append(done.returncode)
        assert done.stdout or done.stderr
    assert codes == [0, NOT_POSSIBLE, MISUSED]
