import socket
from ipaddress import ip_address

import pytest

from mipres.settings.loading import load_settings
from mipres.telemetry import MetricsPortTakenError, runtime_with_metrics


@pytest.mark.parametrize(("host", "written"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_a_taken_port_is_told_in_one_line_that_names_the_settings(host: str, written: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(MetricsPortTakenError) as caught:
            runtime_with_metrics(ip_address(host), port)
    assert f"{written}:{port} (MIPRES_METRICS_HOST, MIPRES_METRICS_PORT)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_short_key_of_the_metrics_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "SECRET_KEY": "s",
        "PAYLOAD_KEYS": "k:" + "A" * 43 + "=",
        "METRICS_KEY": "corta",
    }.items():
        monkeypatch.setenv(f"MIPRES_{name}", value)
    monkeypatch.setenv("MIPRES_DATABASE_URL", "postgresql+asyncpg://a@b/c")
    with pytest.raises(SystemExit):
        load_settings()
    assert capsys.readouterr().err.startswith("MIPRES_METRICS_KEY: use al menos 32 caracteres")
