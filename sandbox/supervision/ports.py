"""TCP ports: finds free ones for tests, and names the process that has taken one."""

import contextlib
import functools
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped] # it ships no types

from sandbox.errors import PortTakenError, SandboxError

HOST = "127.0.0.1"
FIRST: Final = 20_000
"""The first port to consider; lower ones have customary uses."""
BLOCK: Final = 32
"""Ports that a process reserves at a time. It keeps the first one bound to reserve the block."""
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUALLY_EPHEMERAL: Final = 32_768


def free_ports(count: int) -> tuple[int, ...]:
    """Return ``count`` different free ports, reserved for this process while it runs.

    They are below the ports that the system gives to outgoing connections. A process gets no port
    twice, because a program may not listen on it yet.

    Raises:
        SandboxError: all are taken.
    """
    given = _given()
    return tuple(next(given) for _ in range(count))


@functools.cache
def _given() -> Iterator[int]:
    """Yield this process's ports."""
    return _ports(FIRST, _ephemeral_from(), os.getpid())


def _ports(first: int, end: int, start: int) -> Iterator[int]:
    """Yield the free ports of one block after the other; blocks stay reserved until the end.

    Args:
        first: the first port.
        end: the port after the last one.
        start: the block to try first; different starts keep processes from competing.
    """
    blocks = (end - first) // BLOCK
    with contextlib.ExitStack() as held:
        for turn in range(blocks):
            port = first + (start + turn) % blocks * BLOCK
            # Bound without SO_REUSEADDR and not listening: no other process can bind it. The
            # system releases it when the process ends, even if it is killed.
            lock = held.enter_context(socket.socket())
            try:
                lock.bind((HOST, port))
            except OSError:
                lock.close()
                continue
            yield from (each for each in range(port + 1, port + BLOCK) if is_free(each))
    raise SandboxError(f"no free port is left between {first} and {end}")


def _ephemeral_from() -> int:
    """The first of the ports that the system gives to outgoing connections."""
    try:
        lowest = int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError):  # not Linux
        return _USUALLY_EPHEMERAL
    # A changed system setting leaves too few ports below: use those above.
    return lowest if lowest >= FIRST + 100 * BLOCK else _USUALLY_EPHEMERAL


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of the loopback interface now."""
    with socket.socket() as probe:
        # Servers set it too: without it a port in TIME_WAIT would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def require_free(ports: Mapping[str, int]) -> None:
    """Check that all ports are free.

    Args:
        ports: each port by the environment variable that sets it.

    Raises:
        PortTakenError: names each taken port, the process on it and the variable to change.
    """
    taken = [
        f"port {port} is taken by {listener(port)}: stop it, or set {variable} to another port"
        for variable, port in ports.items()
        if not is_free(port)
    ]
    if taken:
        raise PortTakenError("\n".join(taken))


def listener(port: int) -> str:
    """Describe the process that listens on ``port``."""
    try:
        listeners = [
            connection.pid
            for connection in psutil.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
        ]
        for pid in listeners:
            if pid is not None:
                return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:  # another user's process, or gone meanwhile
        return "another process"
    return "another user's process" if listeners else "another process"
