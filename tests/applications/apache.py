"""Debian's Apache with mod_auth_openidc, set up by docs/applications.md."""

import os
import re
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.probes import LOOPBACK, http_ok
from dev.process import ROOT, SILENT, Part, supervisor_of
from tests.deployment.programs import program

MODULE = Path("/usr/lib/apache2/modules/mod_auth_openidc.so")
PAGE = ROOT / "docs" / "applications.md"
PROTECTED = "/protegido"
# What Debian's own set-up loads before a site, with this test's folders.
BASE = """
ServerRoot /usr/lib/apache2
ServerName localhost
PidFile ${RUNDIR}/httpd.pid
DefaultRuntimeDir ${RUNDIR}
ErrorLog ${RUNDIR}/error.log
TypesConfig /etc/mime.types
DocumentRoot ${RUNDIR}/htdocs
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authn_core_module modules/mod_authn_core.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_user_module modules/mod_authz_user.so
LoadModule dir_module modules/mod_dir.so
LoadModule mime_module modules/mod_mime.so
LoadModule include_module modules/mod_include.so
"""
# The page that stands behind the login: it shows the headers that an application would read.
SHOWN = """<Location {protected}>
  Options +Includes
  AddOutputFilter INCLUDES .html
</Location>
"""
APPLICATION = """<!doctype html><title>Aplicación</title>
usuario=<!--#echo var="REMOTE_USER" -->
nombre=<!--#echo encoding="none" var="OIDC_CLAIM_name" -->
ingreso=<!--#echo encoding="none" var="OIDC_CLAIM_preferred_username" -->
roles=<!--#echo encoding="none" var="OIDC_CLAIM_roles" -->
todo=<!--#echo encoding="none" var="OIDC_userinfo_json" -->
"""


@dataclass(frozen=True, kw_only=True)
class Apache:
    """A running Apache.

    Attributes:
        address: Public address, without a slash at its end.
    """

    address: str
    directory: Path

    @property
    def protected(self) -> str:
        return f"{self.address}{PROTECTED}/"

    def complaints(self) -> str:
        return (self.directory / "error.log").read_text(encoding="utf-8", errors="replace")


def documented(kind: str, places: Mapping[str, str]) -> str:
    """The first lines of this kind on the page, with this machine's addresses."""
    block = re.search(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block, f"docs/applications.md shows lines of {kind}"
    lines = block.group(1)
    for example, here in places.items():
        assert example in lines, example
        lines = lines.replace(example, here)
    return lines


def laid_out(directory: Path, *, port: int, places: Mapping[str, str]) -> Path:
    """Write the application and the settings; the path of Apache's main file."""
    if not MODULE.exists():
        missing = "mod_auth_openidc is not installed: Debian's package libapache2-mod-auth-openidc has it"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    pages = directory / "htdocs"
    (pages / "protegido").mkdir(parents=True)
    (pages / "protegido" / "index.html").write_text(APPLICATION, encoding="utf-8")
    (pages / "fuera.html").write_text("<title>Fuera</title>", encoding="utf-8")
    account = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
    main = directory / "apache.conf"
    main.write_text(
        f"{BASE}{account}Listen {LOOPBACK}:{port}\n{documented('apache', places)}\n{SHOWN.format(protected=PROTECTED)}",
        encoding="utf-8",
    )
    subprocess.run(["chmod", "-R", "a+rX", str(directory)], check=True)
    return main


@asynccontextmanager
async def apache(directory: Path, *, port: int, places: Mapping[str, str]) -> AsyncIterator[Apache]:
    """Run Apache as an ordinary application of the registry.

    Args:
        places: What stands in the documented lines, and what stands there in this test.
    """
    command = program("apache2")
    main = laid_out(directory, port=port, places=places)
    part = Part(
        name="apache",
        command=(command, "-f", str(main), "-D", "FOREGROUND"),
        environment={**os.environ, "RUNDIR": str(directory)},
        is_ready=http_ok(port, "/fuera.html"),
    )
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(part)
        yield Apache(address=f"http://localhost:{port}", directory=directory)
