"""Small and fetched once: what slow lines need."""

import re
from http import HTTPStatus
from urllib.parse import urljoin

import httpx2
import pytest

from mipres.domain import divipola
from tests.api.conftest import OpenClient

FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture
async def client(open_client: OpenClient) -> httpx2.AsyncClient:
    return await open_client()


async def test_every_static_file_of_a_page_is_kept_for_ever(client: httpx2.AsyncClient) -> None:
    page = await client.get("/registro/delegado")
    addresses = set(re.findall(r'/static/[^"]+', page.text))
    [sheet] = (address for address in addresses if "/css/" in address)
    named = re.findall(r'url\("(\.\./[^"]+)"\)', (await client.get(sheet)).text)
    assert len(named) > 1
    addresses |= {urljoin(sheet, address) for address in named}
    for address in addresses:
        answer = await client.get(address)
        assert (answer.status_code, answer.headers["cache-control"]) == (HTTPStatus.OK, FOR_EVER), address
        again = await client.get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.headers["cache-control"]) == (HTTPStatus.NOT_MODIFIED, FOR_EVER)


@pytest.mark.parametrize("query", ["", "?v=000000000000", "?v=", "?v=a&v=b", "?x=1"])
async def test_an_address_that_does_not_name_the_content_is_not_kept(
    client: httpx2.AsyncClient, query: str
) -> None:
    page = await client.get("/registro/delegado")
    [path, *_] = re.findall(r"/static/[^?\"]+", page.text)
    assert (await client.get(path + query)).headers["cache-control"] == "no-store"


async def test_the_municipalities_are_a_file_of_their_own(client: httpx2.AsyncClient) -> None:
    page = await client.get("/registro/delegado")
    assert len(re.findall(r"<option", page.text)) < 100
    [address] = re.findall(r'data-source="([^"]+)"', page.text)
    lists = (await client.get(address)).json()
    # To renew the file after a change of DIVIPOLA: json.dumps(expected, ensure_ascii=False, separators=(",", ":"))
    expected = {
        department.code: [[item.code, item.name] for item in divipola.municipalities(department.code)]
        for department in divipola.departments()
    }
    assert lists == expected
    assert sum(map(len, lists.values())) == 1_122


async def test_a_missing_file_is_not_kept(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/static/css/none.css?v=000000000000")
    assert (answer.status_code, answer.headers["cache-control"]) == (HTTPStatus.NOT_FOUND, "no-store")


async def test_a_long_page_is_sent_small(client: httpx2.AsyncClient) -> None:
    page = await client.get("/registro/delegado", headers={"Accept-Encoding": "gzip"})
    assert page.headers["content-encoding"] == "gzip"
    assert int(page.headers["content-length"]) < len(page.content) / 3
    plain = await client.get("/registro/delegado", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["vary"]
