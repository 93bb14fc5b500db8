"""Listens at an address of the settings, or names the settings that are wrong."""

import socket

from schemas.settings import SettingsError


def listen_at(host: str, port: int, backlog: int, variables: str) -> socket.socket:
    """Returns a socket that listens there.

    Args:
        host: a name, or an address of IPv4 or IPv6.
        port: the port.
        backlog: connections that may wait to be accepted.
        variables: what the two variables' names begin with, such as ``PAYMENTS_METRICS``.

    Raises:
        SettingsError: the host is unknown or not this machine's, or the port is taken.
    """
    try:
        (family, *_), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server((host, port), family=family, backlog=backlog)
    except (OSError, UnicodeError) as error:  # a label of a name is too long for DNS
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"{variables}_HOST, {variables}_PORT: can't listen at {host!r}, port {port}: {reason}. "
            "Choose an address of this machine and a free port"
        ) from error
