"""A program that can't listen names the settings that are wrong."""

import socket

import pytest

from runtime.listening import listen_at
from schemas.settings import SettingsError


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_program_listens_at_names_and_addresses(host: str) -> None:
    """Addresses may be of IPv4 or IPv6."""
    with listen_at(host, 0, 1, "PAYMENTS_METRICS") as listening:
        assert listening.getsockname()[1] > 0


@pytest.mark.parametrize("host", ["nonsense.invalid", "192.0.2.1", "a" * 70 + ".invalid"])
def test_an_address_of_no_interface_is_named(host: str) -> None:
    """It is unknown, belongs to another machine, or can't be looked up."""
    with pytest.raises(SettingsError, match=r"^PAYMENTS_METRICS_HOST, PAYMENTS_METRICS_PORT: .*"):
        listen_at(host, 0, 1, "PAYMENTS_METRICS")


def test_a_port_that_is_taken_is_named() -> None:
    """The text is one line and has the port."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError) as refused:
            listen_at("127.0.0.1", port, 1, "PAYMENTS_INGRESS")
    assert f"can't listen at '127.0.0.1', port {port}: " in str(refused.value)
    assert "\n" not in str(refused.value)
