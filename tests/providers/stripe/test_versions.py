"""One history gives the same facts in every version of Stripe's API whose events are read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import stripe

from domain.decide import decide
from domain.inputs import Foreign, Input, PaymentFact, RefundFact, Unmodelled
from domain.status import Outcome, ProviderStatus, RefundStatus
from ports.provider import MalformedWebhookError
from providers.stripe.versions import CHANGES, NEWEST, OLDEST, unread
from schemas import identity
from tests.providers.stripe.builders import CREATED, INTENT, PAYMENT, event, intent, translator

_CHANGELOG: Final = "https://docs.stripe.com/changelog"
#: A version in each form, and the page on what the next one changed. The last one is the newest.
VERSIONS: Final = {
    "2016-07-06": f"{_CHANGELOG}/2017-05-25/events-specify-request-id-idempotency-key",
    "2018-11-08": f"{_CHANGELOG}/2019-02-11/renames-next-source-action-next-action",
    "2020-08-27": f"{_CHANGELOG}/2022-11-15/deprecates-charges-auto-expand",
    "2023-10-16": f"{_CHANGELOG}/acacia/2024-10-28/refund-webhook-update",
    "2025-02-24.acacia": f"{_CHANGELOG}/basil/2025-03-31/"
    "remove-refund-from-partial-capture-and-payment-cancellation-flow",
    NEWEST: "https://docs.stripe.com/api/versioning",
}
KEY: Final = f"{PAYMENT}:create"
REFUND_KEY: Final = f"{PAYMENT}:refund:re_1"
every_version = pytest.mark.parametrize("version", VERSIONS)


def rendered(kind: str, about: dict[str, Any], version: str, key: str | None = KEY) -> bytes:
    """Returns an event in the form of a version."""
    request: Any = {"id": "req_1", "idempotency_key": key}
    if version < "2017-05-25":
        request = "req_1"
    return event(kind, about, request=request, api_version=version)


def old(status: str, version: str) -> str:
    """Returns a status by its name in a version."""
    if version >= "2019-02-11":
        return status
    renamed = ("requires_source", "requires_source_action")
    return dict(zip(("requires_payment_method", "requires_action"), renamed, strict=True)).get(
        status, status
    )


def payment_fact(kind: str, about: dict[str, Any], version: str) -> PaymentFact:
    """Returns the fact of a payment intent's event."""
    if version < "2022-11-15":
        charges = {"object": "list", "data": [], "has_more": False, "total_count": 0}
        about = {**about, "charges": charges}
        about.pop("latest_charge", None)
    fact = translator().translate(rendered(kind, about, version)).fact
    assert isinstance(fact, PaymentFact)
    return fact


@every_version
@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("requires_payment_method", ProviderStatus.OPEN),
        ("requires_action", ProviderStatus.ACTION_NEEDED),
        ("requires_capture", ProviderStatus.AUTHORIZED),
        ("succeeded", ProviderStatus.SUCCEEDED),
        ("canceled", ProviderStatus.CANCELED),
    ],
)
def test_a_status_has_the_same_meaning(version: str, status: str, word: ProviderStatus) -> None:
    """Some had another name before 2019-02-11."""
    fact = payment_fact("payment_intent.created", intent(old(status, version)), version)
    assert fact.status is word


@every_version
def test_a_key_is_read_where_the_version_has_one(version: str) -> None:
    """Before 2017-05-25 an event names no key, so our own call's answer decides."""
    fact = payment_fact("payment_intent.canceled", intent("canceled"), version)
    has_key = version >= "2017-05-25"
    assert fact.caused_by == (KEY if has_key else None)
    assert fact.names_cause is has_key


@every_version
def test_the_customers_page_is_read(version: str) -> None:
    """The action and its link had other names before 2019-02-11."""
    url = {"url": "https://bank.example/step", "return_url": "https://shop.example"}
    about = intent(old("requires_action", version))
    if version < "2019-02-11":
        about |= {"next_source_action": {"type": "authorize_with_url", "authorize_with_url": url}}
    else:
        about |= {"next_action": {"type": "redirect_to_url", "redirect_to_url": url}}
    assert payment_fact("payment_intent.requires_action", about, version).action_url == url["url"]


@pytest.mark.parametrize("status", ["requires_source", "requires_source_action"])
@pytest.mark.parametrize("version", ["2019-02-11", "2023-10-16", NEWEST])
def test_an_old_status_in_a_later_version_is_unknown(version: str, status: str) -> None:
    """A name that the version does not have means nothing."""
    fact = translator().translate(rendered("payment_intent.created", intent(status), version)).fact
    assert isinstance(fact, Unmodelled)
    assert fact.unknown_status


def charge(**changes: Any) -> dict[str, Any]:
    """Returns a charge of which 400 were given back."""
    whole = {"id": "ch_1", "object": "charge", "amount": 1000, "amount_refunded": 400}
    return {**whole, "currency": "eur", "payment_intent": INTENT, **changes}


def listed(name: str, amount: int, created: int) -> dict[str, Any]:
    """Returns a refund as a charge lists it."""
    refund = {"id": name, "amount": amount, "currency": "eur", "status": "succeeded"}
    return {**refund, "created": created, "payment_intent": INTENT}


def total(about: dict[str, Any], version: str, key: str | None = None) -> RefundFact:
    """Returns the fact of a charge's refund."""
    fact = translator().translate(rendered("charge.refunded", about, version, key)).fact
    assert isinstance(fact, RefundFact)
    assert fact.is_total
    return fact


@pytest.mark.parametrize("version", ["2016-07-06", "2020-08-27", "2022-11-15", "2024-09-30.acacia"])
def test_a_charge_reports_what_was_given_back_in_all(version: str) -> None:
    """Before 2024-10-28 nothing else reports a card's refund."""
    fact = total(charge(), version)
    assert (fact.amount, fact.currency, fact.object_id) == (400, "EUR", INTENT)
    assert fact.may_be_release


@pytest.mark.parametrize(
    ("currency", "counted", "amount"),
    [("isk", 500_000, 5000), ("ugx", 900_000, 9000), ("mga", 5000, 500_000), ("jpy", 500, 500)],
)
def test_what_was_given_back_in_all_is_in_our_minor_units(
    currency: str, counted: int, amount: int
) -> None:
    """Stripe counts some currencies otherwise, in totals as in the refunds that they list."""
    refund = {**listed("re_1", counted, 1), "currency": currency}
    about = charge(amount_refunded=counted, currency=currency, refunds={"data": [refund]})
    fact = total(about, "2020-08-27")
    assert (fact.amount, fact.currency) == (amount, currency.upper())
    (named,) = fact.listed
    assert (named.amount, named.currency, named.object_id) == (amount, currency.upper(), INTENT)


@pytest.mark.parametrize("version", ["2018-11-08", "2020-08-27"])
def test_a_charges_list_names_the_refunds(version: str) -> None:
    """The key is that of the newest one, which caused the event."""
    data = [listed("re_2", 300, CREATED + 9), listed("re_1", 100, CREATED)]
    fact = total(charge(refunds={"object": "list", "data": data}), version, REFUND_KEY)
    assert [(f.ref, f.amount, f.caused_by) for f in fact.listed] == [
        ("re_2", 300, REFUND_KEY),
        ("re_1", 100, None),
    ]


def test_of_refunds_made_in_one_second_none_is_known_to_be_the_newest() -> None:
    """With the event's key both could be taken for the refund that our one call made."""
    data = [listed("re_2", 300, CREATED), listed("re_1", 100, CREATED)]
    fact = total(charge(refunds={"object": "list", "data": data}), "2020-08-27", REFUND_KEY)
    assert [f.caused_by for f in fact.listed] == [None, None]
    assert fact.caused_by == REFUND_KEY


@pytest.mark.parametrize("claiming", [("re_3",), ("re_2",), ("re_2", "re_3"), ()])
def test_of_refunds_of_one_second_the_key_is_that_of_the_one_that_it_names(
    claiming: tuple[str, ...],
) -> None:
    """Somebody gives back within the second of our own refund: theirs must not get our key."""
    ours = identity.refund_id(PAYMENT, "refund-1")
    key = f"{PAYMENT}:refund:{ours}"
    data = [listed("re_3", 300, CREATED), listed("re_2", 200, CREATED), listed("re_1", 100, 1)]
    for refund in data:
        refund["metadata"] = {"refund_id": ours} if refund["id"] in claiming else {}
    fact = total(charge(refunds={"object": "list", "data": data}), "2020-08-27", key)
    named = [f.ref for f in fact.listed if f.caused_by == key]
    assert named == (list(claiming) if len(claiming) == 1 else [])
    assert all(f.caused_by is None for f in fact.listed if f.ref not in named)
    assert fact.caused_by == key


def test_of_refunds_of_one_second_one_that_names_another_of_ours_has_not_the_key() -> None:
    """Two of our calls may give back in one second: each event proves its own refund alone."""
    ours, other = (identity.refund_id(PAYMENT, f"refund-{number}") for number in (1, 2))
    data = [listed("re_2", 200, CREATED), listed("re_1", 100, CREATED)]
    data[0]["metadata"] = {"refund_id": other}
    about = charge(refunds={"object": "list", "data": data})
    fact = total(about, "2020-08-27", f"{PAYMENT}:refund:{ours}")
    assert [f.caused_by for f in fact.listed] == [None, None]


@pytest.mark.parametrize("version", ["2024-10-28.acacia", NEWEST])
@pytest.mark.parametrize("key", [None, "other", KEY, REFUND_KEY])
def test_a_charge_counts_nothing_where_refunds_are_reported(version: str, key: str | None) -> None:
    """Not even what our own refund caused: it would be counted twice."""
    about = charge(refunds={"object": "list", "data": [listed("re_1", 400, CREATED)]})
    fact = translator().translate(rendered("charge.refunded", about, version, key)).fact
    assert isinstance(fact, Unmodelled)
    assert not fact.unread_version


def test_a_listed_refund_without_a_status_is_pending() -> None:
    """It reserves its amount, and gives nothing back yet."""
    data = [{**listed("re_1", 100, CREATED), "status": None}]
    (refund,) = total(charge(refunds={"object": "list", "data": data}), "2020-08-27").listed
    assert refund.status is RefundStatus.PENDING


@pytest.mark.parametrize("version", ["2024-10-28.acacia", NEWEST])
@pytest.mark.parametrize("key", [None, REFUND_KEY])
def test_a_charge_that_counts_nothing_does_not_use_up_its_event_id(
    version: str, key: str | None
) -> None:
    """The list of an older account has the same event with the total, and nothing else."""
    fact = translator().translate(rendered("charge.refunded", charge(), version, key)).fact
    at = datetime.fromtimestamp(CREATED, UTC)
    ignored = decide(None, Input("evt_1", at, fact), PAYMENT)
    assert (ignored.outcome, ignored.refused) == (Outcome.IGNORED, True)
    other = translator().translate(rendered("customer.created", {"id": "cus_1"}, version)).fact
    assert not decide(None, Input("evt_2", at, other), PAYMENT).refused


def test_an_absent_amount_is_malformed() -> None:
    """It is no refund of nothing."""
    about = charge()
    del about["amount_refunded"]
    with pytest.raises(MalformedWebhookError):
        translator().translate(rendered("charge.refunded", about, "2020-08-27"))


@every_version
def test_a_refund_may_be_a_release_before_2025_03_31(version: str) -> None:
    """On every version before that, letting go of an authorization makes a refund."""
    about = listed("re_1", 300, CREATED - 60)
    fact = translator().translate(rendered("charge.refund.updated", about, version)).fact
    assert isinstance(fact, RefundFact)
    assert fact.may_be_release is (version < "2025-03-31")
    assert fact.made_at == fact.occurred_at - timedelta(seconds=60)


@pytest.mark.parametrize(
    ("version", "named"),
    [
        ("2014-11-20", "2014-11-20"),
        ("2011-01-01", "2011-01-01"),
        ("2027-09-30.fennel", "2027-09-30.fennel"),
        ("v2", "no released one"),
        ("", "no released one"),
    ],
)
def test_an_event_of_another_version_is_not_read(version: str, named: str) -> None:
    """Its fields could mean something else. It changes nothing, and says why."""
    fact = translator().translate(rendered("payment_intent.succeeded", intent(), version)).fact
    assert isinstance(fact, Unmodelled)
    assert fact.unread_version
    assert named in fact.why
    ignored = translator().translate(rendered("customer.created", {"id": "cus_1"}, version)).fact
    assert isinstance(ignored, Unmodelled)
    assert not ignored.unread_version


def test_a_later_version_of_the_same_name_is_read() -> None:
    """Stripe changes no form within a name."""
    name = NEWEST.partition(".")[2]
    assert unread(f"2099-12-31.{name}") is None
    assert unread(NEWEST) is None
    assert stripe.api_version == NEWEST
    assert unread(OLDEST.since) is None


def test_the_table_is_in_order_and_names_a_page_for_each_change() -> None:
    """Each row is a change of a form that is read."""
    since = [change.since for change in CHANGES]
    assert since == sorted(since)
    assert all(change.source.startswith(f"{_CHANGELOG}/") for change in CHANGES)


def test_a_connected_account_was_named_user_id() -> None:
    """Before 2017-05-25; it is not ours in either form."""
    body = json.loads(rendered("payment_intent.succeeded", intent(), "2016-07-06"))
    fact = translator().translate(json.dumps({**body, "user_id": "acct_other"}).encode()).fact
    assert isinstance(fact, Foreign)
