"""Disputes and fraud warnings of captured money: each row is a history and its end.

Disputes are in another currency, corrected, appealed, and inquiries come back as chargebacks.
"""

from typing import Any, Final

from domain.inputs import Movement
from domain.status import DisputeStatus, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    adjusted,
    at,
    create,
    dispute_fact,
    fraud_warning,
    payment_fact,
    refund_fact,
    reinstated,
    withdrawn,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import DisputeMeaning, Meaning, RefundMeaning

_CAPTURED: Final = Reported(payment_fact(ProviderStatus.SUCCEEDED, 4))
_NEEDS, _REVIEW = DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW
_LOST, _WON = DisputeStatus.LOST, DisputeStatus.WON
_OUT_USD, _BACK_USD = withdrawn("mv_out", 1089, "USD"), reinstated("mv_back", 1093, "USD")


def _disputed(status: DisputeStatus, second: int, *movements: Movement, **changes: Any) -> Reported:
    event_id = f"evt_dp_1_{status}_{second}_{changes.get('appeal', False)}"
    changes = {"movements": movements, "event_id": event_id, **changes}
    return Reported(dispute_fact("dp_1", status, second, **changes))


def _paid(dispute: DisputeMeaning | None = None, **warnings: bool) -> Meaning:
    disputes = {} if dispute is None else {"dp_1": dispute}
    return Meaning(Status.SUCCEEDED, 1000, 1000, disputes=disputes, fraud_warnings=warnings)


DISPUTE_HISTORIES: Final = (
    History(
        "disputed money moves in the balance's currency, at two rates",
        create(),
        (
            _CAPTURED,
            _disputed(_NEEDS, 30, _OUT_USD),
            _disputed(_REVIEW, 31, _OUT_USD),
            _disputed(_WON, 32, _OUT_USD, _BACK_USD),
        ),
        _paid(DisputeMeaning(_WON, {"USD": (1089, 1093, 0)})),
    ),
    History(
        "a lost dispute returns the part that had been refunded, in the balance's currency",
        create(),
        (
            _CAPTURED,
            Reported(refund_fact("given", RefundStatus.SUCCEEDED, 20, 300)),
            _disputed(_NEEDS, 30, _OUT_USD),
            _disputed(_LOST, 32, _OUT_USD, reinstated("mv_part", 330, "USD")),
        ),
        Meaning(
            Status.SUCCEEDED,
            1000,
            1000,
            300,
            {"given": RefundMeaning(RefundStatus.SUCCEEDED)},
            {"dp_1": DisputeMeaning(_LOST, {"USD": (1089, 330, 0)})},
        ),
    ),
    History(
        "a correction of the exchange rate is no reinstatement",
        create(),
        (
            _CAPTURED,
            _disputed(_NEEDS, 30, _OUT_USD, respond_by=at(900)),
            _disputed(_REVIEW, 31, _OUT_USD, adjusted("mv_fx", 12, "USD")),
            _disputed(_LOST, 32, _OUT_USD, adjusted("mv_fx", 12, "USD")),
            _disputed(_LOST, 33, _OUT_USD, adjusted("mv_fx_2", -30, "USD")),
        ),
        _paid(DisputeMeaning(_LOST, {"USD": (1089, 0, -18)})),
    ),
    History(
        "a dispute is in another currency than its payment",
        create(),
        (
            _CAPTURED,
            _disputed(_NEEDS, 30, currency="USD", amount=1089, respond_by=at(900)),
            _disputed(_NEEDS, 31, _OUT_USD, currency="USD", amount=1089, respond_by=at(901)),
        ),
        _paid(DisputeMeaning(_NEEDS, {"USD": (1089, 0, 0)}, respond_by=at(901))),
    ),
    History(
        "a lost dispute can be appealed, in the second of the loss",
        create(),
        (
            _CAPTURED,
            _disputed(_NEEDS, 30, withdrawn("mv_out")),
            _disputed(_REVIEW, 31),
            _disputed(_LOST, 32),
            _disputed(_NEEDS, 32, appeal=True, respond_by=at(700)),
        ),
        _paid(DisputeMeaning(_NEEDS, {"EUR": (1000, 0, 0)}, appeal=True, respond_by=at(700))),
    ),
    History(
        "an appeal is reviewed, and lost again",
        create(),
        (
            _CAPTURED,
            _disputed(_LOST, 32, withdrawn("mv_out")),
            _disputed(_NEEDS, 33, appeal=True, respond_by=at(700)),
            _disputed(_REVIEW, 34, appeal=True, respond_by=at(700)),
            _disputed(_LOST, 35),
        ),
        _paid(DisputeMeaning(_LOST, {"EUR": (1000, 0, 0)})),
    ),
    History(
        "the bank appeals against a win, and the appeal is under review",
        create(),
        (
            _CAPTURED,
            _disputed(_WON, 32, withdrawn("mv_out"), reinstated("mv_back")),
            _disputed(_NEEDS, 33, appeal=True, respond_by=at(700)),
            _disputed(_REVIEW, 34, withdrawn("mv_again"), appeal=True),
            _disputed(_REVIEW, 36),
        ),
        _paid(DisputeMeaning(_REVIEW, {"EUR": (2000, 1000, 0)}, appeal=True)),
    ),
    History(
        "a closed inquiry becomes a chargeback",
        create(),
        (
            _CAPTURED,
            _disputed(DisputeStatus.WARNING_NEEDS_RESPONSE, 30, respond_by=at(600)),
            _disputed(DisputeStatus.WARNING_CLOSED, 32),
            _disputed(_NEEDS, 32, withdrawn("mv_out"), respond_by=at(800)),
            _disputed(DisputeStatus.WARNING_UNDER_REVIEW, 31),
        ),
        _paid(DisputeMeaning(_NEEDS, {"EUR": (1000, 0, 0)}, respond_by=at(800))),
    ),
    History(
        "an inquiry waits for a response until its deadline",
        create(),
        (
            _CAPTURED,
            _disputed(DisputeStatus.WARNING_NEEDS_RESPONSE, 30, respond_by=at(600)),
            _disputed(DisputeStatus.WARNING_NEEDS_RESPONSE, 31, respond_by=at(650)),
        ),
        _paid(DisputeMeaning(DisputeStatus.WARNING_NEEDS_RESPONSE, respond_by=at(650))),
    ),
    History(
        "a bank warns of fraud twice, and one warning is dealt with",
        create(),
        (
            Reported(fraud_warning("fw_1", 9)),
            _CAPTURED,
            Reported(fraud_warning("fw_1", 9, actionable=False)),
            Reported(fraud_warning("fw_2", 8, actionable=False)),
            Reported(fraud_warning("fw_2", 10)),
        ),
        _paid(fw_1=False, fw_2=True),
    ),
    History(
        "more came back in the payment's currency than had left, and money of another is out",
        create(),
        (
            _CAPTURED,
            _disputed(_NEEDS, 30, withdrawn("mv_eur", 300), reinstated("mv_eur_back", 400)),
            _disputed(_REVIEW, 31, _OUT_USD),
        ),
        _paid(DisputeMeaning(_REVIEW, {"EUR": (300, 400, 0), "USD": (1089, 0, 0)})),
    ),
)
