"""A refund that says it is another payment's: no payment can write what is another's."""

from typing import Any, Final

import pytest

from schemas import identity
from tests.support import database
from tests.support.builders import Log, payment
from tests.support.programs.operating import ALL, Operating

pytestmark = pytest.mark.anyio

ONE: Final = payment("claimed from")
TWO: Final = payment("claiming")
OURS: Final = identity.refund_id(ONE, "key")
_ROWS: Final = "select payment_id, refund_id, status, amount from refunds order by 1, 2"


def _claims(refund_id: str) -> dict[str, Any]:
    return {"metadata": {"refund_id": refund_id}}


def _made(ref: str) -> str:
    return identity.provider_made_id("ref", "stripe", ref)


async def _sound(operating: Operating) -> None:
    """The audit of the tables and a rebuild find nothing wrong."""
    found = await operating.violations(0.0)
    assert [found[code] for code in ("S2", "S3", "S4", "S5", "S6", "S11")] == [[]] * 6
    rebuilt = await operating.rebuilt()
    assert rebuilt.is_equal, rebuilt.tables


async def test_a_claim_elsewhere_leaves_the_refund_alone(operating: Operating) -> None:
    """A failed refund of another payment, under the ID of ours: ours goes on as it was."""
    log = Log()
    answer = f"{ONE}:refund:{OURS}"
    async with operating.group.worker(*ALL) as worker:
        await operating.process(
            worker,
            log.create(ONE),
            log.webhook(ONE, "succeeded"),
            log.command(ONE, "refund", amount=400),
            log.result(
                ONE, "refund", call_key=answer, object_id="re_ours",
                event_id=identity.result_event_id(answer),
            ),
            log.refund_event(ONE, "re_ours", "succeeded", 400, **_claims(OURS)),
            log.create(TWO),
            log.webhook(TWO, "succeeded"),
            log.refund_event(TWO, "re_theirs", "failed", 50, **_claims(OURS)),
        )  # fmt: skip
    assert await database.rows(operating.group.pool, _ROWS) == sorted(
        [(ONE, OURS, "SUCCEEDED", 400), (TWO, _made("re_theirs"), "FAILED", 50)]
    )
    await _sound(operating)


async def test_one_claim_on_two_payments_is_two_refunds(operating: Operating) -> None:
    """Whatever is written on them; and a rebuild, which decides both at once, goes through."""
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
    await _sound(operating)


async def test_a_refund_that_turns_out_to_be_ours_has_one_row(operating: Operating) -> None:
    """Nothing on it says so, and it is known before our call is answered: then by our ID alone."""
    log = Log()
    answer = f"{ONE}:refund:{OURS}"
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
            [(ONE, OURS, "REQUESTED", 400), (ONE, _made("re_ours"), "SUCCEEDED", 400)]
        )
        await operating.process(
            worker,
            log.result(
                ONE, "refund", call_key=answer, object_id="re_ours",
                event_id=identity.result_event_id(answer),
            ),
        )  # fmt: skip
    assert await database.rows(operating.group.pool, _ROWS) == [(ONE, OURS, "SUCCEEDED", 400)]
    await _sound(operating)
