"""An unforeseen error anywhere in the stream stops one payment and no other.

Each seam raises every kind of error for one payment. That payment is quarantined with the error as
its reason, or its record becomes a dead letter. Another payment of the same batch is processed.
After the fix, an operator's release processes the inputs that waited.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import pytest

from decisions import decode as decoding
from decisions import fold as folding
from domain.decide import decide
from domain.view import snapshot
from ports.errors import PublishError, StoreUnavailableError
from ports.records import ConsumedRecord
from postgres.batch import transaction as storing
from postgres.documents import encode_payment
from processor.stream import batch as batching
from tests.support import database
from tests.support.builders import DECODER, Log, payment
from tests.support.programs.stream_worker import Group, Worker

pytestmark = pytest.mark.anyio

ERRORS: Final[Sequence[BaseException]] = (
    KeyError("data"),
    TypeError("planted"),
    AssertionError(),
    RecursionError("planted"),
    MemoryError(),
    asyncio.CancelledError(),
)
#: Makes a seam raise the error for the poisoned payment's ID.
Break = Callable[[pytest.MonkeyPatch, BaseException, str], None]


def raising(real: Any, error: BaseException, is_about: Callable[..., bool]) -> Any:
    """Returns a function that raises the error for the poisoned payment and else calls the real."""

    def function(*arguments: Any, **named: Any) -> Any:
        if is_about(*arguments, **named):
            raise error
        return real(*arguments, **named)

    return function


def _in_translator(patch: pytest.MonkeyPatch, error: BaseException, poisoned: str) -> None:
    translator = DECODER._translators["stripe"]
    real = translator.translate
    about = poisoned.encode()
    patch.setattr(translator, "translate", raising(real, error, lambda body: about in body))


def _in_key_check(patch: pytest.MonkeyPatch, error: BaseException, poisoned: str) -> None:
    def is_about(record: ConsumedRecord, _received: Any) -> bool:
        return record.key == poisoned.encode()

    patch.setattr(decoding, "_check_key", raising(decoding._check_key, error, is_about))


def _in_command(patch: pytest.MonkeyPatch, error: BaseException, poisoned: str) -> None:
    def is_about(command: Any) -> bool:
        return bool(command.payment_id == poisoned)

    patch.setattr(decoding, "to_domain", raising(decoding.to_domain, error, is_about))


def _in_decide(patch: pytest.MonkeyPatch, error: BaseException, poisoned: str) -> None:
    def is_about(_payment: Any, _input: Any, payment_id: str) -> bool:
        return payment_id == poisoned

    patch.setattr(folding, "decide", raising(decide, error, is_about))


def _in_named_object(module: Any) -> Break:
    def broken(patch: pytest.MonkeyPatch, error: BaseException, poisoned: str) -> None:
        def is_about(received: Any) -> bool:
            return bool(received.payment_id == poisoned and received.failure is None)

        patch.setattr(module, "named_object", raising(module.named_object, error, is_about))

    return broken


def _in_snapshot(patch: pytest.MonkeyPatch, error: BaseException, poisoned: str) -> None:
    patch.setattr(storing, "snapshot", raising(snapshot, error, lambda each: each.id == poisoned))


def _in_encoding(patch: pytest.MonkeyPatch, error: BaseException, poisoned: str) -> None:
    patch.setattr(
        storing,
        "encode_payment",
        raising(encode_payment, error, lambda each: each.id == poisoned),
    )


SEAMS: Final[dict[str, Break]] = {
    "translator": _in_translator,
    "key check": _in_key_check,
    "command": _in_command,
    "decide": _in_decide,
    "named object, in the fold": _in_named_object(folding),
    "named object, in the store": _in_named_object(storing),
    "snapshot": _in_snapshot,
    "encoding": _in_encoding,
}


@pytest.fixture(autouse=True)
def short_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries of an outage end soon."""
    monkeypatch.setattr(batching, "RETRY_FOR_S", 1.0)


def batch_of(log: Log, poisoned: str, other: str) -> list[ConsumedRecord]:
    """Returns records of both payments in one batch."""
    return [
        log.create(poisoned),
        log.webhook(poisoned, "succeeded"),
        log.create(other),
        log.webhook(other, "succeeded"),
    ]


@pytest.mark.parametrize("seam", SEAMS)
async def test_a_payment_is_quarantined_and_released_after_the_fix(seam: str, group: Group) -> None:
    """One stream worker handles every kind of error, each with its own payment."""
    log = Log()
    async with group.worker(0) as worker:
        for error in ERRORS:
            poisoned, other = payment(), payment()
            batch = batch_of(log, poisoned, other)
            worker.acked.clear()
            with pytest.MonkeyPatch.context() as patch:
                SEAMS[seam](patch, error, poisoned)
                await worker.process(*batch)
            assert worker.acked == [record.position for record in batch], repr(error)
            outcomes = await group.outcomes(*batch)
            assert outcomes[2:] == ["applied", "applied"], repr(error)
            assert "quarantined" in outcomes[:2], repr(error)
            await _release(group, worker, log, poisoned, type(error).__name__)
            assert await group.outcomes(*batch) == ["applied"] * 4, repr(error)


async def _release(group: Group, worker: Worker, log: Log, poisoned: str, error: str) -> None:
    """Checks that the quarantine names the error, and releases the payment."""
    quarantined = await database.rows(
        group.pool, "select error, quarantined_at from quarantines where payment_id = %s", poisoned
    )
    ((why, since),) = quarantined
    assert error in why or "CancelledError" in why
    release = log.release(poisoned, since)
    await worker.process(release)
    assert await database.rows(
        group.pool, "select 1 from quarantines where payment_id = %s", poisoned
    ) == []  # fmt: skip


async def test_a_record_whose_decoder_fails_is_a_dead_letter(group: Group) -> None:
    """It can't be quarantined, because only the decoder could find its event ID."""
    log = Log()
    for error in ERRORS:
        garbage = log.append("payment-commands", payment().encode(), b"[]")
        good = log.webhook(payment(), "succeeded")
        async with group.worker(0) as worker:
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(
                    DECODER._by_topic,
                    "payment-commands",
                    raising(None, error, lambda *_: True),
                )
                await worker.process(garbage, good)
            assert worker.acked == [garbage.position, good.position]
        assert await group.outcomes(garbage) == [None]
    rows = await database.rows(group.pool, "select error from dead_letters")
    assert len(rows) == len(ERRORS)
    assert all(why.startswith("our own code failed: ") for (why,) in rows)


async def test_metrics_and_dedup_failures_stop_no_payment(group: Group) -> None:
    """Failing metrics are skipped; if the dedup table fails, Postgres detects duplicates."""
    log = Log()
    async with group.worker(0) as worker:
        for error in ERRORS:
            batch = batch_of(log, payment(), payment())
            worker.acked.clear()
            with pytest.MonkeyPatch.context() as patch:
                failing = raising(None, error, lambda *_, **__: True)
                metrics: Any = worker.processor._metrics
                for name in ("count",):
                    patch.setattr(metrics, name, failing)
                for name in ("lookup", "add", "evict"):
                    patch.setattr(worker.dedup, name, failing)
                await worker.process(*batch)
                await worker.process(*[log.again(record) for record in batch])
            assert await group.outcomes(*batch) == ["applied"] * 4, repr(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_a_payment_that_cannot_be_published_blocks_no_other(
    group: Group, error: BaseException
) -> None:
    """Its publication stays pending; the partition's next owner publishes it."""
    log, poisoned, other = Log(), payment(), payment()
    async with group.worker(0) as worker:
        real = worker.publisher.publish

        async def publish(records: Iterable[Any]) -> None:
            if any(each.payment_id == poisoned for each in records):
                raise error
            await real(list(records))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker.publisher, "publish", publish)
            batch = batch_of(log, poisoned, other)
            await worker.process(*batch)
        assert worker.acked == [record.position for record in batch]
        assert [version for version, _ in await group.published(other)] == [1, 2]
        assert await group.published(poisoned) == []
    async with group.worker(0):
        assert [version for version, _ in await group.published(poisoned)] == [1, 2]


async def test_an_adapter_that_never_returns_times_out(
    group: Group,
) -> None:
    """It is an outage: nothing is acknowledged, and no payment is quarantined."""

    async def never(*_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    log = Log()
    async with group.worker(0) as worker:
        for part, name in ((worker.publisher, "publish"), (worker.sender, "send")):
            worker.acked.clear()
            garbage = log.append("payment-commands", b"key", b"garbage")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(batching, "ADAPTER_TIMEOUT_S", 0.5)
                patch.setattr(part, name, never)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(10):
                        await worker.process(garbage, log.create(payment()))
            assert worker.acked == []
    assert await database.rows(group.pool, "select 1 from quarantines") == []


@pytest.mark.parametrize(
    "error",
    [StoreUnavailableError("away"), PublishError("away"), ConnectionError(), TimeoutError()],
)
async def test_an_outage_quarantines_nothing(group: Group, error: Exception) -> None:
    """The batch is not acknowledged, and its redelivery is processed."""
    log = Log()
    async with group.worker(0) as worker:
        batch = batch_of(log, payment(), payment())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker.store, "transaction", raising(None, error, lambda: True))
            with pytest.raises(type(error) if not isinstance(error, OSError) else Exception):
                await worker.process(*batch)
        assert worker.acked == []
        assert await database.rows(group.pool, "select 1 from quarantines") == []
        await worker.process(*batch)
        assert await group.outcomes(*batch) == ["applied"] * 4
