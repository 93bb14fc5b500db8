"""Free ports can be used; the error for a taken port names its process."""

import os
import socket

import pytest

from sandbox.errors import PortTakenError
from sandbox.supervision.ports import HOST, free_ports, is_free, require_free


def test_free_ports_differ_and_can_be_listened_on() -> None:
    """It returns the requested number of different ports."""
    ports = free_ports(5)
    assert len(set(ports)) == 5
    for port in ports:
        with socket.create_server((HOST, port)):
            assert not is_free(port)


def test_a_taken_port_names_its_process_and_its_variable() -> None:
    """One line says what is wrong and both fixes."""
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError) as refusal:
            require_free({"PAYMENTS_SANDBOX_KAFKA_PORT": port})
    line = str(refusal.value)
    assert f"port {port} is taken by" in line
    assert f"(pid {os.getpid()})" in line
    assert "PAYMENTS_SANDBOX_KAFKA_PORT" in line
    assert "\n" not in line


def test_free_ports_pass() -> None:
    """Free ports raise no error."""
    (port,) = free_ports(1)
    require_free({"PAYMENTS_SANDBOX_KAFKA_PORT": port})
