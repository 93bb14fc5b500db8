"""A rebuild of some payments costs what these cost, and says nothing of others."""

from datetime import timedelta

import pytest

from ports.errors import UnknownPaymentsError
from tests.processor.ops.rebuild.stories import ONE, TWO, live, schemas
from tests.support import database
from tests.support.builders import NOW, Log, payment
from tests.support.programs.operating import ALL, Operating

pytestmark = pytest.mark.anyio

#: Both payments are wrong, and have an input that is younger than the others.
BOTH = "update payments set tenant = 'other' where payment_id = any(%s) returning 1"


@pytest.fixture
async def altered(operating: Operating) -> Operating:
    """Both payments have lived, and are stored wrongly."""
    log, others = Log(), [payment() for _ in range(20)]
    async with operating.group.worker(*ALL) as worker:
        await operating.process(worker, *(log.create(other) for other in others))
        await live(operating, worker)
    await database.rows(operating.group.pool, BOTH, [ONE, TWO])
    return operating


async def test_a_named_payment_alone_is_decided_again(altered: Operating) -> None:
    """Its records alone are read. What was decided again is kept, as it differs."""
    found = await altered.rebuilt(TWO)
    assert (found.records, found.inputs) == (4, 4)
    assert {t.table: (t.checked, t.different) for t in found.tables} == {
        "payments": (1, 1), "payment_versions": (2, 0), "refunds": (0, 0), "disputes": (0, 0),
        "provider_calls": (1, 0), "operations": (1, 0), "inbox": (4, 0), "open_matters": (0, 0),
    }  # fmt: skip
    assert await schemas(altered.group.pool) == {"rebuild"}
    kept = await database.rows(
        altered.group.pool, "select tenant from rebuild.payments where payment_id = %s", TWO
    )
    assert kept == [("shop",)]


async def test_what_was_kept_leaves_with_the_next_one(altered: Operating) -> None:
    """The rows decided again are kept until the next rebuild."""
    await altered.rebuilt(TWO)
    right = "update payments set tenant = 'shop' where payment_id = %s returning 1"
    await database.rows(altered.group.pool, right, TWO)
    assert (await altered.rebuilt(TWO)).is_equal
    assert await schemas(altered.group.pool) == set()


async def test_payments_with_a_new_input_alone_are_decided_again(altered: Operating) -> None:
    """All inputs of such a payment, also the old ones; nothing is kept."""
    since = NOW + timedelta(hours=1)
    await database.rows(
        altered.group.pool,
        "update inbox set recorded_at = %s where event_id = 'evt_dispute' returning 1",
        since,
    )
    found = await altered.rebuilt(since=since)
    of_one = await database.rows(
        altered.group.pool, "select 1 from inbox where payment_id = %s", ONE
    )
    assert (found.records, found.inputs) == (len(of_one), len(of_one))
    assert next(t for t in found.tables if t.table == "payments").different == 1
    assert await schemas(altered.group.pool) == set()
    nothing = await altered.rebuilt(since=since + timedelta(seconds=1))
    assert (nothing.is_equal, nothing.inputs) == (True, 0)


async def test_a_payment_of_which_nothing_is_stored_is_an_error(altered: Operating) -> None:
    """A mistyped ID is not reported as equal."""
    with pytest.raises(UnknownPaymentsError, match="pay_2"):
        await altered.rebuilt(ONE, "pay_2" + "2" * 29)


async def test_records_far_apart_are_sought(
    altered: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those in between are not read, and records that are gone are left out."""
    monkeypatch.setattr("messaging.log_seeker.NOT_SOUGHT", 1)
    found = await altered.rebuilt(ONE, TWO)
    assert found.records == found.inputs == 11
    await database.rows(
        altered.group.pool,
        "update inbox set \"offset\" = -1 where event_id ~ '^evt_foreign@' returning 1",
    )
    found = await altered.rebuilt(ONE, TWO)
    assert (found.records, found.not_checkable_first) == (10, (TWO,))


async def test_a_payment_whose_records_have_all_left_the_log_is_compared_with_its_facts(
    altered: Operating,
) -> None:
    """It is not taken for one with an input that came while the rebuild began."""
    left = 'update inbox set "offset" = "offset" + 1000000000 where payment_id = %s returning 1'
    await database.rows(altered.group.pool, left, TWO)
    found = await altered.rebuilt(TWO)
    assert (found.records, found.newer, found.not_checkable) == (0, 0, 1)
    assert (found.facts.checked, found.facts.different) == (1, 1)
