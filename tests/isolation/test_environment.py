"""Exported variables change no test's result."""

from pathlib import Path

import pytest

from sandbox.settings import SandboxSettings
from sandbox.stripe_simulator.settings import PREFIX, SimulatorSettings
from schemas.settings import variables
from tests.isolation.environment import clean
from tests.isolation.sessions import PROBES, outcome, session

#: Tests of settings, addresses and programs' environments, without a broker.
SELECTION = (
    "tests/schemas/test_settings.py",
    "tests/sandbox/test_settings.py",
    "tests/sandbox/test_environment.py",
    "tests/sandbox/test_containers.py",
    "tests/simulator/test_settings.py",
    "tests/simulator/test_program.py",
    "tests/providers/test_registry.py",
    "tests/ingress/http/test_bootstrap.py",
    f"{PROBES}::test_no_setting_is_in_the_environment",
)
DOCUMENTED = (
    *(name for name, _, _ in variables()),
    *SandboxSettings().ports(),
    "PAYMENTS_SANDBOX_DIRECTORY",
    "PAYMENTS_SANDBOX_API_KEY",
    *(f"{PREFIX}{field}".upper() for field in SimulatorSettings.model_fields),
)
OTHERS = {
    "PGHOST": "nowhere.invalid",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGSSLMODE": "verify-full",
    "KAFKA_HEAP_OPTS": "-Xmx1m",
    "JAVA_TOOL_OPTIONS": "-Xmx1m",
    "WEB_CONCURRENCY": "7",
    "PROMETHEUS_MULTIPROC_DIR": "/nonexistent",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "payments_partitions": "odd",
}


def test_exported_variables_change_no_test_result(tmp_path: Path) -> None:
    """Tests pass despite odd values, a misspelt name and variables that libraries read."""
    exported = dict.fromkeys(DOCUMENTED, "7") | OTHERS | {"PAYMENTS_MISSPELT": "7"}
    with session(tmp_path / "inner", *SELECTION, **exported) as process:
        code, output = outcome(process)
    assert code == 0, output


@pytest.mark.parametrize("name", [*DOCUMENTED, "PGHOST", "Payments_Partitions", "_JAVA_OPTIONS"])
def test_variables_that_affect_results_are_removed(name: str) -> None:
    """A name matches in any case. Other variables stay."""
    environment = {name: "7", "PATH": "/bin", "PAYMENTS_TEST_PAYMENTS": "9"}
    clean(environment)
    assert name not in environment
    assert environment["PATH"] == "/bin"
    assert environment["PAYMENTS_TEST_PAYMENTS"] == "9"


def test_local_addresses_use_no_proxy() -> None:
    """Existing exceptions from the proxy stay."""
    environment = {"HTTPS_PROXY": "http://proxy.example:1", "NO_PROXY": "inner.example"}
    clean(environment)
    assert environment["HTTPS_PROXY"] == "http://proxy.example:1"
    assert environment["NO_PROXY"].split(",") == ["inner.example", "127.0.0.1", "localhost", "::1"]
    assert environment["no_proxy"].split(",") == ["127.0.0.1", "localhost", "::1"]
