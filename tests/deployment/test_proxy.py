"""nginx with the shipped files before a real API.

Debian's nginx may be older than the image's: the upstream's `resolve` and `http2 on` are newer than 1.22, and
are taken out here.
"""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx2
import pytest

from api import codec
from dev.probes import LOOPBACK, free_port, http_ok
from dev.process import SILENT, Part, supervisor_of
from tests.deployment.composed import DEPLOY, services
from tests.deployment.image import default_command, environment
from tests.deployment.programs import program

PROXY = DEPLOY / "proxy"
IMMUTABLE = "public, max-age=31536000, immutable"


def laid_out(name: str, directory: Path, *, api: int, clear: int, encrypted: int) -> Path:
    """A shipped configuration with this machine's ports and places.

    The path of nginx's main file.
    """
    text = (PROXY / name).read_text(encoding="utf-8")
    places = {
        "resolver 127.0.0.11 valid=5s;": "",
        "server api:8000 resolve": f"server {LOOPBACK}:{api}",
        "http2 on;": "",
        "listen 8080": f"listen {LOOPBACK}:{clear}",
        "listen 8443": f"listen {LOOPBACK}:{encrypted}",
        "/etc/nginx/registro": str(PROXY),
        "/run/secrets": str(directory),
    }
    for shipped, here in places.items():
        text = text.replace(shipped, here)
    (directory / "site.conf").write_text(text, encoding="utf-8")
    temporary = "".join(
        f"{kind}_temp_path {directory}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = directory / "nginx.conf"
    main.write_text(
        f"daemon off;\npid {directory}/pid;\nerror_log stderr warn;\nworker_processes 1;\n"
        f"events {{}}\nhttp {{\naccess_log {directory}/access.log;\n{temporary}include {directory}/site.conf;\n}}\n",
        encoding="utf-8",
    )
    return main


def certificate(directory: Path) -> None:
    command = (
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", str(directory / "tls.key"), "-out", str(directory / "tls.crt"), "-days", "1"),
        *("-subj", "/CN=registro.example", "-addext", "subjectAltName=DNS:registro.example"),
    )
    subprocess.run(command, check=True, capture_output=True)


async def listens(port: int) -> bool:
    try:
        _reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.fixture(scope="module", params=["nginx.conf", "nginx-tls.conf"])
async def proxied(
    request: pytest.FixtureRequest, image_tree: Path, generated: dict[str, str], open_directory: Path
) -> AsyncIterator[tuple[httpx2.AsyncClient, int]]:
    """A client of the proxy, and the port on which it speaks in clear."""
    encrypts = request.param == "nginx-tls.conf"
    directory = open_directory / request.param.replace(".", "-")
    directory.mkdir()
    api, clear, encrypted = free_port(), free_port(), free_port()
    certificate(directory)
    main = laid_out(request.param, directory, api=api, clear=clear, encrypted=encrypted)
    command = tuple(str(api) if word == "8000" else word for word in default_command())
    variables: dict[str, str] = services(generated)["api"]["environment"]
    settings = {**variables, "MIPRES_TRUSTED_PROXIES": "127.0.0.0/8"}
    trusted = ssl.create_default_context(cafile=str(directory / "tls.crt"))
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(
            Part(
                name="api",
                command=(sys.executable, "-m", *command),
                environment=environment(settings),
                directory=image_tree,
                is_ready=http_ok(api, "/health/live"),
            )
        )
        nginx = (program("nginx"), "-p", str(directory), "-c", str(main))
        await supervisor.start(Part(name="proxy", command=nginx, is_ready=partial(listens, clear)))
        base = f"https://registro.example:{encrypted}" if encrypts else f"http://{LOOPBACK}:{clear}"
        async with httpx2.AsyncClient(
            base_url=base,
            transport=Here(encrypted, trusted) if encrypts else None,
            trust_env=False,
            timeout=10,
        ) as client:
            yield client, clear


class Here(httpx2.AsyncHTTPTransport):
    """Finds registro.example on this machine."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(verify=context)
        self._port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=LOOPBACK, port=self._port)
        return await super().handle_async_request(request)


async def test_static_files_are_fetched_once_and_compressed(
    proxied: tuple[httpx2.AsyncClient, int],
) -> None:
    client, _clear = proxied
    page = await client.get("/")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["content-encoding"] == "gzip"
    [style] = {
        part.partition('"')[0] for part in page.text.split('href="') if "/static/css/app.css?v=" in part[:60]
    }
    fetched = await client.get(style)
    assert fetched.status_code == 200
    assert fetched.headers["cache-control"] == IMMUTABLE
    assert fetched.headers["content-encoding"] == "gzip"
    assert fetched.headers["vary"] == "Accept-Encoding"
    assert fetched.headers["x-content-type-options"] == "nosniff"
    assert (await client.get("/static/css/app.css")).headers["cache-control"] == "no-store"
    # During a rolling update a page's file may be asked of a process that has another content for it.
    of_another_release = await client.get("/static/css/app.css?v=0123456789ab")
    assert (of_another_release.status_code, of_another_release.headers["cache-control"]) == (200, "no-store")
    absent = await client.get("/static/css/absent.css?v=0123456789ab")
    assert (absent.status_code, absent.headers["cache-control"]) == (404, "no-store")


async def test_histories_pass_to_the_codec_and_large_forms_do_not(
    proxied: tuple[httpx2.AsyncClient, int],
) -> None:
    client, _clear = proxied
    whole = b"x" * (codec.MAX_BODY_BYTES - 1)
    assert (await client.post("/codec/decode", content=whole)).status_code != 413
    assert (await client.post("/registro/otro", content=b"x" * 70_000)).status_code == 413
    assert (await client.get("/metrics")).status_code == 404


async def test_a_long_request_of_an_application_passes_both_ways(
    proxied: tuple[httpx2.AsyncClient, int],
) -> None:
    client, _clear = proxied
    sent_on = await client.post("/oidc/logout", data={"state": "s" * 6000})
    assert (sent_on.status_code, len(sent_on.headers.get("location", ""))) == (303, 6019)
    assert (await client.get(f"/oidc/authorize?{sent_on.headers['location']}")).status_code != 414


async def test_the_proxy_names_neither_itself_nor_its_version(
    proxied: tuple[httpx2.AsyncClient, int],
) -> None:
    client, _clear = proxied
    assert (await client.get("/")).headers.get("server") in {None, "nginx"}


async def test_in_clear_there_is_only_the_way_to_tls(proxied: tuple[httpx2.AsyncClient, int]) -> None:
    client, clear = proxied
    assert (await client.get("/health/live")).status_code == 200
    if not str(client.base_url).startswith("https:"):
        return
    async with httpx2.AsyncClient(trust_env=False) as plain:
        answer = await plain.get(f"http://{LOOPBACK}:{clear}/registro/otro?x=1")
    assert (answer.status_code, answer.headers["location"]) == (
        308,
        "https://registro.example/registro/otro?x=1",
    )
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with httpx2.AsyncClient(verify=context, trust_env=False) as stranger:
        port = client._transport._port  # type: ignore[attr-defined]
        with pytest.raises(httpx2.ConnectError):
            await stranger.get(f"https://{LOOPBACK}:{port}/")


async def test_temporal_s_interface_opens_with_its_password_alone(open_directory: Path) -> None:
    directory = open_directory / "temporal-ui"
    (directory / "shown").mkdir(parents=True)
    (directory / "users").write_text("soporte:{PLAIN}a-password\n", encoding="utf-8")
    (directory / "shown" / "index.html").write_text("the interface", encoding="utf-8")
    interface, port = free_port(), free_port()
    main = laid_out("temporal-ui.conf", directory, api=0, clear=port, encrypted=0)
    site = directory / "site.conf"
    text = site.read_text(encoding="utf-8").replace("temporal-ui:8080", f"{LOOPBACK}:{interface}")
    site.write_text(text.replace(str(PROXY / "users"), str(directory / "users")), encoding="utf-8")
    pages = ("-m", "http.server", str(interface), "--bind", LOOPBACK, "--directory", str(directory / "shown"))
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(
            Part(name="ui", command=(sys.executable, *pages), is_ready=partial(listens, interface))
        )
        nginx = (program("nginx"), "-p", str(directory), "-c", str(main))
        await supervisor.start(Part(name="login", command=nginx, is_ready=partial(listens, port)))
        async with httpx2.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", trust_env=False) as client:
            refused = [
                await client.get("/"),
                await client.get("/", auth=("soporte", "another")),
                await client.get("/", auth=("soporte", "")),
                await client.get("/", auth=("admin", "a-password")),
            ]
            assert {answer.status_code for answer in refused} == {401}
            shown = await client.get("/", auth=("soporte", "a-password"))
            assert (shown.status_code, shown.text) == (200, "the interface")
            assert (await client.get("/health")).status_code == 204
