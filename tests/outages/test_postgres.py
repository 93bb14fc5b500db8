"""A Postgres outage: input is still accepted, and no work is dropped."""

import os
import signal
import time
from typing import Final

import psycopg
import pytest

from tests.faults.process_supervisor import supervised, until
from tests.outages.conftest import RecordProperty, Site
from tests.outages.load import assert_nothing_lost, loaded

pytestmark = pytest.mark.anyio

RETRIES: Final = "payments_batch_retries_total"


def dead_letters(url: str) -> int:
    """The number of dead letters."""
    with psycopg.connect(url) as connection:
        (count,) = connection.execute("select count(*) from dead_letters").fetchone() or (0,)
    return int(count)


async def test_postgres_is_down_and_comes_back(site: Site, record_property: RecordProperty) -> None:
    """Payments and webhooks are accepted throughout. The worker waits, then catches up."""
    stack, database = site.stack, site.servers.database
    url = site.servers.infrastructure.database_url
    dead = dead_letters(url)
    async with (
        supervised(stack.programs["stream"]) as stream,
        supervised(stack.programs["worker"]) as work,
        loaded(stack) as load,
    ):
        await load.more(20)
        tried = stack.metric("stream", RETRIES)
        database.end(signal.SIGQUIT)
        refused = load.responses[503] + load.responses[0]
        await until(lambda: stack.metric("stream", RETRIES) >= tried + 3, "the worker tries again")
        await load.more(60)
        assert load.responses[503] + load.responses[0] == refused, "the ingress needs Postgres"
        began = time.monotonic()
        database.start()
        await database.until_ready()
        done = stack.metric("stream", "payments_batch_records_count")
        await until(
            lambda: stack.metric("stream", "payments_batch_records_count") > done,
            "work goes on",
        )
        record_property("goes on after, s", time.monotonic() - began)
        await load.more(10)
        load.stop()
        found = await assert_nothing_lost(stack, load)
    record_property("exit codes of stream and work", (stream, work))
    assert stream == [], "the worker restarted"
    assert set(work) <= {os.EX_TEMPFAIL}
    assert dead_letters(url) == dead
    assert not found.quarantined, "the outage has quarantined a payment"
