"""Events about a dispute. They carry no payment ID: the router finds the payment."""

from collections.abc import Mapping
from typing import Final

from tests.service.events.reports import DISPUTED, LOST, SUCCEEDED, WITHDRAWN, dispute
from tests.service.events.rows import PAID, Effect, Row, disputed
from tests.service.events.webhooks import AMOUNT

DISPUTE_ROWS: Final[Mapping[str, Row]] = {
    "charge.dispute.created": Row(
        first=(SUCCEEDED,),
        report=DISPUTED,
        effect=Effect(
            reason="NEEDS_RESPONSE", status="SUCCEEDED", amounts=PAID,
            disputes=(disputed("NEEDS_RESPONSE"),),
        ),
    ),
    "charge.dispute.funds_withdrawn": Row(
        first=(SUCCEEDED, DISPUTED),
        report=WITHDRAWN,
        effect=Effect(
            reason="NEEDS_RESPONSE", status="SUCCEEDED", amounts=PAID,
            disputes=(disputed("NEEDS_RESPONSE", AMOUNT),),
        ),
    ),
    "charge.dispute.updated, with the withdrawal reported again": Row(
        first=(SUCCEEDED, DISPUTED, WITHDRAWN),
        report=dispute("updated", 22, "under_review", -AMOUNT),
        effect=Effect(
            reason="UNDER_REVIEW", status="SUCCEEDED", amounts=PAID,
            disputes=(disputed("UNDER_REVIEW", AMOUNT),),
        ),
    ),
    "charge.dispute.updated, after it was closed": Row(
        first=(SUCCEEDED, LOST),
        report=dispute("updated", 22, "under_review", -AMOUNT),
        effect=Effect(
            outcome="stale", reason="UNDER_REVIEW", names_previous=True, visible=False,
            status="SUCCEEDED", amounts=PAID, disputes=(disputed("LOST", AMOUNT),),
        ),
    ),
    "charge.dispute.closed": Row(
        first=(SUCCEEDED, DISPUTED, WITHDRAWN),
        report=LOST,
        effect=Effect(
            reason="LOST", status="SUCCEEDED", amounts=PAID, disputes=(disputed("LOST", AMOUNT),)
        ),
    ),
    "charge.dispute.funds_reinstated, of a lost one that is won": Row(
        first=(SUCCEEDED, WITHDRAWN, LOST),
        report=dispute("funds_reinstated", 24, "won", -AMOUNT, AMOUNT),
        effect=Effect(
            reason="WON", status="SUCCEEDED", amounts=PAID,
            disputes=(disputed("WON", AMOUNT, AMOUNT),),
        ),
    ),
}  # fmt: skip
