"""A benchmark with incomplete or wrong results fails instead of reporting its speed."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from bench.errors import WrongResultError
from bench.load import rows
from bench.load.events import Delivery
from bench.load.load import send_all
from bench.load.workload import Ending, Workload, generate
from bench.peers.sync_fastapi.transaction import UnknownPaymentError, process
from bench.site import Site
from domain.inputs import Input
from providers.stripe.webhooks import StripeTranslator
from sandbox.supervision.ports import HOST
from tests import accounts

pytestmark = pytest.mark.anyio

TRANSLATOR = StripeTranslator(accounts.STRIPE)


@pytest.fixture
async def work(site: Site, request: pytest.FixtureRequest) -> Workload:
    """A small workload whose payments exist, in otherwise empty tables."""
    await rows.empty(site)
    work = generate(7, request.node.name, 60)
    await rows.create_payments(site, work.commands)
    return work


async def _deliver(site: Site, deliveries: Iterable[Delivery]) -> None:
    """Applies each webhook as the synchronous program does."""
    connect = psycopg.AsyncConnection.connect
    async with await connect(site.database_url, autocommit=True) as connection:
        for delivery in deliveries:
            fact = TRANSLATOR.translate(delivery.body).fact
            input_ = Input(fact.event_id, datetime.now(UTC), fact)
            await process(connection, delivery.payment_id, "stripe.test", input_)


async def test_complete_work_passes_the_check(site: Site, work: Workload) -> None:
    """Every payment has its end, and each event was applied once."""
    await _deliver(site, work.deliveries)
    outcomes = await rows.check(site, work)
    assert outcomes.total() == len(work.events) + len(work.commands)
    assert outcomes["applied"] > outcomes["ignored"] > outcomes["stale"] > 0


async def test_a_missing_event_fails_the_check(site: Site, work: Workload) -> None:
    """With one missing event the check fails."""
    last = work.deliveries[-1].event_id
    await _deliver(site, (d for d in work.deliveries if d.event_id != last))
    with pytest.raises(WrongResultError, match=r"^1 of"):
        await rows.check(site, work)


async def test_a_wrong_ending_fails_the_check(site: Site, work: Workload) -> None:
    """With one wrongly ended payment the check fails."""
    await _deliver(site, work.deliveries)
    some = next(iter(work.endings))
    other = replace(work, endings={**work.endings, some: Ending("SUCCEEDED", 1, 0)})
    with pytest.raises(WrongResultError, match=f"1 payments ended wrongly.*{some}"):
        await rows.check(site, other)


async def test_a_cancel_before_its_cause_passes_only_without_an_order(
    site: Site, work: Workload
) -> None:
    """Where webhooks may overtake each other, what made us cancel may come last."""
    failed = next(p for p, ending in work.endings.items() if ending.status == "FAILED")
    is_late = [d.payment_id == failed and b'"payment_intent.payment_failed"' in d.body
               for d in work.deliveries]  # fmt: skip
    in_order = [d for d, late in zip(work.deliveries, is_late, strict=True) if not late]
    after = [d for d, late in zip(work.deliveries, is_late, strict=True) if late]
    await _deliver(site, [*in_order, *after])
    await rows.check(site, work, is_ordered=False)
    with pytest.raises(WrongResultError, match=f"1 payments ended wrongly.*{failed}"):
        await rows.check(site, work)


async def test_an_unpublished_version_fails_the_check(site: Site, work: Workload) -> None:
    """Every version from a webhook must be in payment-state."""
    await _deliver(site, work.deliveries)
    published = {f"{payment_id}:{n}" for payment_id in work.endings for n in range(1, 9)}
    await rows.check_published(site, work, published)
    missing = next(iter(work.endings))
    with pytest.raises(WrongResultError, match=r"^1 of \d+ versions"):
        await rows.check_published(site, work, published - {f"{missing}:2"})


async def test_an_unrecorded_duplicate_fails_the_check(site: Site, work: Workload) -> None:
    """Programs with a log record each duplicate; the synchronous program has none."""
    await _deliver(site, work.deliveries)
    with pytest.raises(WrongResultError, match=r"^0 of \d+ repeated"):
        await rows.check_duplicates(site, work)


async def test_the_synchronous_program_refuses_an_unknown_payment(site: Site) -> None:
    """It cannot park a webhook without its payment. It returns 503, so that the sender retries."""
    unknown = generate(7, "strange", 1)
    with pytest.raises(UnknownPaymentError):
        await _deliver(site, unknown.deliveries)


async def test_the_load_generator_counts_every_status() -> None:
    """So a server that only refuses gets no figure."""
    responses = iter([b"200 OK", *[b"503 Service Unavailable"] * 3])
    ended = asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 %s\r\ncontent-length: 2\r\n\r\n" % next(responses))
                await writer.drain()
                writer.write(b"ok")
        writer.close()
        ended.set()

    async with await asyncio.start_server(respond, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        (phase,) = await send_all(HOST, port, 1, [[b"POST / HTTP/1.1\r\n\r\n"] * 4])
        await ended.wait()
    assert phase["statuses"] == {"200": 1, "503": 3}
