"""The ``.env`` file that docker-compose.yml reads: secrets, ports, and addresses for the host."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sandbox import environment
from sandbox.servers.postgres import DATABASE, ROLE
from sandbox.settings import SandboxSettings
from sandbox.supervision.ports import HOST

FILE: Final = Path(".env")


def compose(settings: SandboxSettings, given: Mapping[str, str]) -> dict[str, str]:
    """The file's content, with new secrets.

    On the host it serves the same purpose as ``.sandbox/env``: clients source it.

    Args:
        settings: the ports to publish.
        given: the environment of the caller; may set PAYMENTS_PARTITIONS.
    """
    password = secrets.token_hex(24)
    variables = environment.compose(
        settings,
        environment.make_secrets(),
        kafka_bootstrap=f"{HOST}:{settings.kafka_port}",
        database_url=f"postgresql://{ROLE}:{password}@{HOST}:{settings.postgres_port}/{DATABASE}",
        given=given,
    )
    ports = {variable: str(port) for variable, port in settings.ports().items()}
    return {"POSTGRES_PASSWORD": password, **variables, **ports}


def keep(path: Path, settings: SandboxSettings, given: Mapping[str, str]) -> bool:
    """Write the file unless it exists; return whether it was written.

    An existing file is kept because the volumes' data depends on its secrets.
    """
    if path.exists():
        return False
    environment.write_environment(path, compose(settings, given))
    return True
