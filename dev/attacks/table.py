"""Every attack, what its result is called, and how the results are shown."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dev.attacks import people, server, support, temporal
from dev.attacks.target import Target


class Result(StrEnum):
    """What an attack achieved."""

    HELD = "resistió"
    BROKEN = "CEDIÓ"
    NOT_TRIED = "NO SE PROBÓ"


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One row. `perform` says whether the product held."""

    name: str
    perform: Callable[[Target], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    attack: Attack
    result: Result
    seconds: float
    why: str = ""


ATTACKS = tuple(
    Attack(name=name, perform=perform)
    for name, perform in (
        ("mensaje sin cifrar a un registro", temporal.payload_in_clear),
        ("actividad iniciada a mano", temporal.activity_by_hand),
        ("datos cifrados llevados a otro registro", temporal.moved_ciphertext),
        ("respuesta de un registro del Estado forjada", temporal.forged_result),
        ("veinte formularios con el documento de alguien", people.twenty_forms),
        ("diez contraseñas erradas desde una red", people.ten_wrong_passwords),
        ("dos enlaces en dos pestañas", people.two_tabs),
        ("ingreso en curso durante un cambio de contraseña", people.login_during_a_reset),
        ("enlace en el correo anterior", people.changed_address),
        ("borrado durante la primera consulta", people.erasure_during_the_check),
        ("captcha de otro formulario o repetido", people.borrowed_captcha),
        ("lectura sin fila en la auditoría", support.reading_without_a_row),
        ("producción con ajustes inseguros", support.unsafe_production),
        ("verificación con otra clave secreta", support.another_secret),
        ("contraseña de soporte fácil de adivinar", support.guessed_support_password),
        ("fila inventada en la auditoría", support.invented_trail_row),
        ("encabezados sin fin", server.endless_headers),
        ("WebSocket en los mensajes del servidor", server.websocket_in_the_log),
        ("dos encabezados Host, o ninguno", server.two_hosts),
    )
)


async def try_attack(target: Target, attack: Attack) -> Outcome:
    """Perform an attack. One that cannot be performed is told as such, never as held."""
    began, why = time.monotonic(), ""
    try:
        result = Result.HELD if await attack.perform(target) else Result.BROKEN
    except Exception as error:  # noqa: BLE001 - whatever happens, the other rows are tried too.
        result, why = Result.NOT_TRIED, f"{type(error).__name__}: {str(error)[:200]}"
    return Outcome(attack=attack, result=result, seconds=time.monotonic() - began, why=why)


def row(outcome: Outcome) -> str:
    """One line of the table."""
    width = max(len(attack.name) for attack in ATTACKS)
    line = f"{outcome.attack.name.ljust(width)}  {outcome.result.ljust(11)}  {outcome.seconds:5.1f} s"
    return f"{line}  {outcome.why}".rstrip()


def summary(outcomes: Sequence[Outcome]) -> str:
    held = sum(outcome.result is Result.HELD for outcome in outcomes)
    return f"{len(outcomes)} ataques: {held} resistidos, {len(outcomes) - held} no."
