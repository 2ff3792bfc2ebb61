"""Origins, as browsers send them."""

import pytest

from mipres.domain.origins import origin_of


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://registro.example/base?x=1", "https://registro.example"),
        ("https://Registro.EXAMPLE", "https://registro.example"),
        ("https://registro.example:443", "https://registro.example"),
        ("https://registro.example:", "https://registro.example"),
        ("https://registro.example:80", "https://registro.example:80"),
        ("http://LOCALHOST:0080/", "http://localhost"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000/x", "http://[::1]:8000"),
        ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(address: str, origin: str) -> None:
    assert origin_of(address) == origin
