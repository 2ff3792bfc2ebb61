import pytest

from mipres.domain.addresses import ascii_domain, is_usable, usable_address


@pytest.mark.parametrize(
    "text",
    [
        "ana@x.co",
        " ana@x.co ",
        "ana@x.co\u200b",
        "\ufeffana@x.co\t",
        "ana@x.co; ANA@x.co",
        "ana@x.co, ana@",
        "@x, ana@x.co",
        "ana@x.co;",
    ],
)
def test_the_one_usable_address_is_read(text: str) -> None:
    assert usable_address(text) == "ana@x.co"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "no tiene", "ana", "ana@x", "@x.co", "ana@@x.co", "ana@x..co",
        "ana@x.co; otra@x.co", "ana@x.co otra@x.co",
        "ana, ruiz@x.co", "ana ruiz@x.co", "no; ruiz@x.co",
        "ana@x.co\x00", "ana@x.co\r\nBcc: otra@x.co", "<ana@x.co>",
        "a" * 65 + "@x.co", "ana@" + "x" * 64 + ".co", "ana@" + "x." * 150 + "co",
    ],
)  # fmt: skip
def test_where_no_address_is_certain_none_is_read(text: str) -> None:
    assert usable_address(text) is None


def test_addresses_in_other_scripts_are_usable() -> None:
    assert is_usable("ana.maría@clínica.co")
    assert ascii_domain("clínica.co") == "xn--clnica-4va.co"
