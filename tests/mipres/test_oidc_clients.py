"""The file of the applications, while a process reads it."""

import json
from pathlib import Path
from typing import Literal

import pytest

from mipres import composition
from mipres.domain.clients import UnusableClientError, secret_hash
from mipres.settings.model import Settings
from mipres.settings.names import DEVELOPMENT_CLIENT_SECRET
from tests.oidc.conftest import entry


def written(path: Path, secret: str, name: str) -> None:
    text = json.dumps([entry(client_secret_hash=secret_hash(secret), client_name=name)])
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("environment", "name"), [("production", "Historia clínica"), ("development", "Otra aplicación")]
)
def test_a_changed_file_with_the_development_secret_counts_in_development_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: Literal["development", "production"],
    name: str,
) -> None:
    path = tmp_path / "clients.json"
    monkeypatch.setenv("MIPRES_OIDC_CLIENTS_FILE", str(path))
    written(path, "a-secret-of-its-own", "Historia clínica")
    clients = composition.build_clients(Settings.model_construct(environment=environment))
    assert clients["app"].client_name == "Historia clínica"
    written(path, DEVELOPMENT_CLIENT_SECRET, "Otra aplicación")
    assert clients["app"].client_name == name


def test_production_begins_with_no_such_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clients.json"
    monkeypatch.setenv("MIPRES_OIDC_CLIENTS_FILE", str(path))
    written(path, DEVELOPMENT_CLIENT_SECRET, "Historia clínica")
    clients = composition.build_clients(Settings.model_construct(environment="production"))
    with pytest.raises(UnusableClientError, match="client_secret_hash"):
        dict(clients)
