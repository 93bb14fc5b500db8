"""Reads settings from the environment, without the variables that Kubernetes sets for a Service.

Their names begin with the Service's name. So a Service ``payments-ingress`` sets
``PAYMENTS_INGRESS_PORT=tcp://10.0.0.1:80``, which has the name of a setting but is none.
"""

import re
from collections.abc import Mapping
from typing import Final

from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX: Final = "PAYMENTS_"
_ADDRESS: Final = r"(?:tcp|udp|sctp)://\S+:\d+"
_PROTOCOL: Final = r"PORT_\d+_(?:TCP|UDP|SCTP)"
_HOST: Final = r"[0-9A-Fa-f.:]+"
#: Patterns of names and of their values.
_PATTERNS: Final = tuple(
    (re.compile(rf"PAYMENTS(?:_[A-Z0-9_]+)?_{name}"), re.compile(value))
    for name, value in (
        ("SERVICE_HOST", _HOST),
        (r"SERVICE_PORT(?:_[A-Z0-9_]+)?", r"\d+"),
        ("PORT", _ADDRESS),
        (_PROTOCOL, _ADDRESS),
        (f"{_PROTOCOL}_PROTO", "tcp|udp|sctp"),
        (f"{_PROTOCOL}_PORT", r"\d+"),
        (f"{_PROTOCOL}_ADDR", _HOST),
    )
)


def is_set_for_a_service(name: str, value: str) -> bool:
    """Returns whether Kubernetes sets such a variable, name and value, for a Service."""
    return any(n.fullmatch(name.upper()) and v.fullmatch(value) for n, v in _PATTERNS)


class _Environment(EnvSettingsSource):
    """The environment without the variables that Kubernetes sets for Services."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        found = super()._load_env_vars()
        return {n: v for n, v in found.items() if not is_set_for_a_service(n, v or "")}


class Group(BaseSettings):
    """A group of settings, read from the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Reads arguments, then the environment. Reads no file."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _Environment(settings_cls)
