"""Promises that no single module can keep alone."""

import re
import subprocess
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey

import activities
import workflows
from activities.catalog import catalog
from mipres.adapters import support_desk
from mipres.domain.outcomes import REFUSAL_MESSAGES, Outcome, OutcomeStatus, Refusal, Stage, message_of
from mipres.domain.support_words import STAGE_LABELS, WAITING_LABELS
from mipres.ports import Ports
from tests.fakes import (
    FakeAccounts,
    FakeClock,
    FakeComposer,
    FakeHealthTalentRegistry,
    FakeMailer,
    FakeRetention,
    FakeSocialSecurityRegistry,
    FakeSocialServiceRegistry,
)
from workflows import contract, steps
from workflows.registration import Registration

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
            composer=FakeComposer(),
            mailer=FakeMailer(),
            retention=FakeRetention(),
            clock=FakeClock(),
        )
    )
    named = [step for step in vars(steps).values() if isinstance(step, steps.Step)]
    assert len(named) > 10
    for step in named:
        own = step.queue == contract.REGISTRATIONS_QUEUE
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
    assert connecting == ["temporal.py"]


def test_no_tracked_file_names_a_package_registry() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        # A source archive without its history has nothing tracked to look at; the locks are still there.
        listed = subprocess.run(["ls"], cwd=ROOT, capture_output=True, text=True, check=True)
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


def test_support_calls_the_workflows_by_their_own_names() -> None:
    """The commands may not import the workflows, so they name them; the names must be theirs."""
    known = workflow._Definition.must_from_class(Registration)
    assert known.name == support_desk.REGISTRATION_TYPE
    assert {action.value for action in support_desk.Action} <= set(known.updates)
    keys: tuple[SearchAttributeKey[Any], ...] = (
        support_desk.REGISTRATION_STAGE,
        support_desk.USER_TYPE,
        support_desk.WAITING_ON,
        support_desk.STUCK_SINCE,
    )
    theirs = [(key.name, key.indexed_value_type) for key in contract.SEARCH_ATTRIBUTES]
    assert [(key.name, key.indexed_value_type) for key in keys] == theirs
    assert support_desk.ID_PREFIXES["RM"] + "RM-1" == contract.registration_workflow_id("RM-1")
    assert support_desk.ID_PREFIXES["RC"] + "RC-1" == contract.recovery_workflow_id("RC-1")
    waited_for = {step.waits_on for step in vars(steps).values() if isinstance(step, steps.Step)}
    assert set(support_desk.WAITED_FOR) == waited_for | {contract.MAIL_ADDRESS}
    assert set(support_desk.WAITED_FOR) == set(WAITING_LABELS)
    assert set(STAGE_LABELS) == set(Stage)
