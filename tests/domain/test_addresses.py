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
        "ana@x.co/",
        "ana@x.co |",
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
        "ana@x.co'", "ana@x.co*", "ana@-x.co", "ana@x.co-", "ana@x_y.co", "ana@x.co?subject=a", "ana@10.0.0.1",
        "ana@x.co\uff20y.co", "ana@x\uff1e.co", "ana@x\u2100.co", "ana@straße.de", "ana@ςx.co",
        "a" * 65 + "@x.co", "ana@" + "x" * 64 + ".co", "ana@" + "x." * 150 + "co",
    ],
)  # fmt: skip
def test_where_no_address_is_certain_none_is_read(text: str) -> None:
    assert usable_address(text) is None


def test_addresses_in_other_scripts_are_usable() -> None:
    assert is_usable("ana.maría@clínica.co")
    assert ascii_domain("clínica.co") == "xn--clnica-4va.co"


@pytest.mark.parametrize(
    "address",
    ["ANA+mipres@X.CO", "o'byrne@x-y.co", "ana@1.2x.co", "ana@163.com", "ana@x.xn--p1ai", "ana@ñ.com.co"],
)
def test_what_a_mail_can_be_sent_to_is_usable(address: str) -> None:
    assert usable_address(address) == address
