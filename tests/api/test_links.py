"""Links as mail programs hand them on: with signs of their own around them."""

from urllib.parse import quote

import pytest

from tests.api.conftest import OpenClient

TOKEN = "2ITnQdZNQLKwYFg27bBKkLEbiCEJbsS9mySKS2T7vl19mMk20Q"
ADDED = ["\u200b", "\u2026", "\u201d.", "\u2069\u200f", "\ufeff", "\U0001f600", "\u202e", "\ud800"]


@pytest.mark.parametrize(("address", "cookie"), [("/contrasena", "enlace"), ("/no-fui-yo", "cambio")])
async def test_a_sign_that_no_cookie_carries_is_left_out(
    open_client: OpenClient, address: str, cookie: str
) -> None:
    client = await open_client()
    links = [(TOKEN + sign, TOKEN + sign.encode("ascii", "ignore").decode()) for sign in ADDED]
    links.append((f"{TOKEN[:20]}\u2060{TOKEN[20:]}", TOKEN))
    for link, token in links:
        answer = await client.get(f"{address}/{quote(link, errors='surrogatepass')}", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, address)
        assert f"mipres_{cookie}={token};" in answer.headers["set-cookie"].replace('"', "")


@pytest.mark.parametrize(
    "written", ["RM-0123456789AB.", "rm-0123456789ab", "RM\u20110123456789AB\u200b", "rmol23456789ab>"]
)
async def test_the_address_of_a_status_page_is_read_as_people_copy_it(
    open_client: OpenClient, written: str
) -> None:
    client = await open_client()
    answer = await client.get(f"/registro/estado/{quote(written)}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/registro/estado/RM-0123456789AB")
    other = await client.get("/registro/estado/RM-0123456789AU")
    assert other.status_code == 404
