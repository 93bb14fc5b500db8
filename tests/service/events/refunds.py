"""Events about a refund. The payment stays SUCCEEDED."""

from collections.abc import Mapping
from typing import Final

from tests.service.events.reports import (
    REFUND_DONE,
    REFUND_PENDING,
    SUCCEEDED,
    refund,
    refunded_in_all,
)
from tests.service.events.rows import PAID, Effect, Row, refunded

REFUND_ROWS: Final[Mapping[str, Row]] = {
    "refund.created": Row(
        first=(SUCCEEDED,),
        report=REFUND_PENDING,
        effect=Effect(
            reason="PENDING", status="SUCCEEDED", amounts=PAID, refunds=(refunded("PENDING"),)
        ),
    ),
    "refund.updated": Row(
        first=(SUCCEEDED, REFUND_PENDING),
        report=REFUND_DONE,
        effect=Effect(
            reason="SUCCEEDED", status="SUCCEEDED", amounts={**PAID, "refunded": 400},
            refunds=(refunded("SUCCEEDED"),),
        ),
    ),
    "refund.retrieved": Row(
        first=(SUCCEEDED, REFUND_PENDING),
        report=refund("refund.retrieved", 11, "succeeded"),
        effect=Effect(
            reason="SUCCEEDED", status="SUCCEEDED", amounts={**PAID, "refunded": 400},
            refunds=(refunded("SUCCEEDED"),),
        ),
    ),
    "refund.updated, of a refund that the client asked for": Row(
        first=(SUCCEEDED,),
        requests_refund=True,
        report=refund("refund.updated", 11, "succeeded", ours=True),
        effect=Effect(
            reason="SUCCEEDED", status="SUCCEEDED", amounts={**PAID, "refunded": 400},
            refunds=(refunded("SUCCEEDED"),), calls=("refund",),
        ),
    ),
    "refund.failed, after it had succeeded": Row(
        first=(SUCCEEDED, REFUND_PENDING, REFUND_DONE),
        report=refund("refund.failed", 12, "failed", failure_reason="expired_or_canceled_card"),
        effect=Effect(
            reason="FAILED", status="SUCCEEDED", amounts=PAID,
            refunds=(refunded("FAILED", reversed=True, failure="expired_or_canceled_card"),),
        ),
    ),
    "charge.refund.updated": Row(
        first=(SUCCEEDED, REFUND_PENDING),
        report=refund("charge.refund.updated", 11, "canceled"),
        effect=Effect(
            reason="CANCELED", status="SUCCEEDED", amounts=PAID, refunds=(refunded("CANCELED"),)
        ),
    ),
    "charge.refund.updated, a success reported twice": Row(
        first=(SUCCEEDED, REFUND_DONE),
        report=refund("charge.refund.updated", 12, "succeeded"),
        effect=Effect(
            reason="SUCCEEDED", status="SUCCEEDED", visible=False,
            amounts={**PAID, "refunded": 400},
            refunds=(refunded("SUCCEEDED"),),
        ),
    ),
    "charge.refunded, before refunds had events": Row(
        first=(SUCCEEDED,),
        report=refunded_in_all("2022-11-15"),
        effect=Effect(
            reason="4.00 EUR were given back", status="SUCCEEDED",
            amounts={**PAID, "refunded": 400},
            refunds=(refunded("SUCCEEDED"),),
        ),
    ),
    "charge.refunded, before refunds had events, with the key of our own refund": Row(
        first=(SUCCEEDED,),
        requests_refund=True,
        report=refunded_in_all("2020-08-27"),
        effect=Effect(
            reason="4.00 EUR were given back", status="SUCCEEDED",
            amounts={**PAID, "refunded": 400},
            refunds=(refunded("SUCCEEDED"),), calls=("refund",),
        ),
    ),
}  # fmt: skip
