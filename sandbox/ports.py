"""TCP ports: free ones for tests, and a clear word about one that is taken."""

import contextlib
import socket
from collections.abc import Mapping

import psutil  # type: ignore[import-untyped] # it ships no types

from sandbox.errors import PortTakenError

HOST = "127.0.0.1"


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different ports nothing listens on; all are held until the last is found."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return tuple(each.getsockname()[1] for each in sockets)


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
