"""The documented copy of the embedded stack's data, and copies that are none."""

import os
import shutil
import subprocess
from pathlib import Path

import asyncpg
import pytest

from dev.data_directory import CLUSTER
from dev.postgres import THROWAWAY_PASSWORD, UNSAFE_BUT_FAST, embedded_postgres_server, start_postgres
from dev.probes import free_port
from dev.process import SILENT, LaunchError, supervisor_of
from tests.deployment.composed import ROOT

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root's data are elsewhere than in DATA_DIR")


async def write(data: Path) -> None:
    """Start the data's server, create the cluster if there is none, leave a row."""
    async with embedded_postgres_server(data / CLUSTER) as url:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""), ssl=False)
        await connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
        await connection.close()


async def read(data: Path) -> int:
    async with embedded_postgres_server(data / CLUSTER) as url:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""), ssl=False)
        answer: int = await connection.fetchval("SELECT answer FROM kept")
        await connection.close()
        return answer


async def refusal(data: Path) -> str:
    """What the launcher says instead of starting."""
    with pytest.raises(LaunchError) as refused:
        async with supervisor_of(SILENT) as supervisor:
            await start_postgres(
                supervisor,
                data / CLUSTER,
                port=free_port(),
                password=THROWAWAY_PASSWORD,
                options=UNSAFE_BUT_FAST,
            )
    return str(refused.value)


@pytest.fixture
def private_directory(tmp_path: Path) -> Path:
    """A directory where only its owner walks, as root's own are."""
    tmp_path.chmod(0o700)
    (tmp_path / "data").mkdir()
    return tmp_path


@pytest.fixture
async def data(private_directory: Path) -> Path:
    """DATA_DIR with a cluster that holds a row."""
    await write(private_directory / "data")
    return private_directory / "data"


def copy(source: Path, target: Path) -> None:
    """As docs/deployment.md says."""
    assert "cp -aL .data" in (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    subprocess.run(["cp", "-aL", str(source), str(target)], check=True)


def forget(data: Path) -> None:
    """Lose the data, those outside of DATA_DIR included."""
    elsewhere = (data / CLUSTER).resolve()
    shutil.rmtree(elsewhere if elsewhere.is_relative_to(data) else elsewhere.parent)
    shutil.rmtree(data)


async def test_the_documented_copy_comes_back_with_its_data(
    data: Path, open_directory: Path, tmp_path: Path
) -> None:
    place = open_directory / f"copy-of-{tmp_path.name}"
    copy(data, place)
    forget(data)
    assert await read(place) == 42


async def test_a_link_to_data_that_are_gone_is_refused_and_kept(private_directory: Path) -> None:
    """Beside lost data it must not begin again with none.

    Beside lost data it must not begin again with none.
    """
    link = private_directory / "data" / CLUSTER
    link.symlink_to(private_directory / "gone" / "data")
    line = await refusal(link.parent)
    assert "faltan los datos de PostgreSQL" in line
    assert "cp -aL" in line
    assert link.is_symlink()


@AS_ROOT
async def test_a_copy_where_its_account_cannot_walk_is_refused_in_one_line(
    data: Path, tmp_path: Path
) -> None:
    copy(data, tmp_path / "whole")
    forget(data)
    line = await refusal(tmp_path / "whole")
    assert "MIPRES_DATA_DIR" in line
    assert "\n" not in line
