"""What waiting requests and the window of commands take of a process's memory."""

import asyncio
import gc
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from ingress.app import Followed
from ingress.following.waiters import Waiter, Waiters
from ingress.following.window import CommandWindow
from ingress.metrics import Metrics
from tests.ingress.harness import PAYMENT, EmptyLog, FakeStore, Log, application

pytestmark = pytest.mark.anyio

BODY = json.dumps(PAYMENT).encode()
WAITING = 200
#: 2,000 of them are less than 50 MiB, with what a connection takes beside the program's objects.
BYTES_OF_A_WAIT = 28_000


class Waits(EmptyLog):
    """Lets every request wait for what never comes."""

    def __init__(self, waiters: Waiters) -> None:
        self.waiters = waiters

    async def begin(
        self, payment_id: str, operation_id: str | None, *, for_payment: bool
    ) -> Waiter | None:
        """See ``Waits.begin``."""
        return self.waiters.add(payment_id, operation_id, for_payment=for_payment)

    def end(self, waiter: Waiter) -> None:
        """See ``Waits.end``."""
        self.waiters.remove(waiter)


@contextmanager
def traced() -> Iterator[list[int]]:
    """Appends how many bytes the block has allocated and not freed."""
    found: list[int] = []
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield found
        gc.collect()
        found.append(tracemalloc.get_traced_memory()[0] - before)
    finally:
        tracemalloc.stop()


async def post(app: FastAPI, number: int, prefer: str, left: asyncio.Event) -> None:
    """Sends a create, whose client leaves when the event is set."""
    given = iter([{"type": "http.request", "body": BODY, "more_body": False}])

    async def receive() -> Any:
        for message in given:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        """Nobody reads the answer."""

    headers = {
        "authorization": "Bearer key-of-acme",
        "content-type": "application/json",
        "idempotency-key": f"order-{number}",
        "prefer": prefer,
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/payments",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)


async def test_a_waiting_request_takes_little() -> None:
    """It keeps its answer as a text, and has one task and no connection to the store."""
    metrics, log, left = Metrics(), Log(), asyncio.Event()
    waiters = Waiters(metrics)
    followed = Followed(EmptyLog(), Waits(waiters))
    app = application(log, FakeStore(), metrics, followed=followed)
    await post(app, 0, "", left)  # what the first request makes stays
    tasks = len(asyncio.all_tasks())
    with traced() as found:
        requests = [
            asyncio.create_task(post(app, number, "wait=30", left))
            for number in range(1, WAITING + 1)
        ]
        while len(waiters) < WAITING or len(log.records) <= WAITING:  # noqa: ASYNC110  # they run in this loop
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) - tasks == WAITING
        log.records.clear()
    left.set()
    await asyncio.gather(*requests)
    assert len(waiters) == 0
    assert found[0] < WAITING * BYTES_OF_A_WAIT


def test_a_full_window_takes_less_than_200_bytes_an_entry() -> None:
    """Beside the last commands, whose bytes are limited."""
    with traced() as found:
        window = CommandWindow(entries_max=20_000, values_bytes_max=0)
        window.restart({0: 0})
        for offset in range(30_000):
            event = b'{"type":"create","event_id":"cmd_%026d"}' % offset
            window.add(0, offset, b"pay_%030d" % offset, event)
    assert found[0] < 20_000 * 200
