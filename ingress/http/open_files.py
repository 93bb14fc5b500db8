"""The limit and the number of this process's open files and sockets."""

import errno
import os
import resource
from typing import Final

#: Open files for other things than clients: brokers, Postgres, the listening socket, logs, metrics.
RESERVED: Final = 128
_FOLDERS: Final = ("/proc/self/fd", "/dev/fd")


def raise_limit(wanted: int) -> int:
    """Raises the soft limit towards ``wanted``, as far as the hard limit allows. Returns it.

    It never lowers the limit. Child processes inherit it.
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
    """Returns the number of open files, or None if the system does not report it.

    If no file can be opened to count them, the limit is reached, and so the limit is returned.
    """
    for folder in _FOLDERS:
        try:
            return len(os.listdir(folder)) - 1  # noqa: PTH208  # quicker, and names are enough
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None
