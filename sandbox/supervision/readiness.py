"""Readiness conditions of programs; callers poll them until they hold."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import psycopg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from messaging.lifetime import start_client
from sandbox.supervision.ports import HOST

Condition = Callable[[], Awaitable[bool]]

ANSWER_WITHIN_SECONDS = 2.0
#: Seconds for a broker that accepts connections to describe its cluster to a new client.
START_TIMEOUT_S = 5.0


def listens(port: int) -> Condition:
    """Something accepts connections on ``port``."""

    async def check() -> bool:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                _, writer = await asyncio.open_connection(HOST, port)
        except OSError:  # TimeoutError is one
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    return check


def answers_http(url: str) -> Condition:
    """``GET url`` returns 200."""
    parts = urlsplit(url)

    def get() -> bool:
        connection = HTTPConnection(parts.netloc, timeout=ANSWER_WITHIN_SECONDS)
        try:
            connection.request("GET", parts.path or "/")
            return connection.getresponse().status == HTTPStatus.OK
        except (HTTPException, OSError):
            return False
        finally:
            connection.close()

    return lambda: asyncio.to_thread(get)


def kafka_answers(bootstrap: str, brokers: int = 1) -> Condition:
    """The cluster names at least ``brokers`` live brokers."""
    port = int(bootstrap.split(",", maxsplit=1)[0].rsplit(":", 1)[1])
    open_port = listens(port)

    async def check() -> bool:
        if not await open_port():  # aiokafka logs an error at each refused connection
            return False
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2_000)
        try:
            await start_client(admin, START_TIMEOUT_S)
            cluster = await admin.describe_cluster()
            return len(cluster["brokers"]) >= brokers
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()

    return check


def postgres_answers(url: str) -> Condition:
    """The server accepts a connection and runs a query."""

    async def check() -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(url, connect_timeout=2) as connection:
                await connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    return check
