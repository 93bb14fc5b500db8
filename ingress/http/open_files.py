"""How many files and sockets this process may have open, and has."""

import errno
import os
import resource
from typing import Final

#: Handles that are no client's: brokers, Postgres, the listening socket, logs, metrics.
RESERVED: Final = 128
_FOLDERS: Final = ("/proc/self/fd", "/dev/fd")


def raise_limit(wanted: int) -> int:
    """Raises the soft limit towards ``wanted``, as far as the hard one allows; answers the limit.

    It is never lowered. Processes started from this one inherit it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if reachable <= soft:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    return reachable


def in_use() -> int | None:
    """Handles open now; None where the system doesn't say.

    With none left to look with, all that may be open are.
    """
    for folder in _FOLDERS:
        try:
            return len(os.listdir(folder)) - 1  # noqa: PTH208  # names are enough, and quicker
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None
