"""A record on which our own code fails uses up no event ID: another one may have the effect."""

from typing import Any, Final

import pytest
from msgspec.structs import replace

from decisions.fold import fold
from domain.status import Outcome
from ports.batch import InboxEntry
from ports.records import ConsumedRecord, failed, refusal_id
from providers.stripe.webhooks import StripeTranslator
from tests.support import database
from tests.support.builders import Log, event_body, payment, received
from tests.support.fake_faust import Table
from tests.support.programs.folding import ONE, folded, stored
from tests.support.programs.stream_worker import Group

pytestmark = pytest.mark.anyio

#: What the rendering that our code failed on turns out to be after the fix, and the outcomes of it
#: and of another rendering.
AFTER_THE_FIX: Final[dict[str, tuple[dict[str, Any], list[str | None]]]] = {
    "readable": ({"pending_webhooks": 2}, ["applied", None]),
    "of another account": ({"account": "acct_other"}, ["ignored", "applied"]),
}


def _two(log: Log, mine: str, changes: dict[str, Any]) -> tuple[ConsumedRecord, ConsumedRecord]:
    """Returns two renderings of one event; the first one has these fields changed."""
    body = event_body(mine, "succeeded", f"evt_{mine}")
    return log.event(mine, body | changes), log.event(mine, body)


def _fail_on(patch: pytest.MonkeyPatch, body: bytes) -> None:
    translate = StripeTranslator.translate

    def fails(self: StripeTranslator, given: bytes) -> Any:
        if given == body:
            raise ZeroDivisionError
        return translate(self, given)

    patch.setattr(StripeTranslator, "translate", fails)


@pytest.mark.parametrize("case", AFTER_THE_FIX)
@pytest.mark.parametrize("comes", ["behind the quarantine", "after the release", "with it"])
async def test_one_rendering_of_a_quarantined_event_is_decided_once(
    group: Group, monkeypatch: pytest.MonkeyPatch, case: str, comes: str
) -> None:
    """Whenever the other one comes. Redelivery changes nothing, with the dedup table or without."""
    log, mine, table = Log(), payment(), Table()
    changes, expected = AFTER_THE_FIX[case]
    bad, good = _two(log, mine, changes)
    release, again = log.release(mine), log.again(good)
    async with group.worker(0, table=table) as worker:
        await worker.process(log.create(mine), log.result(mine))
        with monkeypatch.context() as defect:
            _fail_on(defect, bad.value)
            await worker.process(bad)
            if comes == "behind the quarantine":
                await worker.process(good)
        await worker.process(*((good, release) if comes == "with it" else (release,)))
        await worker.process(good, again)
        assert await group.outcomes(bad, good, again) == [*expected, None]
        await worker.process(bad, good, again)
    async with group.worker(0) as without_table:
        await without_table.process(bad, good, again)
    assert await group.outcomes(bad, good, again) == [*expected, None]
    duplicates = await database.rows(group.pool, 'select "offset" from duplicates order by 1')
    further = [good, again] if expected[1] is None else [again]
    assert duplicates == [(record.position.offset,) for record in further]
    statement = "select status from payments where payment_id = %s"
    assert await database.rows(group.pool, statement, mine) == [("SUCCEEDED",)]


async def test_a_readable_rendering_waits_as_long_as_the_defect_is_there(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each release takes both up in their order, however often it fails."""
    log, mine = Log(), payment()
    bad, good = _two(log, mine, {"pending_webhooks": 2})
    async with group.worker(0) as worker:
        await worker.process(log.create(mine), log.result(mine))
        with monkeypatch.context() as defect:
            _fail_on(defect, bad.value)
            await worker.process(bad, good)
            await worker.process(log.release(mine))
            assert await group.outcomes(bad, good) == ["quarantined", "parked"]
        since = received(good).input.received_at.replace(year=2027)
        await worker.process(log.release(mine, since))
    assert await group.outcomes(bad, good) == ["applied", None]


def test_a_rendering_is_taken_up_once_also_where_the_other_one_ends_a_wait() -> None:
    """The proof of the object takes up what waited for it, in the middle of the release."""
    log = Log()
    bad, good = _two(log, ONE, {})
    poisoned = fold(stored(folded(log.create(ONE))), [failed(received(bad), "x"), received(good)])
    known = replace(stored(poisoned), payments=stored(folded(log.create(ONE))).payments)
    readable = replace(known, parked={ONE: (received(bad), received(good))})
    plan = folded(log.release(ONE), known=readable)
    assert [str(row.outcome) for row in plan.inbox] == ["applied", "applied"]
    assert plan.duplicates == [received(good)]
    assert plan.superseded == {received(good).event_id: ONE}


def test_an_event_that_another_payment_used_is_not_decided_after_the_release() -> None:
    """Its key may have sent another rendering there meanwhile."""
    log = Log()
    bad, _ = _two(log, ONE, {})
    poisoned = fold(stored(folded(log.create(ONE), log.result(ONE))), [failed(received(bad), "x")])
    known = stored(poisoned)
    elsewhere = InboxEntry(log.release(ONE).position, Outcome.APPLIED, None)
    readable = replace(
        known,
        parked={ONE: (received(bad),)},
        known={**known.known, received(bad).event_id: elsewhere},
    )
    plan = folded(log.release(ONE), known=readable)
    assert [str(row.outcome) for row in plan.inbox] == ["applied"]
    assert plan.duplicates == [received(bad)]
    assert plan.superseded == {refusal_id(received(bad)): ONE}


def test_after_a_crash_the_record_that_began_a_quarantine_publishes_it() -> None:
    """It is the only record that names the publication, and it is no duplicate."""
    log = Log()
    bad, _ = _two(log, ONE, {})
    known = stored(fold(stored(folded(log.create(ONE))), [failed(received(bad), "x")]))
    began = InboxEntry(bad.position, Outcome.QUARANTINED, 7)
    plan = folded(bad, known=replace(known, known={refusal_id(received(bad)): began}))
    assert (plan.redelivered, plan.inbox, plan.duplicates) == ({7}, [], [])


def test_the_table_has_no_event_that_waits_for_a_release() -> None:
    """Also of a release before, which stored it under its event ID."""
    log = Log()
    bad, good = _two(log, ONE, {})
    event_id = received(bad).event_id
    plan = fold(stored(folded(log.create(ONE))), [failed(received(bad), "x")])
    assert plan.open == {event_id}
    former = {event_id: InboxEntry(bad.position, Outcome.QUARANTINED, None)}
    known = replace(stored(folded(log.create(ONE))), known=former, quarantined=frozenset({ONE}))
    assert folded(good, known=known).open == {event_id}
