"""Every setting of the product, read once from `MIPRES_…` variables.

In development, absent values point at the servers that `make run` embeds; production takes nothing for
granted and refuses to start on a missing, weak or development value.
"""

import os
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)

from mipres.domain.errors import MipresError
from mipres.settings.fields import Fields
from mipres.settings.names import DEVELOPMENT_DATA_DIR, SECRETS_FILE, STACK_FILE, variable
from mipres.settings.production import production_refusals
from mipres.settings.values import UNREADABLE


class UnusableSettingError(MipresError):
    """A variable has quotes around its value, or names a file that cannot be read."""


class Settings(Fields):
    """Frozen and complete: no other source of configuration is needed beside it."""

    @model_validator(mode="after")
    def _name_builds_with_their_deployment(self) -> Self:
        names = {field: getattr(self, field) for field in ("worker_deployment", "worker_build")}
        absent = [variable(field) for field, name in names.items() if name is None]
        if len(absent) == 1:
            raise ValueError(
                f"{absent[0]}: falta; {variable('worker_deployment')} y {variable('worker_build')} van juntas."
            )
        return self

    @model_validator(mode="after")
    def _pair_the_certificate_with_its_key(self) -> Self:
        certificate, key = self.temporal_tls_cert, self.temporal_tls_key
        if certificate is None and key is None:
            return self
        if certificate is None or key is None:
            absent = "temporal_tls_cert" if certificate is None else "temporal_tls_key"
            raise ValueError(f"{variable(absent)}: falta; el certificado y su clave privada van juntos.")
        try:
            # Without a password it would ask for the one of an encrypted key.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
        except ssl.SSLError:
            raise ValueError(
                f"{variable('temporal_tls_key')}: no es la clave privada (PEM, sin contraseña) de "
                f"{variable('temporal_tls_cert')}."
            ) from None
        return self

    @model_validator(mode="after")
    def _refuse_an_unsafe_production(self) -> Self:
        if self.environment == "production":
            for refusal in production_refusals(self):
                raise ValueError(refusal)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables, then `…_FILE`.

        In development also what the launcher left.
        """
        variables = _without_blanks(env_settings())
        given, values = {**variables, **init_settings()}, {}
        for field in settings_cls.model_fields:
            name = f"{variable(field)}_FILE"
            if path := os.environ.get(name):
                try:
                    values[field] = Path(path).read_text(encoding="utf-8")
                except (OSError, UnicodeDecodeError) as error:
                    raise UnusableSettingError(f"{name}: {UNREADABLE}") from error
        read = (
            InitSettingsSource(settings_cls, init_kwargs=found)
            for found in (variables, _without_blanks(values))
        )
        sources = (init_settings, *read, dotenv_settings, file_secret_settings)
        if given.get("environment", "development") != "development":
            return sources
        data_dir = Path(given.get("data_dir", DEVELOPMENT_DATA_DIR))
        launcher_files = (data_dir / SECRETS_FILE, data_dir / STACK_FILE)
        for file in launcher_files:
            # The source below takes what cannot be looked at for absent, since Python 3.14.
            with suppress(FileNotFoundError):
                file.stat()
        return *sources, DotEnvSettingsSource(
            settings_cls, env_file=launcher_files, env_file_encoding="utf-8"
        )


def _without_blanks(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they were meant: what ends a line of a file or of a Secret is no part of them.

    Raises:
        UnusableSettingError: quotes that a shell would have removed are around a value.
    """
    values = {field: value.strip() if isinstance(value, str) else value for field, value in given.items()}
    for field, value in values.items():
        if isinstance(value, str) and re.fullmatch(r"""(["']).*\1""", value, re.DOTALL):
            raise UnusableSettingError(f"{variable(field)}: quite las comillas que rodean el valor.")
    return {field: value for field, value in values.items() if value != ""}
