"""No statement of the service reads more of a large store than it returns or writes.

The statements are executed by the service's own functions, with real parameters, in a store as
after a year in use.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest

import postgres
from bench.load import log, rows
from bench.load.events import Delivery
from bench.load.later import Ended, dispute_created, processing_late, refund_created
from bench.load.workload import generate
from bench.year import database
from bench.year.fill import fill
from decisions.decode import Decoder
from decisions.fold import fold
from domain.status import Outcome
from ports.batch import InboxRow, PublishableVersion, WriteSet
from ports.records import ConsumedRecord, DeadLetter, DecodedInput, RecordOffset
from ports.work_items import (
    Followed,
    IgnoredWebhook,
    KeptNotice,
    Look,
    LookUpShare,
    UnroutedWebhook,
)
from postgres import (
    history,
    looks,
    notices,
    outbox,
    partitions,
    rate_budgets,
    reads,
    routing,
    timeline,
)
from postgres import unknown_accounts as unknown
from postgres.batch import statements, unpublished
from postgres.batch import transaction as batch
from postgres.ops import audit, operator
from processor.ops.audit.run import RANGE_PAYMENTS
from providers.stripe.webhooks import StripeTranslator
from sandbox.stripe_simulator.chance import Chance
from sandbox.testing import Infrastructure
from schemas.headers import as_text
from schemas.topics import PROVIDER_WEBHOOKS
from tests import accounts
from tests.processor.listing import list_by_everything
from tests.support.plans import (
    ENTRIES,
    FURTHER,
    LONG_TIMELINE,
    SMALL,
    ExplainingConnection,
    Plan,
    statements_of,
)

DATABASE: Final = "plans_test"
UNROUTED: Final = 2_000
BACKOFF: Final = 1_000
SAMPLE: Final = 20
DECODER: Final = Decoder({"stripe": StripeTranslator(accounts.STRIPE)})
#: Rows that a statement may read for each that it returns, writes or is asked for, and at least.
PER_ROW: Final = 8
AT_LEAST: Final = 100
ROWS: Final = 2_000
#: Statements that read whole tables on purpose, and why.
WHOLE: Final = {
    "routing.GAUGES": "counts what waits, every few seconds",
    "unknown_accounts.OF_UNKNOWN_ACCOUNTS": "the same",
    "partitions._PARTITIONS": "reads the catalog",
    "history.STATEMENTS.inbox": "reads from the oldest row on until it has enough",
    "history.STATEMENTS.duplicates": "the same",
    "ops.operator.REPLAYED": "an operator's list of what was sent again",
    "ops.audit.ANSWERING": "an audit learns since when each partition has operations",
    "ops.audit.COUNT": "an audit's progress",
    "ops.audit.BOUNDARIES": "an audit's ranges",
    "ops.audit.LAST_PUBLISHED": "an audit notes it of every payment",
    "ops.audit.LAST_PUBLISHED_FROM": "the same",
    "ops.audit.REPEATED": "an audit looks for a repeated event among all",
    "ops.audit.EARLIER": "what an interrupted audit has read is left out, but for its outcomes",
    "ops.audit.DUPLICATES": "an audit compares all outcomes with the log",
    "ops.audit.UNROUTED": "counts what waits",
}
#: Statements that read more rows than they return, and why.
SORTED: Final = {
    "timeline.ENTRIES": "a page is the first of all inputs of one payment, sorted",
    "payment_list.LABELLED": "counts, up to a limit",
    "payment_list.WITH_STATUS": "the same",
}
#: Its statements decide the whole store again.
REBUILD: Final = "postgres.ops.rebuild"


class Store:
    """A filled store, the plans of everything that was executed in it, and some of its rows."""

    def __init__(self, connection: ExplainingConnection, now: datetime) -> None:
        self.connection = connection
        self.now = now

    async def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the store; not explained."""
        cursor = psycopg.AsyncCursor[Any](self.connection)
        await cursor.execute(statement.encode(), values)
        return list(await cursor.fetchall())

    async def ended(self) -> list[Ended]:
        """Some payments that succeeded, anywhere in the store."""
        found = await self.rows(
            """select payment_id, object_id, amount from payments
               where status = 'SUCCEEDED' and captured - refunded >= amount / 2
               order by md5(payment_id) limit %s""",
            SAMPLE,
        )
        return [Ended(*row) for row in found]


@pytest.fixture(scope="module")
def plans(infrastructure: Infrastructure, request: pytest.FixtureRequest) -> list[Plan]:
    """The plans of all statements, each executed as the service does."""
    url = database.create(infrastructure.database_url, DATABASE)
    payments: int = request.config.getoption("--stored")
    fill(url, payments, unrouted=UNROUTED, backoff=BACKOFF)
    return asyncio.run(_executed(url))


async def _executed(url: str) -> list[Plan]:
    async with await ExplainingConnection.to(url) as connection:
        await connection.set_autocommit(True)
        for table, statement in FURTHER.items():
            await psycopg.AsyncCursor(connection).execute(statement.encode(), [ROWS])
            await psycopg.AsyncCursor(connection).execute(f"analyze {table}".encode())
        await connection.set_autocommit(False)
        store = Store(connection, datetime.now(UTC))
        for part in (
            _batches, _routing, _calls, _commands, _reading, _operating, _auditing, _deleting,
        ):  # fmt: skip
            await part(store)
            await connection.commit()
        return connection.plans


def _received(deliveries: Sequence[Delivery], first_offset: int) -> list[DecodedInput]:
    received = []
    for offset, record in enumerate(log.deliveries_as_records(deliveries)):
        decoded = DECODER.decode(
            ConsumedRecord(
                position=RecordOffset(PROVIDER_WEBHOOKS, 0, first_offset + offset),
                key=record.key,
                value=record.value or b"",
                headers=as_text(record.headers),
                timestamp_ms=0,
            )
        )
        assert isinstance(decoded, DecodedInput)
        received.append(decoded)
    return received


async def _batches(store: Store) -> None:
    """A batch about old payments with quarantines, what it publishes, and the release of one."""
    ids, created = Chance("plans"), int(store.now.timestamp())
    deliveries = [
        make(ids, payment, number, created)
        for number, payment in enumerate(await store.ended())
        for make in (refund_created, dispute_created, processing_late)
    ]
    received = _received(deliveries, 10**9)
    loaded = await batch.load(store.connection, received, DECODER.decode)
    poisoned = {each.payment_id: "a bug" for each in received[:3]}
    plan = fold(loaded, received, poisoned)
    plan.duplicates = list(received[3:6])
    plan.dead_letters = [DeadLetter(received[0].record, "no JSON")]
    published = await batch.write(store.connection, plan, store.now)
    found = await unpublished.unpublished(
        store.connection, publication_ids=[p.publication_id for p in published], partitions=[0]
    )
    assert len(found) >= len(published) > SAMPLE
    versions = [each for each in found if isinstance(each, PublishableVersion)]
    await unpublished.quarantine_unpublishable(store.connection, versions[:2], store.now)
    ids_of = {p.publication_id for p in published}
    await unpublished.mark_published(store.connection, ids_of, store.now)
    (one, two) = versions[0].payment_id, versions[-1].payment_id
    again = WriteSet(released={one}, renewed={two: ("cmd_1", "a bug")}, announced={one: 0})
    await unpublished.quarantine_unpublishable(store.connection, versions[-1:], store.now)
    refused = InboxRow(received=received[4], outcome=Outcome.CONFLICT, reason="", apart=True)
    again.inbox.append(refused)
    assert await batch.write(store.connection, again, store.now)
    await store.connection.execute(statements.DELETE_REFUNDS, [[one], ["ref_none"]])
    await store.connection.execute(statements.DELETE_MATTERS, [["shop"], [store.now], ["pay_none"]])
    await store.connection.execute(statements.DELETE_SUPERSEDED, [["evt_none"], ["pay_none"]])


async def _commands(store: Store) -> None:
    """Webhooks that come before their payments, and then the payments, whose calls are hurried."""
    new = generate(1, "plans", SAMPLE)
    for received in (_received(new.deliveries[:SAMPLE], 2 * 10**9), rows.creates(new.commands)):
        loaded = await batch.load(store.connection, received, DECODER.decode)
        plan = fold(loaded, received)
        plan.urgent = {call.key for call in plan.calls}
        await batch.write(store.connection, plan, store.now)


async def _routing(store: Store) -> None:
    """A webhook waits; another is routed; some are too old."""
    connection, now, (ended, *_) = store.connection, store.now, await store.ended()
    await routing.owners(connection, [("stripe", ended.object_id), ("stripe", "pi_none")])
    waiting = [
        UnroutedWebhook(
            event_id=f"evt_plans_{number}", provider="stripe", object_id=object_id,
            headers={"received-at": now.isoformat()}, value=b"{}", payment_id=None,
        )
        for number, object_id in enumerate([ended.object_id, "pi_unknown"])
    ]  # fmt: skip
    await routing.park_unrouted(connection, waiting, now)
    await routing.mark_routable(connection, {("stripe", "pi_unknown"): ended.payment_id})
    await routing.mark_missed(connection, now - timedelta(minutes=2))
    assert len(await routing.routable(connection, 500)) == 2
    await routing.expired_unrouted(connection, now - timedelta(days=400), 500, ["stripe"])
    await routing.record_ignored(connection, [IgnoredWebhook(waiting[0], "payout.paid", "")], now)
    await routing.ignore_waiting(connection, [IgnoredWebhook(waiting[0], "payout.paid", "")], now)
    await routing.delete_unrouted(connection, waiting)
    await routing.park_refused(connection, [(ended.payment_id, each) for each in waiting], now)
    await connection.execute(routing.LEAD, [1])
    await routing.write_cursor(connection, "stripe", "evt_1", now, now)
    await routing.read_cursor(connection, "stripe")
    assert await routing.now(connection) > now
    await _looks(connection, now)
    await _notices(connection, now, ended.object_id)
    await _rate_budgets(connection)
    await routing.expired(connection, now - timedelta(days=400), None, SAMPLE)
    await routing.gauges(connection)
    await unknown.of_unknown_accounts(connection, ["stripe"], ["stripe"])
    unread = await unknown.unread_inputs(connection, [0])
    await unknown.first_unread(connection, list(unread), [0], 9)


async def _looks(connection: Any, now: datetime) -> None:
    """Looks at the objects of unfinished payments: planned, due, noted, ended."""
    assert await looks.plan(connection, now, now, "", SAMPLE) is not None
    (look, other, *_) = await looks.due(connection, "stripe", now, SAMPLE)
    await looks.note(connection, [Look(look.payment_id, look.version, None, 1, now)])
    await looks.end(connection, [other.payment_id])
    owned = await looks.owners_with_payments(connection, "stripe", [look.object_id, "pi_none"])
    assert list(owned) == [look.object_id]
    await looks.known_events(connection, ["evt_none"])
    await looks.note_published(connection, ["evt_none"], now)


async def _notices(connection: Any, now: datetime, object_id: str) -> None:
    """A notice is kept, tried again and followed, and the event list is read again for it."""
    kept = [KeptNotice(f"evt_plans_{n}", "stripe", "a.kind", None, now) for n in range(2)]
    await routing.keep_notices(connection, kept, now)
    assert len(await notices.due(connection, "stripe", now, SAMPLE)) == 2
    await notices.retry(connection, "evt_plans_0", now + timedelta(hours=1), "down")
    followed = Followed("evt_plans_1", "why", "stripe", object_id, now - timedelta(days=1))
    assert await notices.end(connection, followed, now) == "looked"
    wish = await notices.reread_from(connection, "stripe")
    assert wish is not None
    await notices.end_rereading(connection, "stripe", wish)


async def _rate_budgets(connection: Any) -> None:
    """Tokens are taken from an account's budget, and a provider refuses for the rate."""
    taken = {"account": "stripe", "burst": 10, "fill_per_s": 10, "reserve": 0, "wanted": 1}
    refused = {"wish": 0, "jitter": 1, "first": 1, "longest": 60, "quiet": 60, "most": 60}
    await connection.execute(rate_budgets.TAKE, taken | refused)
    await connection.execute(rate_budgets.BLOCK, taken | refused)


async def _calls(store: Store) -> None:
    """Calls that are due, among many that wait for their next attempt."""
    connection, now = store.connection, store.now
    until, later = now + timedelta(seconds=30), now + timedelta(days=1)
    assert await outbox.claim(connection, "stripe", SAMPLE, now, until) == []
    await outbox.claim(connection, "stripe", 1, later, until, LookUpShare(0, later))
    claimed = await outbox.claim(connection, "stripe", SAMPLE, later, until)
    assert len(claimed) == SAMPLE
    assert await outbox.renew(connection, claimed[0], until)
    assert await outbox.freeze(connection, claimed[0], b"request")
    assert await outbox.retry(connection, claimed[1], until, "busy")
    assert await outbox.retry_with_new_key(connection, claimed[2], until, "expired")
    assert await outbox.finish(connection, claimed[3], "acknowledged", now)


async def _reading(store: Store) -> None:
    """What the API reads, of the largest tenant and of a small one, with and without a status."""
    connection = store.connection
    tenants = await store.rows("select tenant from payments group by 1 order by count(*) desc")
    for (tenant,) in (tenants[0], tenants[-1]):
        await list_by_everything(connection, tenant, store.now)
        ((payment_id, operation_id, event_id),) = await store.rows(
            """select payment_id, operation_id, event_id from inbox where tenant = %s
               and operation_id is not null limit 1""",
            tenant,
        )
        assert await reads.first_input(connection, operation_id, tenant) is not None
        command = await reads.operation(connection, "op_none", payment_id, event_id, tenant)
        assert command is not None
        assert await reads.snapshot(connection, payment_id, tenant) is not None
        assert await reads.waiting(connection, payment_id, tenant) is not None
        await connection.commit()
        assert await timeline.page(connection, payment_id, tenant, None, SAMPLE) is not None
    await reads.alive(connection)
    await _reading_a_long_timeline(store, payment_id, tenant)


async def _reading_a_long_timeline(store: Store, payment_id: str, tenant: str) -> None:
    """Pages from the beginning and from the middle of one with thousands of entries and calls."""
    for statement in LONG_TIMELINE:
        await store.rows(f"{statement} returning 1", ENTRIES, payment_id)
    end: timeline.TimelineCursor | None = None
    for _ in range(ENTRIES // SAMPLE // 2):
        await store.connection.commit()
        page = await timeline.page(store.connection, payment_id, tenant, end, SAMPLE)
        assert page is not None
        assert len(page.entries) + len(page.calls) == SAMPLE
        end = page.end


async def _operating(store: Store) -> None:
    """What an operator looks at while something is wrong."""
    connection = store.connection
    assert await operator.quarantines(connection)
    await operator.release_outcomes(connection, ["evt_none"])
    await operator.note_replayed(connection, [(0, 1)], store.now)
    await operator.replayed(connection)


async def _auditing(store: Store) -> None:
    """Ranges in the middle and at the end, payments that changed, and what is read as a whole."""
    connection, now = store.connection, store.now
    found = await store.rows("select payment_id from payments order by 1")
    await connection.commit()
    # a range of a store of this size is a large part of its smaller tables
    await connection.execute("set enable_seqscan = off")
    ids = [payment_id for (payment_id,) in found]
    values = {
        "first": ids[-200], "until": ids[-1], "start": ids[5_000], "size": 500,
        "ids": ids[:: len(ids) // RANGE_PAYMENTS],
        "since": now, "before": now, "kept": now, "answered": now,
        "on_topic": now, "answering": [0], "answering_since": [now],
    }  # fmt: skip
    for statement in audit.RANGED.values():
        await connection.execute(statement.encode(), values)
    await connection.execute("reset enable_seqscan")
    for statement in (
        audit.COUNT, audit.BOUNDARIES, audit.CHANGED, audit.LAST_PUBLISHED, audit.EARLIER,
        audit.LAST_PUBLISHED_FROM, audit.LAST_PUBLISHED_OF, audit.REPEATED, audit.DUPLICATES,
        audit.DEAD_LETTERS, audit.UNPUBLISHED, audit.UNROUTED, audit.UNROUTED_FOUND,
        audit.ANSWERING,
    ):  # fmt: skip
        await connection.execute(statement.encode(), values)


async def _deleting(store: Store) -> None:
    """The oldest inputs leave, some at a time."""
    before = store.now - timedelta(days=300)
    await history.give_up_parked(store.connection, before, SAMPLE)
    for table in (*history.DELETABLE, *history.PARTITIONED):
        await history.delete_history(store.connection, table, before, SAMPLE)
    await store.connection.commit()
    assert await partitions.drop_partitions(store.connection, before)
    assert await partitions.make_ahead(store.connection, store.now + timedelta(days=300))


STATEMENTS: Final = statements_of(postgres, without=REBUILD)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_reads_what_it_needs(plans: list[Plan], name: str) -> None:
    """No large table as a whole, no sort on disk, few rows for each that counts."""
    mine = [plan for plan in plans if plan.statement == STATEMENTS[name]]
    assert mine, "it is never executed here"
    for plan in mine:
        assert not plan.spills
        if name not in WHOLE:
            assert plan.whole_tables <= SMALL
        if name not in {*WHOLE, *SORTED}:
            assert plan.read <= max(AT_LEAST, PER_ROW * max(plan.returned, SAMPLE))
