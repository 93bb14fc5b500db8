"""The versions of Stripe's API whose events are read, and how their forms differ.

An event has the form of the version of its endpoint. ``events.list`` gives each one in the version
of the account when it happened, so old forms come for 30 days after every upgrade. An event of any
other version is not read at all, because its fields could mean something else.
"""

import re
from typing import Final, NamedTuple

import stripe

_VERSION: Final = re.compile(r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\.([a-z]+))?\Z")


class Change(NamedTuple):
    """A change of a form that we read: since which version, what, and where Stripe says so."""

    since: str
    what: str
    source: str


_CHANGELOG: Final = "https://docs.stripe.com/changelog"
OLDEST: Final = Change(
    "2014-12-08",
    "a dispute has `evidence_details`; since 2014-08-20 its statuses and `balance_transactions`",
    f"{_CHANGELOG}/2014-12-08/disputes-include-evidence-details-object",
)
REQUEST_IS_AN_OBJECT: Final = Change(
    "2017-05-25",
    "`request` of an event has the idempotency key, before only the request's ID; the connected "
    "account is `account`, before `user_id`",
    f"{_CHANGELOG}/2017-05-25/events-specify-request-id-idempotency-key",
)
PAYMENT_METHODS: Final = Change(
    "2019-02-11",
    "`requires_payment_method`, `requires_action`, `next_action` with `redirect_to_url`; before, "
    "`requires_source`, `requires_source_action`, `next_source_action` with `authorize_with_url`",
    f"{_CHANGELOG}/2019-02-11",
)
NO_LISTS_IN_OBJECTS: Final = Change(
    "2022-11-15",
    "a charge has no `refunds`, a payment intent no `charges`",
    f"{_CHANGELOG}/2022-11-15/deprecates-charges-auto-expand",
)
REFUND_EVENTS: Final = Change(
    "2024-10-28",
    "`refund.created`, `refund.updated` and `refund.failed` report every refund; before, "
    "`charge.refunded` had its amount alone",
    f"{_CHANGELOG}/acacia/2024-10-28/refund-webhook-update",
)
RELEASES_ARE_NO_REFUNDS: Final = Change(
    "2025-03-31",
    "letting go of an authorization makes no refund",
    f"{_CHANGELOG}/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow",
)
CHANGES: Final[tuple[Change, ...]] = (
    OLDEST,
    REQUEST_IS_AN_OBJECT,
    PAYMENT_METHODS,
    NO_LISTS_IN_OBJECTS,
    REFUND_EVENTS,
    RELEASES_ARE_NO_REFUNDS,
)
#: Later versions with the same name have the same forms: docs.stripe.com/api/versioning.
NEWEST: Final = stripe.api_version


def unread(version: str | None) -> str | None:
    """Why events of this version are not read; None if they are.

    Only events that we make ourselves have no version: they have the newest form.
    """
    if version is None:
        return None
    found, newest = _VERSION.match(version), NEWEST.partition(".")
    if found is None:
        return f"its API version {version[:40]!r} is no released one"
    if OLDEST.since <= found[1] and (found[1] <= newest[0] or found[2] == newest[2]):
        return None
    return f"its API version {version} is not read, only {OLDEST.since} to {NEWEST}"


def has(version: str | None, change: Change) -> bool:
    """Whether a version that is read has the change."""
    return version is None or version[:10] >= change.since
