"""``make env``: writes the file for docker-compose.yml once, readable by its owner only."""

import re
import stat
import subprocess
import sys
from pathlib import Path

from sandbox import containers
from sandbox.settings import SandboxSettings
from sandbox.topology import PROJECT

SETTINGS = SandboxSettings(ingress_port=1234, kafka_port=2345)
COMPOSE_FILE = (PROJECT / "docker-compose.yml").read_text()


def test_it_has_every_variable_without_a_default() -> None:
    """The file has every variable that docker-compose.yml requires."""
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE_FILE))
    variables = containers.compose(SETTINGS, given={})
    assert {"POSTGRES_PASSWORD", "PAYMENTS_STRIPE_API_KEY"} <= required <= variables.keys()
    assert all(variables.values())


def test_no_secret_of_the_compose_file_has_a_default() -> None:
    """Only ports, numbers and presets have defaults; everything else is required."""
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE_FILE))
    ports = {variable: str(port) for variable, port in SandboxSettings().ports().items()}
    unpublished = {"PAYMENTS_SANDBOX_KAFKA_CONTROLLER_PORT": "19093"}
    others = {"PAYMENTS_PARTITIONS": "4", "PAYMENTS_SIMULATOR_FAULTS": "none"}
    assert {**defaults, **unpublished} == {**ports, **others}


def test_the_host_finds_the_published_ports() -> None:
    """A client that sources it finds the published ports."""
    variables = containers.compose(SETTINGS, given={"PAYMENTS_PARTITIONS": "12"})
    assert variables["PAYMENTS_SANDBOX_INGRESS_PORT"] == "1234"
    assert variables["PAYMENTS_INGRESS_URL"] == "http://127.0.0.1:1234"
    assert variables["PAYMENTS_KAFKA_BOOTSTRAP"] == "127.0.0.1:2345"
    assert variables["POSTGRES_PASSWORD"] in variables["PAYMENTS_DATABASE_URL"]
    assert variables["PAYMENTS_PARTITIONS"] == "12"


def test_secrets_differ_each_time() -> None:
    """Two files have different secrets."""
    one, other = (containers.compose(SETTINGS, given={}) for _ in range(2))
    secret = {"POSTGRES_PASSWORD", "PAYMENTS_STRIPE_API_KEY", "PAYMENTS_STRIPE_WEBHOOK_SECRETS"}
    assert all(one[name] != other[name] for name in {*secret, "PAYMENTS_API_KEYS"})


def test_the_command_writes_it_once_and_for_its_owner(tmp_path: Path) -> None:
    """The first call writes a file of mode 0600; the second leaves it as it is."""
    output = []
    content = set()
    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-m", "sandbox", "env"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(PROJECT)},
            check=True,
            capture_output=True,
            text=True,
        )
        output.append(ended.stdout.strip())
        content.add((tmp_path / ".env").read_text())
    assert output == [".env written", ".env exists already, and was kept"]
    assert len(content) == 1
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
