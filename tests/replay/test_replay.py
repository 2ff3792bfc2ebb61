"""Every stored history replays, and a change of the code's decisions is noticed.

A red test here means that registrations under way would stop after a deploy. Do not record the histories
again: follow docs/versioning-workflows.md.
"""

from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner

from mipres.domain.stages import Stage
from mipres.temporal.trust import TrustedPayloads
from mipres.tracing import tracing_through
from tests.replay.stored import HISTORIES as FOLDER
from tests.replay.stored import replayer, stored
from workflows import contract
from workflows.registration import Registration

HISTORIES = sorted(FOLDER.glob("*.json"))
# Each path of a registration is stored twice: as it was before the checks became one local activity, and since.
PATHS_OF_REGISTRATIONS = {
    "completed",
    "updated",
    "refused-not-in-miseguridadsocial",
    "refused-not-in-rethus",
    "refused-sanctioned",
    "refused-profession",
    "refused-noted-later",
    "refused-delegate",
    "refused-sso",
    "refused-other",
    "awaiting-delegate",
    "awaiting-provider",
    "awaiting-social-service",
    "awaiting-other",
    "recovered-from-outage",
    "retried-now",
    "delayed",
    "given-up",
    "mail-was-down",
    "address-corrected",
    "expired",
    "signal-lost",
    "mistaken-signal",
    "resent",
    "joined",
    "cancelled",
    "cancelled-while-waiting",
    "cancelled-by-temporal",
    "refused-by-mail",
}
PATHS = {
    "corrected-between-links-fast",
    "watched-then-registered-fast",
    "watched-in-vain-fast",
    "watching-ended-up-fast",
    "watching-ended-down-fast",
    "watch-ended-unanswered-fast",
    "watch-extended-fast",
    *PATHS_OF_REGISTRATIONS,
    *(f"{name}-fast" for name in PATHS_OF_REGISTRATIONS),
    "refused-erased-fast",
    "next-registry-in-turn-fast",
    "registry-wait-handed-on-fast",
    "registry-wait-taken-over-fast",
    "cancelled-mailed-fast",
    "cancelled-mailed-apart-fast",
    "held-link-replaced-fast",
    "held-reminder-left-fast",
    "watched-person-gone-fast",
    "watched-person-gone-untold-fast",
    "person-asked-again-fast",
    "person-not-asked-again-fast",
    "asked-while-expiring-fast",
    "confirmed-where-no-link-is-sent-fast",
    "looked-at-before-handing-on-fast",
    "watch-looked-at-before-handing-on-fast",
    "recovery-signal-lost",
    "recovery-asked-at-the-end",
    "recovery-unknown",
    "recovery-used",
    "recovery-unused",
    "recovery-asked-twice",
    "recovery-address-changed",
    "recovery-address-stopped",
    "updated-address-waits-fast",
    "lock-notice",
    "retention",
    "access-notices",
    "access-review",
    "access-review-abandoned",
    "access-review-went-on",
    "access-review-guard-for-one",
    "factor-reset",
    "factor-reset-stopped",
    "factor-reset-given-up",
}


def test_every_path_has_a_stored_history() -> None:
    assert {path.stem for path in HISTORIES} >= PATHS


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_stored_history_replays(path: Path) -> None:
    await replayer().replay_workflow(stored(path))


@workflow.defn(name="Registration")
class RegistrationThatSkipsTheChecks(Registration):
    """The same workflow, but it decides otherwise: what a careless change looks like."""

    @workflow.init
    def __init__(self, request: contract.RegistrationRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, _request: contract.RegistrationRequest) -> contract.RegistrationStatus:
        self._enter(Stage.EXPIRED)
        return self.status()


@pytest.mark.parametrize("name", ["completed", "recovered-from-outage", "expired", "resent"])
async def test_a_changed_workflow_is_noticed(name: str) -> None:
    # The sandbox would import this module again, with pytest and all that it pulls in.
    changed = replayer(
        workflows=[RegistrationThatSkipsTheChecks], workflow_runner=UnsandboxedWorkflowRunner()
    )
    with pytest.raises(workflow.NondeterminismError):
        await changed.replay_workflow(stored(FOLDER / f"{name}.json"))


def test_stored_histories_hold_nothing_readable_of_a_person() -> None:
    for path in HISTORIES:
        text = path.read_text()
        for canary in ("1020304050", "Ruiz", "ana.ruiz", "QW5hIE1hcs"):
            assert canary not in text, (path.name, canary)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_tracing_changes_nothing_in_a_replay(path: Path) -> None:
    tracing = tracing_through(InMemorySpanExporter(), service="replay")
    traced = replayer(interceptors=[tracing.interceptor(), TrustedPayloads()])
    await traced.replay_workflow(stored(path))
    tracing.close()
