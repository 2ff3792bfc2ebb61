"""Prometheus watches the real product.

Every panel has data. Real outages make alerts fire, and the end of those that kill no part stops them; the rules are
the shipped ones in haste (tests/product/prometheus.py).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from typer.testing import CliRunner

from mipres.cli.app import app
from mipres.domain.stages import WaitingOn
from mipres.temporal import names
from tests.deployment.watched import dashboard
from tests.patience import PATIENCE_SECONDS
from tests.product.conftest import Product, running_product
from tests.product.prometheus import Prometheus, prometheus
from tests.product.run_book import play
from tests.product.storage import with_the_keys, without_the_keys

pytestmark = pytest.mark.one_of_each

MANY = 12
"""More than the ten events below which no budget burns."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A product that is watched.

    Attributes:
        person: Somebody whose link waits for them.
    """

    product: Product
    watcher: Prometheus
    temporal: Client
    person: dict[str, Any]


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    async with running_product(submit_wait_seconds=2) as product, prometheus(product, tmp_path) as watcher:
        # For the commands of the product.
        monkeypatch.setenv("MIPRES_DATA_DIR", str(product.stack.data_dir))
        temporal = await without_the_keys(product)
        person = await product.new_professional()
        assert (await product.register_professional(person)).status_code == 201
        yield Scene(product=product, watcher=watcher, temporal=temporal, person=person)


async def regular_work(scene: Scene) -> None:
    """Purge, verify and back up."""
    await scene.temporal.get_schedule_handle(names.RETENTION_ID).trigger()
    verified = await asyncio.to_thread(CliRunner().invoke, app, ["audit", "--verify"])
    assert verified.exit_code == 0, verified.output
    async with scene.product.stack.database() as connection:
        # What deploy/backup/backup.sh does when it is done; tests/product/test_backup.py runs it whole.
        await connection.execute("INSERT INTO milestones (name, reached_at) VALUES ('backup', now())")


async def every_panel_has_data(watcher: Prometheus) -> None:
    asked = [
        (panel["title"], target["expr"]) for panel in dashboard()["panels"] for target in panel["targets"]
    ]
    empty: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while empty := [title for title, expr in asked if not await watcher.has_data(expr)]:
                await asyncio.sleep(0.2)
    except TimeoutError:
        pytest.fail(f"no data: {empty}")


async def registrations(scene: Scene, count: int) -> None:
    people = [await scene.product.new_professional() for _ in range(count)]
    for answer in await asyncio.gather(*(scene.product.register_professional(one) for one in people)):
        assert answer.status_code in {201, 202, 503}, answer.text


async def nothing_was_done_yet(_scene: Scene) -> None:
    """A product that was never purged, backed up or verified."""


async def mails_are_rejected_and_then_none_is_taken(scene: Scene) -> None:
    await scene.product.mail.put("/_control", json={"mode": "reject"})
    await registrations(scene, 4)

    async def rejected() -> bool:
        worker = await scene.product.metrics("worker")
        return worker.total("mipres_mail_failures_total", kind="address_rejected") >= 4

    await scene.product.eventually(rejected)
    await scene.product.mail.put("/_control", json={"mode": "down"})
    await registrations(scene, 1)


async def a_registry_is_away(scene: Scene) -> None:
    await scene.product.set_registry("sso", mode="down")
    people = [await scene.product.new_person() for _ in range(MANY)]
    register = partial(scene.product.register, user_type="social_service")
    answers = await asyncio.gather(*(register(document=one["document"]) for one in people))
    assert {answer.status_code for answer in answers} == {202}


async def a_stranger_writes_into_temporal(scene: Scene) -> None:
    await scene.temporal.start_workflow(
        "Registration",
        "nothing that the product wrote",
        id=names.registration_workflow_id("RM-SSSSSSSSSSSS"),
        task_queue=names.REGISTRATIONS_QUEUE,
    )


async def the_database_takes_no_changes(scene: Scene) -> None:
    async with scene.product.stack.database() as connection:
        await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await connection.execute("SELECT pg_reload_conf()")
    await registrations(scene, 1)


async def database_and_worker_are_killed(scene: Scene) -> None:
    async with scene.product.browser() as visitor:
        assert (await visitor.get(await scene.product.link_for(scene.person))).is_success
        await scene.product.stack.crash("postgres")
        await scene.product.stack.crash("worker")
        for _ in range(MANY):
            assert (await visitor.get("/contrasena")).status_code == 503
    await registrations(scene, 1)


async def temporal_is_killed(scene: Scene) -> None:
    await scene.product.stack.crash("temporal")
    await registrations(scene, 1)


async def the_api_is_killed(scene: Scene) -> None:
    await scene.product.stack.crash("api")


async def what_lives_is_mended(scene: Scene) -> None:
    async with scene.product.stack.database() as connection:
        await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await connection.execute("SELECT pg_reload_conf()")
    await scene.product.set_registry("sso", mode="up")
    await scene.product.mail.put("/_control", json={"mode": "up"})
    # Each tries again within five minutes by itself.
    for waiting_on in ("sso", "mail", "database"):
        words = ["retry", "--waiting-on", waiting_on, "--jitter", "1s", "--reason", f"{waiting_on} volvió"]
        retried = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert retried.exit_code == 0, retried.output


# ---- What the run book says that one sees meanwhile


async def the_server_says_why_it_refuses_addresses(scene: Scene) -> None:
    support = await with_the_keys(scene.product)
    refused = [one async for one in support.list_workflows(names.waiting_for(WaitingOn.MAIL_ADDRESS))]
    history = await support.get_workflow_handle(refused[0].id).fetch_history()
    failed = [one.activity_task_failed_event_attributes for one in history.events]
    errors = [
        await support.data_converter.decode_failure(one.failure) for one in failed if one.HasField("failure")
    ]
    assert any("no admitió el destinatario (RCPT: 550 5.1.1)" in str(error) for error in errors)


async def the_trail_names_a_stranger(scene: Scene) -> None:
    async def is_named() -> bool:
        shown = await play(scene.product, "PayloadsRefused", "python -m mipres.cli audit")
        return "Dato ajeno rechazado en Temporal" in shown

    await scene.product.eventually(is_named)


async def the_pending_step_has_the_databases_code(scene: Scene) -> None:
    support = await with_the_keys(scene.product)
    [waits] = [one async for one in support.list_workflows(names.waiting_for(WaitingOn.DATABASE))]
    described = await support.get_workflow_handle(waits.id).describe()
    [pending] = described.raw_description.pending_activities
    assert "SQLSTATE 25006" in str(await support.data_converter.decode_failure(pending.last_failure))


SEEN: dict[Callable[[Scene], Awaitable[None]], Callable[[Scene], Awaitable[None]]] = {
    mails_are_rejected_and_then_none_is_taken: the_server_says_why_it_refuses_addresses,
    a_stranger_writes_into_temporal: the_trail_names_a_stranger,
    the_database_takes_no_changes: the_pending_step_has_the_databases_code,
}


CAUSES: dict[Callable[[Scene], Awaitable[None]], frozenset[str]] = {
    nothing_was_done_yet: frozenset({"Watchdog", "RetentionFailing", "BackupOld", "AuditNotVerified"}),
    mails_are_rejected_and_then_none_is_taken: frozenset({"MailAddressesRejected", "MailDown"}),
    a_registry_is_away: frozenset({"RegistryDown", "AnswersTooLate", "AnswersBurnBudget"}),
    a_stranger_writes_into_temporal: frozenset({"PayloadsRefused"}),
    the_database_takes_no_changes: frozenset({"DatabaseUnfit", "DatabaseDown"}),
    database_and_worker_are_killed: frozenset(
        {"DatabaseUnanswered", "ServerErrors", "PagesBurnBudget"}
        | {"WorkerGone", "ProcessGone", "NothingAdvances", "BacklogTooOld"}
    ),
    temporal_is_killed: frozenset({"TemporalDown", "SubmissionsNotAccepted"}),
    the_api_is_killed: frozenset({"ApiGone", "FiguresMissing"}),
}
"""What is done, and the alerts that it alone makes fire."""
# Those of one wave have nothing to do with each other.
MENDED_WAVES = (
    (mails_are_rejected_and_then_none_is_taken, a_registry_is_away, a_stranger_writes_into_temporal),
    (the_database_takes_no_changes,),
)
# The parts that die stay dead: that the alerts about them are silent while all live is seen before.
LAST_WAVES = ((database_and_worker_are_killed,), (temporal_is_killed,), (the_api_is_killed,))


async def cause_each(scene: Scene, waves: Iterable[Sequence[Callable[[Scene], Awaitable[None]]]]) -> None:
    for wave in waves:
        expected = frozenset[str]().union(*(CAUSES[cause] for cause in wave))
        # While Temporal is sought, a figure may come later than this haste waits for it.
        await scene.watcher.until(expected.isdisjoint)
        for cause in wave:
            await cause(scene)
        await scene.watcher.until_fired(expected)
        for cause in wave:
            if cause in SEEN:
                await SEEN[cause](scene)


async def test_every_panel_has_data_and_outages_make_alerts_fire_and_stop(scene: Scene) -> None:
    watcher = scene.watcher
    await nothing_was_done_yet(scene)
    await watcher.until_fired(CAUSES[nothing_was_done_yet])
    await regular_work(scene)
    await scene.product.complete(await scene.product.new_professional())
    await watcher.until({"Watchdog"}.__eq__)
    await cause_each(scene, MENDED_WAVES)
    await what_lives_is_mended(scene)
    await watcher.until({"Watchdog"}.__eq__)
    await every_panel_has_data(watcher)
    await cause_each(scene, LAST_WAVES)
