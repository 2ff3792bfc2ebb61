"""`make soak`: some seconds of it, really run, and what it makes of its samples."""

import asyncio
import dataclasses
import json
import math
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from xml.etree import ElementTree as ET

import pytest
from pytest_httpserver import HTTPServer

from bench.http import Connection
from bench.mailbox import Mailbox
from bench.plot import Curve, svg_of
from bench.soak import day
from bench.soak.__main__ import errors_in
from bench.soak.day import LOAD, Day, patience_of
from bench.soak.growth import bound_of, judge
from bench.soak.people import REFUSED, make_plan
from bench.soak.samples import Sample, without_visitors
from bench.soak.visit import Tally, Visit
from dev.citizen import Citizen, Delegate, OtherUser, SocialServant, Unlisted
from dev.private_stack import PrivateStack
from mipres.domain.stages import Stage
from tests.dev.programs import printed_by
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
SECONDS = 300.0
LINK = f"/contrasena/{'a' * 64}"


@pytest.mark.server
async def test_people_come_to_their_end_although_a_part_is_killed() -> None:
    output = await printed_by("bench.soak", "--minutes", "0.05", "--restart", "correo", within=180)
    people, done, unfinished = re.findall(r"; (\d+) came.* (\d+) people.*Not finished: (\d+)\.", output)[0]
    assert (int(unfinished), int(done)) == (0, int(people))
    # What is counted by the person has no line where, on a slow machine, nobody came in a third of these seconds.
    for name in ("api memory MiB", "worker files", "connections", "WAL folder MiB"):
        assert f"| {name} | " in output


def samples(value: Callable[[float], float], name: str = "api memory MiB") -> list[Sample]:
    return [{"at": float(at), name: value(at)} for at in range(0, 300, 3)]


@pytest.mark.parametrize(
    ("name", "growing"),
    [
        ("api memory MiB", lambda at: 150 + at / 5),
        ("api files", lambda at: 30 + at / 10),
        ("connections", lambda at: 10 + at / 20),
        ("WAL folder MiB", lambda at: 100 + at),
        ("temporary files", lambda at: at // 50),
        ("temporary tables", lambda at: at // 50),
        ("failed attempts %", lambda at: at / 60),
        ("outcome p50 ms", lambda at: 40 + at / 5),
    ],
)
def test_what_grows_all_day_long_is_found(name: str, growing: Callable[[float], float]) -> None:
    [found] = judge(samples(growing, name), seconds=SECONDS)
    assert found.is_growing
    assert found.an_hour == pytest.approx((found.last - found.second) * 36, abs=1)


def test_what_fills_at_first_and_then_moves_up_and_down_does_not_grow() -> None:
    [found] = judge(samples(lambda at: min(at, 90) + at % 7), seconds=SECONDS)
    assert not found.is_growing


def test_attempts_that_fail_now_and_then_are_seen() -> None:
    [found] = judge(
        samples(lambda at: 30 if at > 200 and at % 15 == 0 else 0, "failed attempts %"), seconds=SECONDS
    )
    assert found.is_growing


def test_what_was_away_for_some_samples_is_judged_by_the_others() -> None:
    seen = samples(lambda _at: 150)
    for sample in seen[40:50]:
        del sample["api memory MiB"]
    [found] = judge(seen, seconds=SECONDS)
    assert (found.second, found.last) == (150, 150)


def test_the_memory_of_what_keeps_everything_is_shown_and_not_judged() -> None:
    [found] = judge(samples(lambda at: at, "correo memory MiB"), seconds=SECONDS)
    assert not found.is_growing
    assert bound_of("correo files")
    assert judge(samples(lambda at: at, "people done"), seconds=SECONDS) == []


def test_files_of_visitors_who_wait_are_no_growth() -> None:
    seen = [without_visitors({"at": at, "api files": 30 + at}, round(at)) for at in range(0, 300, 3)]
    assert [(found.name, found.is_growing) for found in judge(seen, seconds=SECONDS)] == [
        ("api files", False)
    ]
    leaking = [without_visitors({"at": at, "api files": 30 + at}, 0) for at in range(0, 300, 3)]
    assert judge(leaking, seconds=SECONDS)[0].is_growing


def test_a_sample_without_the_api_has_no_files_of_it() -> None:
    assert without_visitors({"at": 3}, 5) == {"at": 3}


async def test_a_connection_that_the_server_closed_is_not_open() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await leaves.wait()
        writer.close()
        await writer.wait_closed()

    leaves = asyncio.Event()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        connection = Connection(port=server.sockets[0].getsockname()[1])
        assert not connection.is_open
        await connection.get("/")
        assert connection.is_open
        leaves.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while connection.is_open:
                await asyncio.sleep(0)
        connection.close()


class OneMail:
    """A mailbox whose owner gets one link."""

    async def newest_link(self, _address: str, _connection: Connection, *, besides: str = "") -> str:
        if besides == LINK:
            await asyncio.Event().wait()
        return LINK

    def forget(self, _address: str) -> None: ...


async def test_a_person_whose_password_is_there_waits_for_no_other_link(httpserver: HTTPServer) -> None:
    registration = {"radicado": "MPR-1", "stage": Stage.AWAITING_PASSWORD}
    httpserver.expect_ordered_request("/api/v1/registrations").respond_with_json(registration, status=201)
    httpserver.expect_ordered_request("/api/v1/registrations/MPR-1").respond_with_json(registration)
    httpserver.expect_ordered_request(LINK).respond_with_data('name="csrf_token" value="a"')
    httpserver.expect_ordered_request("/contrasena").respond_with_data("created")
    # The engine is away when the person looks, and has heard nothing of the password a moment later.
    httpserver.expect_ordered_request("/api/v1/registrations/MPR-1").respond_with_data(status=503)
    httpserver.expect_ordered_request("/api/v1/registrations/MPR-1").respond_with_json(registration)
    httpserver.expect_ordered_request("/api/v1/registrations/MPR-1").respond_with_json(
        registration | {"stage": Stage.COMPLETED}
    )
    plan = dataclasses.replace(
        make_plan(random.Random(1)),
        is_refused=False,
        submits_twice=False,
        asks_for_another_link=False,
        recovers=False,
        logs_in=False,
    )
    tally = Tally()
    connection = Connection(port=httpserver.port)
    await Visit(
        plan=plan,
        api=connection,
        mail=connection,
        mailbox=cast("Mailbox", OneMail()),
        tally=tally,
        patience=PATIENCE_SECONDS,
        until=math.inf,
    ).live()
    httpserver.check()
    assert (tally.done["registrations"], tally.failures) == (1, {"registrations: 503": 1})


async def test_who_shows_the_capacity_waits_for_no_further_link(monkeypatch: pytest.MonkeyPatch) -> None:
    async def leave_at_once(visit: Visit) -> None:
        # A machine counts from its start, and may have been started a moment ago.
        assert visit.until <= 0

    async def tell_nobody(_port: int, citizens: Sequence[Citizen]) -> None:
        told.extend(citizens)

    told: list[Citizen] = []
    monkeypatch.setattr(Visit, "live", leave_at_once)
    monkeypatch.setattr(day, "tell_registries", tell_nobody)
    stack = cast(
        "PrivateStack", SimpleNamespace(settings=SimpleNamespace(registry_port=1, api_port=1, mail_ui_port=1))
    )
    await Day(stack, Mailbox(1), seconds=7200, seed=1)._closed_loop(8)
    assert len(told) == 8


def test_a_person_waits_until_those_of_an_outage_are_served() -> None:
    outage, capacity = 120.0, 5.0
    waiting = outage * LOAD * capacity
    served_after = waiting / (capacity - LOAD * capacity)
    assert patience_of(outage) - patience_of(0) == pytest.approx(outage + served_after)


def test_a_day_has_people_of_every_kind() -> None:
    chance = random.Random(1)
    plans = [make_plan(chance) for _ in range(2000)]
    assert {type(plan.citizen) for plan in plans} == {Citizen, Delegate, SocialServant, OtherUser, Unlisted}
    assert sum(plan.is_refused for plan in plans) / len(plans) == pytest.approx(REFUSED, abs=0.02)
    for wish in ("submits_twice", "asks_for_another_link", "recovers", "logs_in"):
        assert any(getattr(plan, wish) for plan in plans)


def test_a_curve_is_drawn_from_its_points() -> None:
    curve = Curve(title="Memory & files", series={"api": [(0, 0), (1, 50), (2, 100)]}, end=2)
    root = ET.fromstring(svg_of([curve]))
    [line] = root.iter("{http://www.w3.org/2000/svg}polyline")
    assert line.get("points") == "170.0,164.0 417.0,104.0 664.0,44.0"


def test_of_what_the_parts_print_the_errors_outlive_the_day() -> None:
    lines = [
        "api         │ " + json.dumps({"event": "dependency_unavailable", "level": "warning"}),
        "api         │ " + json.dumps({"event": "unexpected_error", "level": "error"}),
    ]
    assert errors_in(lines) == [lines[1]]
