"""TCP ports: free ones for tests, and a clear word about one that is taken."""

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
"""Where free ports begin; below are ports that programs have by custom."""
BLOCK: Final = 32
"""Ports that a process takes at a time. The first one is held, and is the proof of the rest."""
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUALLY_EPHEMERAL: Final = 32_768


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different ports nothing listens on, given to nobody else while this process lives.

    They lie below those that the system gives to outgoing connections. No port is given twice in a
    process: one that was given may not be listened on yet.

    Raises:
        SandboxError: all are taken.
    """
    given = _given()
    return tuple(next(given) for _ in range(count))


@functools.cache
def _given() -> Iterator[int]:
    """The ports of this process, one after the other."""
    return _ports(FIRST, _ephemeral_from(), os.getpid())


def _ports(first: int, end: int, start: int) -> Iterator[int]:
    """The free ports of one block after the other, each block held until the iterator's end.

    Args:
        first: the first port there is.
        end: the port after the last one.
        start: which block is tried first; processes that start elsewhere seldom meet.
    """
    blocks = (end - first) // BLOCK
    with contextlib.ExitStack() as held:
        for turn in range(blocks):
            port = first + (start + turn) % blocks * BLOCK
            # Bound, not listening, and without SO_REUSEADDR: nobody else can bind it. The system
            # releases it when the process ends, however it ends.
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
    # Somebody has made them begin early: then the ports above are as good as any.
    return lowest if lowest >= FIRST + 100 * BLOCK else _USUALLY_EPHEMERAL


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback interface now."""
    with socket.socket() as probe:
        # Servers set it too: without it a port in TIME_WAIT would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def require_free(ports: Mapping[str, int]) -> None:
    """Refuse to go on when a port is taken.

    Args:
        ports: the environment variable that sets a port, and the port.

    Raises:
        PortTakenError: names each taken port, its holder and the variable that changes it.
    """
    taken = [
        f"port {port} is taken by {holder(port)}: stop it, or set {variable} to another port"
        for variable, port in ports.items()
        if not is_free(port)
    ]
    if taken:
        raise PortTakenError("\n".join(taken))


def holder(port: int) -> str:
    """The process that listens on `port`, as a person would name it."""
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
    except psutil.Error:  # not ours to look at, or gone meanwhile
        return "another process"
    return "another user's process" if listeners else "another process"
