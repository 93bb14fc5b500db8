"""Webhooks about old payments, in a store as after a year in use: refunds, disputes, late facts.

The store (``bench/year``) is filled once per run, into a separate database. In each turn one worker
gets one webhook for each of many random payments that succeeded. The kinds of webhooks are measured
one after the other, each after a checkpoint: old pages have not changed since, and the first change
of a page writes the whole page to Postgres' log. The worker's dedup table does not know the
payments any more.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Final

import psycopg

from bench import reading
from bench.errors import WrongResultError
from bench.load import log, rows, wal
from bench.load.dedup_table import EVENTS_PER_PAYMENT
from bench.load.events import Delivery
from bench.load.later import Ended, Later, dispute_created, processing_late, refund_created
from bench.load.samples import Sample, Turn
from bench.load.wal import Written
from bench.programs import STREAM, Programs, running
from bench.reading import Processed
from bench.site import Site
from bench.year import database
from bench.year.fill import fill
from bench.year.sizes import per_payment, sizes
from domain.payment import Payment
from domain.status import Status
from domain.view import amounts, status_of
from postgres.documents import decode_payment
from sandbox.stripe_simulator.chance import Chance
from schemas.topics import APP_ID

KINDS: Final[Mapping[str, Later]] = {
    "refund": refund_created,
    "dispute": dispute_created,
    "late": processing_late,
}
#: How often a random payment must be drawn: some haven't succeeded, or were drawn before.
DRAWS: Final = 3
#: The payment that follows each of some random IDs. Copies' IDs have these characters.
RANDOM: Final = """
    select payment_id, document::text from (
        select distinct payment_id from (
            select 'pay_' || translate(md5(%(seed)s || n), '0189', 'ghij') as id
            from generate_series(1, %(draws)s) as n) as drawn,
            lateral (select payment_id from payments where payment_id >= id
                     order by payment_id limit 1) as following) as chosen
    join payments using (payment_id) order by md5(payment_id)"""
#: By kind: the webhook's outcome, new versions, and the payment's refunded amount and disputes.
EXPECTED: Final[Mapping[str, Callable[[Payment], tuple[str, int, int, int]]]] = {
    "refund": lambda payment: ("applied", 1, max(1, payment.amount // 10), 0),
    "dispute": lambda _: ("applied", 1, 0, 1),
    "late": lambda _: ("stale", 0, 0, 0),
}
DOCUMENTS: Final = "select payment_id, document::text from payments where payment_id = any(%s)"
OUTCOMES: Final = "select event_id, outcome from inbox where event_id = any(%s)"


@dataclass(frozen=True, slots=True)
class _Work:
    """Webhooks of one kind, each about another payment, and the payments before."""

    kind: str
    deliveries: Sequence[Delivery]
    payments: Sequence[Payment]


@dataclass(frozen=True, slots=True)
class _Part:
    """What was measured of one kind."""

    kind: str
    done: Processed
    written: Written


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError, StuckError."""
    year, folder = site.with_database(database.NAME), site.root / "year"
    payments, load_s = turn.stored // EVENTS_PER_PAYMENT, 0.0
    if not folder.exists():
        url = await asyncio.to_thread(database.create, site.database_url)
        load_s = sum((await asyncio.to_thread(fill, url, payments)).seconds.values())
        folder.mkdir()
    stored = await asyncio.to_thread(sizes, year.database_url)
    warm_up, works = await asyncio.to_thread(_prepare, year, turn)
    parts, rss_mib = await _measure(year, str(folder), warm_up, works)
    for work in works:
        await _check(year, work)
    return _sample(
        parts,
        len(works[0].deliveries),
        {
            "rss_mib": rss_mib,
            "stored": float(payments),
            "load_s": load_s,
            **per_payment(stored, payments),
        },
    )


def _prepare(year: Site, turn: Turn) -> tuple[Sequence[Delivery], list[_Work]]:
    """The warm-up, and the work of each kind. No payment is in two of them."""
    name = turn.work.commands[0].payment_id
    sizes_ = [len(part.deliveries) // len(KINDS) for part in (turn.warm_up, turn.work)]
    chosen = iter(choose(year.database_url, name, sum(sizes_) * len(KINDS)))
    warm_up, works = list[Delivery](), list[_Work]()
    for kind in KINDS:
        first, work = (
            _work(f"{name}/{part}", kind, list(islice(chosen, size)))
            for part, size in enumerate(sizes_)
        )
        warm_up += first.deliveries
        works.append(work)
    return warm_up, works


def choose(database_url: str, seed: str, count: int) -> list[Payment]:
    """Random payments that succeeded, and were neither refunded nor disputed.

    Raises WrongResultError if too few are found.
    """
    with psycopg.connect(database_url) as connection:
        values = {"seed": seed, "draws": DRAWS * count}
        found = connection.execute(RANDOM, values).fetchall()
    payments = [decode_payment(document) for _, document in found]
    whole = [
        payment
        for payment in payments
        if status_of(payment) is Status.SUCCEEDED
        and not payment.disputes
        and amounts(payment).refunded == 0
    ]
    if len(whole) < count:
        raise WrongResultError(f"{len(whole)} of {count} payments found: fill a larger store")
    return whole[:count]


def _work(name: str, kind: str, payments: Sequence[Payment]) -> _Work:
    return _Work(kind, webhooks_about(payments, name, kind), payments)


def webhooks_about(payments: Sequence[Payment], name: str, kind: str) -> list[Delivery]:
    """A webhook of this kind for each payment; ``name`` makes their IDs."""
    ids, now = Chance(f"{name}/{kind}"), int(datetime.now(UTC).timestamp())
    return [
        KINDS[kind](
            ids,
            Ended(payment.id, payment.object_id or "", payment.amount),
            number,
            int(payment.created_at.timestamp()) if kind == "late" else now,
        )
        for number, payment in enumerate(payments)
    ]


async def _measure(
    year: Site, folder: str, warm_up: Sequence[Delivery], works: Sequence[_Work]
) -> tuple[list[_Part], float]:
    """Each kind's figures, and the worker's memory."""
    until, parts = partial(rows.published_at, year), list[_Part]()
    await log.skip_to_end(year)
    async with running(STREAM, year, PAYMENTS_DATA_DIR=folder) as stream:
        worker = Programs((stream,))
        await log.until_shared(year, 1)
        await log.feed(year, log.deliveries_as_records(warm_up))
        await log.until_processed(year)
        for work in works:
            await wal.checkpoint(year)
            begin = await wal.position(year)
            records = log.deliveries_as_records(work.deliveries)
            done = await reading.process(year, worker, APP_ID, records, until)
            parts.append(_Part(work.kind, done, await wal.since(year, begin)))
        rss_mib = worker.rss_mib()
        worker.stop()
    return parts, rss_mib


async def _check(year: Site, work: _Work) -> None:
    """Raises WrongResultError unless each webhook had its effect: none, if it was late."""
    async with await psycopg.AsyncConnection.connect(year.database_url) as connection:
        events = [[delivery.event_id for delivery in work.deliveries]]
        recorded = await (await connection.execute(OUTCOMES, events)).fetchall()
        ids = [[payment.id for payment in work.payments]]
        found = await (await connection.execute(DOCUMENTS, ids)).fetchall()
    outcomes: dict[str, str] = dict(recorded)
    after = {payment_id: decode_payment(document) for payment_id, document in found}
    for delivery, before in zip(work.deliveries, work.payments, strict=True):
        outcome, now = outcomes.get(delivery.event_id), after[before.id]
        grew = now.version - before.version
        refunded, disputes = amounts(now).refunded, len(now.disputes)
        expected = EXPECTED[work.kind](before)
        if (outcome, grew, refunded, disputes) != expected:
            raise WrongResultError(
                f"the {work.kind} webhook of {before.id} is {outcome}, with {grew} versions, "
                f"{refunded} refunded, {disputes} disputes, not {expected}"
            )


def _sample(parts: Sequence[_Part], each: int, others: Mapping[str, float]) -> Sample:
    """The figures of all kinds together, and of each."""
    count = each * len(parts)
    all_ = Processed(
        sum(part.done.seconds for part in parts),
        sum(part.done.cpu_s for part in parts),
        sum(part.done.all_cpu_s for part in parts),
    )
    written = sum((part.written for part in parts), Written(0, 0, 0, 0))
    figures = {**all_.cpu_us(count), **written.figures(count), **others}
    for part in parts:
        figures[f"{part.kind}_per_s"] = each / part.done.seconds
        for name, figure in {**part.done.cpu_us(each), **part.written.figures(each)}.items():
            figures[f"{part.kind}_{name}"] = figure
    return Sample(count, all_.seconds, figures)
