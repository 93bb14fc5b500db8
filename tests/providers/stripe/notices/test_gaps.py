"""The content of Stripe's reports of events that were never made: which object to look at."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ports.notices import Gap, NoGap
from ports.provider import Account, MissingError, ProviderUnavailableError
from providers.stripe.client import StripeApi
from providers.stripe.notices.gaps import VERSION, StripeGaps
from providers.stripe.notices.reading import NEVER_MADE
from providers.stripe.translate import LISTED_TYPES
from tests import accounts
from tests.providers.stripe.builders import over_http
from tests.simulator.harness import Simulator

pytestmark = [pytest.mark.anyio, over_http]

SHOP = "acct_shop"
RESOLVED = "2026-03-01T12:00:00.000Z"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def content(impact: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A thin event with its content, in the form that Stripe publishes."""
    related = {"id": "re_1", "type": "refund", "url": "https://dashboard.stripe.com/refunds/re_1"}
    own = {"event_type": "refund.failed", "related_object": related, **(impact or {})}
    whole = {
        "id": "evt_65thin",
        "object": "v2.core.event",
        "type": NEVER_MADE,
        "livemode": False,
        "created": "2026-03-01T12:00:05.000Z",
        "data": {"alert_id": "halert_1", "impact": own, "resolved_at": RESOLVED, "summary": "..."},
    }
    return {**whole, **changes}


class Api:
    """As much of the client as is used, with scripted answers. It records the requests."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def read(self, path: str, **params: Any) -> Mapping[str, Any]:
        """See ``StripeApi.read``."""
        self.asked.append((path, params))
        answer: Mapping[str, Any] = self.answers[path.rpartition("/")[2]]
        return answer


def gaps(api: Api, account: Account = accounts.STRIPE, name: str = "stripe") -> StripeGaps:
    """What fetches the notices of an account with one connected account."""
    return StripeGaps(api, account, name, {SHOP: "shop"})


async def found(said: Mapping[str, Any], context: str | None = None) -> Gap | NoGap:
    """What follows from this content."""
    return await gaps(Api(evt_65thin=said)).gap("evt_65thin", context)


async def test_the_content_is_fetched_in_the_version_that_has_it() -> None:
    """By the notice's ID at Stripe, and in the name of the account that the notice names."""
    api = Api(evt_65thin=content())
    await gaps(api).gap("evt_65thin", None)
    await gaps(api, name="second").gap("second:evt_65thin", SHOP)
    path = "/v2/core/events/evt_65thin"
    assert api.asked == [
        (path, {"stripe_version": VERSION}),
        (path, {"stripe_version": VERSION, "stripe_context": SHOP}),
    ]


async def test_it_names_the_object_of_the_event_that_was_never_made() -> None:
    """And from when on Stripe had difficulties."""
    assert await found(content()) == Gap(
        provider="stripe", kind="refund", object_id="re_1", since=AT
    )


@pytest.mark.parametrize("kind", LISTED_TYPES)
async def test_every_type_with_an_effect_on_a_payment_is_looked_for(kind: str) -> None:
    """Not only refunds."""
    assert isinstance(await found(content({"event_type": kind})), Gap)


@pytest.mark.parametrize(
    ("impact", "why"),
    [
        ({"event_type": "invoice.paid"}, "an event of type invoice.paid has no effect"),
        ({"event_type": "charge.succeeded"}, "an event of type charge.succeeded has no effect"),
        ({"related_object": None}, "it names no object"),
        ({"related_object": {"id": "in_1", "type": "invoice"}}, "it names no object"),
    ],
)
async def test_what_can_have_no_effect_on_a_payment_is_not_looked_for(
    impact: dict[str, Any], why: str
) -> None:
    """It costs no further request."""
    said = await found(content(impact))
    assert isinstance(said, NoGap)
    assert said.why.startswith(why)
    assert not said.is_foreign


async def test_a_content_of_another_kind_is_not_looked_for() -> None:
    """Whatever the notice said of itself."""
    said = await found(content(type="v2.core.health.webhook_latency.resolved"))
    assert isinstance(said, NoGap)


@pytest.mark.parametrize(
    ("said", "context", "provider"),
    [
        (content(), None, "stripe"),
        (content({"context": SHOP}), None, "shop"),
        (content({"context": f"{accounts.STRIPE.name}/{SHOP}"}), None, "shop"),
        (content(), SHOP, "shop"),
        (content({"context": accounts.STRIPE.name}), None, "stripe"),
    ],
)
async def test_the_object_is_of_the_account_that_the_content_names(
    said: dict[str, Any], context: str | None, provider: str
) -> None:
    """A platform gets the notices of its connected accounts too."""
    gap = await found(said, context)
    assert isinstance(gap, Gap)
    assert gap.provider == provider


@pytest.mark.parametrize(
    "said", [content({"context": "acct_nobody"}), content(livemode=True)], ids=["account", "mode"]
)
async def test_a_content_of_another_account_or_mode_is_foreign(said: dict[str, Any]) -> None:
    """The notice itself need not have said so."""
    answer = await found(said)
    assert isinstance(answer, NoGap)
    assert answer.is_foreign


@pytest.mark.parametrize(
    ("data", "since"),
    [
        ({"started_at": "2026-03-01T11:30:00Z"}, datetime(2026, 3, 1, 11, 30, tzinfo=UTC)),
        ({"resolved_at": None}, datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)),
        ({"resolved_at": "yesterday", "started_at": 7}, datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)),
    ],
)
async def test_the_difficulties_began_at_the_earliest_time_that_is_told(
    data: dict[str, Any], since: datetime
) -> None:
    """Other reports of the family name a beginning too. A time that can't be read is none."""
    said = content()
    said["data"] |= data
    gap = await found(said)
    assert isinstance(gap, Gap)
    assert gap.since == since


@pytest.mark.parametrize(
    "said", [{"object": "v2.core.event"}, content({"event_type": None}), content(data={})]
)
async def test_a_content_that_cant_be_read_is_asked_for_again(said: dict[str, Any]) -> None:
    """It is no answer."""
    with pytest.raises(ProviderUnavailableError, match="evt_65thin can't be read"):
        await found(said)


async def test_the_payment_object_of_a_part_is_asked_for() -> None:
    """Once. A payment intent is its own."""
    gap = Gap(provider="stripe", kind="refund", object_id="re_1", since=None)
    api = Api(re_1={"id": "re_1", "object": "refund", "payment_intent": "pi_1"})
    assert await gaps(api).payment_object(gap) == "pi_1"
    own = Gap(provider="stripe", kind="payment_intent", object_id="pi_2", since=None)
    assert await gaps(api).payment_object(own) == "pi_2"
    assert api.asked == [("/v1/refunds/re_1", {})]


async def test_a_part_of_no_payment_intent_belongs_to_none() -> None:
    """A charge can be made without one."""
    gap = Gap(provider="stripe", kind="charge", object_id="ch_1", since=None)
    assert await gaps(Api(ch_1={"id": "ch_1", "payment_intent": None})).payment_object(gap) is None


async def test_every_kind_of_object_leads_to_its_payment(
    api: StripeApi, provider: Simulator
) -> None:
    """From what Stripe loses to the payment intent, with real requests."""
    paid = provider.pay().id
    provider.control("lost_events/begin")
    refunded = provider.control(f"payment_intents/{paid}/refund", {"amount": 300})["id"]
    disputed = provider.control(f"payment_intents/{paid}/dispute")["id"]
    warned = provider.control(f"payment_intents/{paid}/fraud_warning", {"fraud_type": "misc"})["id"]
    nowhere = {"url": "http://127.0.0.1:9/", "secret": "whsec_1"}
    said = provider.control("lost_events/report", nowhere)["events"]
    finder = StripeGaps(api, accounts.STRIPE, "stripe", {})
    kinds = {}
    for each in said:
        gap = await finder.gap(each["id"], None)
        if isinstance(gap, Gap):
            kinds[gap.kind] = gap.object_id
            assert await finder.payment_object(gap) == paid
    assert kinds["refund"] == refunded
    assert kinds["dispute"] == disputed
    assert kinds["radar.early_fraud_warning"] == warned
    assert kinds.keys() >= {"charge", "refund", "dispute", "radar.early_fraud_warning"}
    with pytest.raises(ProviderUnavailableError):
        await finder.gap("evt_none", None)
    gone = Gap(provider="stripe", kind="refund", object_id="re_none", since=None)
    with pytest.raises(MissingError):
        await finder.payment_object(gone)
