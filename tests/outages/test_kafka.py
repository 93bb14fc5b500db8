"""A broker outage: the ingress refuses at once, and nothing that was accepted is lost."""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from typing import Final

import httpx
import psutil  # type: ignore[import-untyped] # it ships no types
import pytest

from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.faults.process_supervisor import supervised
from tests.outages.conftest import RecordProperty, Site
from tests.outages.load import BODY, assert_nothing_lost, loaded, webhook
from tests.service.stack import Program, Stack

pytestmark = pytest.mark.anyio

REQUESTS: Final = 2_000
AT_A_TIME: Final = 16
#: The limit of the median time of a refusal, in seconds. A refusal does not wait for the brokers
#: (3 s). The slower half depends on the machine's other load.
AT_ONCE_S: Final = 1.0
#: The size of every second request; buffered until Kafka is back, they would be 98 MiB.
LARGE: Final = 100 << 10
#: The limit of memory growth: a busy process grows, but buffers no request.
MEMORY_GROWTH_MAX: Final = 48 << 20
STOPS_WITHIN_S: Final = 15.0
MIB: Final = 1 << 20

#: Path, body, headers.
Request = tuple[str, bytes, dict[str, str]]


def memory(program: Program) -> int:
    """The process's resident memory in bytes."""
    return int(psutil.Process(program.process.pid).memory_info().rss)


def payment(stack: Stack, number: int) -> Request:
    """A request that creates a payment."""
    headers = {"authorization": f"Bearer {stack.api_key}", "idempotency-key": f"hammer-{number}"}
    headers["content-type"] = "application/json"
    return "/v1/payments", json.dumps(BODY).encode(), headers


def large_webhook(stack: Stack, number: int) -> Request:
    """A webhook so large that buffering all of them would be noticed."""
    body = webhook(f"evt_hammer_{number}", "pay_" + "a" * 30, padding=LARGE)
    header = signature_header(body, stack.webhook_secret, int(time.time()))
    return "/webhooks/stripe", body, {"stripe-signature": header}


async def send_many(stack: Stack) -> tuple[Counter[int], list[float]]:
    """Sends thousands of requests; returns the responses by code, and each one's duration."""
    slots, codes, took = asyncio.Semaphore(AT_A_TIME), Counter[int](), list[float]()

    async def one(http: httpx.AsyncClient, number: int) -> None:
        async with slots:
            path, body, headers = (large_webhook if number % 2 else payment)(stack, number)
            began = time.monotonic()
            response = await http.post(path, content=body, headers=headers)
            took.append(time.monotonic() - began)
            codes[response.status_code] += 1
            assert int(response.headers["retry-after"]) >= 1

    async with httpx.AsyncClient(base_url=stack.url, timeout=20.0) as http:
        await asyncio.gather(*(one(http, number) for number in range(REQUESTS)))
    return codes, sorted(took)


async def test_kafka_is_down_and_comes_back(site: Site, record_property: RecordProperty) -> None:
    """Requests get 503 with Retry-After at once and are not buffered. Nothing accepted is lost."""
    stack, (broker,) = site.stack, site.servers.brokers
    ingress = stack.programs["ingress"]
    process = ingress.process
    async with (
        supervised(stack.programs["stream"]) as stream,
        supervised(stack.programs["worker"]) as work,
        loaded(stack) as load,
    ):
        await load.more(30)
        broker.end(signal.SIGKILL)
        await load.until_response(503)
        before = memory(ingress)
        codes, took = await send_many(stack)
        grown = memory(ingress) - before
        broker.start()
        await broker.until_ready()
        began = time.monotonic()
        await load.more(1)
        record_property("accepts again after, s", time.monotonic() - began)
        await load.more(30)
        load.stop()
        await assert_nothing_lost(stack, load)
    assert codes == {503: REQUESTS}
    median, slow = took[REQUESTS // 2], took[int(0.99 * REQUESTS)]
    record_property("503 after, s: p50, p99, longest", (median, slow, took[-1]))
    record_property("ingress has grown by, MiB", grown / MIB)
    record_property("exit codes of stream and work", (stream, work))
    assert median < AT_ONCE_S
    assert grown < MEMORY_GROWTH_MAX
    assert ingress.process is process, "the ingress was restarted"
    assert process.poll() is None
    assert set(stream + work) <= {os.EX_TEMPFAIL}


async def test_a_broker_killed_under_load_loses_no_accepted_record(site: Site) -> None:
    """After two kills and restarts every accepted record has one outcome."""
    stack, (broker,) = site.stack, site.servers.brokers
    async with (
        supervised(stack.programs["stream"]) as stream,
        supervised(stack.programs["worker"]) as work,
        loaded(stack) as load,
    ):
        for _ in range(2):
            await load.more(20)
            broker.end(signal.SIGKILL)
            broker.start()
            await load.until_response(503)
            await broker.until_ready()
        await load.more(20)
        load.stop()
        await assert_nothing_lost(stack, load)
    assert set(stream + work) <= {os.EX_TEMPFAIL}


async def test_programs_stop_on_sigterm_while_kafka_is_down(
    site: Site, record_property: RecordProperty
) -> None:
    """Each program ends in time, although records in flight are unconfirmed."""
    stack, (broker,) = site.stack, site.servers.brokers
    programs = [stack.programs[name] for name in ("ingress", "stream", "worker")]
    async with loaded(stack) as load:
        await load.more(20)
        broker.end(signal.SIGKILL)
        await load.until_response(503)
        try:
            for program in programs:
                began = time.monotonic()
                ended = program.process
                ended.terminate()
                await asyncio.to_thread(ended.wait, STOPS_WITHIN_S)
                record_property(f"{program.name} ended after, s", time.monotonic() - began)
        finally:
            broker.start()
            for program in programs:
                program.stop()
                program.start()
        await broker.until_ready()
        async with supervised(programs[1]), supervised(programs[2]):
            await load.more(20)
            for program in programs:
                await asyncio.to_thread(program.wait_until_ready)
            load.stop()
            await assert_nothing_lost(stack, load)
