"""The service works in containers, and keeps its data."""

import os
import subprocess
from pathlib import Path

import pytest
from testcontainers.compose import DockerCompose

from sandbox.client import Json, PaymentsClient
from sandbox.supervision.ports import HOST
from sandbox.topology import PROJECT
from tests.service.evidence import at_rest, check
from tests.service.stack import Stack

pytestmark = pytest.mark.anyio

BODY = {"amount": 1999, "currency": "EUR", "payment_method": "pm_card_visa"}
JOBS = {"migrate", "topics"}
PROGRAMS = ("ingress", "stream", "worker", "simulator")
SERVERS = {*PROGRAMS, "kafka", "postgres"}


async def succeeded(stack: Stack, key: str) -> Json:
    """Creates a payment under this key, and waits until it has succeeded."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        payment_id = await client.create(BODY, key)
        return await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))


def docker_compose(compose: DockerCompose, *arguments: str) -> None:
    """Runs a command on the same project."""
    command = [*compose.docker_compose_command(), *arguments]
    subprocess.run(command, cwd=PROJECT, check=False, capture_output=True)  # noqa: S603 -- constants


def restarts(compose: DockerCompose, service: str) -> int:
    """How often Docker has restarted the service's container."""
    info = compose.get_container(service).get_container_info()
    assert info is not None
    assert info.RestartCount is not None
    return info.RestartCount


async def test_a_payment_succeeds_through_the_published_port(stack: Stack) -> None:
    """Created over HTTP from outside, SUCCEEDED by webhooks inside; every invariant holds."""
    payment = await succeeded(stack, "from-outside")
    assert payment["amounts"]["captured"] == BODY["amount"]
    check(await at_rest(stack))


def test_jobs_succeed_and_servers_are_healthy(compose: DockerCompose) -> None:
    """One-shot jobs exited with 0, and every server is healthy."""
    found = {c.Service: (c.State, c.Health, c.ExitCode) for c in compose.get_containers(True)}
    assert found == {
        **dict.fromkeys(SERVERS, ("running", "healthy", 0)),
        **dict.fromkeys(JOBS, ("exited", "", 0)),
    }


def test_ports_are_published_on_the_loopback_only(compose: DockerCompose) -> None:
    """No port of any container can be reached from another machine."""
    published = {
        container.Service: {p.URL for p in container.Publishers if p.PublishedPort}
        for container in compose.get_containers()
    }
    assert published == {server: {HOST} for server in SERVERS}


@pytest.mark.parametrize("service", PROGRAMS)
def test_programs_are_unprivileged_and_cannot_change_their_code(
    compose: DockerCompose, service: str
) -> None:
    """Each runs as an unprivileged user, without write access to its code."""
    uid, _, _ = compose.exec_in_container(["id", "-u"], service)
    assert int(uid) > 0
    with pytest.raises(subprocess.CalledProcessError):
        compose.exec_in_container(["touch", "/app/changed"], service)


async def test_a_killed_stream_worker_is_restarted(compose: DockerCompose, stack: Stack) -> None:
    """After kill -9 the next payment succeeds without any intervention."""
    before = restarts(compose, "stream")
    docker_compose(compose, "exec", "-T", "stream", "sh", "-c", "kill -9 -1")
    await succeeded(stack, "after-the-kill")
    assert restarts(compose, "stream") == before + 1
    check(await at_rest(stack))


async def test_data_outlives_the_containers(compose: DockerCompose, stack: Stack) -> None:
    """Recreated on the same volumes, the service still has its payments and accepts new ones."""
    known = await succeeded(stack, "before-the-end")
    old = {container.ID for container in compose.get_containers(include_all=True)}
    docker_compose(compose, "down")
    assert compose.get_containers(include_all=True) == []
    compose.start()
    assert {c.ID for c in compose.get_containers(include_all=True)}.isdisjoint(old)
    assert await succeeded(stack, "before-the-end") == known
    await succeeded(stack, "after-the-start")
    check(await at_rest(stack))


@pytest.mark.usefixtures("engine")
def test_nothing_starts_without_its_secrets(variables: dict[str, str], tmp_path: Path) -> None:
    """No secret has a default: docker compose refuses to start and names ``make env``."""
    empty = tmp_path / "empty"
    empty.touch()
    environment = {name: value for name, value in os.environ.items() if name not in variables}
    refused = subprocess.run(  # noqa: S603 -- nothing but our own file's name
        ["docker", "compose", "--env-file", str(empty), "config"],  # noqa: S607 -- as a person would
        cwd=PROJECT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert refused.returncode != 0
    assert "run make env" in refused.stderr
