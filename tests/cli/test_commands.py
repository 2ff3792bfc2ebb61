"""What the commands accept, what they ask of support, and their exit codes."""

import errno
import json
import os
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ssl import SSLCertVerificationError
from typing import Any, TextIO, cast
from unittest.mock import AsyncMock, Mock

import pytest
from asyncpg.exceptions import InvalidPasswordError, TooManyConnectionsError, UndefinedColumnError
from sqlalchemy.exc import SQLAlchemyError

from mipres.cli import arguments
from mipres.cli.app import run
from mipres.cli.running import AWAY, MISUSED, NOT_POSSIBLE, Tools, operating_system_user
from mipres.domain.access import AccessState, AccountState
from mipres.domain.audit import AuditEntry, AuditHead, AuditVerdict, operator
from mipres.domain.documents import parse_document
from mipres.domain.review import ReviewStage
from mipres.domain.stages import EngineState, Stage, WaitingOn
from mipres.domain.submissions import UserType
from mipres.keys import UnknownBoxKeyError
from mipres.support.accounts import (
    AccountView,
    Decision,
    DecisionRefusedError,
    ProfileView,
    UnknownAccountError,
)
from mipres.support.actions import BulkResult, Found, MailResult
from mipres.support.desk import Action, ActionRefusedError, ActionUnansweredError, Case, PendingActivity
from mipres.support.joins import Joined
from mipres.support.mails import WaitingMail
from mipres.support.person_data import Erased, NotGoneError
from mipres.support.reviews import NoReviewStoppedError, ReviewDecision, ReviewView
from mipres.support.staff import StaffMember, StaffNameError, StaffUnknownError
from mipres.temporal.answers import (
    NamespaceMissingError,
    TemporalUnavailableError,
    TlsDisagreementError,
    UnknownWorkflowError,
    UnreadableAnswerError,
)
from mipres.version import VERSION_LINE
from tests.cli.conftest import UI_LIST, URL, Command

RADICADO = "RM-QVDYJ9H16Q02"
ANA = operator("ana", account=operating_system_user())
REASON = "la persona lo pidió en la mesa de ayuda"
CASE = Case(
    reference=RADICADO,
    status=EngineState.RUNNING,
    stage=Stage.WAITING_REGISTRY,
    user_type="professional",
    waiting_on=(WaitingOn.RETHUS,),
    stuck_since=None,
    started_at=datetime(2026, 11, 24, 15, 15, tzinfo=UTC),
    closed_at=None,
    ui_url=URL,
)


def answers(tools: Tools) -> Any:
    """The same tools, as the stand-ins that they are."""
    return cast("Any", tools)


# ---- What is typed wrongly ends with 2, in one line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("show", "nada"), "no es un radicado"),
        (("find", "XX", "1"), "no es un tipo de documento"),
        (("find", "CC", "12 34ñ"), "número de documento"),
        (("find", "CC", "1020304050", "--as", "x"), "--as"),
        (("stuck", "--waiting-on", "nada"), "--waiting-on"),
        (("retry", RADICADO, "--reason", "corto"), "--reason"),
        (("retry", RADICADO, "--reason", "llame al 3001234567 por favor"), "documentos"),
        (("retry", "--reason", REASON), "radicado"),
        (("retry", RADICADO, "--waiting-on", "sso", "--reason", REASON), "radicado"),
        (("retry", RADICADO, "--dry-run", "--reason", REASON), "--dry-run"),
        (("retry", "--waiting-on", "sso", "--json", "--reason", REASON), "--json es para --dry-run"),
        (("retry", "--waiting-on", "sso", "--jitter", "1h", "--reason", REASON), "--jitter"),
        (("resend", "RC-000000000001", "--reason", REASON), "no es un radicado"),
        (("unlock", "nadie", "--reason", REASON), "no es un tipo de documento"),
        (("staff", "add", "ana", "--password-stdin"), "mínimo quince (15)"),
        (("person", "erase", "CC", "abc"), "--reason"),
    ],
)
def test_what_is_typed_wrongly_is_explained(
    command: Command, tools: Tools, words: tuple[str, ...], line: str
) -> None:
    result = command(*words, stdin="corta\n")
    assert (result.exit_code, line in result.stderr) == (MISUSED, True), result.output
    answers(tools).support.act.assert_not_awaited()


@pytest.mark.parametrize("words", [(), ("nada",), ("keys",), ("person",), ("staff",)])
def test_without_a_known_command_the_help_shows(command: Command, words: tuple[str, ...]) -> None:
    assert command(*words).exit_code == MISUSED


def test_the_version_needs_no_settings(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIPRES_SECRET_KEY")
    result = command("--version")
    assert (result.exit_code, result.stdout) == (0, f"{VERSION_LINE}\n")


# ---- Who acts


@pytest.mark.parametrize(
    ("words", "actor"),
    [((), "operator:root"), (("--as", "ana"), "operator:ana (root)"), (("--as", "root"), "operator:root")],
)
def test_a_typed_name_stands_beside_the_account(
    command: Command, tools: Tools, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], actor: str
) -> None:
    monkeypatch.setenv("LOGNAME", "otra")
    monkeypatch.setattr(arguments, "operating_system_user", lambda: "root")
    command("cancel", RADICADO, "--reason", REASON, *words)
    assert answers(tools).support.act.await_args.kwargs["actor"] == actor


def test_the_account_is_the_system_s_and_not_the_environment_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "otra")
    assert operating_system_user() != "otra"


# ---- With --json a command that reads writes one document and nothing else


ENTRY = AuditEntry(
    number=4,
    occurred_at=CASE.started_at,
    type="retry_asked",
    actor=ANA,
    reference=RADICADO,
    reason=REASON,
    details={"refused": "NotRunning"},
)
ACCOUNT = AccountView(
    account_id=uuid.UUID(int=1),
    login="CC1020304050",
    full_name="Á*** N***",
    email="a***@salud.example",
    state=AccountState.OPEN,
    suspended_at=None,
    password_set_at=CASE.started_at,
    profiles=(),
    sessions=(),
    links=(),
    logins=(),
)
MEMBER = StaffMember(
    id=uuid.UUID(int=2), name="ana", created_at=CASE.started_at, disabled_at=None, password_hash="secreto"
)

REVIEW = ReviewView(
    workflow_id="access-review",
    run_id="1",
    stage=ReviewStage.STOPPED,
    looked=7,
    started_at=CASE.started_at,
    ui_url=URL,
)


DRY = ("--dry-run", "--reason", REASON)


@pytest.fixture
def all_known(tools: Tools) -> None:
    known = answers(tools)
    known.support.find.return_value = Found(person=None, cases=(CASE,))
    known.support.show.return_value = (CASE, None)
    known.support.desk.stuck.return_value = known.support.desk.waiting.return_value = [CASE]
    known.support.desk.mails.waiting.return_value = [MAIL]
    known.support.cut_off.return_value = [replace(CASE, reference="RM-AAAAAAAAAAAA")]
    known.accounts.show.return_value = ACCOUNT
    known.audit.entries.return_value = [ENTRY]
    known.audit.verify.return_value = AuditVerdict(checked=4, head=AuditHead(number=4, digest="ab"))
    known.staff.members.return_value = [MEMBER]
    known.reviews.running.return_value = [REVIEW]


@pytest.mark.usefixtures("all_known")
@pytest.mark.parametrize(
    ("words", "path", "value"),
    [
        (("find", "CC", "1020304050"), ("cases", 0, "waiting_on"), ["rethus"]),
        (("find", "CC", "1020304050"), ("person",), None),
        (("show", RADICADO), ("case", "started_at"), "2026-11-24T15:15:00+00:00"),
        (("stuck",), ("cut_off", 0, "reference"), "RM-AAAAAAAAAAAA"),
        (("stuck", "--waiting-on", "rethus"), ("cut_off",), []),
        (("account", "show", "CC1020304050"), ("account_id",), str(uuid.UUID(int=1))),
        (("audit",), ("entries", 0, "details"), {"refused": "NotRunning"}),
        (("audit", "--verify"), ("head",), {"number": 4, "digest": "ab"}),
        (("staff", "list"), ("staff", 0, "name"), "ana"),
        (("retry", "--waiting-on", "mail", *DRY), ("mails", 0, "step"), "avisar-bloqueo"),
        (("resend", "--waiting-on", "mail_address", *DRY), ("registrations", 0, "reference"), RADICADO),
        (("review", "show"), ("reviews", 0, "stage"), ReviewStage.STOPPED.value),
    ],
)
def test_what_is_read_comes_as_one_document(
    command: Command, words: tuple[str, ...], path: tuple[Any, ...], value: object
) -> None:
    result = command(*words, "--json")
    found = json.loads(result.stdout)
    for step in path:
        found = found[step]
    assert (result.exit_code, found) == (0, value)


@pytest.mark.usefixtures("all_known")
def test_a_document_holds_no_hash(command: Command) -> None:
    assert "secreto" not in command("staff", "list", "--json").stdout


def test_nothing_found_is_a_document_and_a_line_for_people(command: Command, tools: Tools) -> None:
    answers(tools).support.find.return_value = Found(person=None, cases=())
    result = command("find", "CC", "1020304050", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (NOT_POSSIBLE, {"person": None, "cases": []})
    assert "Ningún registro" in result.stderr


# ---- What does not answer ends with 3


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UnknownWorkflowError(), NOT_POSSIBLE, "no tiene ningún registro"),
        (TemporalUnavailableError(), AWAY, "Temporal no responde"),
        (NamespaceMissingError(), AWAY, "MIPRES_TEMPORAL_NAMESPACE"),
        (UnreadableAnswerError(), AWAY, "MIPRES_PAYLOAD_KEYS"),
        (TlsDisagreementError(), AWAY, "127.0.0.1:7233: revise MIPRES_TEMPORAL_TLS_CA"),
        (UnknownBoxKeyError("dos"), NOT_POSSIBLE, "Falta en MIPRES_PAYLOAD_KEYS la clave dos"),
        (
            InvalidPasswordError("secreto"),
            AWAY,
            "no admitió la cuenta con la que se conecta (InvalidPasswordError, SQLSTATE 28P01)",
        ),
        (SSLCertVerificationError(1, "secreto"), AWAY, "no se pudo cifrar la conexión (TLS)"),
        (
            OSError("secreto"),
            AWAY,
            "La base de datos no hizo lo que se le pidió: no se pudo conectar (OSError)",
        ),
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "secreto"),
            AWAY,
            "La base de datos no hizo lo que se le pidió: no se pudo conectar (ConnectionRefusedError)",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "datos.json"),
            NOT_POSSIBLE,
            "No se pudo leer ni escribir en este equipo: Permission denied (datos.json).",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            NOT_POSSIBLE,
            "No se pudo leer ni escribir en este equipo: No space left on device.",
        ),
        (
            TooManyConnectionsError("secreto"),
            AWAY,
            "ya no le quedan conexiones (TooManyConnectionsError, SQLSTATE 53300)",
        ),
        (SQLAlchemyError("secreto"), AWAY, "(SQLAlchemyError)"),
    ],
)
def test_what_is_away_is_one_line_and_a_code(
    command: Command, tools: Tools, error: Exception, code: int, line: str
) -> None:
    answers(tools).support.show.side_effect = error
    result = command("show", RADICADO)
    assert (result.exit_code, line in result.stderr) == (code, True)
    assert "secreto" not in result.output
    assert len(result.stderr.splitlines()) == 1


def test_a_closed_pipe_is_no_fault_of_the_database(command: Command, tools: Tools) -> None:
    answers(tools).support.show.side_effect = BrokenPipeError(errno.EPIPE, "broken pipe")
    result = command("show", RADICADO)
    assert (result.exit_code, result.stderr) == (NOT_POSSIBLE, "")


def nobody_reads() -> TextIO:
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


@pytest.mark.parametrize(
    ("output", "code", "line"),
    [
        (lambda: None, 0, ""),
        (nobody_reads, NOT_POSSIBLE, ""),
        (
            lambda: open("/dev/full", "w"),  # noqa: PTH123, SIM115 - the test closes it.
            NOT_POSSIBLE,
            "No se pudo leer ni escribir en este equipo: No space left on device.\n",
        ),
    ],
    ids=["closed", "nobody reads", "full"],
)
def test_an_output_that_cannot_be_written_is_one_line_at_most(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: Callable[[], TextIO | None],
    code: int,
    line: str,
) -> None:
    written = output()
    monkeypatch.setattr(sys, "argv", ["mipres.cli", "--version"])
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.setattr(os, "_exit", Mock(side_effect=SystemExit))
    with pytest.raises(SystemExit):
        run()
    assert (cast("Mock", os._exit).call_args.args, capsys.readouterr().err) == ((code,), line)
    with suppress(OSError):
        if written:
            written.close()


def test_a_migration_without_a_database_is_one_line(command: Command) -> None:
    result = command("migrate")
    assert (result.exit_code, result.stderr) == (
        AWAY,
        "La base de datos no hizo lo que se le pidió: no se pudo conectar (ConnectionRefusedError).\n",
    )


def test_a_schema_that_lacks_something_names_the_remedy(command: Command, tools: Tools) -> None:
    answers(tools).support.show.side_effect = UndefinedColumnError("column ruiz does not exist")
    result = command("show", RADICADO)
    assert result.exit_code == AWAY
    assert result.stderr.strip().endswith("ejecute `python -m mipres.cli migrate`.")


# ---- Registrations


def test_find_takes_a_document_however_it_is_written(command: Command, tools: Tools) -> None:
    answers(tools).support.find.return_value = Found(person=None, cases=(CASE,))
    result = command("find", "cc", "1.020.304.050", "--as", "ana")
    assert result.exit_code == 0, result.output
    assert f"{RADICADO} · esperando un registro · espera ReTHUS" in result.stdout
    answers(tools).support.find.assert_awaited_once_with(parse_document("CC", "1020304050"), actor=ANA)


def test_find_without_cases_is_not_possible(command: Command, tools: Tools) -> None:
    answers(tools).support.find.return_value = Found(person=None, cases=())
    result = command("find", "CC", "1020304050")
    assert (result.exit_code, "sin cuenta todavía" in result.stdout) == (NOT_POSSIBLE, True)


def test_show_takes_small_letters_and_recoveries(command: Command, tools: Tools) -> None:
    answers(tools).support.show.return_value = (CASE, None)
    for typed in (RADICADO.lower(), "rc-qvdyj9h16q02"):
        assert command("show", typed, "--reason", REASON).exit_code == 0
    shown = [call.args[0] for call in answers(tools).support.show.await_args_list]
    assert shown == [RADICADO, "RC-QVDYJ9H16Q02"]


def test_stuck_lists_the_stuck_and_then_what_temporal_stopped(command: Command, tools: Tools) -> None:
    cut_off = replace(CASE, status=EngineState.TERMINATED, stage=Stage.AWAITING_PASSWORD, waiting_on=())
    answers(tools).support.desk.stuck.return_value = []
    answers(tools).support.cut_off.return_value = [cut_off]
    result = command("stuck")
    assert result.exit_code == 0, result.output
    assert "Ningún registro está atascado." in result.stdout
    assert "1 registro interrumpido:" in result.stdout
    assert f"{RADICADO} · interrumpido en Temporal (esperando la contraseña)" in result.stdout
    assert result.stdout.count(UI_LIST) == 2

    assert "interrumpidos" not in command("stuck", "--waiting-on", "sso").stdout
    answers(tools).support.desk.stuck.assert_awaited_with(waiting_on=WaitingOn.SSO)


def test_the_stuck_are_listed_also_while_the_database_is_away(command: Command, tools: Tools) -> None:
    answers(tools).support.desk.stuck.return_value = [CASE]
    answers(tools).support.cut_off.side_effect = ConnectionRefusedError
    result = command("stuck")
    assert (result.exit_code, RADICADO in result.stdout) == (AWAY, True)
    assert result.stdout.startswith("1 registro atascado\n")
    assert "La base de datos" in result.stderr


def test_the_stuck_say_which_field_of_which_registry_is_wrong(command: Command, tools: Tools) -> None:
    fault = "El registro ReTHUS no respondió bien (sanctions[0]: el fin es anterior al inicio)."
    step = PendingActivity(
        activity_id="consultar-rethus",
        attempt=7,
        next_attempt_at=None,
        error_type="RegistryUnavailable",
        error_message=fault,
    )
    answers(tools).support.desk.stuck.return_value = [replace(CASE, pending=(step,)), CASE]
    answers(tools).support.cut_off.return_value = []
    lines = command("stuck").stdout.splitlines()
    assert lines[0] == "2 registros atascados"
    assert lines[2:4] == [f"  {fault}", f"  {URL}"]
    assert lines[5] == f"  {URL}"


@pytest.mark.parametrize(
    ("name", "action"), [("retry", Action.RETRY), ("resend", Action.RESEND), ("cancel", Action.CANCEL)]
)
def test_an_action_is_asked_with_its_reason(
    command: Command, tools: Tools, name: str, action: Action
) -> None:
    result = command(name, RADICADO, "--reason", f"  {REASON} ", "--as", "ana")
    assert (result.exit_code, URL in result.stdout) == (0, True), result.output
    answers(tools).support.act.assert_awaited_once_with(action, RADICADO, reason=REASON, actor=ANA)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UnknownWorkflowError(), NOT_POSSIBLE, "Ningún registro en curso"),
        (ActionRefusedError("TooSoon", "Espere para pedir otro enlace"), NOT_POSSIBLE, "Espere para pedir"),
        (ActionUnansweredError(), AWAY, "¿corre algún worker?"),
    ],
)
def test_an_action_that_is_not_done_says_why(
    command: Command, tools: Tools, error: Exception, code: int, line: str
) -> None:
    answers(tools).support.act.side_effect = error
    result = command("cancel", RADICADO, "--reason", REASON)
    assert (result.exit_code, line in result.stderr, URL in result.stderr) == (code, True, True)


@pytest.mark.parametrize(("jitter", "spread"), [("90", 90), ("5s", 5), ("2m", 120)])
def test_a_bulk_retry_spreads_over_the_jitter(
    command: Command, tools: Tools, jitter: str, spread: int
) -> None:
    answers(tools).support.desk.waiting.return_value = [CASE, CASE]
    answers(tools).support.act_on_all = Mock(
        return_value=results(
            BulkResult(case=CASE, feedback="reintento pedido"),
            BulkResult(case=CASE, feedback="no respondió a tiempo", failed=True),
        )
    )
    words = ("retry", "--waiting-on", "rethus", "--reason", REASON)
    result = command(*words, "--jitter", jitter, "--as", "ana")
    assert (result.exit_code, "1 pedido o ya resuelto, 1 sin hacer." in result.stdout) == (
        NOT_POSSIBLE,
        True,
    )
    answers(tools).support.act_on_all.assert_called_once_with(
        Action.RETRY, [CASE, CASE], reason=REASON, actor=ANA, jitter=timedelta(seconds=spread)
    )


MAIL = WaitingMail(
    workflow_id="lock-notice/RC-QVDYJ9H16Q02",
    run_id="1",
    step="avisar-bloqueo",
    error="sin correo",
    ui_url=URL,
)


@pytest.mark.parametrize("failed", [False, True])
def test_a_bulk_retry_of_mail_reaches_the_notices(command: Command, tools: Tools, *, failed: bool) -> None:
    answers(tools).support.desk.waiting.return_value = []
    answers(tools).support.desk.mails.waiting.return_value = [MAIL]
    answers(tools).support.act_on_all = Mock(return_value=results())
    answers(tools).support.retry_mails = Mock(
        return_value=results(MailResult(mail=MAIL, feedback="reintento pedido", failed=failed))
    )
    result = command("retry", "--waiting-on", "mail", "--reason", REASON, "--as", "ana")
    line = f"{'0 pedidos o ya resueltos' if failed else '1 pedido o ya resuelto'}, {int(failed)} sin hacer."
    assert (result.exit_code, line in result.stdout) == (NOT_POSSIBLE if failed else 0, True)
    assert answers(tools).support.retry_mails.call_args.args == ([MAIL],)


def test_a_dry_run_for_mail_names_the_notices(command: Command, tools: Tools) -> None:
    answers(tools).support.desk.waiting.return_value = []
    answers(tools).support.desk.mails.waiting.return_value = [MAIL]
    result = command("retry", "--waiting-on", "mail", "--reason", REASON, "--dry-run")
    assert all(part in result.stdout for part in ("lock-notice/", "avisar-bloqueo", "sin correo", URL))
    answers(tools).support.retry_mails.assert_not_called()


def test_links_go_out_again_to_all_whose_address_was_refused(command: Command, tools: Tools) -> None:
    answers(tools).support.desk.waiting.return_value = [CASE]
    answers(tools).support.act_on_all = Mock(
        return_value=results(BulkResult(case=CASE, feedback="otro enlace pedido"))
    )
    words = ("resend", "--waiting-on", "mail_address", "--reason", REASON, "--as", "ana")
    result = command(*words)
    assert (result.exit_code, "1 pedido o ya resuelto, 0 sin hacer." in result.stdout) == (0, True)
    answers(tools).support.act_on_all.assert_called_once_with(
        Action.RESEND, [CASE], reason=REASON, actor=ANA, jitter=timedelta(seconds=60)
    )


def test_links_are_sent_in_bulk_for_refused_addresses_alone(command: Command) -> None:
    result = command("resend", "--waiting-on", "rethus", "--reason", REASON)
    assert (result.exit_code, "solo mail_address" in result.stderr) == (MISUSED, True)


async def results(*items: object) -> Any:
    for item in items:
        yield item


def test_a_dry_run_retries_nothing(command: Command, tools: Tools) -> None:
    answers(tools).support.desk.waiting.return_value = [CASE]
    result = command("retry", "--waiting-on", "rethus", "--reason", REASON, "--dry-run")
    assert (result.exit_code, "Simulación" in result.stdout) == (0, True)
    answers(tools).support.act_on_all.assert_not_called()


# ---- Accounts, trail, keys, staff, persons


def test_unlocking_is_recorded_before_it_is_done(command: Command, tools: Tools) -> None:
    answers(tools).audit.record.side_effect = OSError
    assert command("unlock", "cc 1020304050", "--reason", REASON).exit_code == AWAY
    answers(tools).lockouts.lift.assert_not_awaited()

    answers(tools).audit.record = AsyncMock()
    answers(tools).support.find.return_value = Found(person=None, cases=())
    assert command("unlock", "cc 1020304050", "--reason", REASON).exit_code == 0
    lifted = [call.args for call in answers(tools).lockouts.lift.await_args_list]
    assert lifted == [("CC1020304050",), ("second factor CC1020304050",)]


def test_the_trail_is_read_by_radicado_or_by_login(command: Command, tools: Tools) -> None:
    entry = AuditEntry(
        number=4,
        occurred_at=CASE.started_at,
        type="retry_asked",
        actor=ANA,
        reference=RADICADO,
        reason=REASON,
        details={},
    )
    answers(tools).audit.entries.return_value = [entry]
    result = command("audit", f" {RADICADO.lower().replace('-', ' ')}.")
    assert (result.exit_code, f"En Temporal: {URL}" in result.stdout) == (0, True)
    assert f"Reintento pedido · {ANA} · {RADICADO} · «{REASON}»" in result.stdout
    command("audit", "cc 1.020.304.050")
    asked = [call.kwargs for call in answers(tools).audit.entries.await_args_list]
    assert asked == [
        {"reference": RADICADO, "login": None, "actor": None, "limit": 200},
        {"reference": None, "login": "CC1020304050", "actor": None, "limit": 200},
    ]
    answers(tools).audit.entries.return_value = []
    assert command("audit").exit_code == NOT_POSSIBLE


def test_the_trail_says_where_it_was_cut_and_shows_one_actor(command: Command, tools: Tools) -> None:
    answers(tools).audit.entries.return_value = [ENTRY]
    cut = command("audit", "--actor", "staff:ana", "--last", "1")
    assert (cut.exit_code, "las últimas filas (1)" in cut.stderr) == (0, True)
    asked = answers(tools).audit.entries.await_args.kwargs
    assert (asked["actor"], asked["limit"]) == ("staff:ana", 1)
    assert "las últimas filas" not in command("audit", "--actor", "staff:ana").output


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--head", "16:fd483170ffa6b41e"), "--verify"),
        (("--verify", "--head", "fd483170ffa6b41e"), "--head"),
        (("--verify", "--head", "16:fd48"), "--head"),
        (("--verify", RADICADO), "--verify"),
        (("--verify", "--actor", "staff:ana"), "--verify"),
    ],
)
def test_a_check_of_the_trail_that_would_check_nothing_is_misused(
    command: Command, tools: Tools, words: tuple[str, ...], named: str
) -> None:
    answers(tools).audit.entries.return_value = [ENTRY]
    answers(tools).audit.holds.return_value = False
    answers(tools).audit.verify.return_value = AuditVerdict(
        checked=16, head=AuditHead(number=16, digest="fd483170ffa6b41e")
    )
    result = command("audit", *words)
    assert (result.exit_code, named in result.stderr, result.stdout) == (MISUSED, True, "")


def test_a_broken_trail_and_a_lost_head_are_not_possible(command: Command, tools: Tools) -> None:
    head = AuditHead(number=16, digest="fd483170ffa6b41e")
    answers(tools).audit.verify.return_value = AuditVerdict(checked=16, head=head)
    answers(tools).audit.holds.return_value = True
    assert str(head) in command("audit", "--verify", "--head", str(head)).stdout
    answers(tools).audit.holds.return_value = False
    assert command("audit", "--verify", "--head", str(head)).exit_code == NOT_POSSIBLE
    answers(tools).audit.verify.return_value = AuditVerdict(checked=3, broken_at=4, problem="falta la fila")
    broken = command("audit", "--verify")
    assert (broken.exit_code, "fila 4" in broken.stderr) == (NOT_POSSIBLE, True)


def test_a_key_is_recorded_before_it_shows(command: Command, tools: Tools) -> None:
    answers(tools).audit.record.side_effect = OSError
    failed = command("keys", "rotate")
    assert (failed.exit_code, "MIPRES_PAYLOAD_KEYS=" in failed.output) == (AWAY, False)
    answers(tools).audit.record.side_effect = None
    assert "MIPRES_PAYLOAD_KEYS=uno:" in command("keys", "rotate").stdout
    assert command("keys", "rotate", "--activate").exit_code == NOT_POSSIBLE


@pytest.mark.usefixtures("tools")
def test_every_kind_of_key_is_rotated_by_steps(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIPRES_AUDIT_KEYS", "a1:" + "B" * 43 + "=")
    variables = {
        "payload": ("MIPRES_PAYLOAD_KEYS",),
        "audit": ("MIPRES_AUDIT_KEYS",),
        "secret": ("MIPRES_SECRET_KEY", "MIPRES_SECRET_KEY_PREVIOUS"),
        "api": ("MIPRES_API_KEYS",),
    }

    def printed(*words: str) -> dict[str, list[str]]:
        """Rotate, and give every process what was printed."""
        result = command("keys", "rotate", *words)
        assert result.exit_code == 0, result.output
        lines = (line.partition("=") for line in result.stdout.splitlines() if line.startswith("MIPRES_"))
        values = {name: value for name, _, value in lines}
        assert tuple(values) == variables[words[0]]
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        return {name: [part for part in value.split(",") if part] for name, value in values.items()}

    for kind in variables:
        before = [value for values in printed(kind).values() for value in values]
        after = [value for values in printed(kind, "--activate").values() for value in values]
        assert (len(before), len(set(before)), after) == (2, 2, before[::-1])
        retired = command("keys", "rotate", kind, "--retire")
        if kind == "audit":
            assert (retired.exit_code, "no se quitan" in retired.stderr) == (NOT_POSSIBLE, True)
        else:
            assert (after[0] in retired.stdout, before[0] in retired.stdout) == (True, False)


@pytest.mark.parametrize("words", [("tls",), ("secret", "--activate", "--retire")])
def test_another_kind_of_key_is_typed_wrongly(command: Command, words: tuple[str, ...]) -> None:
    assert command("keys", "rotate", *words).exit_code == MISUSED


def test_a_row_without_its_key_is_not_called_altered(command: Command, tools: Tools) -> None:
    problem = "MIPRES_AUDIT_KEYS no tiene la clave a1, con la que se selló"
    answers(tools).audit.verify.return_value = AuditVerdict(
        checked=3, broken_at=4, problem=problem, missing_key="a1"
    )
    told = command("audit", "--verify")
    assert (told.exit_code, "alterada" in told.stderr, problem in told.stderr) == (NOT_POSSIBLE, False, True)


def test_a_generated_password_shows_once_and_a_given_one_never(command: Command, tools: Tools) -> None:
    generated = command("staff", "add", "ana")
    password = answers(tools).staff.add.await_args.args[1]
    assert f"Contraseña: {password}" in generated.stdout
    given = command("staff", "reset", "ana", "--password-stdin", stdin="una clave larga de soporte\n")
    assert answers(tools).staff.reset.await_args.args == ("ana", "una clave larga de soporte")
    assert "una clave larga" not in given.output


def test_names_of_staff_that_cannot_be_are_not_possible(command: Command, tools: Tools) -> None:
    answers(tools).staff.add.side_effect = StaffNameError("Ya hay una cuenta de soporte con el nombre ana")
    answers(tools).staff.disable.side_effect = StaffUnknownError("ana")
    answers(tools).staff.reset.side_effect = StaffUnknownError("ana")
    for action in ("add", "disable", "reset"):
        result = command("staff", action, "ana")
        assert (result.exit_code, "ana" in result.stderr) == (NOT_POSSIBLE, True)
    answers(tools).staff.members.return_value = []
    assert "No hay cuentas de soporte" in command("staff", "list").stdout


def test_a_person_s_data_come_as_json(command: Command, tools: Tools) -> None:
    answers(tools).person_data.export.return_value = {"fecha": CASE.started_at}
    result = command("person", "export", "CC", "1020304050", "--reason", REASON)
    assert json.loads(result.stdout) == {"fecha": "2026-11-24T15:15:00+00:00"}


def test_erasing_says_what_went_or_that_it_has_to_be_repeated(command: Command, tools: Tools) -> None:
    words = ("person", "erase", "CC", "1020304050", "--reason", REASON)
    answers(tools).person_data.erase.return_value = Erased(accounts=1, workflows=3)
    assert "1 cuenta y 3 historias" in command(*words).stdout
    answers(tools).person_data.erase.side_effect = NotGoneError
    assert command(*words).exit_code == AWAY


# ---- Access


@pytest.mark.parametrize(
    ("words", "decision", "radicado"),
    [
        (("suspend",), Decision.SUSPEND, None),
        (("suspend", "--profile", RADICADO.lower()), Decision.SUSPEND, RADICADO),
        (("reinstate",), Decision.REINSTATE, None),
        (("end-sessions",), Decision.END_SESSIONS, None),
    ],
)
def test_a_decision_about_access_takes_login_reason_and_actor(
    tools: Tools, command: Command, words: tuple[str, ...], decision: Decision, radicado: str | None
) -> None:
    account_id = uuid.uuid4()
    answers(tools).accounts.id_of.return_value = account_id
    answers(tools).accounts.decide.return_value = 2
    answers(tools).accounts.radicados_of.return_value = [RADICADO, "RM-000000000009"]
    first, *more = words
    done = command("account", first, "cc 1.020.304.050", "--reason", REASON, "--as", "ana", *more)
    assert done.exit_code == 0, done.output
    answers(tools).accounts.id_of.assert_awaited_once_with("CC1020304050")
    answers(tools).accounts.decide.assert_awaited_once_with(
        decision, account_id, reason=REASON, actor=ANA, radicado=radicado
    )
    assert done.stdout.count(URL) == (1 if radicado else 2)


def test_an_account_shows_where_each_of_its_registrations_is(tools: Tools, command: Command) -> None:
    profile = ProfileView(
        radicado=RADICADO,
        user_type=UserType.PROFESSIONAL,
        place=None,
        state=AccessState.IN_FORCE,
        cause=None,
        until=None,
        reviewed_at=None,
    )
    answers(tools).accounts.show.return_value = replace(ACCOUNT, profiles=(profile,))
    shown = command("account", "show", "CC1020304050")
    assert (shown.exit_code, RADICADO in shown.stdout, URL in shown.stdout) == (0, True, True)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UnknownAccountError(), "ningún perfil"),
        (DecisionRefusedError("La cuenta ya está suspendida por soporte"), "ya está suspendida"),
    ],
)
def test_a_decision_that_is_not_possible_says_why(
    tools: Tools, command: Command, error: Exception, line: str
) -> None:
    answers(tools).accounts.decide.side_effect = error
    done = command("account", "suspend", "CC1", "--reason", REASON, "--profile", RADICADO)
    assert (done.exit_code, line in done.stderr) == (NOT_POSSIBLE, True)


def test_a_join_takes_both_logins_a_reason_and_the_proof(tools: Tools, command: Command) -> None:
    old, new = uuid.uuid4(), uuid.uuid4()
    answers(tools).accounts.id_of.side_effect = [old, new]
    answers(tools).joins.join.return_value = Joined(
        moved=(RADICADO,), dropped=("RM-000000000009",), sessions=1
    )
    words = ("PT1", "CC2", "--reason", REASON, "--as", "ana", "--proof")
    done = command("account", "join", *words, "SOL-118")
    assert (done.exit_code, f"Perfil {RADICADO} pasó" in done.output) == (0, True)
    assert done.stdout.count(URL) == 2
    answers(tools).joins.join.assert_awaited_once_with(old, new, reason=REASON, proof="SOL-118", actor=ANA)
    assert command("account", "join", *words, "la cédula de Ana").exit_code == MISUSED


def test_an_unknown_login_is_named_so(tools: Tools, command: Command) -> None:
    answers(tools).accounts.id_of.side_effect = UnknownAccountError()
    done = command("account", "show", "CC1")
    assert (done.exit_code, "Ninguna cuenta" in done.stderr) == (NOT_POSSIBLE, True)


# ---- Reviews of access

REVIEW = ReviewView(
    workflow_id="access-review-2026-11-26T05:05:00Z",
    run_id="r",
    stage=ReviewStage.STOPPED,
    looked=200,
    started_at=datetime(2026, 11, 26, 5, 5, tzinfo=UTC),
    ui_url=URL,
)


@pytest.mark.parametrize(
    ("word", "decision"), [("go-on", ReviewDecision.GO_ON), ("abandon", ReviewDecision.ABANDON)]
)
def test_a_stopped_review_is_answered_with_a_reason(
    tools: Tools, command: Command, word: str, decision: ReviewDecision
) -> None:
    answers(tools).reviews.decide.return_value = REVIEW
    done = command("review", word, "--reason", REASON, "--as", "ana")
    assert (done.exit_code, URL in done.stdout) == (0, True), done.output
    answers(tools).reviews.decide.assert_awaited_once_with(decision, reason=REASON, actor=ANA)


def test_without_a_stopped_review_there_is_nothing_to_answer(tools: Tools, command: Command) -> None:
    answers(tools).reviews.decide.side_effect = NoReviewStoppedError()
    done = command("review", "go-on", "--reason", REASON)
    assert (done.exit_code, "Ninguna revisión" in done.stderr) == (NOT_POSSIBLE, True)


def test_a_stopped_review_is_shown_as_such(tools: Tools, command: Command) -> None:
    answers(tools).reviews.running.return_value = [REVIEW]
    shown = command("review", "show")
    assert "detenida por su freno" in shown.stdout
    assert "200 perfiles" in shown.stdout
    answers(tools).reviews.running.return_value = []
    assert command("review", "show").exit_code == NOT_POSSIBLE


# ---- Second factors


def test_a_reset_of_a_second_factor_says_when_its_day_begins(tools: Tools, command: Command) -> None:
    account_id = uuid.uuid4()
    answers(tools).accounts.id_of.return_value = account_id
    answers(tools).accounts.radicados_of.return_value = [RADICADO]
    ends = {"reset": "24 horas corren desde que", "cancel": "queda como está"}
    for name, words in ends.items():
        done = command("second-factor", name, "cc 1.020.304.050", "--reason", REASON, "--as", "ana")
        assert (done.exit_code, words in done.output, URL in done.output) == (0, True, True), done.output
    for asked in (answers(tools).factor_resets.ask, answers(tools).factor_resets.cancel):
        asked.assert_awaited_once_with(account_id, reason=REASON, actor=ANA)


def test_a_reset_that_is_refused_or_not_announced_has_its_exit_code(tools: Tools, command: Command) -> None:
    words = ("second-factor", "reset", "CC1020304050", "--reason")
    resets = answers(tools).factor_resets
    assert command(*words, "corto").exit_code == MISUSED
    resets.ask.assert_not_awaited()
    resets.ask.side_effect = DecisionRefusedError("La cuenta no tiene segundo factor")
    refused = command(*words, REASON)
    assert (refused.exit_code, refused.stderr) == (NOT_POSSIBLE, "La cuenta no tiene segundo factor.\n")
    resets.ask.side_effect = TemporalUnavailableError("away")
    assert command(*words, REASON).exit_code == AWAY
    answers(tools).accounts.id_of.side_effect = UnknownAccountError
    assert command(*words, REASON).exit_code == NOT_POSSIBLE


def test_an_operator_resets_the_factor_of_support(tools: Tools, command: Command) -> None:
    words = ("staff", "reset-factor", "ana.rojas", "--reason")
    staff = answers(tools).staff
    assert command(*words, "corto").exit_code == MISUSED
    staff.reset_factor.assert_not_awaited()
    staff.reset_factor.return_value = True
    done = command(*words, REASON, "--as", "ana")
    assert (done.exit_code, "Segundo factor quitado." in done.output) == (0, True)
    staff.reset_factor.assert_awaited_once_with("ana.rojas", reason=REASON, actor=ANA)
    staff.reset_factor.side_effect = StaffUnknownError
    assert command(*words, REASON).exit_code == NOT_POSSIBLE
