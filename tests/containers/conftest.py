"""Starts docker-compose.yml on free ports with its own project name, and removes it at the end."""

import secrets
import subprocess
from collections.abc import Iterator

import pytest
from testcontainers.compose import DockerCompose

from sandbox import containers
from sandbox.environment import write_environment
from sandbox.settings import SandboxSettings
from sandbox.supervision.ports import free_ports
from sandbox.testing import Infrastructure
from sandbox.topology import PROJECT
from tests.service.stack import Stack

COMMANDS = (("docker", "version"), ("docker", "compose", "version"))


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine with `docker compose`; without one the session stops with a message."""
    for command in COMMANDS:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 -- see COMMANDS
        except (OSError, subprocess.CalledProcessError) as error:
            output = getattr(error, "stderr", None) or str(error)
            pytest.exit(
                "make containers needs a running Docker engine with docker compose, but "
                f"`{' '.join(command)}` failed: {output.strip()}",
                returncode=1,
            )


@pytest.fixture(scope="session")
def variables() -> dict[str, str]:
    """The content of `make env`'s file, with free ports and our own project name."""
    ports = [name for name in SandboxSettings.model_fields if name.endswith("_port")]
    free = dict(zip(ports, free_ports(len(ports)), strict=True))
    settings = SandboxSettings.model_validate(free)
    project = f"payments-test-{secrets.token_hex(4)}"
    return {**containers.compose(settings, given={}), "COMPOSE_PROJECT_NAME": project}


@pytest.fixture(scope="session")
def compose(
    engine: None, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerCompose]:
    """Everything built, up and healthy; at the end containers, network and volumes are removed."""
    del engine  # only its presence is needed
    file = tmp_path_factory.mktemp("containers") / ".env"
    write_environment(file, variables)
    with pytest.MonkeyPatch.context() as patch:
        for name in variables:  # docker compose prefers the caller's variables
            patch.delenv(name, raising=False)
        with DockerCompose(PROJECT, build=True, env_file=str(file)) as running:
            yield running


@pytest.fixture
def stack(compose: DockerCompose, variables: dict[str, str]) -> Stack:
    """The running service, through the published ports."""
    del compose  # it only has to be running
    infrastructure = Infrastructure(
        variables["PAYMENTS_KAFKA_BOOTSTRAP"], variables["PAYMENTS_DATABASE_URL"]
    )
    return Stack(infrastructure, variables)
