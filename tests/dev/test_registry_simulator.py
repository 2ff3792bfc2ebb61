import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

import httpx2
import pytest
from pydantic import TypeAdapter, ValidationError

from dev.registry_simulator.app import Simulator, create_app
from dev.registry_simulator.calls import CallBook
from dev.registry_simulator.modes import GARBAGE, Registry
from dev.registry_simulator.people import DelegateAnswer, PersonAnswer, Placement, RethusEntry
from tests.patience import PATIENCE_SECONDS

PERSON = "/miseguridadsocial/personas/CC/1020304050"
RETHUS = "/rethus/profesionales/CC/1020304050"
SSO = "/sso/plazas/CC/1020304070"
NEW_PERSON: dict[str, Any] = {
    "document": {"type": "CC", "number": "555"},
    "given_names": "Inés",
    "surnames": "O'Ñate",
    "email": "ines@ejemplo.test",
}


def connect(simulator: Simulator) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=create_app(simulator))
    return httpx2.AsyncClient(transport=transport, base_url="http://simulator")


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with connect(Simulator(randomness=random.Random(7))) as client:
        yield client


async def test_a_person_is_found_by_document(client: httpx2.AsyncClient) -> None:
    answer = await client.get(PERSON)

    assert answer.json() == {
        "type": "CC",
        "number": "1020304050",
        "given_names": "Ana María",
        "surnames": "Ruiz Gómez",
        "email": "ana.ruiz@ejemplo.test",
    }


@pytest.mark.parametrize(
    "path",
    [
        "/miseguridadsocial/personas/CC/1099999999",
        "/miseguridadsocial/personas/CE/1020304050",
        "/rethus/profesionales/CC/1020304056",
        "/sso/plazas/CC/1020304073",
    ],
)
async def test_who_is_not_registered_is_a_404(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.json()) == (
        404,
        {"code": "not_found", "detail": "No se encuentra registrado"},
    )


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("800200300/delegados/CC/1020304081?kind=EPS", 200),
        ("800200300/delegados/CC/1020304081?kind=EPS&regime=CONTRIBUTIVO", 200),
        ("800200300/delegados/CC/1020304081?kind=EPS&regime=SUBSIDIADO", 404),
        ("800200300/delegados/CC/1020304081?kind=IPS", 404),
        ("900123456/delegados/CC/1020304081?kind=EPS", 404),
        ("900123456/delegados/CC/1020304084?kind=IPS", 200),
        ("901500600/delegados/CC/1020304084?kind=PROVIDER", 200),
        ("900123456/delegados/CC/1020304080", 422),
    ],
)
async def test_a_delegate_is_found_by_entity_kind_and_regime(
    client: httpx2.AsyncClient, query: str, status: int
) -> None:
    assert (await client.get(f"/miseguridadsocial/entidades/{query}")).status_code == status


async def test_a_delegate_comes_with_the_entity(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/miseguridadsocial/entidades/900123456/delegados/CC/1020304080?kind=IPS")

    body = answer.json()
    assert set(body) == {"nit", "name", "kind", "regime", "delegate"}
    assert (body["nit"], body["regime"], body["delegate"]["number"]) == ("900123456", None, "1020304080")


@pytest.mark.parametrize(
    ("number", "place", "status"),
    [
        ("1020304090", "departamento=11&municipio=11001", 200),
        ("1020304090", "departamento=05&municipio=05001", 404),
        ("1020304050", "departamento=11&municipio=11001", 404),
        ("1020304090", "departamento=11", 422),
    ],
)
async def test_a_natural_provider_is_found_in_their_municipality(
    client: httpx2.AsyncClient, number: str, place: str, status: int
) -> None:
    answer = await client.get(f"/miseguridadsocial/proveedores/CC/{number}?{place}")

    assert answer.status_code == status


async def test_rethus_and_sso_answer_in_their_shapes(client: httpx2.AsyncClient) -> None:
    sanctioned = (await client.get("/rethus/profesionales/CC/1020304059")).json()
    placement = (await client.get(SSO)).json()

    assert set(sanctioned["professions"][0]) == {"code", "name", "registration"}
    assert set(sanctioned["sanctions"][0]) == {"authority", "kind", "start", "end"}
    assert sanctioned["sanctions"][0]["end"] is None
    assert set(placement) == {"profession", "site_code", "site_name", "municipality", "start", "end"}


@pytest.mark.parametrize(("mode", "status"), [("error", 500), ("down", 503)])
async def test_a_failing_registry_leaves_the_others_alone(
    client: httpx2.AsyncClient, mode: str, status: int
) -> None:
    await client.put("/_control/rethus", json={"mode": mode})

    answers = [(await client.get(path)).status_code for path in (PERSON, RETHUS, SSO)]

    assert answers == [200, status, 200]


async def test_garbage_is_a_200_that_no_registry_would_answer(client: httpx2.AsyncClient) -> None:
    await client.put("/_control/miseguridadsocial", json={"mode": "garbage"})
    right: TypeAdapter[Any] = TypeAdapter(PersonAnswer | DelegateAnswer | RethusEntry | Placement)

    answers = [await client.get(PERSON) for _ in GARBAGE]

    assert len({answer.content for answer in answers}) == len(GARBAGE)
    for answer in answers:
        assert answer.status_code == 200
        with pytest.raises(ValidationError):
            right.validate_json(answer.content)


async def test_a_flaky_registry_fails_half_of_the_time_unless_told(client: httpx2.AsyncClient) -> None:
    await client.put("/_control/rethus", json={"mode": "flaky"})
    default = [(await client.get(RETHUS)).status_code for _ in range(200)]
    await client.put("/_control/rethus", json={"mode": "flaky", "failure_rate": 1})
    always = [(await client.get(RETHUS)).status_code for _ in range(20)]

    assert 70 <= default.count(200) <= 130
    assert set(always) == {503}


@pytest.mark.parametrize(("mode", "status"), [("up", 200), ("slow", 200), ("error", 500)])
async def test_latency_applies_to_every_mode_that_answers(
    client: httpx2.AsyncClient, mode: str, status: int
) -> None:
    await client.put("/_control/rethus", json={"mode": mode, "latency_ms": 60})

    before = time.monotonic()
    answer = await client.get(RETHUS)

    assert answer.status_code == status
    assert time.monotonic() - before >= 0.06


async def test_a_held_call_is_answered_once_the_registry_is_released(client: httpx2.AsyncClient) -> None:
    await client.put("/_control/rethus", json={"mode": "held"})
    call = asyncio.create_task(client.get(RETHUS))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (await client.get("/_control/calls")).json()["rethus"]:
            await asyncio.sleep(0)
        assert (await client.get(PERSON)).status_code == 200
        assert not call.done()
        await client.put("/_control/rethus", json={"mode": "up"})
        assert (await call).status_code == 200


@pytest.mark.parametrize("mode", ["slow", "held"])
async def test_a_late_call_ends_when_the_simulator_does(mode: str) -> None:
    waiting = asyncio.Event()

    class Stopping(asyncio.Event):
        async def wait(self) -> Literal[True]:
            waiting.set()
            return await super().wait()

    stopping = Stopping()
    async with connect(Simulator(stopping=stopping)) as client, asyncio.timeout(PATIENCE_SECONDS):
        await client.put("/_control/rethus", json={"mode": mode})
        call = asyncio.create_task(client.get(RETHUS))
        await waiting.wait()
        stopping.set()

        assert (await call).status_code == 503


async def test_a_partial_put_resets_what_it_does_not_name(client: httpx2.AsyncClient) -> None:
    await client.put("/_control/sso", json={"mode": "flaky", "latency_ms": 5, "failure_rate": 0.3})
    assert (await client.get("/_control")).json()["sso"] == {
        "mode": "flaky",
        "latency_ms": 5,
        "failure_rate": 0.3,
    }

    await client.put("/_control/sso", json={"latency_ms": 1})

    assert (await client.get("/_control")).json()["sso"] == {
        "mode": "up",
        "latency_ms": 1,
        "failure_rate": 0.0,
    }


@pytest.mark.parametrize(
    ("registry", "body"),
    [
        ("rethus", {"mode": "asleep"}),
        ("rethus", {"latency_ms": -1}),
        ("rethus", {"failure_rate": 1.5}),
        ("rethus", {"modo": "up"}),
        ("adres", {"mode": "up"}),
    ],
)
async def test_a_wrong_control_is_refused(client: httpx2.AsyncClient, registry: str, body: object) -> None:
    assert (await client.put(f"/_control/{registry}", json=body)).status_code == 422


async def test_added_people_are_found_and_replace_the_seeded(client: httpx2.AsyncClient) -> None:
    seeded_again = {
        **NEW_PERSON,
        "document": {"type": "CC", "number": "1020304050"},
        "provider_in": {"department": "11", "municipality": "11001"},
    }

    answer = await client.post("/_control/people", json=[NEW_PERSON, seeded_again])

    assert answer.json() == {"saved": 2}
    assert (await client.get("/miseguridadsocial/personas/CC/555")).json()["surnames"] == "O'Ñate"
    assert (await client.get(PERSON)).json()["given_names"] == "Inés"
    assert (await client.get(RETHUS)).status_code == 404
    listed = (await client.get("/_control/people")).json()
    assert [person["given_names"] for person in listed if person["document"]["number"] == "1020304050"] == [
        "Inés"
    ]


async def test_listed_people_can_be_posted_again(client: httpx2.AsyncClient) -> None:
    everyone = (await client.get("/_control/people")).json()

    assert (await client.post("/_control/people", json=everyone)).json() == {"saved": len(everyone)}
    assert (await client.get("/_control/people")).json() == everyone


@pytest.mark.parametrize(
    "change",
    [
        {"document": {"type": "TI", "number": "555"}},
        {"document": {"type": "CC", "number": "5 5"}},
        {"given_names": ""},
        {"nickname": "Nené"},
        {"rethus": {"professions": []}},
        {"rethus": {"professions": [{"code": "P07", "name": "Medicina"}]}},
        {"delegate_of": [{"nit": "9001234561", "name": "X", "kind": "IPS", "regime": None}]},
        {"delegate_of": [{"nit": "900123456", "name": "X", "kind": "EPS", "regime": None}]},
        {"delegate_of": [{"nit": "900123456", "name": "X", "kind": "IPS", "regime": "SUBSIDIADO"}]},
        {"provider_in": {"department": "11", "municipality": "05001"}},
        {
            "sso": {
                "profession": "Medicina",
                "site_code": "1",
                "site_name": "X",
                "municipality": "94001",
                "start": "2026-02-02",
                "end": "2026-02-01",
            }
        },
    ],
)
async def test_bad_people_are_refused_as_a_whole(client: httpx2.AsyncClient, change: dict[str, Any]) -> None:
    answer = await client.post("/_control/people", json=[NEW_PERSON, {**NEW_PERSON, **change}])

    assert answer.status_code == 422
    assert (await client.get("/miseguridadsocial/personas/CC/555")).status_code == 404


async def test_calls_are_counted_by_registry_and_document_failed_ones_too(client: httpx2.AsyncClient) -> None:
    await client.get(RETHUS)
    await client.put("/_control/rethus", json={"mode": "down"})
    await client.get(RETHUS)
    await client.get("/miseguridadsocial/personas/CC/1099999999")

    assert (await client.get("/_control/calls")).json() == {
        "miseguridadsocial": {"CC 1099999999": 1},
        "rethus": {"CC 1020304050": 2},
        "sso": {},
    }
    peak = (await client.get("/_control/calls/peak")).json()
    assert (peak["rethus"]["total"], peak["rethus"]["peak_per_second"]) == (2, 2)
    assert peak["rethus"]["first"] <= peak["rethus"]["last"]
    assert peak["sso"] == {"total": 0, "peak_per_second": 0, "first": None, "last": None}

    await client.delete("/_control/calls")

    assert (await client.get("/_control/calls")).json()["rethus"] == {}
    assert (await client.get("/_control/calls/peak")).json()["rethus"]["total"] == 0


def test_the_peak_is_over_any_one_second() -> None:
    moments = iter([0.0, 0.6, 0.7, 1.4, 1.55, 5.0])
    book = CallBook(clock=lambda: next(moments))

    for _ in range(6):
        book.record(Registry.SSO, "CC 1")

    assert book.peaks()[Registry.SSO].peak_per_second == 4


@pytest.mark.parametrize("wrong", ["", "Bearer otro", "Bearer ñ", "Basic secreto"])
async def test_a_configured_token_is_needed(wrong: str) -> None:
    async with connect(Simulator(token="secreto")) as client:
        refused = await client.get(RETHUS, headers=[(b"Authorization", wrong.encode())])
        allowed = await client.get(RETHUS, headers={"Authorization": "Bearer secreto"})

        assert (refused.status_code, allowed.status_code) == (401, 200)
        assert (await client.get("/_control")).status_code == 200


async def test_the_page_shows_people_and_modes_and_escapes(client: httpx2.AsyncClient) -> None:
    await client.post("/_control/people", json=[{**NEW_PERSON, "given_names": "<script>x</script>"}])
    await client.put("/_control/sso", json={"mode": "garbage"})

    page = (await client.get("/")).text

    assert "CC 1020304050" in page
    assert "responde contenido inválido" in page
    assert "<script>" not in page
    assert "&lt;script&gt;x" in page


async def order(client: httpx2.AsyncClient, **answer: object) -> None:
    answered = await client.put(
        "/_control/raw/rethus", json={"path": "/profesionales/CC/1020304050", **answer}
    )
    assert answered.status_code == 200, answered.text


async def test_a_raw_answer_is_given_exactly_and_taken_back(client: httpx2.AsyncClient) -> None:
    before = (await client.get(RETHUS)).json()
    await order(client, status=418, headers={"X-Own": "1", "Set-Cookie": "a=b"}, body="<h1>té</h1>")

    answer = await client.get(RETHUS)

    assert (answer.status_code, answer.content) == (418, "<h1>té</h1>".encode())
    assert (answer.headers["X-Own"], answer.headers["Set-Cookie"]) == ("1", "a=b")
    assert "Content-Type" not in answer.headers
    assert (await client.get(PERSON)).status_code == 200
    assert (await client.delete("/_control/raw/rethus")).status_code == 204
    assert (await client.get(RETHUS)).json() == before


async def test_a_raw_object_is_json_and_counts_as_a_call(client: httpx2.AsyncClient) -> None:
    await order(client, body={"professions": None})

    answer = await client.get(RETHUS)

    assert (answer.headers["Content-Type"], answer.json()) == ("application/json", {"professions": None})
    assert (await client.get("/_control/calls")).json()["rethus"] == {"CC 1020304050": 1}


async def test_a_raw_answer_is_written_in_the_charset_that_it_declares(client: httpx2.AsyncClient) -> None:
    await order(client, headers={"Content-Type": "application/json; charset=ISO-8859-1"}, body={"name": "Ñ"})
    assert (await client.get(RETHUS)).content == b'{"name": "\xd1"}'


async def test_a_raw_answer_can_be_about_one_query(client: httpx2.AsyncClient) -> None:
    path = "/entidades/900123456/delegados/CC/1020304080"
    await client.put("/_control/raw/miseguridadsocial", json={"path": f"{path}?kind=IPS", "status": 502})
    assert (await client.get(f"/miseguridadsocial{path}?kind=IPS")).status_code == 502
    assert (await client.get(f"/miseguridadsocial{path}?kind=EPS")).status_code == 404


async def test_one_raw_answer_can_be_taken_back_by_its_path(client: httpx2.AsyncClient) -> None:
    await order(client, status=502)
    await order(client, path="/profesionales/CC/1", status=503)
    await client.delete("/_control/raw/rethus", params={"path": "/profesionales/CC/1"})
    assert (await client.get(RETHUS)).status_code == 502
    assert (await client.get("/rethus/profesionales/CC/1")).status_code == 404


async def test_a_raw_answer_can_be_that_there_is_none(client: httpx2.AsyncClient) -> None:
    await order(client, close=True)
    # Without a real connection there is nothing to close: the process test of mode `down` has one.
    assert (await client.get(RETHUS)).status_code == 503


async def test_a_raw_answer_waits_as_ordered() -> None:
    simulator = Simulator()
    async with connect(simulator) as client:
        await order(client, delay_ms=600_000)
        call = asyncio.create_task(client.get(RETHUS))
        while not simulator.calls.counts()[Registry.RETHUS]:
            await asyncio.sleep(0)
        simulator.stopping.set()
        assert (await call).status_code == 503


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"path": "x"},
        {"path": "/x", "status": 99},
        {"path": "/x", "more": 1},
        {"path": "/x", "delay_ms": -1},
    ],
)
async def test_a_raw_answer_that_cannot_be_given_is_refused(client: httpx2.AsyncClient, body: object) -> None:
    assert (await client.put("/_control/raw/rethus", json=body)).status_code == 422
    assert (await client.put("/_control/raw/other", json={"path": "/x"})).status_code == 422
