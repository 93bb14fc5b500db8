"""Events about a dispute or a warning of one: they carry no payment ID, the router finds it."""

from collections.abc import Mapping
from typing import Final

from tests.service.events.reports import (
    DISPUTED,
    LOST,
    SUCCEEDED,
    WARNED,
    WITHDRAWN,
    dispute,
    fraud_warning,
)
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
    "charge.dispute.updated, of a lost one that can be appealed": Row(
        first=(SUCCEEDED, WITHDRAWN, LOST),
        report=dispute("updated", 24, "appeal_needs_response", -AMOUNT),
        effect=Effect(
            reason="NEEDS_RESPONSE", status="SUCCEEDED", amounts=PAID,
            disputes=({**disputed("NEEDS_RESPONSE", AMOUNT), "appeal": True},),
        ),
    ),
    "charge.dispute.retrieved": Row(
        first=(SUCCEEDED, DISPUTED),
        report=dispute("retrieved", 22, "under_review", -AMOUNT),
        effect=Effect(
            reason="UNDER_REVIEW", status="SUCCEEDED", amounts=PAID,
            disputes=(disputed("UNDER_REVIEW", AMOUNT),),
        ),
    ),
    "radar.early_fraud_warning.retrieved": Row(
        first=(SUCCEEDED, WARNED),
        report=fraud_warning("retrieved", 16, actionable=False),
        effect=Effect(
            reason="is not actionable", status="SUCCEEDED", amounts=PAID,
            fraud_warnings=({"type": "misc", "actionable": False},),
        ),
    ),
    "radar.early_fraud_warning.created": Row(
        first=(SUCCEEDED,),
        report=WARNED,
        effect=Effect(
            reason="is actionable", status="SUCCEEDED", amounts=PAID,
            fraud_warnings=({"type": "misc", "actionable": True},),
        ),
    ),
    "radar.early_fraud_warning.updated": Row(
        first=(SUCCEEDED, WARNED),
        report=fraud_warning("updated", 16, actionable=False),
        effect=Effect(
            reason="is not actionable", status="SUCCEEDED", amounts=PAID,
            fraud_warnings=({"type": "misc", "actionable": False},),
        ),
    ),
}  # fmt: skip
