"""A payment that can't be written is quarantined, and everything else goes on."""

from collections.abc import Iterator
from typing import Final

import psycopg
import pytest

from processor.stream import batch as batching
from tests.support import database
from tests.support.builders import Log, payment
from tests.support.log_lines import lines
from tests.support.programs.folding import fail_on
from tests.support.programs.stream_worker import Group

pytestmark = pytest.mark.anyio

THIRTEEN: Final = 1313
#: What Postgres refuses of a payment with the amount THIRTEEN: its value, or its key as taken.
REFUSALS: Final = {
    "value": f"alter table payments add constraint refused check (amount <> {THIRTEEN}) not valid",
    "key": f"create unique index refused on payments ((1)) where amount = {THIRTEEN}",
}
_UNDO: Final = (
    "drop index if exists refused; alter table payments drop constraint if exists refused"
)


@pytest.fixture(params=REFUSALS)
def refusing(request: pytest.FixtureRequest, own_database: str) -> Iterator[str]:
    """Makes Postgres refuse one payment; yields the kind of refusal."""
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute(REFUSALS[request.param])
        yield request.param
        connection.execute(_UNDO)


async def test_only_the_payment_that_cannot_be_written_is_quarantined(
    refusing: str, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records wait for an operator. The others of the batch are processed."""
    monkeypatch.setattr(batching, "RETRY_FOR_S", 5.0)
    log = Log()
    taken, poison, other = payment(), payment(), payment()
    async with group.worker(0) as worker:
        if refusing == "key":
            await worker.process(log.create(taken, amount=THIRTEEN))
        worker.acked.clear()
        batch = (
            log.webhook(poison, "processing"),
            log.create(poison, amount=THIRTEEN),
            log.create(other),
            log.webhook(other, "succeeded"),
            log.append("payment-commands", b"key", b"garbage"),
        )
        await worker.process(*batch)
        assert worker.acked == [record.position for record in batch]
        assert await group.outcomes(*batch) == [
            "quarantined", "parked", "applied", "applied", None,
        ]  # fmt: skip
        quarantined = await database.rows(group.pool, "select payment_id, error from quarantines")
        assert [payment_id for payment_id, _ in quarantined] == [poison]
        assert "refused" in quarantined[0][1]
        assert [version for version, _ in await group.published(other)] == [1, 2]
        assert await group.published(poison) == []
        tries = worker.count("payments_batch_retries_total", error="KeyTakenError")
        assert tries == (
            4 if refusing == "key" else 0
        )  # twice for the batch, twice for the payment
        later = log.webhook(poison, "succeeded")
        await worker.process(later)
        assert await group.outcomes(later) == ["parked"]


async def test_only_the_payment_our_code_fails_on_is_quarantined(
    group: Group, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its earlier input and other payments are processed. Its waiting records are stored.

    The log names the payment and the error.
    """
    log = Log()
    poison, other = payment(), payment()
    fail_on(monkeypatch, poison, ["evt_bad"])
    batch = (
        log.create(poison),
        log.webhook(poison, "processing", "evt_bad"),
        log.webhook(poison, "succeeded"),
        log.create(other),
    )
    async with group.worker(0) as worker:
        await worker.process(*batch)
        assert worker.acked == [record.position for record in batch]
    assert await group.outcomes(*batch) == ["applied", "quarantined", "parked", "applied"]
    (line,) = lines(caplog, "payment.quarantined")
    assert (line["payment_id"], line["event_id"]) == (poison, "evt_bad")
    assert line["error"]
    kept = 'select value from inbox where value is not null order by topic, "offset"'
    assert await database.rows(group.pool, kept) == [(batch[1].value,), (batch[2].value,)]
    assert [version for version, _ in await group.published(poison)] == [1]
    assert [version for version, _ in await group.published(other)] == [1]
