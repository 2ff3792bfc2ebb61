"""Servers that many tests share.

One PostgreSQL and one Temporal a session, started when first asked for.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partialmethod
from pathlib import Path
from types import CodeType
from typing import NoReturn

import hypothesis
import pytest
from argon2 import PasswordHasher
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from dev.postgres import embedded_postgres_server
from dev.temporal_server import DYNAMIC_CONFIG
from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher
from mipres.database.engine import create_engine
from mipres.database.erasures import Erasures
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.keys import LinkTokens, audit_keys
from mipres.temporal.connection import WorkerPayloadConverter, data_converter
from mipres.temporal.names import (
    ACCESS_NOTICES_ID,
    ACCESS_REVIEW_ID,
    BACKCHANNEL_LOGOUTS_ID,
    RETENTION_ID,
    SEARCH_ATTRIBUTES,
)
from tests.fakes import FakeClock
from tests.migrated_database import MigratedDatabase

# How long an example takes says something about the machine, and nothing about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
PAYLOAD_KEYS = {"test": bytes(range(32))}
ACTIVE_PAYLOAD_KEY = "test"
AUDIT_KEYS = audit_keys({"test": b"a" * 32}, secrets=())
SERVER_SETTINGS = (
    *(f"{name}={value}" for name, value in DYNAMIC_CONFIG.items()),
    "frontend.WorkflowTimeSkippingEnabled=true",
    "frontend.WorkflowPauseEnabled=true",
    # Broken code fails a test after its first failed task, not after the usual five.
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=1",
    # By default a timer whose time is skipped fires up to a second later.
    'history.timerProcessorMaxTimeShift="10ms"',
)
SCHEDULE_IDS = (RETENTION_ID, ACCESS_NOTICES_ID, BACKCHANNEL_LOGOUTS_ID, ACCESS_REVIEW_ID)
# Each try of a step is a step of the clock; after the default of 200 it stands still, and no error says so.
MOST_STEPS = 500
# The first one is the same engine without windows, and takes half of the processor.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
NO_BROWSER = f"no browser on the PATH: {', '.join(BROWSERS)}"
TESTS = Path(__file__).parent
DOMAIN_TESTS = TESTS / "domain"
# Each of these folders has one whole product, so one process of pytest-xdist runs all of its tests.
WHOLE_PRODUCTS = ("product/browser", "product")
FOLDERS_OF_PROGRAMS = frozenset({"dev", "deployment", "product"})
SERVERS = frozenset({"postgres_url", "temporal_env", "own_server", "chromium"})


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-histories",
        action="store_true",
        help="store workflow histories under tests/replay/histories",
    )


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "browser: drives a real Chromium; skipped where there is none, except in CI",
        "needs(*programs): starts these programs; skipped where one is not on the PATH, except in CI",
        "server: starts a server or another process; left out by `make check`",
        "one_of_each: looks into the one API and the one worker; left out with DOUBLED=1",
        "several_at_once: more than one workflow of the test is open at the same time",
    ):
        config.addinivalue_line("markers", line)


class BySharedServers(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a process all tests that share what they start.

    Those of a folder share one product, those of a file what the file starts. pytest-xdist's own groups
    are lost under this pytest, without a word.
    """

    def _split_scope(self, nodeid: str) -> str:
        return shared_by(nodeid)


def shared_by(nodeid: str) -> str:
    """The folder or file whose tests share what they start."""
    file = Path(nodeid.partition("::")[0]).relative_to(TESTS.name)
    return next((name for name in WHOLE_PRODUCTS if file.is_relative_to(name)), str(file))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BySharedServers:
    return BySharedServers(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The longest first: what is started last keeps one process busy while the others have ended.
    items.sort(key=lambda item: not item.path.is_relative_to(TESTS / "product"))
    for item in items:
        folder = item.path.relative_to(TESTS)
        fixtures = getattr(item, "fixturenames", ())
        if folder.parts[0] in FOLDERS_OF_PROGRAMS or not SERVERS.isdisjoint(fixtures):
            item.add_marker(pytest.mark.server)
        if DOMAIN_TESTS in item.path.parents:
            # pytest-socket keeps it from connecting; a server of an earlier test may still accept, in its own thread.
            item.add_marker(pytest.mark.allow_hosts([]))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if os.environ.get("DOUBLED") and item.get_closest_marker("one_of_each") is not None:
        pytest.skip("looks into the one process of each kind")
    if item.get_closest_marker("browser") is not None and find_browser() is None:
        _leave_out(NO_BROWSER)
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if shutil.which(program) is None:
                _leave_out(f"{program} is not on the PATH")


def find_browser() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def _leave_out(reason: str) -> NoReturn:
    # A run that nobody watches must not pass by leaving out what it is there for.
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


class CompiledTemplates(BytecodeCache):
    """Keeps what one application compiled for those that later tests make."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._codes[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(scope="session", autouse=True)
def _templates_are_compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Environment,
            "__init__",
            partialmethod(Environment.__init__, bytecode_cache=CompiledTemplates()),
        )
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser.

    The mark `browser` leaves a test out before anything starts.
    """
    return find_browser() or _leave_out(NO_BROWSER)


@pytest.fixture
async def unread_errors() -> AsyncIterator[list[str]]:
    """What asyncio reports meanwhile, as an error that nothing read."""
    loop, reported = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
    yield reported
    loop.set_exception_handler(None)


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Path]:
    """A directory that any account can walk to, which pytest's own are not.

    PostgreSQL drops root.
    """
    with tempfile.TemporaryDirectory(prefix="registro-mipres-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="session")
async def postgres_url(open_directory: Path) -> AsyncIterator[str]:
    """An empty database on a server of the session's own."""
    async with embedded_postgres_server(open_directory / "postgres") as url:
        yield url


@pytest.fixture(scope="session")
async def migrated_database(postgres_url: str) -> MigratedDatabase:
    return await MigratedDatabase.create(postgres_url)


@pytest.fixture
async def database_url(migrated_database: MigratedDatabase) -> str:
    """A migrated and empty database for one test."""
    await migrated_database.empty()
    return migrated_database.url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
def hasher() -> Hasher:
    """Hashes at the least cost, for tests of locks, sessions and links.

    `Hasher()` costs what production pays.
    """
    return Hasher(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def audit(engine: AsyncEngine, clock: FakeClock) -> PostgresAuditTrail:
    return PostgresAuditTrail(engine, keys=AUDIT_KEYS, clock=clock)


@pytest.fixture
def lockouts(engine: AsyncEngine, clock: FakeClock) -> LoginLockouts:
    return LoginLockouts(engine, key=b"l" * 32, clock=clock)


@pytest.fixture
def erasures(engine: AsyncEngine, clock: FakeClock) -> Erasures:
    return Erasures(engine, key=b"e" * 32, clock=clock)


@pytest.fixture
def changes(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> PostgresAddressChanges:
    return PostgresAddressChanges(
        engine, tokens=LinkTokens(b"c" * 32), audit=audit, wait=timedelta(hours=24), clock=clock
    )


@pytest.fixture
def accounts(
    engine: AsyncEngine,
    audit: PostgresAuditTrail,
    erasures: Erasures,
    changes: PostgresAddressChanges,
    clock: FakeClock,
) -> PostgresAccounts:
    return PostgresAccounts(
        engine,
        tokens=LinkTokens(b"k" * 32),
        audit=audit,
        erasures=erasures,
        changes=changes,
        clock=clock,
    )


@pytest.fixture
def links(
    engine: AsyncEngine, audit: PostgresAuditTrail, lockouts: LoginLockouts, clock: FakeClock
) -> PostgresPasswordLinks:
    return PostgresPasswordLinks(
        engine, tokens=LinkTokens(b"k" * 32), audit=audit, lockouts=lockouts, clock=clock
    )


@pytest.fixture(scope="session")
async def temporal_env() -> AsyncIterator[WorkflowEnvironment]:
    """The real server with its clock under control, and the product's converter."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False, max_session_skip_count=MOST_STEPS),
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_startup_timeout=timedelta(seconds=60),
        dev_server_extra_args=[
            word for setting in SERVER_SETTINGS for word in ("--dynamic-config-value", setting)
        ],
        data_converter=data_converter(
            PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY, converter=WorkerPayloadConverter
        ),
        search_attributes=list(SEARCH_ATTRIBUTES),
    )
    async with environment:
        yield environment
        left = [schedule.id async for schedule in await environment.client.list_schedules()]
    assert left == [], "a schedule that a test leaves works in the tests after it: use `scheduling`"


@pytest.fixture
async def scheduling(temporal_env: WorkflowEnvironment) -> AsyncIterator[Client]:
    """The server for a test of the product's schedules; they end with it."""
    client = temporal_env.client
    yield client
    for schedule_id in SCHEDULE_IDS:
        # A test may have removed it itself.
        with suppress(RPCError):
            await client.get_schedule_handle(schedule_id).delete()
    async for run in client.list_workflows('ExecutionStatus = "Running"'):
        if run.id.startswith(SCHEDULE_IDS):
            await client.get_workflow_handle(run.id).terminate("the test is over")
