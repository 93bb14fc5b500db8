"""Our tables contain exactly Stripe's statuses and only Stripe's event types."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from stripe import api_version

from providers.stripe.disputes import DISPUTE_STATUS
from providers.stripe.refunds import REFUND_STATUS
from providers.stripe.translate import OWN_TYPES, PAYMENT_STATUS, TRANSLATORS
from tests.contracts.description import Description
from tests.contracts.later import ADDED_LATER

TABLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "payment_intent": PAYMENT_STATUS,
    "refund": REFUND_STATUS,
    "dispute": DISPUTE_STATUS,
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_status_is_translated(description: Description, kind: str) -> None:
    """The table has the description's enum and the statuses added later, and no others."""
    later = ADDED_LATER.get(kind, {})
    assert later.keys().isdisjoint(description.values(kind, "status"))
    assert set(TABLES[kind]) == description.values(kind, "status") | later.keys()


def test_later_statuses_are_in_the_version_we_request() -> None:
    """No status was added after the API version we request; versions sort by date."""
    assert [
        since for later in ADDED_LATER.values() for since in later.values() if since > api_version
    ] == []


def test_later_statuses_are_newer_than_the_description(description: Description) -> None:
    """After an update of stripe-mock, statuses that it now has must leave the table."""
    added = [since for later in ADDED_LATER.values() for since in later.values()]
    assert [since for since in added if since <= description.version] == []


def test_every_event_in_the_table_is_one_that_stripe_sends(description: Description) -> None:
    """A misspelt type would never match. What we fetch ourselves has types of our own."""
    assert set(TRANSLATORS) - description.event_types() == OWN_TYPES
