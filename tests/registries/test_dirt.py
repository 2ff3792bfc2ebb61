"""Every registry × every kind of dirt, fed through the simulator."""

import asyncio
import codecs
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from dev.registry_simulator.app import DroppableProtocol, Simulator, create_app
from dev.registry_simulator.modes import Registry
from dev.registry_simulator.raw import RawAnswer
from dev.serving import open_listener, port_of, serve
from mipres.domain.documents import parse_document
from mipres.domain.errors import RegistryUnavailableError
from mipres.domain.people import Delegation, HealthProfessional, Person, Placement, Profession, Sanction
from mipres.domain.submissions import ENTITY_KIND_LABELS, Entity, EntityKind, Regime
from mipres.registries.client import RegistryClient
from mipres.registries.miseguridadsocial import HttpSocialSecurityRegistry
from mipres.registries.rethus import HttpHealthTalentRegistry
from mipres.registries.sso import HttpSocialServiceRegistry

ANA = parse_document("CC", "1020304050")
EPS = Entity(kind=EntityKind.EPS, regime=Regime.CONTRIBUTIVO, nit="900123456")
IPS = Entity(kind=EntityKind.IPS, nit="900123456")
PLACE = Entity(kind=EntityKind.PROVIDER, department="27", municipality="27493")
PERSON: dict[str, Any] = {
    "type": "CC",
    "number": "1020304050",
    "given_names": "Ana María",
    "surnames": "Ruiz Gómez",
    "email": "ana.ruiz@ejemplo.test",
}
DELEGATION = {
    "nit": "900123456",
    "name": "EPS Ñandú",
    "kind": "EPS",
    "regime": "CONTRIBUTIVO",
    "delegate": PERSON,
}
DOCTOR = {"code": "P07", "name": "Medicina", "registration": "76-1234"}
SANCTION = {"authority": "Tribunal", "kind": "Suspensión", "start": "2026-01-31", "end": "2026-02-28"}
RETHUS = {"professions": [DOCTOR], "sanctions": [SANCTION]}
SSO = {
    "profession": "Medicina",
    "site_code": "0501",
    "site_name": "Hospital Ñandú",
    "municipality": "05001",
    "start": "2026-06-01",
    "end": "2027-05-31",
}
NOBODY = {"code": "not_found"}
SECRETS = ("1020304050", "1020304051", "Ana", "Ruiz", "ejemplo.test", "Medicina", "900123457", "SECRETO")


class Registries:
    """The product's three registries over one simulator."""

    def __init__(self, simulator: Simulator, base: str) -> None:
        self._simulator = simulator
        self.clients = {
            name: RegistryClient(name, f"{base}/{name}", transport=httpx2.AsyncHTTPTransport(verify=False))
            for name in Registry
        }
        self.miseguridadsocial = HttpSocialSecurityRegistry(self.clients[Registry.MISEGURIDADSOCIAL])
        self.rethus = HttpHealthTalentRegistry(self.clients[Registry.RETHUS])
        self.sso = HttpSocialServiceRegistry(self.clients[Registry.SSO])

    def answer(self, registry: Registry, path: str, **answer: Any) -> None:
        self._simulator.store.set_raw_answer(registry, RawAnswer(path=path, **answer))

    def forget_answers(self) -> None:
        for registry in Registry:
            self._simulator.store.forget_raw_answers(registry, None)


# One server for all: to start and stop one takes longer than most tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served() -> AsyncIterator[Registries]:
    simulator = Simulator()
    listener = open_listener("127.0.0.1", 0, option="")
    serving = asyncio.create_task(
        serve(create_app(simulator), listener, stopping=simulator.stopping, protocol=DroppableProtocol)
    )
    registries = Registries(simulator, f"http://127.0.0.1:{port_of(listener)}")
    yield registries
    for client in registries.clients.values():
        await client.close()
    simulator.stopping.set()
    await serving


@pytest.fixture
def registries(served: Registries) -> Registries:
    served.forget_answers()
    return served


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of the contract.

    Its path, a good answer, and what the product makes of that.
    """

    registry: Registry
    path: str
    good: Mapping[str, Any]
    ask: Callable[[Registries], Awaitable[object]]
    found: object


PERSON_FOUND = Person(given_names="Ana María", surnames="Ruiz Gómez", email="ana.ruiz@ejemplo.test")
CALLS = {
    "person": Call(
        registry=Registry.MISEGURIDADSOCIAL,
        path="/personas/CC/1020304050",
        good=PERSON,
        ask=lambda registries: registries.miseguridadsocial.find_person(ANA),
        found=PERSON_FOUND,
    ),
    "delegate": Call(
        registry=Registry.MISEGURIDADSOCIAL,
        path="/entidades/900123456/delegados/CC/1020304050",
        good=DELEGATION,
        ask=lambda registries: registries.miseguridadsocial.find_delegation(ANA, EPS),
        found=Delegation,
    ),
    "provider": Call(
        registry=Registry.MISEGURIDADSOCIAL,
        path="/proveedores/CC/1020304050",
        good=PERSON,
        ask=lambda registries: registries.miseguridadsocial.find_provider(ANA, PLACE),
        found=PERSON_FOUND,
    ),
    "professional": Call(
        registry=Registry.RETHUS,
        path="/profesionales/CC/1020304050",
        good=RETHUS,
        ask=lambda registries: registries.rethus.find_professional(ANA),
        found=HealthProfessional(
            professions=(Profession(code="P07", name="Medicina", registration="76-1234"),),
            sanctions=(
                Sanction(
                    authority="Tribunal", kind="Suspensión", start=date(2026, 1, 31), end=date(2026, 2, 28)
                ),
            ),
        ),
    ),
    "placement": Call(
        registry=Registry.SSO,
        path="/plazas/CC/1020304050",
        good=SSO,
        ask=lambda registries: registries.sso.find_placement(ANA),
        found=Placement(
            profession="Medicina",
            site_code="0501",
            site_name="Hospital Ñandú",
            municipality="05001",
            start=date(2026, 6, 1),
            end=date(2027, 5, 31),
        ),
    ),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


async def said(registries: Registries, call: Call, **answer: Any) -> object:
    registries.answer(call.registry, call.path, **answer)
    return await call.ask(registries)


async def failure(registries: Registries, call: Call, **answer: Any) -> str:
    """The cause of the technical failure, which names nothing of the person."""
    with pytest.raises(RegistryUnavailableError) as caught:
        await said(registries, call, **answer)
    shown = "".join(traceback.format_exception(caught.value, limit=0))
    assert not [secret for secret in SECRETS if secret in shown]
    assert caught.value.registry == call.registry
    assert len(caught.value.cause) < 100
    return caught.value.cause


def is_good(call: Call, found: object) -> bool:
    return isinstance(found, Delegation) if call.found is Delegation else found == call.found


# --- dirt of the transport, the same for every call


@every_call
async def test_the_registrys_own_mark_is_not_found(registries: Registries, call: Call) -> None:
    assert await said(registries, call, status=404, body=NOBODY) is None


@every_call
@pytest.mark.parametrize("other", [{"number": "1020304051"}, {"type": "CE", "number": "1020304050"}])
async def test_not_found_is_said_of_the_person_who_was_asked_for(
    registries: Registries, call: Call, other: dict[str, str]
) -> None:
    problem = {"type": "about:blank", "title": "Not Found", "number": None}
    assert await said(registries, call, status=404, body=NOBODY | problem) is None
    assert await said(registries, call, status=404, body=NOBODY | {"number": 1020304050}) is None
    assert await failure(registries, call, status=404, body=NOBODY | other) == "number: another person's"


NO_MARKS: dict[str, dict[str, Any]] = {
    "a proxy's page": {"body": "<h1>404 Not Found</h1>", "headers": {"Content-Type": "text/html"}},
    "nothing": {"body": ""},
    "another program's JSON": {"body": {"detail": "Not Found"}},
    "another code": {"body": {"code": "NOT FOUND"}},
    "a code in a list": {"body": [NOBODY]},
    "a text": {"body": '"not_found"'},
    "the good answer": {"body": PERSON},
    "two codes": {"body": '{"code": "gateway", "code": "not_found"}'},
}


@every_call
@pytest.mark.parametrize("answer", NO_MARKS.values(), ids=NO_MARKS)
async def test_another_404_is_a_technical_failure(
    registries: Registries, call: Call, answer: dict[str, Any]
) -> None:
    assert (
        await failure(registries, call, status=404, **answer) == "HTTP status 404 without the code not_found"
    )


async def test_a_mistyped_base_url_is_a_technical_failure(registries: Registries) -> None:
    client = RegistryClient("sso", f"{registries.clients[Registry.SSO]._http.base_url}v2")
    with pytest.raises(RegistryUnavailableError, match="without the code"):
        await HttpSocialServiceRegistry(client).find_placement(ANA)
    await client.close()


TECHNICAL: dict[str, tuple[dict[str, Any], str]] = {
    "200 with the mark": ({"body": NOBODY}, ": missing"),
    "closes": ({"close": True}, "RemoteProtocolError"),
    "204": ({"status": 204}, "HTTP status 204"),
    "redirects": ({"status": 302, "headers": {"Location": "/x"}}, "HTTP status 302"),
    "403": ({"status": 403, "body": NOBODY}, "HTTP status 403"),
    "410": ({"status": 410, "body": NOBODY}, "HTTP status 410"),
    "500": ({"status": 500}, "HTTP status 500"),
    "nothing": ({"body": ""}, "the answer is not JSON"),
    "a page": ({"body": "<p>Mantenimiento</p>"}, "the answer is not JSON"),
    "null": ({"body": None}, "the answer: not an object"),
    "a list": ({"body": []}, "the answer: not an object"),
    "an unknown charset": (
        {"body": "{}", "headers": {"Content-Type": "application/json; charset=x-none"}},
        "the answer is not JSON",
    ),
}


@every_call
@pytest.mark.parametrize(("answer", "cause"), TECHNICAL.values(), ids=TECHNICAL)
async def test_what_is_no_answer_is_a_technical_failure(
    registries: Registries, call: Call, answer: dict[str, Any], cause: str
) -> None:
    assert cause in await failure(registries, call, **answer)


CHARSETS = ["ISO-8859-1", "windows-1252", "UTF-8", "utf-16"]


@every_call
@pytest.mark.parametrize("charset", CHARSETS)
async def test_a_declared_charset_is_read(registries: Registries, call: Call, charset: str) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"}
    assert is_good(call, await said(registries, call, body=dict(call.good), headers=headers))


@every_call
@pytest.mark.parametrize("declared", ["us-ascii", "iso-8859-1"])
async def test_a_byte_order_mark_goes_before_a_declared_charset(
    registries: Registries, call: Call, declared: str
) -> None:
    marked = (codecs.BOM_UTF8 + json.dumps(call.good, ensure_ascii=False).encode()).decode("latin-1")
    headers = {"Content-Type": f"application/json; charset={declared}"}
    text = marked if declared == "iso-8859-1" else json.dumps(call.good)
    assert is_good(call, await said(registries, call, body=text, headers=headers))


@every_call
async def test_utf8_shows_itself_where_another_charset_was_declared(
    registries: Registries, call: Call
) -> None:
    utf8 = json.dumps(call.good, ensure_ascii=False).encode().decode("latin-1")
    headers = {"Content-Type": "application/json; charset=ISO-8859-1"}
    assert is_good(call, await said(registries, call, body=utf8, headers=headers))


@every_call
async def test_unknown_fields_and_a_byte_order_mark_are_harmless(registries: Registries, call: Call) -> None:
    assert is_good(call, await said(registries, call, body=dict(call.good) | {"new": {"of": ["theirs"]}}))


@every_call
async def test_a_number_of_any_length_is_harmless_where_nobody_needs_it(
    registries: Registries, call: Call
) -> None:
    body = f'{json.dumps(call.good)[:-1]}, "new": {"9" * 5000}, "other": NaN}}'
    assert is_good(call, await said(registries, call, body=body))


@every_call
async def test_no_cookie_of_one_call_goes_out_with_the_next(registries: Registries, call: Call) -> None:
    await said(registries, call, body=dict(call.good), headers={"Set-Cookie": "session=SECRETO; Path=/"})
    assert not list(registries.clients[call.registry]._http.cookies.jar)


# --- dirt of the fields: harmless


def person(**changes: Any) -> dict[str, Any]:
    return PERSON | changes


def delegation(**changes: Any) -> dict[str, Any]:
    return DELEGATION | changes


def rethus(**changes: Any) -> dict[str, Any]:
    return RETHUS | changes


def placement(**changes: Any) -> dict[str, Any]:
    return SSO | changes


ODD_ROWS: list[Any] = [
    None,
    {},
    {"code": None, "name": None, "registration": None},
    "x",
    7,
    [],
    {"registration": "9"},
]
HARMLESS: list[tuple[str, dict[str, Any]]] = [
    ("person", person(type="cc")),
    ("person", person(type="C.C.")),
    ("person", person(type="Cédula de Ciudadanía")),
    ("person", person(number=1020304050)),
    ("person", person(number="0001020304050")),
    ("person", person(number="1.020.304.050")),
    ("person", person(number=1020304050.0)),
    ("person", person(given_names="  Ana   María ")),
    ("person", person(number="1020304050.0")),
    ("person", person(number="1020304050.00")),
    ("person", person(email=" ana.ruiz@ejemplo.test\u200b\n")),
    ("person", person(email="ana.ruiz@ejemplo.test; ninguno@")),
    ("provider", person(number=1020304050, surnames="\ufeffRuiz Gómez")),
    ("delegate", delegation(nit=900123456)),
    ("delegate", delegation(nit=900123456.0)),
    ("delegate", delegation(nit="900123456.0")),
    ("delegate", delegation(name="E" * 201)),
    ("delegate", delegation(nit="900.123.456-8")),
    ("delegate", delegation(nit="9001234568")),
    ("delegate", delegation(nit="0900123456")),
    ("delegate", delegation(kind="eps ")),
    ("delegate", delegation(kind="Entidad Promotora de Salud")),
    ("delegate", delegation(regime="Contributivo")),
    ("delegate", delegation(regime="RÉGIMEN CONTRIBUTIVO")),
    ("delegate", delegation(name=None)),
    ("delegate", delegation(delegate=person(surnames=""))),
    ("professional", rethus(type="CC", number="1020304050")),
    ("professional", rethus(sanctions=[SANCTION | {"authority": {"x": 1}}])),
    ("professional", rethus(sanctions=[SANCTION | {"start": "2026-01-31T00:00:00", "end": " 2026-02-28 "}])),
    ("placement", placement(type="CC", number="01020304050")),
    ("placement", placement(profession="  MEDICINA ")),
    ("placement", placement(start="2026-06-01T00:00:00Z")),
    ("placement", placement(start="2026-06-01t00:00:00,000z", end="2027-05-31T00:00:00-05")),
    ("placement", placement(start="2026-06-01T05:00:00Z", end="2027-06-01T04:59:59Z")),
    ("placement", placement(start="2026-06-01T00:00:00+02:00", end="2027-05-31T23:59:59-0500")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), HARMLESS)
async def test_harmless_dirt_is_read(registries: Registries, name: str, answer: dict[str, Any]) -> None:
    found = await said(registries, CALLS[name], body=answer)
    assert found is not None
    if isinstance(found, HealthProfessional):
        found = replace(
            found, sanctions=tuple(replace(item, authority="Tribunal") for item in found.sanctions)
        )
    if isinstance(found, Placement):
        found = replace(found, profession=found.profession.capitalize())
    assert is_good(CALLS[name], found)


@pytest.mark.parametrize("kind", EntityKind)
@pytest.mark.parametrize("written", ["{label}", "{label} ({kind})", "{kind} - {label}", " {kind}. "])
async def test_a_kind_may_be_written_as_the_form_shows_it(
    registries: Registries, kind: EntityKind, written: str
) -> None:
    call, label = CALLS["delegate"], ENTITY_KIND_LABELS[kind]
    answer = delegation(kind=written.format(label=label, kind=kind))
    registries.answer(call.registry, call.path, body=answer)
    entity = Entity(
        kind=kind, nit="900123456", regime=Regime.CONTRIBUTIVO if kind is EntityKind.EPS else None
    )
    assert await registries.miseguridadsocial.find_delegation(ANA, entity) is not None


@pytest.mark.parametrize("missing", ["given_names", "surnames"])
@pytest.mark.parametrize("empty", [None, "", "  ", [], False])
async def test_one_name_is_enough(registries: Registries, missing: str, empty: object) -> None:
    found = await said(registries, CALLS["person"], body=person(**{missing: empty}))
    assert isinstance(found, Person)
    assert found.full_name in {"Ana María", "Ruiz Gómez"}


@pytest.mark.parametrize(
    "email",
    [
        None,
        "",
        " ",
        "no tiene",
        "ana@",
        "ana@x",
        7,
        ["ana@x.co"],
        "ana@x.co otra@x.co",
        "ana, ruiz@x.co",
        "a\x00@x.co",
    ],
)
@pytest.mark.parametrize("name", ["person", "provider", "delegate"])
async def test_a_person_may_come_without_a_usable_address(
    registries: Registries, name: str, email: object
) -> None:
    answer = delegation(delegate=person(email=email)) if name == "delegate" else person(email=email)
    found = await said(registries, CALLS[name], body=answer)
    found = found.person if isinstance(found, Delegation) else found
    assert isinstance(found, Person)
    assert not found.has_usable_address


async def test_a_missing_address_is_one_that_is_not_usable(registries: Registries) -> None:
    answer = person()
    del answer["email"]
    found = await said(registries, CALLS["person"], body=answer)
    assert isinstance(found, Person)
    assert not found.has_usable_address


@pytest.mark.parametrize("odd", ODD_ROWS, ids=repr)
async def test_one_odd_profession_among_several_is_harmless(registries: Registries, odd: object) -> None:
    found = await said(registries, CALLS["professional"], body=rethus(professions=[odd, DOCTOR, odd]))
    assert isinstance(found, HealthProfessional)
    assert [item.name for item in found.professions] == ["Medicina"]


async def test_numbers_stand_for_texts_in_rethus(registries: Registries) -> None:
    row = {"code": 7, "name": "Medicina", "registration": 761234}
    found = await said(registries, CALLS["professional"], body=rethus(professions=[row]))
    assert isinstance(found, HealthProfessional)
    assert found.professions == (Profession(code="7", name="Medicina", registration="761234"),)


@pytest.mark.parametrize("written", ["761234.0", "7.61234e5", "761234", '"761234.0"'])
async def test_a_registration_is_read_as_it_is_meant(registries: Registries, written: str) -> None:
    body = json.dumps(rethus(sanctions=[])).replace('"76-1234"', written)
    found = await said(registries, CALLS["professional"], body=body)
    assert isinstance(found, HealthProfessional)
    assert found.professions == (Profession(code="P07", name="Medicina", registration="761234"),)


@pytest.mark.parametrize("written", ['["76-1234"]', '{"number": "76-1234"}', "true", "NaN"])
async def test_a_registration_that_cannot_be_read_is_not_taken_for_none(
    registries: Registries, written: str
) -> None:
    body = json.dumps(rethus(sanctions=[])).replace('"76-1234"', written)
    found = await said(registries, CALLS["professional"], body=body)
    assert isinstance(found, HealthProfessional)
    assert found.professions == (Profession(code="P07", name="Medicina", registration=""),)
    assert found.unreadable is None
    assert found.hidden_registration == "professions[0].registration: not a text"


@pytest.mark.parametrize("end", ["9999-12-31", "9999-12-31T23:59:59.997"])
async def test_the_calendars_last_day_ends_no_sanction(registries: Registries, end: str) -> None:
    found = await said(registries, CALLS["professional"], body=rethus(sanctions=[SANCTION | {"end": end}]))
    assert isinstance(found, HealthProfessional)
    assert [item.end for item in found.sanctions] == [None]


async def test_null_is_an_empty_list(registries: Registries) -> None:
    found = await said(registries, CALLS["professional"], body={"professions": None, "sanctions": None})
    assert found == HealthProfessional(professions=(), sanctions=())


@pytest.mark.parametrize("end", [None, "", "  "])
async def test_a_sanction_without_an_end_goes_on(registries: Registries, end: object) -> None:
    found = await said(
        registries, CALLS["professional"], body=rethus(sanctions=[SANCTION | {"end": end}, None, {}])
    )
    assert isinstance(found, HealthProfessional)
    assert [item.end for item in found.sanctions] == [None]


async def test_what_no_rule_needs_of_a_placement_may_be_missing(registries: Registries) -> None:
    needed = {name: SSO[name] for name in ("profession", "start", "end")}
    found = await said(registries, CALLS["placement"], body=needed)
    assert isinstance(found, Placement)
    assert (found.site_code, found.site_name, found.municipality) == ("", "", "")


async def test_a_long_name_of_a_site_is_cut(registries: Registries) -> None:
    found = await said(registries, CALLS["placement"], body=placement(site_name="H" * 201))
    assert isinstance(found, Placement)
    assert found.site_name == "H" * 200


# --- dirt of the fields: what a rule needs is missing, unknown, impossible or somebody else's

EMPTY_DAYS_OF_OTHERS = [
    "0001-01-01T00:00:00",
    "1753-01-01",
    "1899-12-30",
    "1900-01-01 00:00:00.000",
    "1969-12-31T19:00:00-05:00",
    "1970-01-01T00:00:00Z",
]
FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("person", person(type=None), "type: missing"),
    ("person", person(number=" "), "number: missing"),
    ("person", person(number="1020304051"), "number: another person's"),
    ("person", person(type="CE"), "number: another person's"),
    ("person", person(type="SECRETO"), "number: another person's"),
    ("person", person(number="１０２０３０４０５０"), "number: another person's"),
    ("person", person(given_names="", surnames=None), "the answer: neither given_names nor surnames"),
    ("person", person(given_names="Ana\x00"), "given_names: control character"),
    ("person", person(surnames="Ruiz\x1b[31m"), "surnames: control character"),
    ("person", person(surnames="Ruiz\nGómez"), "surnames: control character"),
    ("person", person(surnames="x" * 201), "surnames: too long"),
    ("provider", person(number="1020304051"), "number: another person's"),
    ("delegate", delegation(delegate=person(number="1020304051")), "delegate.number: another person's"),
    ("delegate", delegation(delegate=person(surnames="Ruiz\x07")), "delegate.surnames: control character"),
    ("delegate", delegation(delegate=[]), "delegate: not an object"),
    ("delegate", delegation(nit=None), "nit: missing"),
    ("delegate", delegation(nit="SECRETO"), "nit: unknown value"),
    ("delegate", delegation(nit="900"), "nit: unknown value"),
    ("delegate", delegation(kind=None), "kind: missing"),
    ("delegate", delegation(kind="SECRETO"), "kind: unknown value"),
    ("delegate", delegation(kind=["EPS"]), "kind: not a text"),
    ("delegate", delegation(regime=None), "regime: missing"),
    ("delegate", delegation(regime="ESPECIAL"), "regime: unknown value"),
    ("delegate", delegation(name="EPS\x00"), "name: control character"),
    ("professional", rethus(number="1020304051"), "number: another person's"),
    ("professional", rethus(type="PA"), "number: another person's"),
    ("professional", {"professions": [DOCTOR]}, "sanctions: missing"),
    ("professional", {"sanctions": []}, "professions: missing"),
    ("professional", rethus(professions="SECRETO"), "professions: not a list"),
    ("professional", rethus(sanctions={}), "sanctions: not a list"),
    ("professional", rethus(professions=["SECRETO"]), "professions[0]: not an object"),
    ("professional", rethus(professions=[{"registration": "9"}]), "professions[0]: neither name nor code"),
    ("professional", rethus(professions=[DOCTOR | {"name": "Medicina\x00"}]), "professions[0].name: control character"),
    *(("placement", placement(start=day, end=day), "end: stands for no day") for day in EMPTY_DAYS_OF_OTHERS),
    ("placement", placement(number="1020304051"), "number: another person's"),
    ("placement", placement(profession=""), "profession: missing"),
    ("placement", placement(start=None), "start: missing"),
    ("placement", placement(end=""), "end: missing"),
    ("placement", placement(end=1_800_000_000), "end: not a day"),
    ("placement", placement(end=20270531), "end: not a day"),
    ("placement", placement(end="2027-05-31T25:00:00Z"), "end: not a day"),
    ("placement", placement(start="0001-01-01T01:00:00Z"), "start: not a day"),
    ("placement", placement(end="2026-05-31"), "the answer: end lies before start"),
    ("person", person(number="102030405.0"), "number: another person's"),
    ("placement", placement(site_name="H\x00"), "site_name: control character"),
]  # fmt: skip
SANCTION_FAULTS: list[tuple[dict[str, Any], str]] = [
    (rethus(sanctions=["SECRETO"]), "sanctions[0]: not an object"),
    (rethus(sanctions=[SANCTION | {"start": None}]), "sanctions[0].start: missing"),
    (rethus(sanctions=[SANCTION | {"end": "2026-01-30"}]), "sanctions[0]: end lies before start"),
    (rethus(sanctions=[SANCTION | {"start": "9999-12-31", "end": None}]), "sanctions[0].start: stands for no day"),
    *((rethus(sanctions=[SANCTION | {"start": day, "end": day}]), "sanctions[0].end: stands for no day") for day in EMPTY_DAYS_OF_OTHERS),
    (rethus(sanctions=[SANCTION, SANCTION | {"end": "0000-00-00"}]), "sanctions[1].end: not a day"),
    (rethus(sanctions=[SANCTION | {"kind": "x\x00"}]), "sanctions[0].kind: control character"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "cause"), FAULTS)
async def test_a_fault_names_the_field_and_never_the_value(
    registries: Registries, name: str, answer: dict[str, Any], cause: str
) -> None:
    assert await failure(registries, CALLS[name], body=answer) == cause


@pytest.mark.parametrize(("answer", "cause"), SANCTION_FAULTS)
async def test_a_sanction_that_cannot_be_read_is_kept_as_one(
    registries: Registries, answer: dict[str, Any], cause: str
) -> None:
    found = await said(registries, CALLS["professional"], body=answer)
    assert isinstance(found, HealthProfessional)
    assert found.unreadable_sanction == cause
    assert len(found.sanctions) == len(answer["sanctions"]) - 1


@pytest.mark.parametrize(
    ("name", "twice", "cause"),
    [
        ("person", '"number": "1020304051"', "number: two values"),
        ("provider", '"type": "CE"', "type: two values"),
        ("delegate", '"regime": "SUBSIDIADO"', "regime: two values"),
        ("delegate", '"delegate": {}', "delegate: not an object"),
        ("professional", '"sanctions": []', "sanctions: two values"),
        ("professional", '"professions": null', "professions: two values"),
        ("placement", '"end": "2099-12-31"', "end: two values"),
        ("placement", '"profession": "Enfermería"', "profession: two values"),
    ],
)
async def test_two_values_under_one_name_are_a_fault(
    registries: Registries, name: str, twice: str, cause: str
) -> None:
    body = f"{json.dumps(CALLS[name].good)[:-1]}, {twice}}}"
    assert await failure(registries, CALLS[name], body=body) == cause


@every_call
async def test_one_value_that_is_written_twice_is_harmless(registries: Registries, call: Call) -> None:
    whole = json.dumps(call.good)[1:-1]
    assert is_good(call, await said(registries, call, body=f"{{{whole}, {whole}}}"))


async def test_rows_without_end_are_a_fault(registries: Registries) -> None:
    row = '{"a":' * 600 + "1" + "}" * 600
    deep = f'{{"professions": [{row}], "sanctions": []}}'
    assert await failure(registries, CALLS["professional"], body=deep) == "the answer: nested too deeply"


@pytest.mark.parametrize(
    "answer",
    [{"kind": "IPS"}, {"kind": "proveedor", "regime": 7}, {"regime": "subsidiado"}, {"nit": "900123457"}],
)
async def test_another_known_entity_is_a_refusal(registries: Registries, answer: dict[str, Any]) -> None:
    assert await said(registries, CALLS["delegate"], body=delegation(**answer)) is None


async def test_the_regime_of_an_ips_is_not_looked_at(registries: Registries) -> None:
    call = CALLS["delegate"]
    registries.answer(call.registry, call.path, body=delegation(kind="ips", regime="ESPECIAL"))
    assert await registries.miseguridadsocial.find_delegation(ANA, IPS) is not None


@pytest.mark.parametrize("known", ["27493", "27086"])
@pytest.mark.parametrize("asked", ["27493", "27086"])
async def test_a_renumbered_municipality_is_asked_for_under_both_codes(
    registries: Registries, known: str, asked: str
) -> None:
    for code in ("27493", "27086"):
        path = f"/proveedores/CC/1020304050?departamento=27&municipio={code}"
        answer = {"body": PERSON} if code == known else {"status": 404, "body": NOBODY}
        registries.answer(Registry.MISEGURIDADSOCIAL, path, **answer)
    assert (
        await registries.miseguridadsocial.find_provider(ANA, replace(PLACE, municipality=asked))
        == PERSON_FOUND
    )
