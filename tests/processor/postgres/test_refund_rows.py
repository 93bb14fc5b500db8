"""A refund that claims another payment's refund ID changes no row of that payment."""

from typing import Any, Final

import pytest

from schemas import identity
from tests.support import database
from tests.support.builders import Log, payment
from tests.support.programs.operating import ALL, Operating

pytestmark = pytest.mark.anyio

ONE: Final = payment("claimed from")
TWO: Final = payment("claiming")
REFUND_ID: Final = identity.refund_id(ONE, "key")
_ROWS: Final = "select payment_id, refund_id, status, amount from refunds order by 1, 2"


def _claims(refund_id: str) -> dict[str, Any]:
    return {"metadata": {"refund_id": refund_id}}


def _made(ref: str) -> str:
    return identity.provider_made_id("ref", "stripe", ref)


async def _assert_sound(operating: Operating) -> None:
    """The audit of the tables and a rebuild find nothing wrong."""
    found = await operating.violations(0.0)
    assert [found[code] for code in ("S2", "S3", "S4", "S5", "S6", "S11")] == [[]] * 6
    rebuilt = await operating.rebuilt()
    assert rebuilt.is_equal, rebuilt.tables


async def test_a_claim_by_another_payment_does_not_change_the_refund(operating: Operating) -> None:
    """Another payment's failed refund claims the ID of this one, which stays as it was."""
    log = Log()
    call_key = f"{ONE}:refund:{REFUND_ID}"
    async with operating.group.worker(*ALL) as worker:
        await operating.process(
            worker,
            log.create(ONE),
            log.webhook(ONE, "succeeded"),
            log.command(ONE, "refund", amount=400),
            log.result(
                ONE, "refund", call_key=call_key, object_id="re_ours",
                event_id=identity.result_event_id(call_key),
            ),
            log.refund_event(ONE, "re_ours", "succeeded", 400, **_claims(REFUND_ID)),
            log.create(TWO),
            log.webhook(TWO, "succeeded"),
            log.refund_event(TWO, "re_theirs", "failed", 50, **_claims(REFUND_ID)),
        )  # fmt: skip
    assert await database.rows(operating.group.pool, _ROWS) == sorted(
        [(ONE, REFUND_ID, "SUCCEEDED", 400), (TWO, _made("re_theirs"), "FAILED", 50)]
    )
    await _assert_sound(operating)


async def test_one_claim_on_two_payments_is_two_refunds(operating: Operating) -> None:
    """The ID they claim does not matter. A rebuild, which decides both at once, succeeds."""
    log = Log()
    shared = identity.refund_id(ONE, "42")
    async with operating.group.worker(*ALL) as worker:
        for each in (ONE, TWO):
            await operating.process(worker, log.create(each), log.webhook(each, "succeeded"))
            ref = f"re_{each[4:8]}"
            await operating.process(
                worker, log.refund_event(each, ref, "succeeded", 100, **_claims(shared))
            )
    found = await database.rows(operating.group.pool, _ROWS)
    assert found == sorted((p, _made(f"re_{p[4:8]}"), "SUCCEEDED", 100) for p in (ONE, TWO))
    await _assert_sound(operating)


async def test_a_refund_whose_webhook_precedes_its_result_has_one_row(operating: Operating) -> None:
    """The webhook has no metadata, so the refund gets an ID of its own until the call's result."""
    log = Log()
    call_key = f"{ONE}:refund:{REFUND_ID}"
    async with operating.group.worker(*ALL) as worker:
        await operating.process(
            worker,
            log.create(ONE),
            log.webhook(ONE, "succeeded"),
            log.command(ONE, "refund", amount=400),
            log.refund_event(ONE, "re_ours", "succeeded", 400),
        )
        before = await database.rows(operating.group.pool, _ROWS)
        assert before == sorted(
            [(ONE, REFUND_ID, "REQUESTED", 400), (ONE, _made("re_ours"), "SUCCEEDED", 400)]
        )
        await operating.process(
            worker,
            log.result(
                ONE, "refund", call_key=call_key, object_id="re_ours",
                event_id=identity.result_event_id(call_key),
            ),
        )  # fmt: skip
    assert await database.rows(operating.group.pool, _ROWS) == [(ONE, REFUND_ID, "SUCCEEDED", 400)]
    await _assert_sound(operating)
