"""A payment has a row among the open matters exactly while somebody has to answer something."""

from typing import Any, Final

import pytest

from ports.records import ConsumedRecord
from postgres.payment_list import label_of
from postgres.stores import Pool
from tests.support import database
from tests.support.builders import NOW, TENANT, Log, object_of
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.operating import ALL, Operating

pytestmark = pytest.mark.anyio

_OPEN: Final = "select tenant, created_at, payment_id from open_matters"


def _reported(log: Log, kind: str, second: int, about: dict[str, Any]) -> ConsumedRecord:
    """An event about something of a payment, at this second."""
    body = {
        "id": f"evt_{kind}_{second}", "type": kind, "created": int(NOW.timestamp()) + second,
        "livemode": False, "data": {"object": {**about, "payment_intent": object_of(ONE)}},
    }  # fmt: skip
    return log.event(ONE, body)


def _dispute(log: Log, second: int, status: str, ref: str = "dp_1") -> ConsumedRecord:
    about = {"id": ref, "amount": 10, "currency": "eur", "status": status}
    return _reported(log, "charge.dispute.updated", second, {**about, "balance_transactions": []})


def _warning(log: Log, second: int, *, actionable: bool) -> ConsumedRecord:
    about = {
        "id": "issfr_1", "object": "radar.early_fraud_warning", "actionable": actionable,
        "fraud_type": "misc", "charge": "ch_1",
    }  # fmt: skip
    return _reported(log, "radar.early_fraud_warning.updated", second, about)


async def test_a_payment_has_an_open_matter_while_a_dispute_needs_a_response(pool: Pool) -> None:
    """A response that was sent, and a decision, end it."""
    log = Log()
    await database.process(pool, log.create(ONE), log.webhook(ONE, "succeeded"))
    assert await database.rows(pool, _OPEN) == []
    for second, status, is_open in (
        (1, "warning_needs_response", True),
        (2, "warning_under_review", False),
        (3, "needs_response", True),
        (4, "under_review", False),
        (5, "lost", False),
    ):
        await database.process(pool, _dispute(log, second, status))
        expected = [(TENANT, NOW, ONE)] if is_open else []
        assert await database.rows(pool, _OPEN) == expected, status


async def test_a_payment_has_an_open_matter_while_a_warning_is_actionable(pool: Pool) -> None:
    """A dispute that is over does not end it, and in one batch the last version counts."""
    log = Log()
    await database.process(pool, log.create(ONE), log.webhook(ONE, "succeeded"))
    await database.process(pool, _warning(log, 1, actionable=True), _dispute(log, 2, "lost"))
    assert await database.rows(pool, _OPEN) == [(TENANT, NOW, ONE)]
    await database.process(
        pool, _dispute(log, 3, "needs_response", "dp_2"), _warning(log, 4, actionable=False)
    )
    assert await database.rows(pool, _OPEN) == [(TENANT, NOW, ONE)]
    await database.process(pool, _dispute(log, 5, "won", "dp_2"))
    assert await database.rows(pool, _OPEN) == []


async def test_a_new_payment_gets_a_label_for_each_of_its_terms(pool: Pool) -> None:
    """The database makes the digests that a search asks for, of any text."""
    log = Log()
    metadata = {"order": "Straße 17", "empty": "", "metadata.order": "x"}
    await database.process(
        pool,
        log.create(ONE, order_reference="№ 7", metadata=metadata),
        log.create(TWO),
    )
    found = await database.rows(pool, "select label from payment_labels where payment_id = %s", ONE)
    terms = {
        "order_reference": "№ 7", "provider": "stripe", "currency": "EUR",
        **{f"metadata.{key}": value for key, value in metadata.items()},
    }  # fmt: skip
    assert {row[0] for row in found} == {label_of(TENANT, *term) for term in terms.items()}
    assert (
        len(await database.rows(pool, "select 1 from payment_labels where payment_id = %s", TWO))
        == 2
    )


async def test_a_rebuild_makes_the_same_open_matters(operating: Operating) -> None:
    """And the same document, snapshot and reference; one that was lost is a difference."""
    log = Log()
    async with operating.group.worker(*ALL) as worker:
        await operating.process(
            worker,
            log.create(ONE, order_reference="A-1"),
            log.webhook(ONE, "succeeded"),
            _dispute(log, 1, "needs_response"),
        )
    assert await database.rows(operating.group.pool, _OPEN) == [(TENANT, NOW, ONE)]
    assert (await operating.rebuilt()).is_equal
    await database.rows(operating.group.pool, "delete from open_matters returning 1")
    assert not (await operating.rebuilt()).is_equal
