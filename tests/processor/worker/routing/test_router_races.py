"""What happens to a waiting webhook between the router's look at it and its end."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from ports.producer_record import ProducerRecord
from ports.records import ConsumedRecord
from ports.work_items import UnroutedWebhook
from postgres.stores import Pool, PostgresRouting
from tests.support import database
from tests.support.builders import Clock, Log, event_body, payment
from tests.support.programs.folding import ONE
from tests.support.programs.routing import (
    MAX_AGE_S,
    Routing,
    create_payments,
    ignored,
    unrouted,
    waiting,
)

pytestmark = pytest.mark.anyio


def _echo(log: Log, payment_id: str, meant: str, echoes: str) -> ConsumedRecord:
    """An event about one payment's object that comes to another, and echoes a call of a third."""
    body = event_body(meant, "succeeded", "evt_echo")
    body["request"]["idempotency_key"] = f"{echoes}:capture:1"
    return log.event(payment_id, body)


class TakesAtOnce:
    """A sender after whose send the stream has already taken the records."""

    def __init__(self, pool: Pool, log: Log) -> None:
        self._pool, self._log = pool, log
        self.keys: list[str] = []

    async def send(self, records: Sequence[ProducerRecord]) -> None:
        """Sends and takes them."""
        for record in records:
            self.keys.append((record.key or b"").decode())
            named = {name.replace("-", "_"): text.decode() for name, text in record.headers}
            taken = self._log.append(record.topic, record.key, record.value, **named)
            await database.process(self._pool, taken)


async def test_what_is_refused_before_it_is_deleted_waits_on(pool: Pool, clock: Clock) -> None:
    """It is not lost to the payment that comes to have the object, and it is sent to each once."""
    log, wrong, echoed, meant = Log(), payment(), payment(), payment()
    sender = TakesAtOnce(pool, log)
    router = Routing(pool, clock, sender=sender).router
    await create_payments(pool, wrong, echoed)
    await database.process(pool, _echo(log, wrong, meant, echoed))
    await router.route_waiting()
    assert sender.keys == [echoed]
    assert await waiting(pool) == ["evt_echo"]
    await router.route_waiting()
    assert sender.keys == [echoed]
    await create_payments(pool, meant)
    await router.route_waiting()
    assert sender.keys == [echoed, meant]
    await router.route_waiting()
    assert (len(sender.keys), await waiting(pool)) == (2, [])


async def test_a_refusal_changes_nothing_for_another_payment(pool: Pool) -> None:
    """A webhook that waits for the payment whose call it echoes may come to further payments."""
    log, wrong, also, echoed, meant = Log(), payment(), payment(), payment(), payment()
    await create_payments(pool, wrong, also)
    await database.process(pool, _echo(log, wrong, meant, echoed))
    other = event_body(meant, "succeeded", "evt_echo") | {"request": None}
    await database.process(pool, log.event(also, other))
    found = "select event_id, payment_id from unrouted"
    assert await database.rows(pool, found) == [("evt_echo", echoed)]


async def test_a_webhook_is_not_given_up_whose_payment_comes_meanwhile(
    routing: Routing, pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has one end: it goes to its payment."""
    expired = PostgresRouting.expired

    async def slowly(
        self: PostgresRouting, before: datetime, limit: int, accounts: Sequence[str]
    ) -> list[UnroutedWebhook]:
        found = await expired(self, before, limit, accounts)
        await create_payments(pool, ONE)
        return found

    await routing.router.route([unrouted(ONE)])
    clock.forward(2 * MAX_AGE_S)
    with monkeypatch.context() as patch:
        patch.setattr(PostgresRouting, "expired", slowly)
        await routing.router.route_waiting()
    assert (await waiting(pool), await ignored(pool)) == (["evt_1"], [])
    await routing.router.route_waiting()
    assert [sent.key for sent in routing.outbox.records] == [ONE.encode()]
    assert (await waiting(pool), await ignored(pool)) == ([], [])
