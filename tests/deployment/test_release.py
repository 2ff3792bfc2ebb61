"""`make upgrade`, played, and what else the steps of deploy/kubernetes promise."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from dev.citizen import Citizen
from mipres.database.engine import alembic_config
from tests.deployment.cluster import Cluster, open_cluster
from tests.deployment.composed import ROOT
from tests.deployment.upgrade import NEW, OLD, Upgrade


@pytest.fixture
async def cluster(
    bare_temporal: str, databases: int, image_tree: Path, generated: dict[str, str], tmp_path: Path
) -> AsyncIterator[Cluster]:
    """A machine with an empty Temporal, databases, registries and mail."""
    async with open_cluster(
        temporal=bare_temporal,
        databases=databases,
        image_tree=image_tree,
        generated=generated,
        directory=tmp_path,
    ) as opened:
        yield opened


def without_times(text: str) -> list[str]:
    return [re.sub(r" +\d+\.\d s$", "", line) for line in text.splitlines()]


async def test_the_manifests_register_upgrade_drain_and_roll_back(cluster: Cluster) -> None:
    said: list[str] = []
    await Upgrade(cluster=cluster, say=said.append).play()
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- upgrade -->\n```\n")[2].partition("\n```\n<!-- /upgrade -->")[0]
    assert without_times(shown) == without_times("\n".join(said))


async def a_submission_waits_without_a_current_build(cluster: Cluster) -> None:
    """Show what the Job `current` is there for: a submission waits beside workers."""
    waiting = await cluster.submit(Citizen(number="70000005"))
    assert waiting.status_code == 202, waiting.text
    await cluster.job("current-0-1-0", OLD)
    await cluster.reaches(waiting.json()["radicado"], "awaiting_password")


async def test_the_build_before_is_made_current_and_goes_on_over_a_newer_schema(cluster: Cluster) -> None:
    cluster.addresses = {**cluster.addresses, "MIPRES_SUBMIT_WAIT_SECONDS": "1"}
    await cluster.job("temporal-setup-0-1-0", OLD)
    await cluster.job("migrate-0-1-0", OLD)
    worker = await cluster.start_worker(OLD)
    await cluster.start_api(OLD)
    await a_submission_waits_without_a_current_build(cluster)
    for_password = (await cluster.submit(Citizen(number="70000006"))).json()["radicado"]
    await cluster.reaches(for_password, "awaiting_password")
    await cluster.rethus("down")
    for_registry = (await cluster.submit(Citizen(number="70000007"))).json()["radicado"]
    await cluster.reaches(for_registry, "waiting_registry")

    newest = ScriptDirectory.from_config(alembic_config("")).get_current_head()
    await cluster.change_schema(
        "ALTER TABLE accounts ADD COLUMN of_tomorrow text", "UPDATE alembic_version SET version_num = '9999'"
    )
    warned = await cluster.run("migrate-0-1-0", OLD)
    assert (warned.returncode, "Advertencia" in warned.stderr) == (0, True), warned.stderr
    await cluster.rethus("up")
    after = (await cluster.submit(Citizen(number="70000008"))).json()["radicado"]
    for radicado in (for_password, for_registry, after):
        await cluster.reaches(radicado, "awaiting_password")

    # As the newer release leaves it, which then migrates again and finds its own revision.
    await cluster.change_schema(
        "ALTER TABLE accounts DROP COLUMN of_tomorrow", f"UPDATE alembic_version SET version_num = '{newest}'"
    )
    again = await cluster.run("migrate-0-2-0", NEW)
    assert (again.returncode, "Advertencia" in again.stderr) == (0, False), again.stderr
    # Down a version and up again, with registrations under way; what needs the newer schema waits meanwhile.
    config = alembic_config(cluster.secrets["owner-secrets"]["MIPRES_DATABASE_URL"])
    before, between = (Citizen(number=number) for number in ("70000009", "70000010"))
    await cluster.rethus("down")
    under_way = [(await cluster.submit(before)).json()["radicado"]]
    await cluster.reaches(under_way[0], "waiting_registry")
    await asyncio.to_thread(command.downgrade, config, "-1")
    under_way.append((await cluster.submit(between)).json()["radicado"])
    await cluster.rethus("up")
    await asyncio.to_thread(command.upgrade, config, "head")
    for radicado, citizen in zip(under_way, (before, between), strict=True):
        await cluster.reaches(radicado, "awaiting_password")
        await cluster.logs_in(citizen)
    await worker.stop()
