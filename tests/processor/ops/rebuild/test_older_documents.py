"""Documents that an earlier release stored are no difference: what they lack is unknown."""

import json
from datetime import timedelta
from typing import Any, Final

import pytest

from ports.records import ConsumedRecord
from tests.support.builders import NOW, Log, event_body, object_of, payment
from tests.support.programs.operating import ALL, Operating

pytestmark = pytest.mark.anyio

OURS: Final = payment("rebuilt older ours")
THEIRS: Final = payment("rebuilt older theirs")
OPEN: Final = payment("rebuilt older open")
REFUNDED: Final = payment("rebuilt older refunded")
#: What an earlier release kept of a payment's facts: the latest report of its capture, without
#: whether it names a cause.
AS_OLD: Final = """
    update payments p set document = jsonb_set(document, '{facts}', (
        select jsonb_agg(fact - 'names_cause' order by n)
        from jsonb_array_elements(document -> 'facts') with ordinality as facts(fact, n)
        where fact ->> 'status' <> 'succeeded' or n = jsonb_array_length(document -> 'facts')))
    where document ? 'facts'"""


def _succeeded(
    log: Log, payment_id: str, name: str, at_s: int, request: dict[str, Any] | None
) -> ConsumedRecord:
    body = event_body(payment_id, "succeeded", f"evt_{payment_id[4:12]}_{name}")
    created = int((NOW + timedelta(seconds=at_s)).timestamp())
    return log.event(payment_id, {**body, "created": created, "request": request})


def _capture(log: Log, payment_id: str, key: str) -> tuple[ConsumedRecord, ...]:
    """A manual payment that is captured; a look-up reports it too, and is later."""
    return (
        log.create(payment_id, capture_method="manual"),
        log.webhook(payment_id, "requires_capture"),
        log.result(payment_id),
        log.command(payment_id, "capture"),
        _succeeded(log, payment_id, "webhook", 5, {"id": "req_2", "idempotency_key": key}),
        _succeeded(log, payment_id, "look_up", 9, None),
    )


def _total(log: Log, amount: int, at_s: int) -> ConsumedRecord:
    """A report of what was given back in all, on an endpoint of an old version."""
    charge = {
        "id": "ch_1", "object": "charge", "amount_refunded": amount, "currency": "eur",
        "payment_intent": object_of(REFUNDED),
    }  # fmt: skip
    body = {
        "id": f"evt_total_{amount}", "type": "charge.refunded", "livemode": False,
        "created": int((NOW + timedelta(seconds=at_s)).timestamp()),
        "api_version": "2023-10-16", "data": {"object": charge},
    }  # fmt: skip
    return log.event(REFUNDED, body)


async def _change(operating: Operating, statement: str) -> None:
    async with operating.group.pool.connection() as connection:
        await connection.execute(statement.encode())


async def _facts(operating: Operating, payment_id: str) -> list[dict[str, Any]]:
    statement = "select document::text from payments where payment_id = %s"
    async with operating.group.pool.connection() as connection:
        ((text,),) = await (await connection.execute(statement, [payment_id])).fetchall()
    facts: list[dict[str, Any]] = json.loads(text)["facts"]
    return [fact for fact in facts if fact["status"] == "succeeded"]


@pytest.fixture
async def captured(operating: Operating) -> Operating:
    """A service in which we captured a payment, somebody else one, and one is open."""
    log = Log()
    stories = (
        *_capture(log, OURS, f"{OURS}:capture:1"),
        *_capture(log, THEIRS, "somebody"),
        log.create(OPEN),
        log.webhook(OPEN, "processing"),
    )
    async with operating.group.worker(*ALL) as worker:
        await operating.process(worker, *stories)
    for payment_id in (OURS, THEIRS):
        named = [fact.get("names_cause", False) for fact in await _facts(operating, payment_id)]
        assert named == [True, False]
    return operating


async def test_a_document_from_before_a_report_said_who_captured_is_no_difference(
    captured: Operating,
) -> None:
    """Nothing rewrites it, so every rebuild after the upgrade would report it again."""
    await _change(captured, AS_OLD)
    assert [len(await _facts(captured, each)) for each in (OURS, THEIRS)] == [1, 1]
    found = await captured.rebuilt()
    assert found.is_equal, found.tables


@pytest.mark.parametrize("old", [True, False])
async def test_any_other_change_of_such_a_document_is_reported(
    captured: Operating, *, old: bool
) -> None:
    """Of one from before, and of one from now."""
    if old:
        await _change(captured, AS_OLD)
    changes = {
        OURS: "jsonb_set(document, array['facts', '0', 'amount'], '7')",
        THEIRS: "jsonb_set(document, array['facts', '1', 'event_id'], '\"evt_other\"')",
        OPEN: "document - 'facts'",
    }
    for payment_id, changed in changes.items():
        statement = f"update payments set document = {changed} where payment_id = '{payment_id}'"  # noqa: S608  # constants
        await _change(captured, statement)
    (payments,) = [t for t in (await captured.rebuilt()).tables if t.table == "payments"]
    assert sorted(payments.examples) == sorted(f"{each}: document" for each in changes)


async def test_a_fact_that_lost_its_cause_is_reported_where_another_has_it(
    captured: Operating,
) -> None:
    """A document with any report that names a cause is one of now, and is compared as it is."""
    lost = f"""update payments set document = document #- array['facts', '2']
        where payment_id = '{OURS}'"""  # noqa: S608  # constants
    await _change(captured, lost)
    assert [f.get("names_cause") for f in await _facts(captured, OURS)] == [True]
    (payments,) = [t for t in (await captured.rebuilt()).tables if t.table == "payments"]
    assert payments.examples == (f"{OURS}: document",)


#: An earlier release kept only the latest total.
WITHOUT_RANGE: Final = "update payments set document = document - 'refund_total_range'"


@pytest.fixture
async def refunded(operating: Operating) -> tuple[Operating, Log]:
    """A service with a payment of which two totals are known, and its log."""
    log = Log()
    paid = (log.create(REFUNDED), log.webhook(REFUNDED, "succeeded"), log.result(REFUNDED))
    async with operating.group.worker(*ALL) as worker:
        await operating.process(worker, *paid, _total(log, 300, 5), _total(log, 500, 9))
    return operating, log


async def test_a_document_from_before_totals_had_a_range_is_no_difference(
    refunded: tuple[Operating, Log],
) -> None:
    """Another range than the one that was decided is one."""
    operating, _ = refunded
    assert (await operating.rebuilt()).is_equal
    await _change(operating, WITHOUT_RANGE)
    found = await operating.rebuilt()
    assert found.is_equal, found.tables
    other = "update payments set document = document || '{\"refund_total_range\": [1, 500]}'"
    await _change(operating, other)
    (payments,) = [t for t in (await operating.rebuilt()).tables if t.table == "payments"]
    assert payments.examples == (f"{REFUNDED}: document",)
