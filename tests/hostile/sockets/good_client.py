"""A well-behaved client in its own process: ``python -m tests.hostile.sockets.good_client PORT``.

It sends a request every few milliseconds until its standard input ends, and reconnects from time to
time. Then it prints when each request began, how long it took, and what failed. It imports little,
so it starts fast.
"""

import json
import select
import socket
import sys
import time
from typing import Final

PAUSE_S: Final = 0.004
REQUESTS_PER_CONNECTION: Final = 20
_REQUEST: Final = b"POST /good HTTP/1.1\r\nHost: i\r\nContent-Length: 9\r\n\r\nbe polite"


def exchange(connection: socket.socket) -> None:
    """Sends a request and reads its whole response. Raises OSError if that fails."""
    connection.sendall(_REQUEST)
    data = b""
    while b"be polite" not in data or not data.endswith(b"}"):
        more = connection.recv(65_536)
        if not more:
            raise ConnectionResetError(f"closed after {data[:30]!r}")
        data += more
    if not data.startswith(b"HTTP/1.1 200 "):
        raise ConnectionResetError(f"unexpected response {data[:30]!r}")


def main() -> None:
    """Sends requests until the standard input ends."""
    port = int(sys.argv[1])
    sys.stdout.write("\n")  # reports that it has started
    sys.stdout.flush()
    connection: socket.socket | None = None
    took: list[tuple[float, float]] = []
    failures: list[str] = []
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        begin = time.monotonic()
        try:
            if connection is None:
                connection = socket.create_connection(("127.0.0.1", port), 10)
            exchange(connection)
        except OSError as error:
            failures.append(repr(error))
            connection = None
        else:
            took.append((begin, time.monotonic() - begin))
            if len(took) % REQUESTS_PER_CONNECTION == 0:
                connection.close()
                connection = None
    sys.stdout.write(json.dumps({"took": took, "failures": failures}))


if __name__ == "__main__":
    main()
