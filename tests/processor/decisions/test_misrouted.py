"""A webhook that names one payment but has another one's object goes to the other one."""

from collections.abc import Callable

import pytest

from ports.records import ConsumedRecord
from postgres.stores import Pool
from schemas.headers import as_text
from tests.support import database
from tests.support.builders import Clock, Log, object_of, payment
from tests.support.programs.routing import Routing
from tests.support.programs.stream_worker import Group

pytestmark = pytest.mark.anyio

ABOUT: dict[str, Callable[[Log, str], ConsumedRecord]] = {
    "a refund": lambda log, meant: log.refund_event(meant, "re_1", "succeeded", 300),
    "the payment": lambda log, meant: log.webhook(meant, "succeeded", "evt_meant"),
}


def _under(log: Log, payment_id: str, record: ConsumedRecord) -> ConsumedRecord:
    """Returns the same webhook with this payment's key."""
    named = {name.replace("-", "_"): text for name, text in record.headers.items()}
    return log.append(record.position.topic, payment_id.encode(), record.value, **named)


@pytest.mark.parametrize("what", ABOUT)
async def test_the_payment_that_owns_the_object_gets_the_webhook(
    group: Group, pool: Pool, clock: Clock, what: str
) -> None:
    """Metadata may name any payment, but an object belongs to one.

    For the wrong payment it is a conflict that does not use up its event ID. It is routed once.
    """
    log, named, meant = Log(), payment(), payment()
    routing = Routing(pool, clock)
    async with group.worker(0) as worker:
        for each in (named, meant):
            await worker.process(log.create(each), log.result(each))
        about = ABOUT[what](log, meant)
        wrong = _under(log, named, about)
        await worker.process(wrong)
        assert await group.outcomes(wrong) == ["conflict"]
        await routing.router.route_waiting()
        (sent,) = routing.outbox.records
        assert (sent.key, sent.value) == (meant.encode(), about.value)
        assert as_text(sent.headers) == about.headers
        routed = _under(log, meant, about)
        await worker.process(routed)
        assert await group.outcomes(routed) == ["applied"]
        await routing.router.route_waiting()
        assert len(routing.outbox.records) == 1


async def test_a_result_with_another_payments_object_is_not_routed(
    group: Group, pool: Pool
) -> None:
    """It belongs to the payment of its call, so another payment's object is a conflict."""
    log, one, other = Log(), payment(), payment()
    async with group.worker(0) as worker:
        await worker.process(log.create(one), log.result(one), log.create(other))
        wrong = log.result(other, object_id=object_of(one))
        await worker.process(wrong)
        assert await group.outcomes(wrong) == ["conflict"]
    assert await database.rows(pool, "select event_id from unrouted") == []
