"""One object's ID in two accounts is two objects, in all that looks for a payment by its object."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from postgres.looks import owners_with_payments
from postgres.stores import Pool, PostgresHistory
from schemas import headers
from tests.processor.accounts.records import KNOWING, SECOND, at_second, inputs, process
from tests.support import database
from tests.support.builders import NOW, Log, event_body, object_of
from tests.support.programs.folding import ONE, TWO

pytestmark = pytest.mark.anyio

SAME = {"object_id": object_of(ONE)}


async def test_a_list_of_parts_names_the_payments_of_its_own_account(pool: Pool) -> None:
    """A refund in one account is not published for the payment of another."""
    log = Log()
    await process(
        pool, KNOWING,
        log.create(ONE), log.result(ONE),
        log.create(TWO, provider=SECOND), log.result(TWO, provider=SECOND, **SAME),
    )  # fmt: skip
    for account, owner in (("stripe", ONE), (SECOND, TWO), ("third", None)):
        async with pool.connection() as connection:
            found = await owners_with_payments(connection, account, [object_of(ONE)])
        assert [payment_id for payment_id, _ in found.values()] == [owner] * (owner is not None)


async def test_what_waits_in_vain_is_not_sent_to_another_accounts_payment(pool: Pool) -> None:
    """It names a payment that never came. The object of that ID here is another one."""
    log = Log()
    about = event_body(TWO, "succeeded", "evt_1", id=object_of(ONE))
    waits = at_second(log.event(TWO, about))
    waits = replace(waits, headers={**waits.headers, headers.OBJECT_ID: object_of(ONE)})
    await process(pool, KNOWING, log.create(ONE), log.result(ONE), waits)
    assert await PostgresHistory(pool).give_up_parked(NOW + timedelta(days=1000), 100) == 1
    assert (await inputs(pool))[-1][1] == "ignored"
    assert await database.rows(pool, "select 1 from unrouted") == []
