"""The stream shows what waits for accounts that it does not know, and takes it up once it does."""

import asyncio
from collections.abc import Collection, Mapping

import pytest
from prometheus_client import CollectorRegistry

from ports.errors import PublishError, StoreUnavailableError
from ports.records import ConsumedRecord, RecordOffset
from postgres.stores import Pool, PostgresUnread
from processor.stream import app
from processor.stream.metrics import StreamMetrics
from processor.stream.unknown_accounts import AGAIN_AFTER_S, UnknownAccounts
from processor.stream.watchdog import Activity
from schemas import headers
from schemas.topics import PAYMENT_COMMANDS, PROVIDER_WEBHOOKS
from tests.processor.accounts.records import (
    KNOWING,
    LACKING,
    SECOND,
    at_second,
    process,
    status,
)
from tests.support import database
from tests.support.builders import Log, payment
from tests.support.fakes import RecordingSender
from tests.support.log_lines import fields, lines
from tests.support.programs.folding import ONE, TWO

pytestmark = pytest.mark.anyio


class Stream:
    """One process's look at what waits."""

    def __init__(self, pool: Pool) -> None:
        self.known: set[str] = {"stripe"}
        self.sender, self.at = RecordingSender(), 1000.0
        self._registry = CollectorRegistry()
        rows = StreamMetrics(self._registry).unknown_accounts
        store = PostgresUnread(pool)
        self.accounts = UnknownAccounts(store, self.sender, self.known, rows, lambda: self.at)

    async def sent(self, *partitions: int) -> list[bytes | None]:
        """Looks once. Returns the keys of what was sent."""
        self.sender.records.clear()
        await self.accounts.look(partitions)
        return [record.key for record in self.sender.records]

    def waiting(self) -> float | None:
        """What the gauge shows of the second account."""
        labels = {"provider": SECOND, "kind": "input"}
        return self._registry.get_sample_value("payments_unknown_account_rows", labels)


@pytest.fixture
def stream(pool: Pool) -> Stream:
    """One whose file has the environment's account alone."""
    return Stream(pool)


def reads_as(sent: bytes | None, stream: Stream, offset: int) -> ConsumedRecord:
    """A sent record as the log has it."""
    (record,) = (each for each in stream.sender.records if each.key == sent)
    return ConsumedRecord(
        position=RecordOffset(record.topic, 0, offset),
        key=record.key,
        value=record.value,
        headers=headers.as_text(record.headers),
        timestamp_ms=0,
    )


async def test_nothing_is_lost_while_the_files_differ(
    pool: Pool, stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    """It is shown for as long as it waits, and logged once; then it reaches its payment."""
    log = Log()
    waits = [at_second(log.webhook(ONE, s, f"evt_{s}")) for s in ("processing", "succeeded")]
    await process(pool, LACKING, log.create(ONE, provider=SECOND), *waits)
    for _ in range(2):
        assert await stream.sent(0) == []
        assert stream.waiting() == 2
        assert [line["provider"] for line in lines(caplog, "account.unknown")] == [SECOND]
    stream.known.add(SECOND)
    (key,) = await stream.sent(0)
    assert (key, stream.waiting()) == (ONE.encode(), None)
    record = reads_as(key, stream, 99)
    assert record.position.topic == PROVIDER_WEBHOOKS
    await process(pool, KNOWING, record)
    assert await status(pool, ONE) == "SUCCEEDED"
    stream.at += AGAIN_AFTER_S
    assert await stream.sent(0) == []


async def test_one_record_of_each_payment_is_sent_and_not_at_once_again(
    pool: Pool, stream: Stream
) -> None:
    """The stream may lag. What is lost with a broker or a rebalance is sent again after that."""
    log = Log()
    stream.known.add(SECOND)
    for each in (ONE, TWO):
        waits = [at_second(log.webhook(each, s)) for s in ("processing", "succeeded")]
        await process(pool, LACKING, log.create(each, provider=SECOND), *waits)
    both = sorted([ONE.encode(), TWO.encode()])
    assert await stream.sent(0) == both
    stream.at += AGAIN_AFTER_S - 1
    assert await stream.sent(0) == []
    stream.at += 1
    assert await stream.sent(0) == both


async def test_what_was_not_sent_is_sent_with_the_next_look(pool: Pool, stream: Stream) -> None:
    """The brokers did not confirm."""
    log = Log()
    stream.known.add(SECOND)
    waits = at_second(log.webhook(ONE, "succeeded"))
    await process(pool, LACKING, log.create(ONE, provider=SECOND), waits)
    stream.sender.failures = [PublishError("no acknowledgement")]
    with pytest.raises(PublishError):
        await stream.sent(0)
    assert await stream.sent(0) == [ONE.encode()]


async def test_each_process_takes_up_what_waits_in_its_own_partitions(
    pool: Pool, stream: Stream
) -> None:
    """What it knows says nothing of what another one, which decides there, can read."""
    stream.known.add(SECOND)
    for number, one in enumerate((ONE, TWO)):
        log = Log(number)
        waits = at_second(log.webhook(one, "succeeded"))
        await process(pool, LACKING, log.create(one, provider=SECOND), waits)
    assert await stream.sent(1) == [TWO.encode()]
    assert await stream.sent() == []
    stream.known.clear()
    await stream.sent(1)
    assert stream.waiting() == 1
    await stream.sent()
    assert stream.waiting() is None


async def test_what_can_not_be_decided_yet_is_not_sent(pool: Pool, stream: Stream) -> None:
    """Its payment is not here, or is quarantined: that ends the wait, or an operator."""
    log, third = Log(), payment("third")
    stream.known.add(SECOND)
    create = log.create(TWO, provider=SECOND)
    waits = [at_second(log.webhook(each, "succeeded")) for each in (ONE, TWO)]
    await process(pool, LACKING, create, *waits, log.create(third), log.webhook(third, "succeeded"))
    hold = "insert into quarantines values (%s, 'evt_bad', 'a defect', now()) returning 1"
    await database.rows(pool, hold, TWO)
    assert await stream.sent(0) == []
    assert stream.waiting() is None


class Failing:
    """A store whose answers are these, one after the other."""

    def __init__(self, *answers: Mapping[str, int] | Exception) -> None:
        self.answers = list(answers)

    async def unread_inputs(self, _: Collection[int]) -> Mapping[str, int]:
        """See ``UnreadStore.unread_inputs``."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def first_unread(self, *_: object) -> list[object]:
        """See ``UnreadStore.first_unread``."""
        raise AssertionError


@pytest.mark.parametrize(
    ("error", "level"), [(StoreUnavailableError("down"), "WARNING"), (ZeroDivisionError(), "ERROR")]
)
async def test_an_outage_or_a_defect_ends_no_look(
    stream: Stream,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    level: str,
) -> None:
    """Nor the process. What it can't know it does not show; only a defect is logged as an error."""
    shown: list[float | None] = []

    async def noted(_: float) -> None:
        shown.append(stream.waiting())
        if len(shown) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr("processor.stream.unknown_accounts.asyncio.sleep", noted)
    monkeypatch.setattr(stream.accounts, "_store", Failing({SECOND: 3}, error, {SECOND: 4}))
    with pytest.raises(asyncio.CancelledError):
        await stream.accounts.run(lambda: {0})
    assert shown == [3, None, 4]
    levels = [r.levelname for r in caplog.records if fields(r)["event"].endswith("not_looked")]
    assert levels == [level]


def test_a_process_looks_only_at_partitions_that_it_has_fenced() -> None:
    """Until then a former owner may decide there. During a rebalance it has none."""
    activity, fenced = Activity(), asyncio.Event()
    activity.partitions = frozenset({(PROVIDER_WEBHOOKS, 1), (PAYMENT_COMMANDS, 2)})
    assert app.webhook_partitions(activity, fenced) == frozenset()
    fenced.set()
    assert app.webhook_partitions(activity, fenced) == {1}


async def test_it_ends_with_its_process(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the middle of a look."""
    asked = asyncio.Event()

    class Silent(Failing):
        async def unread_inputs(self, _: Collection[int]) -> Mapping[str, int]:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(stream.accounts, "_store", Silent())
    looking = asyncio.ensure_future(stream.accounts.run(lambda: {0}))
    await asked.wait()
    looking.cancel()
    await asyncio.wait({looking}, timeout=5.0)
    assert looking.cancelled()
