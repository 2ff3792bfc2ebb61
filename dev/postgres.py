"""Embedded PostgreSQL: a cluster and its server, on loopback, with a password."""

import contextlib
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

import asyncpg

from dev.postgres_binaries import binaries_for_everyone, find_postgres_bin, locale_options, shared, walkable
from dev.probes import LOOPBACK, free_port
from dev.process import SILENT, Account, LaunchError, Part, Supervisor, supervisor_of
from dev.process_records import command_line

USER = "mipres"
DATABASE = "mipres"
SHARED_DATA = Path("/var/lib/registro-mipres")
CONNECT_SECONDS = 5.0
# The level `log`, of every start and checkpoint, ranks above `error`.
QUIET: Mapping[str, str] = {"log_min_messages": "fatal"}
THROWAWAY_PASSWORD = "postgres"  # noqa: S105 - for servers that hold nothing and live on loopback.
UNSAFE_BUT_FAST: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "log_min_messages": "fatal",
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One PostgreSQL data directory and who may run it."""

    directory: Path
    binaries: Path
    account: Account | None
    password: str

    def exists(self) -> bool:
        """Whether there are data. Data that are out of reach are not taken for none.

        Raises:
            LaunchError: the link to them leads nowhere, or their account cannot walk to them.
        """
        directory = self.directory
        if directory.is_symlink() and not directory.exists():
            raise LaunchError(
                f"{directory} apunta a {directory.readlink()}, que no existe: faltan los datos de PostgreSQL. "
                "Restaure una copia hecha con `cp -aL`, o borre lo que queda con `make reset`."
            )
        if directory.exists() and self.account is not None and not walkable(directory.resolve().parent):
            raise LaunchError(
                f"PostgreSQL no corre como root y su cuenta no llega a {directory}: ponga la copia en un "
                "directorio al que llegue cualquiera, como /srv/registro-mipres, y nómbrelo en MIPRES_DATA_DIR."
            )
        return directory.exists()

    def resolved(self) -> "Cluster":
        """The same cluster, at the place that a link leads to."""
        return replace(self, directory=self.directory.resolve())

    def url(self, port: int, database: str = DATABASE) -> str:
        """Address for SQLAlchemy."""
        return f"postgresql+asyncpg://{USER}:{quote(self.password, safe='')}@{LOOPBACK}:{port}/{database}"


@asynccontextmanager
async def embedded_postgres_server(
    directory: Path,
    *,
    port: int = 0,
    password: str = THROWAWAY_PASSWORD,
    options: Mapping[str, str] = UNSAFE_BUT_FAST,
) -> AsyncIterator[str]:
    """Run a server for a block of code and yield the URL of its database `mipres`."""
    async with supervisor_of(SILENT) as supervisor:
        yield await start_postgres(
            supervisor, directory, port=port or free_port(), password=password, options=options
        )


async def start_postgres(
    supervisor: Supervisor,
    directory: Path,
    *,
    port: int,
    password: str,
    options: Mapping[str, str] = QUIET,
) -> str:
    """Create the cluster if there is none, start its server and return the URL."""
    cluster = await _cluster(supervisor, directory, password, durable=options.get("fsync") != "off")
    _forget_stale_lock(cluster.directory)
    await supervisor.start(_server(cluster, port, options))
    await _ensure_database(cluster, port)
    return cluster.url(port)


async def _cluster(supervisor: Supervisor, directory: Path, password: str, *, durable: bool) -> Cluster:
    account = _account_for(directory)
    binaries = find_postgres_bin() if account is None else binaries_for_everyone()
    cluster = Cluster(directory=directory, binaries=binaries, account=account, password=password)
    if not cluster.exists():
        await _create(supervisor, cluster, durable=durable)
    return cluster.resolved()


async def _create(supervisor: Supervisor, cluster: Cluster, *, durable: bool) -> None:
    """Create a cluster, which gets its final name only when it is complete."""
    place = _place_for(cluster.directory, cluster.account)
    fresh = replace(cluster, directory=place.with_name(f"{place.name}.new"))
    with _empty(fresh) as password_file:
        await supervisor.run(_initdb(fresh, password_file, durable=durable))
    fresh.directory.rename(place)
    if place != cluster.directory:
        cluster.directory.unlink(missing_ok=True)
        cluster.directory.symlink_to(place)


@contextmanager
def _empty(cluster: Cluster) -> Iterator[Path]:
    """Empty the cluster's directory and give it to its account.

    Yield a file with the password.
    """
    shutil.rmtree(cluster.directory, ignore_errors=True)
    cluster.directory.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile(dir=cluster.directory.parent, prefix="password-") as file:
        file.write(cluster.password.encode())
        file.flush()
        for path in (cluster.directory, file.name):
            if cluster.account is not None:
                os.chown(path, cluster.account.uid, cluster.account.gid)
        yield Path(file.name)


def _account_for(directory: Path) -> Account | None:
    """Choose who runs PostgreSQL, which refuses root.

    The owner of an existing cluster, or `nobody`.
    """
    owner = directory.stat().st_uid if directory.exists() else None
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            raise LaunchError(
                f"Los datos de PostgreSQL en {directory} son de otro usuario: inicie con ese usuario "
                "o defina otro MIPRES_DATA_DIR."
            )
        return None
    entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def _place_for(directory: Path, account: Account | None) -> Path:
    """Where a new cluster lives: outside DATA_DIR when its account cannot walk there."""
    if account is None or walkable(directory.parent):
        return directory
    own = Path(tempfile.mkdtemp(prefix="postgres-", dir=shared(SHARED_DATA)))
    own.chmod(0o711)
    return own / "data"


def _initdb(cluster: Cluster, password_file: Path, *, durable: bool) -> Part:
    command = (
        str(cluster.binaries / "initdb"),
        f"--pgdata={cluster.directory}",
        f"--username={USER}",
        "--auth=scram-sha-256",
        f"--pwfile={password_file}",
        "--encoding=UTF8",
        "--no-instructions",
        *locale_options(cluster.binaries),
        *(() if durable else ("--no-sync",)),
    )
    return Part(name="postgres", command=command, directory=Path("/"), account=cluster.account, discreet=True)


def _server(cluster: Cluster, port: int, options: Mapping[str, str]) -> Part:
    settings = {"listen_addresses": LOOPBACK, "unix_socket_directories": "", "port": str(port), **options}
    flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Part(
        name="postgres",
        command=(str(cluster.binaries / "postgres"), "-D", str(cluster.directory), *flags),
        address=f"{LOOPBACK}:{port}, base de datos {DATABASE}, usuario {USER}",
        is_ready=partial(_accepts_connections, cluster, port),
        directory=Path("/"),
        account=cluster.account,
        discreet=True,
        # Fast shutdown: sessions are ended, everything committed is on disk.
        stop_signal=signal.SIGINT,
        stop_seconds=2.0,
        # Immediate shutdown ends the server's own children too; the next start replays its log.
        orphan_signal=signal.SIGQUIT,
    )


async def _accepts_connections(cluster: Cluster, port: int) -> bool:
    try:
        connection = await _connect(cluster, port)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
        return False
    except asyncpg.InvalidPasswordError as error:
        raise LaunchError(
            "La contraseña de PostgreSQL no es la de los datos guardados: restablezca "
            "MIPRES_POSTGRES_PASSWORD (o secrets.env), o borre los datos con `make reset`."
        ) from error
    await connection.close()
    return True


async def _ensure_database(cluster: Cluster, port: int) -> None:
    connection = await _connect(cluster, port)
    try:
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()


async def _connect(cluster: Cluster, port: int) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=LOOPBACK,
        port=port,
        user=USER,
        password=cluster.password,
        database="postgres",
        ssl=False,
        timeout=CONNECT_SECONDS,
    )


def _forget_stale_lock(directory: Path) -> None:
    """Remove a lock file whose process id belongs to another program by now.

    PostgreSQL itself copes with an id that nobody has; a server that really runs here keeps its lock.
    """
    lock = directory / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError):
        pid = int(lock.read_text(encoding="utf-8").partition("\n")[0])
        running = command_line(pid)
        if running and str(directory) not in running:
            lock.unlink()
