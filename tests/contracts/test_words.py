"""Our tables hold Stripe's words, all of them and no others."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from stripe import api_version

from providers.stripe.translate import DISPUTE_STATUS, PAYMENT_STATUS, REFUND_STATUS, TRANSLATORS
from tests.contracts.description import Description

TABLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "payment_intent": PAYMENT_STATUS,
    "refund": REFUND_STATUS,
    "dispute": DISPUTE_STATUS,
}
#: Statuses that a version of the API after stripe-mock's added, and which version that was.
ADDED_LATER: Final[Mapping[str, dict[str, str]]] = {
    "dispute": {
        "appeal_needs_response": "2026-10-28.endive",
        "appeal_under_review": "2026-10-28.endive",
    },
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_status_has_a_word_of_ours(description: Description, kind: str) -> None:
    """The table is the description's enum, and what was added since."""
    later = ADDED_LATER.get(kind, {})
    assert later.keys().isdisjoint(description.words(kind, "status"))
    assert set(TABLES[kind]) == description.words(kind, "status") | later.keys()


def test_what_was_added_later_is_known_by_the_package() -> None:
    """It is of no version after the one that we ask Stripe for; versions sort by their date."""
    assert [
        since for later in ADDED_LATER.values() for since in later.values() if since > api_version
    ] == []


def test_what_was_added_later_is_not_in_the_description_yet(description: Description) -> None:
    """A newer stripe-mock makes the table shorter."""
    added = [since for later in ADDED_LATER.values() for since in later.values()]
    assert [since for since in added if since <= description.version] == []


def test_every_event_in_the_table_is_one_that_stripe_sends(description: Description) -> None:
    """A misspelt type would never be met; only the look-up's own is not Stripe's."""
    assert set(TRANSLATORS) - description.event_types() == {"payment_intent.retrieved"}
