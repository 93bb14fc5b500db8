"""Settings of the sandbox, from environment variables that begin with ``PAYMENTS_SANDBOX_``."""

import os
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sandbox.errors import InvalidSettingError

PREFIX: Final = "PAYMENTS_SANDBOX_"
NOT_SETTINGS: Final = {"PAYMENTS_SANDBOX_API_KEY"}
"""Variables of ``.sandbox/env`` for clients; a user may have sourced them."""

Port = Annotated[int, Field(ge=1, le=65_535)]


class SandboxSettings(BaseSettings):
    """The sandbox's state folder, and its ports on the loopback interface."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    directory: Path = Field(Path(".sandbox"), description="Data, logs and secrets.")
    kafka_port: Port = Field(19_092, description="Kafka, for clients.")
    kafka_controller_port: Port = Field(19_093, description="Kafka's controller.")
    kafka_heap: str = Field("512m", pattern=r"^\d+[mg]$", description="Kafka's largest heap.")
    postgres_port: Port = Field(15_432, description="PostgreSQL.")
    simulator_port: Port = Field(12_111, description="The Stripe simulator.")
    ingress_port: Port = Field(8_080, description="The service's HTTP API.")
    stream_metrics_port: Port = Field(9_101, description="Metrics of `payments stream`.")
    worker_metrics_port: Port = Field(9_102, description="Metrics of `payments worker`.")

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        used: dict[int, str] = {}
        for variable, port in self.ports().items():
            if port in used:
                raise ValueError(f"{variable} and {used[port]} are both {port}; change one")
            used[port] = variable
        return self

    def ports(self) -> dict[str, int]:
        """Each port by the variable that sets it."""
        fields = [name for name in type(self).model_fields if name.endswith("_port")]
        return {f"{PREFIX}{name}".upper(): getattr(self, name) for name in fields}


def load() -> SandboxSettings:
    """Read the settings from this process's environment.

    Raises:
        InvalidSettingError: names each variable that is invalid or unknown.
    """
    known = {f"{PREFIX}{name}".upper() for name in SandboxSettings.model_fields} | NOT_SETTINGS
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise InvalidSettingError(
            f"{', '.join(unknown)}: no such setting; there are {', '.join(sorted(known))}"
        )
    try:
        return SandboxSettings()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        lines = [
            " ".join(
                [
                    *(f"{PREFIX}{place}:".upper() for place in problem["loc"]),
                    problem["msg"].removeprefix("Value error, "),
                ]
            )
            for problem in problems
        ]
        raise InvalidSettingError("\n".join(lines)) from None
