"""What became of a call is found out at the provider, once its key may be forgotten there."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.calls import ProviderCall
from ports.provider import Acknowledged, CallOutcome, Refused, Unknown
from providers.stripe import client
from providers.stripe.client import CLOCK_SKEW, StripeApi
from schemas import identity
from tests.providers.stripe.builders import PAYMENT, REFUND, call, over_http
from tests.simulator.harness import Simulator

pytestmark = [pytest.mark.anyio, over_http]

DAY_S = 86_400
AUTHENTICATED = "pm_card_authenticationRequired"
DECLINED = "pm_card_chargeDeclined"


def now() -> datetime:
    """When a call is first tried."""
    return datetime.now(UTC)


async def made(api: StripeApi, asked: ProviderCall) -> str:
    """The object's ID that an acknowledged call answers with."""
    outcome = await api.call(asked, asked.key)
    assert isinstance(outcome, Acknowledged), outcome
    return outcome.object_id


async def lost(api: StripeApi, provider: Simulator, asked: ProviderCall) -> datetime:
    """Makes the call and loses its answer; a day later its key is forgotten. When it was tried."""
    tried_at = now()
    provider.set_faults(reset_after=1.0)
    assert isinstance(await api.call(asked, asked.key), Unknown)
    provider.set_faults()
    provider.control("clock", {"advance_seconds": DAY_S + 60})
    return tried_at


@pytest.fixture
async def open_intent(api: StripeApi) -> str:
    """A payment intent whose first attempt was declined."""
    return await made(api, call("create", payment_method=DECLINED))


@pytest.fixture
async def held(api: StripeApi) -> str:
    """A payment intent whose money is held."""
    return await made(api, call("create", capture_method="manual"))


@pytest.mark.parametrize("method", ["pm_card_visa", AUTHENTICATED, DECLINED])
async def test_a_create_whose_key_is_forgotten_is_found(
    api: StripeApi, provider: Simulator, method: str
) -> None:
    """Exactly the one object, whatever came of it; the key itself would make a second."""
    asked = call("create", payment_method=method)
    tried_at = await lost(api, provider, asked)
    (intent,) = provider.read("objects")["payment_intents"]
    assert await api.look_up(asked, tried_at) == Acknowledged(intent["id"])
    assert len(provider.read("objects")["payment_intents"]) == 1
    assert await made(api, asked) != intent["id"]


async def test_a_create_that_never_happened_is_not_found(
    api: StripeApi, provider: Simulator
) -> None:
    """Others' payments and those of no metadata are not it."""
    await made(api, call("create", key="k1", payment_id=identity.payment_id("shop", "order-2")))
    provider.pay()
    assert await api.look_up(call("create"), now()) is None


async def test_a_create_is_found_on_any_page(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is read to its end."""
    monkeypatch.setattr(client, "PAGE", 2)
    tried_at = now()
    object_id = await made(api, call("create"))
    for _ in range(4):
        provider.pay()
    assert await api.look_up(call("create"), tried_at) == Acknowledged(object_id)


@pytest.mark.parametrize(
    ("ahead", "found"),
    [(CLOCK_SKEW - timedelta(minutes=1), True), (CLOCK_SKEW + timedelta(minutes=1), False)],
)
async def test_clocks_may_differ_a_little(api: StripeApi, ahead: timedelta, *, found: bool) -> None:
    """An object that is dated before we tried is still ours, within the skew."""
    await made(api, call("create"))
    assert (await api.look_up(call("create"), now() + ahead) is not None) is found


async def test_a_refund_whose_key_is_forgotten_is_found(
    api: StripeApi, provider: Simulator
) -> None:
    """By our refund ID, among other refunds of the same payment."""
    paid = await made(api, call("create"))
    provider.control(f"payment_intents/{paid}/refund", {"amount": 100})
    other = identity.refund_id(PAYMENT, "refund-2")
    await made(api, call("refund", paid, key="k2", refund_id=other, amount=100))
    asked = call("refund", paid)
    assert await api.look_up(asked, now()) is None
    tried_at = await lost(api, provider, asked)
    (ours,) = (
        refund
        for refund in provider.read("objects")["refunds"]
        if refund["metadata"].get("refund_id") == REFUND
    )
    assert await api.look_up(asked, tried_at) == Acknowledged(ours["id"])


async def test_of_refunds_that_carry_our_id_the_one_our_call_made_is_found(
    api: StripeApi, provider: Simulator
) -> None:
    """Anybody with access may write it on another, of another amount or of ours."""
    paid = await made(api, call("create"))
    asked = call("refund", paid)
    await made(api, call("refund", paid, key="somebody", amount=100))
    assert await api.look_up(asked, now() - timedelta(hours=1)) is None
    forged = await made(api, call("refund", paid, key="somebody-else"))
    assert await api.look_up(asked, now() - timedelta(hours=1)) is None
    tried_at = await lost(api, provider, asked)
    (ours,) = (
        refund["id"]
        for refund in provider.read("objects")["refunds"]
        if refund["amount"] == 400 and refund["id"] != forged
    )
    assert await api.look_up(asked, tried_at) == Acknowledged(ours)


async def test_a_refund_older_than_our_call_is_not_it(api: StripeApi) -> None:
    """Somebody who guesses our ID beforehand makes a refund of their own."""
    paid = await made(api, call("create"))
    await made(api, call("refund", paid, key="somebody"))
    later = now() + CLOCK_SKEW + timedelta(minutes=1)
    assert await api.look_up(call("refund", paid), later) is None


async def test_a_refund_of_another_payment_is_not_it(api: StripeApi) -> None:
    """The same refund ID elsewhere proves nothing here."""
    first, second = [await made(api, call("create", key=f"k{number}")) for number in (1, 2)]
    await made(api, call("refund", first))
    assert await api.look_up(call("refund", second), now()) is None


@pytest.mark.parametrize("method", ["pm_card_visa", AUTHENTICATED, DECLINED])
async def test_a_confirm_that_happened_is_found(
    api: StripeApi, provider: Simulator, open_intent: str, method: str
) -> None:
    """Also a declined one, which left the payment intent as it had been: its event reports it."""
    asked = call("confirm", open_intent, payment_method=method)
    assert await api.look_up(asked, now()) is None
    tried_at = await lost(api, provider, asked)
    assert await api.look_up(asked, tried_at) == Acknowledged(open_intent)


async def test_a_confirm_whose_customer_failed_is_found(
    api: StripeApi, provider: Simulator, open_intent: str
) -> None:
    """The failure was the customer's, not a call's: another attempt would be one too many."""
    asked = call("confirm", open_intent, payment_method=AUTHENTICATED)
    tried_at = await lost(api, provider, asked)
    provider.control(f"payment_intents/{open_intent}/complete_action", {"outcome": "fail"})
    assert await api.look_up(asked, tried_at) == Acknowledged(open_intent)


@pytest.mark.parametrize(
    ("generation", "found"), [("", True), (".1", True), ("0", False), (":1", False)]
)
async def test_a_confirm_is_known_by_any_generation_of_its_key(
    api: StripeApi, open_intent: str, generation: str, *, found: bool
) -> None:
    """A key that merely begins the same is another call's."""
    asked, tried_at = call("confirm", open_intent, payment_method=DECLINED), now()
    await api.call(asked, f"{asked.key}{generation}")
    assert (await api.look_up(asked, tried_at) is not None) is found


async def _outcome(api: StripeApi, operation: str, object_id: str) -> CallOutcome | None:
    return await api.look_up(call(operation, object_id), now())


async def test_an_unfinished_object_has_not_had_the_call(api: StripeApi, held: str) -> None:
    """Money that is still held was neither captured nor let go."""
    assert await _outcome(api, "capture", held) is None
    assert await _outcome(api, "cancel", held) is None


async def test_a_captured_object_has_been_captured(api: StripeApi, held: str) -> None:
    """And can be cancelled no more, which is over as well."""
    await made(api, call("capture", held))
    assert await _outcome(api, "capture", held) == Acknowledged(held)
    assert await _outcome(api, "cancel", held) == Acknowledged(held)


async def test_a_cancelled_object_can_only_be_cancelled(api: StripeApi, held: str) -> None:
    """Capture and confirm are refused for good."""
    await made(api, call("cancel", held))
    assert await _outcome(api, "cancel", held) == Acknowledged(held)
    for operation in ("capture", "confirm"):
        outcome = await _outcome(api, operation, held)
        assert isinstance(outcome, Refused)
        assert outcome.code == "canceled"


async def test_a_replayed_500_is_found_out(api: StripeApi, provider: Simulator) -> None:
    """The key answers 500 for a day; the object shows that the call was made."""
    provider.set_faults(error_500_after=1.0)
    asked, tried_at = call("create"), now()
    await api.call(asked, asked.key)
    provider.set_faults()
    again = await api.call(asked, asked.key)
    assert isinstance(again, Unknown)
    assert again.repeats
    (intent,) = provider.read("objects")["payment_intents"]
    assert await api.look_up(asked, tried_at) == Acknowledged(intent["id"])
