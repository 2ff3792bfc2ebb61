import pytest

from mipres.domain.devices import UNKNOWN_DEVICE, device_of

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome en Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge en Windows"),
        (f"Mozilla/5.0 (Linux; Android 15; SM-S921B) {WEBKIT} SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36", "Samsung Internet en Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox en Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/140.0 Mobile/15E148 Safari/604.1", "Chrome en iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15", "Safari en Mac"),
        ("Mozilla/5.0 (Windows NT 10.0)", "Windows"),
        ("python-httpx/1.0", UNKNOWN_DEVICE),
        ("", UNKNOWN_DEVICE),
        ("<script>\x00\ud800", UNKNOWN_DEVICE),
    ],
)  # fmt: skip
def test_a_device_is_told_without_its_versions(user_agent: str, device: str) -> None:
    assert device_of(user_agent) == device
