"""Response times of the API's reads, with a store as after a year and a few clients at a time."""

import asyncio
import hashlib
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice, product
from typing import Final

import psycopg

from bench.errors import WrongResultError
from bench.load.connections import Connection, close_all
from bench.programs import Program, running
from bench.site import Site
from bench.year.templates import SMALLEST, TENANTS
from domain.status import Status
from ingress.routes.cursors import encode
from postgres.payment_list import PageCursor
from sandbox.supervision.ports import HOST

INGRESS: Final = Program(
    "ingress", ("bench.in_use.unchecked_ingress",), "/readyz", "PAYMENTS_INGRESS_PORT"
)
CLIENTS: Final = 4
#: Requests of each kind, over all clients.
REQUESTS: Final = 1_000
SEED: Final = 1
#: Any payments: those that follow random IDs.
ANY: Final = """
    select distinct payment_id, tenant, created_at
    from (select 'pay_' || translate(md5('reads' || n), '0189', 'ghij') as id
          from generate_series(1, %s) as n) as drawn,
        lateral (select payment_id, tenant, created_at from payments where payment_id >= id
                 order by payment_id limit 1) as following"""
SAMPLED: Final = 1_200


@dataclass(frozen=True, slots=True)
class ReadTimes:
    """The response times of one kind of read, in milliseconds."""

    kind: str
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class _Known:
    """A payment in store."""

    payment_id: str
    tenant: str
    created_at: datetime

    def as_cursor(self) -> str:
        """The cursor of the page after it."""
        return encode(PageCursor(self.created_at.astimezone(UTC), self.payment_id))


#: A path, and the tenant that asks.
Request = tuple[str, str]


async def measure(year: Site) -> list[ReadTimes]:
    """Measures each kind of read. Raises WrongResultError unless all are answered 200."""
    keys = {name: secrets.token_urlsafe(32) for name in _tenants()}
    digests = ((name, hashlib.sha256(key.encode()).hexdigest()) for name, key in keys.items())
    api_keys = ",".join(f"{name}:{digest}" for name, digest in digests)
    known = await asyncio.to_thread(_sample, year.database_url)
    async with running(INGRESS, year, PAYMENTS_API_KEYS=api_keys) as server:
        found = []
        for kind, requests in _kinds(known).items():
            await _times(
                server.port, keys, requests[: REQUESTS // 10]
            )  # its pages come into memory
            found.append(_read_times(kind, await _times(server.port, keys, requests)))
    return found


def _tenants() -> list[str]:
    return [*(name for name, *_ in TENANTS), SMALLEST[0]]


def _sample(database_url: str) -> list[_Known]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(ANY, [SAMPLED]).fetchall()
    return random.Random(SEED).sample([_Known(*row) for row in rows], len(rows))  # noqa: S311


def _kinds(known: Sequence[_Known]) -> Mapping[str, list[Request]]:
    """Requests by kind of read."""
    tenants, statuses = _tenants(), [str(status) for status in Status]

    def repeated(requests: Sequence[Request]) -> list[Request]:
        return list(islice(cycle(requests), REQUESTS))

    return {
        "one payment": [(f"/v1/payments/{p.payment_id}", p.tenant) for p in known[:REQUESTS]],
        "timeline": [
            (f"/v1/payments/{p.payment_id}/timeline", p.tenant) for p in known[:REQUESTS]
        ],
        "first page": repeated([("/v1/payments?limit=100", tenant) for tenant in tenants]),
        "deep page": [
            (f"/v1/payments?limit=100&cursor={p.as_cursor()}", p.tenant) for p in known[:REQUESTS]
        ],
        "first page by status": repeated([
            (f"/v1/payments?limit=100&status={status}", tenant)
            for status, tenant in product(statuses, tenants)
        ]),
        "deep page by status": [
            (f"/v1/payments?limit=100&status={status}&cursor={p.as_cursor()}", p.tenant)
            for p, status in zip(known[:REQUESTS], cycle(statuses), strict=False)
        ],
    }  # fmt: skip


class _Clients:
    """Some clients, each with one request at a time, until all are answered."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.seconds: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests, self._waiting = requests, iter(requests)

    def begin(self, connection: Connection) -> None:
        """Sends a client's next request."""
        request = next(self._waiting, None)
        if request is not None:
            connection.send(request)

    def answered(self, connection: Connection, status: bytes, latency_s: float) -> None:
        """See ``Load``."""
        self.seconds.append(latency_s)
        if status != b"200" and not self.done.done():
            self.done.set_exception(WrongResultError(f"a read is answered {status.decode()}"))
        elif len(self.seconds) == len(self._requests):
            self.done.set_result(None)
        else:
            self.begin(connection)

    def failed(self, error: BaseException) -> None:
        """See ``Load``."""
        if not self.done.done():
            self.done.set_exception(error)


def _request(path: str, key: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", f"Host: {HOST}", f"Authorization: Bearer {key}", "", "")
    return "\r\n".join(lines).encode()


async def _times(port: int, keys: Mapping[str, str], requests: Sequence[Request]) -> list[float]:
    """Response times in seconds."""
    clients = _Clients([
        _request(path, keys[tenant])
        for path, tenant in requests
    ])  # fmt: skip
    connections = await Connection.opened(HOST, port, CLIENTS)
    try:
        for connection in connections:
            connection.load = clients
            clients.begin(connection)
        await clients.done
    finally:
        close_all(connections)
    return clients.seconds


def _read_times(kind: str, seconds: Sequence[float]) -> ReadTimes:
    ordered = sorted(seconds)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] * 1000 for share in (0.5, 0.99))
    return ReadTimes(kind, p50, p99)
