from pathlib import Path
from typing import Any

import pytest

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
