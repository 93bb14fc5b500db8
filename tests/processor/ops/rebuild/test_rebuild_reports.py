"""What a provider reports in old forms, in other currencies and in long texts is rebuilt equal."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import pytest

from ports.records import ConsumedRecord
from ports.texts import ERROR_CHARS_MAX
from processor.ops.rebuild import deciding
from tests.support import database
from tests.support.builders import NOW, Log, event_body, object_of, payment
from tests.support.programs.operating import ALL, Operating

pytestmark = pytest.mark.anyio

#: Captured in part by somebody else, in the Dashboard of an account with an old version.
RELEASED: Final = payment("rebuilt released")
#: Declined with a text that is too long, disputed on a balance in another currency.
DISPUTED: Final = payment("rebuilt disputed")
Json = dict[str, Any]


def _event(kind: str, name: str, about: Json, version: str, at_s: int = 0, **changes: Any) -> Json:
    return {
        "id": f"evt_{name}",
        "type": kind,
        "created": int((NOW + timedelta(seconds=at_s)).timestamp()),
        "livemode": False,
        "api_version": version,
        "data": {"object": about},
        "request": {"id": None, "idempotency_key": None},
        **changes,
    }


def _refund(amount: int, made_s: int) -> Json:
    return {
        "id": f"re_{amount}", "object": "refund", "status": "succeeded", "amount": amount,
        "currency": "eur", "payment_intent": object_of(RELEASED),
        "created": int((NOW + timedelta(seconds=made_s)).timestamp()),
    }  # fmt: skip


def _charge(total: int, of: str) -> Json:
    return {
        "id": "ch_1", "object": "charge", "amount_refunded": total, "currency": "eur",
        "payment_intent": object_of(of),
    }  # fmt: skip


def _released(log: Log) -> list[ConsumedRecord]:
    held = event_body(RELEASED, "requires_capture", "evt_held", capture_method="manual")
    paid = event_body(RELEASED, "succeeded", "evt_paid", amount_received=700)
    listed = {**_charge(500, RELEASED), "refunds": {"data": [_refund(300, 5), _refund(200, 9)]}}
    events = (
        {**held, "api_version": "2016-07-06", "request": "req_1"},
        _event("refund.created", "release", _refund(300, 5), "2025-02-24.acacia", 5),
        {**paid, "api_version": "2018-11-08", "request": None},
        _event("charge.refunded", "listed", listed, "2020-08-27", 10),
        _event("charge.refunded", "total", _charge(600, RELEASED), "2023-10-16", 20),
        _event("charge.refunded", "unread", _charge(900, RELEASED), "2014-11-20", 30),
    )
    create = log.create(RELEASED, capture_method="manual")
    reported = [log.event(RELEASED, each) for each in events]
    # without a key, reports wait for the answer that names the object
    return [create, *reported[:2], log.result(RELEASED), *reported[2:]]


def _disputed(log: Log) -> list[ConsumedRecord]:
    error = {"code": "card_declined", "message": "m\0" * ERROR_CHARS_MAX, "charge": "ch_1"}
    declined = {
        "type": "payment_intent.payment_failed", "api_version": "2018-11-08",
    }  # fmt: skip
    failed = event_body(DISPUTED, "requires_source", "evt_declined", last_payment_error=error)
    moved = {
        "id": "txn_1", "amount": -668, "currency": "usd", "reporting_category": "dispute",
    }  # fmt: skip
    dispute = {
        "id": "dp_1", "object": "dispute", "payment_intent": object_of(DISPUTED),
        "status": "needs_response", "amount": 900, "currency": "usd", "reason": "fraudulent",
        "balance_transactions": [moved], "evidence_details": {"due_by": 1_900_000_000},
    }  # fmt: skip
    warning = {
        "id": "issfr_1", "object": "radar.early_fraud_warning", "actionable": True,
        "fraud_type": "misc", "payment_intent": object_of(DISPUTED),
    }  # fmt: skip
    newest = "2025-03-31.basil"
    return [
        log.create(DISPUTED),
        log.event(DISPUTED, {**failed, **declined}),
        log.webhook(DISPUTED, "succeeded"),
        log.event(DISPUTED, _event("charge.dispute.created", "disputed", dispute, newest, 40)),
        log.event(DISPUTED, _event("radar.early_fraud_warning.created", "warned", warning, newest)),
    ]


async def _stored(operating: Operating, payment_id: str) -> Json:
    statement = "select snapshot::text from payments where payment_id = %s"
    async with operating.group.pool.connection() as connection:
        ((text,),) = await (await connection.execute(statement, [payment_id])).fetchall()
    found: Json = json.loads(text)
    return found


@pytest.mark.parametrize("chunk", [1, 500])
async def test_reports_of_every_form_are_rebuilt_equal(
    operating: Operating, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """Releases, totals, versions that are not read, other currencies and texts that were cut."""
    monkeypatch.setattr(deciding, "CHUNK_INPUTS", chunk)
    log, stories = Log(), dict[str, Sequence[ConsumedRecord]]()
    stories |= {RELEASED: _released(log), DISPUTED: _disputed(log)}
    async with operating.group.worker(*ALL) as worker:
        for records in stories.values():
            for record in records:
                await operating.process(worker, record)
    await _check_effects(operating)
    found = await operating.rebuilt()
    assert found.is_equal, found.tables
    inputs = sum(len(records) for records in stories.values())
    assert (found.inputs, found.not_checkable, found.quarantined) == (inputs, 0, 0)
    mine: Mapping[str, list[str]] = await operating.violations(settle_s=0.0)
    about = (*stories, "dp_1", "evt_")
    assert [text for code in ("S3", "S4", "S5", "S6", "S8", "S11") for text in mine[code]
            if any(each in text for each in about)] == []  # fmt: skip


async def _check_effects(operating: Operating) -> None:
    """Otherwise the rebuild would have nothing to get wrong."""
    released = await _stored(operating, RELEASED)
    assert released["amounts"] == {"authorized": 1000, "captured": 700, "refunded": 300}
    assert sorted(refund["amount"] for refund in released["refunds"]) == [100, 200]
    disputed = await _stored(operating, DISPUTED)
    (dispute,) = disputed["disputes"]
    (moved,) = dispute["funds"]
    assert (dispute["currency"], moved["currency"], moved["withdrawn"]) == ("USD", "USD", 668)
    assert len(disputed["fraud_warnings"]) == 1
    outcomes = await database.rows(
        operating.group.pool, "select event_id, outcome from inbox where outcome = 'ignored'"
    )
    assert [event_id.partition("@")[0] for event_id, _ in outcomes] == ["evt_unread"]
