"""Prometheus watches a product to which seconds are minutes and hours.

The parts are the real ones: what shortens time is in hasty_api.py, hasty_worker.py and HASTY_TEMPORAL. While an alert
fires, the commands of its section in docs/operations.md show what the section says.
"""

import asyncio
import os
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import Client

from dev import temporal_server
from dev.process import Part
from mipres.domain.review import AT_LEAST_CLOSED
from mipres.domain.stages import Stage, WaitingOn
from mipres.temporal import names
from tests.deployment.watched import alerts
from tests.product.conftest import Product, running_product
from tests.product.prometheus import Prometheus, prometheus
from tests.product.run_book import OURS, play, query, run
from tests.product.storage import without_the_keys
from tests.product.test_watched_product import CAUSES

pytestmark = pytest.mark.one_of_each

MANY = 14
"""More than ten, up to which no budget burns, and than a worker asks for."""
BUILD = {"worker_deployment": "registro", "worker_build": "0.2.0"}
OTHER_KEYS = f"other:{b64encode(bytes(32)).decode()}"
# By default it counts to five, which takes a minute.
HASTY_TEMPORAL = {"system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": "2"}
LONG_IN_USE = """
WITH people AS (
  INSERT INTO accounts (id, document_type, document_number, login, given_names, surnames, email, password_hash)
  SELECT md5(i::text)::uuid, 'CC', (40000000 + i)::text, 'CC' || (40000000 + i), 'Ana', 'Rojas', 'p@ejemplo.test', 'hash'
  FROM generate_series(1, $1::int) i RETURNING id
)
INSERT INTO profiles (id, account_id, user_type, radicado, professional_registration, updated_at)
SELECT id, id, 'professional', 'RM-' || upper(substr(id::text, 1, 8)) || '0000', '76-1234', now() - interval '30 days'
FROM people
"""
OF_ANOTHER_BUILD = "of-another-build"
OF_A_BAD_DEPLOY = frozenset({"NoWorker", "StuckUnseen", "NoCurrentBuild"})
OF_ITS_END = frozenset({"RegistrationsGivenUp", "MailsBurnBudget"})
"""Alerts about waiting that is over."""
OF_LONG_WAITS = OF_ITS_END | {
    *("RegistrationStuckForHours", "QueueWaits", "BrokenCode", "StatusNotReadable", "AccessReviewStopped")
}
OF_FIGURES = frozenset({"RegistrationStuckForHours", "BrokenCode", "AccessReviewStopped"})
"""Those of them that end with their cause, and not some time after it."""
BLIND = frozenset({"ApiGone", "WorkerGone", "ProcessGone", "FiguresMissing"})
"""While one of these fires, silence of the others says nothing."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A product that is watched.

    Attributes:
        keyless_api: Address of the API that is watched, which has other payload keys than the rest.
    """

    product: Product
    watcher: Prometheus
    temporal: Client
    keyless_api: str


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    usual = temporal_server.DYNAMIC_CONFIG
    monkeypatch.setattr(temporal_server, "DYNAMIC_CONFIG", {**usual, **HASTY_TEMPORAL})
    async with running_product(submit_wait_seconds=2) as product:
        # For the commands of the product.
        monkeypatch.setenv("MIPRES_DATA_DIR", str(product.stack.data_dir))
        keyless = await product.stack.start_api(
            "api-keyless", "tests.product.hasty_api:app", payload_keys=OTHER_KEYS
        )
        async with prometheus(product, tmp_path, api_port=keyless) as watcher:
            yield Scene(
                product=product,
                watcher=watcher,
                temporal=await without_the_keys(product),
                keyless_api=f"http://127.0.0.1:{keyless}",
            )


async def silent(scene: Scene, *alerts: str) -> None:
    """Wait until none of these alerts fires, and Prometheus could see it."""
    await scene.watcher.until((BLIND | set(alerts)).isdisjoint)


async def found(scene: Scene, searched: str) -> list[str]:
    """The ids that a search finds."""
    return [one.id async for one in scene.temporal.list_workflows(searched)]


async def register(scene: Scene, count: int) -> None:
    """Have professionals submit and read "en proceso"."""
    people = [await scene.product.new_professional() for _ in range(count)]
    answers = await asyncio.gather(*map(scene.product.register_professional, people))
    assert {answer.status_code for answer in answers} == {202}


# ---- A deploy that goes wrong


async def temporal_forgets_the_workers_that_are_gone(scene: Scene) -> None:
    """It remembers for five minutes who asked a queue, and not beyond its own restart."""
    await scene.product.stack.crash("worker")
    await register(scene, 1)
    await scene.product.stack.crash("temporal")
    await scene.product.stack.restart("temporal")


async def a_build_starts_and_is_not_made_current(scene: Scene) -> None:
    stack = scene.product.stack
    await stack.supervisor.start(
        Part(
            name="build",
            command=(sys.executable, "-m", "tests.product.hasty_worker"),
            environment=stack.environment(BUILD),
            ready_line="worker listo",
        )
    )


async def a_bad_deploy(scene: Scene) -> None:
    """Alerts fire until the run book's command has made the build current."""
    product = scene.product
    workers = "temporal task-queue describe --task-queue registrations --legacy-mode"
    builds = "temporal worker deployment list"
    await silent(scene, *OF_A_BAD_DEPLOY)

    await temporal_forgets_the_workers_that_are_gone(scene)
    await scene.watcher.until_fired({"NoWorker", "StuckUnseen"})
    assert "worker@" not in await play(product, "NoWorker", workers)
    [waits] = await found(scene, query("StuckUnseen"))

    await a_build_starts_and_is_not_made_current(scene)
    await scene.watcher.until_fired({"NoCurrentBuild"})
    assert "worker@" in await play(product, "WorkerGone", workers)
    assert BUILD["worker_build"] not in await play(product, "NoCurrentBuild", builds)

    await play(product, "NoCurrentBuild", "python -m deploy.current_build", **BUILD)
    await product.reaches(names.reference_of(waits), Stage.AWAITING_PASSWORD)
    await silent(scene, *OF_A_BAD_DEPLOY)
    assert BUILD["worker_build"] in await play(product, "NoCurrentBuild", builds)


# ---- What takes minutes, hours or days


async def a_review_finds_too_many(scene: Scene) -> None:
    async with scene.product.stack.database() as connection:
        await connection.execute(LONG_IN_USE, AT_LEAST_CLOSED + 1)
    await scene.temporal.get_schedule_handle(names.ACCESS_REVIEW_ID).trigger()


async def a_registry_is_away(scene: Scene) -> None:
    await scene.product.set_registry("sso", mode="down")
    person = await scene.product.new_person()
    answer = await scene.product.register(user_type="social_service", document=person["document"])
    assert answer.status_code == 202


async def an_api_without_the_keys_is_asked(scene: Scene) -> None:
    [waits] = await found(scene, names.running_in(Stage.AWAITING_PASSWORD))
    status = f"{scene.keyless_api}/api/v1/registrations/{names.reference_of(waits)}"
    answer = await scene.product.api.get(status, headers=scene.product.headers)
    assert answer.status_code == 200, answer.text


async def another_build_has_left_a_workflow_of_its_own(scene: Scene) -> None:
    queue = names.REGISTRATIONS_QUEUE
    await scene.temporal.start_workflow("OfAnotherBuild", id=OF_ANOTHER_BUILD, task_queue=queue)


async def the_worker_stands_still_and_mail_is_down(scene: Scene) -> None:
    """Those whose answer waits for the worker wait for a mail afterwards."""
    await scene.product.mail.put("/_control", json={"mode": "down"})
    worker = scene.product.stack.supervisor.process_ids()["build"]
    os.kill(worker, signal.SIGSTOP)
    try:
        await register(scene, MANY)
    finally:
        os.kill(worker, signal.SIGCONT)


async def long_waits(scene: Scene) -> None:
    product = scene.product
    await silent(scene, *OF_LONG_WAITS)

    await a_review_finds_too_many(scene)
    await a_registry_is_away(scene)
    await an_api_without_the_keys_is_asked(scene)
    await another_build_has_left_a_workflow_of_its_own(scene)
    await the_worker_stands_still_and_mail_is_down(scene)
    await scene.watcher.until_fired(OF_LONG_WAITS - OF_ITS_END)
    assert await found(scene, names.BROKEN_CODE) == [OF_ANOTHER_BUILD]
    assert f"{MANY} registros atascados" in await play(product, "MailDown", f"{OURS}stuck --waiting-on mail")
    assert "espera SSO" in (await play(product, "RegistrationStuckForHours", f"{OURS}stuck")).splitlines()[1]

    [given_up] = await found(scene, names.waiting_for(WaitingOn.SSO))
    await run(
        product,
        f"temporal activity update-options --workflow-id {given_up} --activity-id consultar-sso"
        " --schedule-to-close-timeout 1s",
    )
    await product.mail.put("/_control", json={"mode": "up"})
    await run(product, f"{OURS}retry --waiting-on mail --jitter 1s --reason 'el correo volvió'")
    await run(product, f"{OURS}review abandon --reason 'el registro perdió datos'")
    await scene.temporal.get_workflow_handle(OF_ANOTHER_BUILD).terminate()
    await scene.watcher.until_fired(OF_ITS_END)
    assert await found(scene, names.GIVEN_UP) == [given_up]
    await silent(scene, *OF_FIGURES)


@pytest.mark.timeout(400)
async def test_long_waits_and_a_bad_deploy_make_alerts_fire_and_their_end_stops_them(scene: Scene) -> None:
    await a_bad_deploy(scene)
    await long_waits(scene)


def test_each_alert_is_caused() -> None:
    caused = frozenset[str]().union(*CAUSES.values(), OF_A_BAD_DEPLOY, OF_LONG_WAITS)
    assert caused == {rule["alert"] for rule in alerts()}
