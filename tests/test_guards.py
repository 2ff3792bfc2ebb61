"""Promises that no single module can keep alone."""

import importlib
import pkgutil
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from temporalio import workflow
from temporalio.client import WorkflowExecutionStatus

import activities
import mipres
import workflows
from activities.catalog import catalog
from mipres import ports
from mipres.domain import stages
from mipres.domain.errors import MipresError
from mipres.domain.outcomes import REFUSAL_MESSAGES, Outcome, OutcomeStatus, Refusal, message_of
from mipres.domain.stages import EngineState, Stage, WaitingOn
from mipres.port_set import Ports
from mipres.support.desk import Action
from mipres.temporal import names
from mipres.temporal.names import RESET_CLOSED, WorkflowType
from tests.fakes import (
    FakeAccessNotices,
    FakeAccounts,
    FakeAddressChanges,
    FakeClock,
    FakeComposer,
    FakeEndedLogins,
    FakeFactorResets,
    FakeHealthTalentRegistry,
    FakeLogoutMessenger,
    FakeMailer,
    FakeRetention,
    FakeReviewedProfiles,
    FakeSentMails,
    FakeSocialSecurityRegistry,
    FakeSocialServiceRegistry,
)
from workflows import steps
from workflows.access_notices import AccessNotices
from workflows.access_review import AccessReview
from workflows.backchannel_logouts import BackchannelLogouts
from workflows.cancelled_notice import CancelledNotice
from workflows.factor_reset import SecondFactorReset
from workflows.login_locked import LoginLocked
from workflows.password_recovery import PasswordRecovery
from workflows.registration import Registration
from workflows.retention import Retention
from workflows.workers import WORKFLOWS

ROOT = Path(__file__).parents[1]


def test_the_packages_are_those_of_this_repository() -> None:
    for package in (workflows, activities):
        assert Path(str(package.__file__)).is_relative_to(ROOT)


def test_every_step_is_served_where_it_waits() -> None:
    served = catalog(
        Ports(
            miseguridadsocial=FakeSocialSecurityRegistry(),
            rethus=FakeHealthTalentRegistry(),
            sso=FakeSocialServiceRegistry(),
            accounts=FakeAccounts(),
            address_changes=FakeAddressChanges(accounts=FakeAccounts()),
            factor_resets=FakeFactorResets(clock=FakeClock()),
            composer=FakeComposer(),
            mailer=FakeMailer(),
            sent_mails=FakeSentMails(),
            retention=FakeRetention(),
            access_notices=FakeAccessNotices(),
            ended_logins=FakeEndedLogins(),
            logout_messenger=FakeLogoutMessenger(),
            reviewed_profiles=FakeReviewedProfiles(),
            clock=FakeClock(),
        )
    )
    named = [step for step in vars(steps).values() if isinstance(step, steps.Step)]
    assert len(named) > 10
    for step in named:
        own = step.queue == names.REGISTRATIONS_QUEUE
        group = served.own if own else getattr(served, step.waits_on)
        assert step.activity.__name__ in {activity.__name__ for activity in group}, step.id


def test_every_outcome_has_a_message() -> None:
    assert set(REFUSAL_MESSAGES) == set(Refusal)
    outcomes = [Outcome(status=status) for status in OutcomeStatus if status is not OutcomeStatus.REFUSED]
    outcomes += [Outcome(status=OutcomeStatus.REFUSED, refusal=refusal) for refusal in Refusal]
    assert all(message_of(outcome) for outcome in outcomes)


def test_only_one_module_connects_to_temporal() -> None:
    sources = [
        path
        for folder in ("api", "mipres", "activities", "workflows")
        for path in (ROOT / folder).rglob("*.py")
    ]
    connecting = [path.name for path in sources if "Client.connect(" in path.read_text()]
    assert connecting == ["connection.py"]


@pytest.mark.needs("git")
def test_no_tracked_file_names_a_package_registry() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("a source archive has no tracked files")
    hosts = re.compile("|".join(("pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs")))
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix in {
            ".lock",
            ".toml",
            ".py",
            ".md",
            ".yml",
            ".yaml",
            ".sh",
            ".json",
            "",
        }:
            assert not hosts.search(path.read_text(errors="ignore")), name


def test_the_names_are_those_of_the_workflows() -> None:
    """What has no access to the workflows knows them by name.

    The names must be theirs.
    """
    by_name = {
        WorkflowType.REGISTRATION: Registration,
        WorkflowType.PASSWORD_RECOVERY: PasswordRecovery,
        WorkflowType.LOGIN_LOCKED: LoginLocked,
        WorkflowType.CANCELLED_NOTICE: CancelledNotice,
        WorkflowType.RETENTION: Retention,
        WorkflowType.ACCESS_NOTICES: AccessNotices,
        WorkflowType.BACKCHANNEL_LOGOUTS: BackchannelLogouts,
        WorkflowType.ACCESS_REVIEW: AccessReview,
        WorkflowType.SECOND_FACTOR_RESET: SecondFactorReset,
    }
    assert set(by_name) == set(WorkflowType)
    for name, kind in by_name.items():
        assert workflow._Definition.must_from_class(kind).name == name
    assert set(workflow._Definition.must_from_class(SecondFactorReset).signals) == {RESET_CLOSED}
    known = workflow._Definition.must_from_class(Registration)
    assert {action.value for action in Action} <= set(known.updates)


def test_only_updates_with_a_validator_take_data() -> None:
    """Its interceptor refuses other data; the SDK drops what comes with the others."""
    for kind in WORKFLOWS:
        known = workflow._Definition.must_from_class(kind)
        assert not [name for name, handler in known.signals.items() if handler.arg_types]
        assert not [name for name, handler in known.queries.items() if handler.arg_types]
        assert not [
            name for name, handler in known.updates.items() if handler.arg_types and handler.validator is None
        ]


def test_every_id_has_its_inverse() -> None:
    assert names.workflow_id_of("RM-1") == names.registration_workflow_id("RM-1")
    assert names.workflow_id_of("RC-1") == names.recovery_workflow_id("RC-1")
    for make in (
        names.registration_workflow_id,
        names.recovery_workflow_id,
        names.lock_notice_workflow_id,
    ):
        assert names.reference_of(make("RX-1")) == "RX-1"


def test_every_stage_and_everything_waited_for_has_its_words() -> None:
    assert set(stages.STAGES_FOR_STAFF) == set(Stage)
    assert set(stages.WAITING_FOR_STAFF) == set(stages.WAITING_FOR_CITIZENS) == set(WaitingOn)
    assert set(stages.ENGINE_FOR_STAFF) == set(EngineState)
    assert {state.name for state in WorkflowExecutionStatus} <= set(EngineState)
    waited_for = {step.waits_on for step in vars(steps).values() if isinstance(step, steps.Step)}
    assert waited_for | {WaitingOn.MAIL_ADDRESS} == set(WaitingOn)


# A workflow id, a condition of a visibility query, or a search attribute, spelled out in a string.
SPELLED = re.compile(
    r"""["'](registration|recovery|lock-notice)/|ExecutionStatus ?=|(RegistrationStage|WaitingOn|StuckSince|UserType)["']? ?(=|IS)"""
)


def test_no_second_place_spells_temporals_names() -> None:
    sources = [
        ROOT / "worker.py",
        *(
            path
            for folder in ("api", "mipres", "activities", "workflows")
            for path in (ROOT / folder).rglob("*.py")
        ),
    ]
    spelled = {
        (path.name, line)
        for path in sources
        if path.name != "names.py"
        for line in path.read_text().splitlines()
        if SPELLED.search(line)
    }
    assert spelled == set()


def test_no_second_table_of_words_for_stages_or_waiting() -> None:
    """Phrases alone are looked for: one word may stand elsewhere by chance."""
    words = {
        *(entry.label for entry in stages.STAGES_FOR_STAFF.values()),
        *stages.ENGINE_FOR_STAFF.values(),
        stages.WAITING_FOR_STAFF[WaitingOn.DATABASE],
        stages.WAITING_FOR_STAFF[WaitingOn.MAIL],
        stages.WAITING_FOR_STAFF[WaitingOn.MAIL_ADDRESS],
        stages.WAITING_FOR_CITIZENS[WaitingOn.DATABASE],
        stages.WAITING_FOR_CITIZENS[WaitingOn.MAIL_ADDRESS],
    }
    quoted = re.compile("|".join(f"[\"']{re.escape(word)}[\"']" for word in words if " " in word))
    for folder in ("api", "mipres", "activities", "workflows", "templates"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".html", ".txt"} and path.name != "stages.py":
                assert not quoted.search(path.read_text()), path


def _mipres_modules() -> list[ModuleType]:
    names = [module.name for module in pkgutil.walk_packages(mipres.__path__, "mipres.")]
    return [
        importlib.import_module(name) for name in names if "migrations" not in name and "__main__" not in name
    ]


def test_every_error_that_mipres_raises_on_purpose_has_one_root() -> None:
    errors = {
        value
        for module in _mipres_modules()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.__name__
    }
    assert len(errors) > 15
    assert {error for error in errors if not issubclass(error, MipresError)} == set()


def test_ports_are_protocols_and_nothing_else() -> None:
    own = [value for value in vars(ports).values() if getattr(value, "__module__", "") == ports.__name__]
    assert own
    assert all(getattr(value, "_is_protocol", False) for value in own)


def test_trail_lockouts_and_clock_are_built_in_one_place() -> None:
    """A process that builds them twice could seal, count or date in two ways."""
    built = re.compile(r"(?<!class )\b(PostgresAuditTrail|LoginLockouts|SystemClock|DatabaseClock)\(")
    places = [
        (path.name, match[1])
        for path in (ROOT / "worker.py", *(p for f in ("api", "mipres") for p in (ROOT / f).rglob("*.py")))
        for match in built.finditer(path.read_text())
    ]
    assert sorted(places) == [
        ("composition.py", "DatabaseClock"),
        ("composition.py", "LoginLockouts"),
        ("composition.py", "PostgresAuditTrail"),
    ]


def test_no_test_counts_its_patience_in_seconds_of_its_own() -> None:
    """What a quiet machine does in two seconds takes a loaded one thirty."""
    counted = re.compile(r"asyncio\.(timeout\(|wait_for\(.*, (timeout=)?)[\d.]+\)")
    found = [
        (str(path.relative_to(ROOT)), line.strip())
        for path in (ROOT / "tests").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if counted.search(line)
    ]
    assert found == []
