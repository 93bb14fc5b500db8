"""The environment file: its content, its mode, and its secrets across restarts."""

import hashlib
import stat
import subprocess
from pathlib import Path

from sandbox import environment
from sandbox.settings import SandboxSettings
from sandbox.state import StateFolder

SETTINGS = SandboxSettings(ingress_port=1234, simulator_port=2345)


def composed(tmp_path: Path, **given: str) -> dict[str, str]:
    """The environment with the secrets stored under ``tmp_path``."""
    return environment.compose(
        SETTINGS,
        environment.keep_secrets(tmp_path / "secrets.json"),
        kafka_bootstrap="127.0.0.1:19092",
        database_url="postgresql://payments:x@127.0.0.1:15432/payments",
        given=given,
    )


def test_it_names_every_address_and_secret(tmp_path: Path) -> None:
    """It has everything that a client and the service need."""
    variables = composed(tmp_path)
    assert variables["PAYMENTS_INGRESS_URL"] == "http://127.0.0.1:1234"
    assert variables["PAYMENTS_STRIPE_API_BASE"] == "http://127.0.0.1:2345"
    assert variables["PAYMENTS_PARTITIONS"] == "4"
    assert all(variables.values())


def test_the_service_learns_only_the_hash_of_the_api_key(tmp_path: Path) -> None:
    """The service gets the key's hash and tenant, only the client the key itself."""
    variables = composed(tmp_path)
    key = variables["PAYMENTS_SANDBOX_API_KEY"]
    assert variables["PAYMENTS_API_KEYS"] == f"demo:{hashlib.sha256(key.encode()).hexdigest()}"


def test_secrets_outlive_a_restart_and_differ_between_sandboxes(tmp_path: Path) -> None:
    """The same folder gives the same secrets, another gives others."""
    assert composed(tmp_path) == composed(tmp_path)
    other = environment.keep_secrets(tmp_path / "other" / "secrets.json")
    assert other != environment.keep_secrets(tmp_path / "secrets.json")


def test_the_simulator_and_the_service_share_their_secrets(tmp_path: Path) -> None:
    """The simulator signs with the secret that the service verifies with."""
    variables = composed(tmp_path)
    own = environment.keep_secrets(tmp_path / "secrets.json")
    simulator = environment.simulator_environment(SETTINGS, own, StateFolder(tmp_path))
    assert (
        simulator["PAYMENTS_SIMULATOR_WEBHOOK_SECRET"]
        == variables["PAYMENTS_STRIPE_WEBHOOK_SECRETS"]
    )
    assert simulator["PAYMENTS_SIMULATOR_API_KEY"] == variables["PAYMENTS_STRIPE_API_KEY"]
    assert simulator["PAYMENTS_SIMULATOR_PORT"] == "2345"


def test_partitions_may_be_given(tmp_path: Path) -> None:
    """The caller's PAYMENTS_PARTITIONS has precedence."""
    assert composed(tmp_path, PAYMENTS_PARTITIONS="12")["PAYMENTS_PARTITIONS"] == "12"


def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    """Both files have mode 0600, even if an older one had another mode."""
    path = tmp_path / "env"
    path.write_text("")
    path.chmod(0o644)
    environment.write_environment(path, composed(tmp_path))
    for file in (path, tmp_path / "secrets.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_shell_reads_back_what_was_written(tmp_path: Path) -> None:
    """Sourcing the file gives the exact values, special characters included."""
    variables = {"PAYMENTS_A": "plain", "PAYMENTS_B": "a b&c'd$e"}
    environment.write_environment(tmp_path / "env", variables)
    script = f'. {tmp_path}/env; printf "%s\\n%s\\n" "$PAYMENTS_A" "$PAYMENTS_B"'
    result = subprocess.run(  # noqa: S603 -- a script of our own
        ["/bin/sh", "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == list(variables.values())
