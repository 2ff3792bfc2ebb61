from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.bare_temporal import bare_temporal_server
from tests.deployment.cluster import created_databases
from tests.deployment.composed import make_env, read_env, services
from tests.deployment.image import build_tree


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The values that deploy/make-env.sh writes."""
    path = tmp_path_factory.mktemp("env") / ".env"
    assert make_env(path).returncode == 0
    return read_env(path)


@pytest.fixture
def composed(generated: dict[str, str]) -> dict[str, Any]:
    """Compose's services with the generated values."""
    return services(generated)


@pytest.fixture(scope="session")
def image_tree(open_directory: Path) -> Path:
    """What the image holds at its working directory."""
    return build_tree(open_directory / "image")


@pytest.fixture(scope="session")
async def databases(open_directory: Path, generated: dict[str, str]) -> AsyncIterator[int]:
    """Port of a server on which create-databases.sh ran as in the image."""
    async with created_databases(open_directory / "compose-postgres", generated) as port:
        yield port


@pytest.fixture
async def bare_temporal(tmp_path: Path) -> AsyncIterator[str]:
    """Address of a server of the test's own, as a new cluster is."""
    async with bare_temporal_server(tmp_path) as address:
        yield address
