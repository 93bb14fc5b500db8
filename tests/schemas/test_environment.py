"""Variables that Kubernetes sets for Services are ignored; a misspelt setting is still found."""

import os

import pytest

from schemas.environment import PREFIX, is_set_for_a_service
from schemas.settings import IngressSettings, KafkaSettings, MetricsSettings, SettingsError, load

#: The variables that Kubernetes sets for a Service with one named port.
SERVICE_VARIABLES = {
    "SERVICE_HOST": "10.0.0.1",
    "SERVICE_PORT": "80",
    "SERVICE_PORT_HTTP": "80",
    "PORT": "tcp://10.0.0.1:80",
    "PORT_80_TCP": "tcp://10.0.0.1:80",
    "PORT_80_TCP_PROTO": "tcp",
    "PORT_80_TCP_PORT": "80",
    "PORT_80_TCP_ADDR": "10.0.0.1",
}
SERVICES = ("PAYMENTS", "PAYMENTS_INGRESS", "PAYMENTS_METRICS", "PAYMENTS_STRIPE_MOCK")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets only the required settings of the ingress and Kafka."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PAYMENTS_KAFKA_BOOTSTRAP", "127.0.0.1:9092")
    monkeypatch.setenv("PAYMENTS_API_KEYS", f"shop:{'a' * 64}")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_of_any_name_is_ignored(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    """Its variables cause no error, and ports keep their defaults."""
    for name, value in SERVICE_VARIABLES.items():
        monkeypatch.setenv(f"{service}_{name}", value)
    assert load(KafkaSettings).partitions == 4
    assert load(IngressSettings).ingress_port == 8080
    assert load(MetricsSettings).metrics_port == 9100


@pytest.mark.parametrize(
    "address", ["udp://10.0.0.1:53", "sctp://10.0.0.1:9", "tcp://[fd00::1]:80", "tcp://fd00::1:80"]
)
def test_every_protocol_and_address_family_is_recognised(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """These are TCP, UDP and SCTP, with IPv4 and IPv6."""
    monkeypatch.setenv("PAYMENTS_INGRESS_PORT", address)
    assert load(IngressSettings).ingress_port == 8080


def test_a_port_setting_is_still_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same variable with a number is the setting; any other value is an error."""
    monkeypatch.setenv("PAYMENTS_INGRESS_PORT", "8081")
    assert load(IngressSettings).ingress_port == 8081
    for wrong in ("http://10.0.0.1:80", "tcp://10.0.0.1", "", "80 80"):
        monkeypatch.setenv("PAYMENTS_INGRESS_PORT", wrong)
        with pytest.raises(SettingsError, match="PAYMENTS_INGRESS_PORT"):
            load(IngressSettings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYMENTS_INGRES_PORT", "8080"),
        ("PAYMENTS_SERVICE_HOSTS", "10.0.0.1"),
        ("PAYMENTS_INGRESS_SERVICE_HOST", "a host"),
        ("PAYMENTS_INGRESS_SERVICE_PORT", "tcp"),
        ("PAYMENTS_PORT_80", "tcp://10.0.0.1:80"),
        ("PAYMENTS_BATCHSIZE", "tcp://10.0.0.1:80"),
    ],
)
def test_other_variables_count_as_misspelt(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Both the name and the value must be those of a Service."""
    assert not is_set_for_a_service(name, value)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"unknown: {name}"):
        load(KafkaSettings)
