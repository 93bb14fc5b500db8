"""Invalid settings are refused with their name and the fix."""

import pytest

from sandbox import settings
from sandbox.errors import InvalidSettingError


def test_each_port_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal names the variable that was read."""
    for number, variable in enumerate(settings.load().ports(), start=20_000):
        monkeypatch.setenv(variable, str(number))
    assert sorted(settings.load().ports().values()) == [*range(20_000, 20_007)]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PAYMENTS_SANDBOX_KAFKA_PORT", "ninety"),
        ("PAYMENTS_SANDBOX_INGRESS_PORT", "70000"),
        ("PAYMENTS_SANDBOX_KAFKA_HEAP", "lots"),
        ("PAYMENTS_SANDBOX_KAFAK_PORT", "19092"),
    ],
)
def test_a_wrong_or_unknown_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """An invalid value and a misspelt name are both refused."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettingError, match=variable):
        settings.load()


def test_two_programs_cannot_have_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal ports are refused before anything is started."""
    monkeypatch.setenv("PAYMENTS_SANDBOX_KAFKA_PORT", "8080")
    with pytest.raises(InvalidSettingError, match="PAYMENTS_SANDBOX_INGRESS_PORT"):
        settings.load()


def test_the_environment_file_may_have_been_sourced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of ``.sandbox/env`` do not prevent another start."""
    monkeypatch.setenv("PAYMENTS_SANDBOX_API_KEY", "demo_x")
    settings.load()
