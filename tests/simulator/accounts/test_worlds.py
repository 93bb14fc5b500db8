"""Several accounts in one simulator, one of them a Connect platform: each is a world of its own."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import stripe

from sandbox.stripe_simulator.api.directory import masked
from tests.simulator.harness import (
    API_KEY,
    Receiver,
    Simulator,
    listening,
    running,
)

SHOP_KEY: Final = "sk_live_of_the_shop"
SHOP_READ_KEY: Final = "rk_live_of_the_shop"
PLATFORM_KEY: Final = "sk_test_of_the_platform"
PLATFORM_READ_KEY: Final = "rk_test_of_the_platform"
STALL_KEY: Final = "sk_test_of_the_stall"
SHOP, PLATFORM, BARROW, STALL = "acct_shop", "acct_platform", "acct_barrow", "acct_stall"
#: The key of each account, and the connected account for which it is a platform's.
ACCESS: Final = {
    "acct_sandbox": (API_KEY, None),
    SHOP: (SHOP_KEY, None),
    PLATFORM: (PLATFORM_KEY, None),
    BARROW: (PLATFORM_KEY, BARROW),
    STALL: (PLATFORM_KEY, STALL),
}


@dataclass(frozen=True, slots=True)
class Market:
    """A simulator with five accounts, and what arrived at each endpoint."""

    simulator: Simulator
    hooks: dict[str, Receiver]

    def of(self, account: str) -> Simulator:
        """The simulator as this account's software uses it."""
        return self.simulator.of(*ACCESS[account])

    def read(self, path: str, account: str) -> Any:
        """What the control API says of an account."""
        return self.simulator.read(f"{path}?account={account}")


@contextlib.contextmanager
def market_with(**settings: Any) -> Iterator[Market]:
    """Run a shop in live mode, and a platform with a barrow, and a stall that has its own key."""
    names = {SHOP: "whsec_shop", PLATFORM: "whsec_platform", STALL: "whsec_stall"}
    hooks = {name: Receiver(secret=secret) for name, secret in names.items()}
    with contextlib.ExitStack() as stack:
        urls = {name: stack.enter_context(listening(each)) for name, each in hooks.items()}
        ends = {
            name: {"webhook_url": urls[name], "webhook_secrets": [names[name]]} for name in names
        }
        ends[PLATFORM]["webhook_secrets"] = ["whsec_platform", "whsec_that_replaces"]
        accounts = [
            {"id": SHOP, "api_key": SHOP_KEY, "read_api_key": SHOP_READ_KEY, "mode": "live"}
            | ends[SHOP],
            {"id": PLATFORM, "api_key": PLATFORM_KEY, "read_api_key": PLATFORM_READ_KEY}
            | {"connected": [BARROW, STALL]}
            | ends[PLATFORM],
            {"id": BARROW},
            {"id": STALL, "api_key": STALL_KEY} | ends[STALL],
        ]
        simulator = stack.enter_context(running(accounts=accounts, **settings))
        yield Market(simulator, {**hooks, "acct_sandbox": simulator.receiver})


@pytest.fixture(scope="module")
def shared_market() -> Iterator[Market]:
    """One market for all tests here."""
    with market_with() as market:
        yield market


@pytest.fixture
def market(shared_market: Market) -> Market:
    """The market, empty."""
    for account in ACCESS:
        shared_market.simulator.eventually(
            lambda a=account: shared_market.read("stats", a)["pending_deliveries"] == 0  # type: ignore[misc]
        )
    shared_market.simulator.control("reset")
    for hook in shared_market.hooks.values():
        hook.received.clear()
    return shared_market


def refused(kind: type[stripe.StripeError] = stripe.InvalidRequestError) -> Any:
    """Expects Stripe's error."""
    return pytest.raises(kind)


@pytest.mark.parametrize("account", ACCESS)
def test_an_object_is_in_its_accounts_world_only(market: Market, account: str) -> None:
    """To every other key it does not exist, nor is it in any other list."""
    owner = market.of(account)
    paid = owner.pay(metadata={"order": "1"})
    event = owner.client.v1.events.list().data[0]
    assert owner.client.v1.payment_intents.retrieve(paid.id).id == paid.id
    assert [each["id"] for each in market.read("objects", account)["payment_intents"]] == [paid.id]
    for other in ACCESS.keys() - {account}:
        api = market.of(other).client.v1
        with refused() as found:
            api.payment_intents.retrieve(paid.id)
        assert (found.value.http_status, found.value.code) == (404, "resource_missing")
        with refused() as found:
            api.refunds.create({"payment_intent": paid.id})
        assert (found.value.http_status, found.value.code) == (400, "resource_missing")
        with refused():
            api.events.retrieve(event.id)
        with refused():
            api.events.list({"ending_before": event.id})
        assert api.payment_intents.list().data == []
        assert api.payment_intents.search({"query": "metadata['order']:'1'"}).data == []
        assert api.events.list().data == []
        assert market.read("executions", other)["executions"] == []


def test_an_idempotency_key_is_its_accounts(market: Market) -> None:
    """The same key makes one payment in each account, and its retry finds that account's."""
    options: Any = {"idempotency_key": "order-1"}
    made = {name: market.of(name).pay(options=options).id for name in ACCESS}
    assert len(set(made.values())) == len(ACCESS)
    for number, name in enumerate(ACCESS):
        assert market.of(name).pay(options=options).id == made[name]
        if number:
            with refused(stripe.IdempotencyError):
                market.of(name).pay(amount=1001, options=options)


def test_the_mode_of_objects_and_events_is_their_accounts(market: Market) -> None:
    """Those of the shop are live, and all others are not."""
    for account in (SHOP, BARROW):
        owner, is_live = market.of(account), account == SHOP
        paid = owner.pay("pm_card_createDispute")
        market.simulator.control("clock", {"advance_seconds": 1})
        owner.client.v1.payment_intents.retrieve(paid.id, {"expand": ["payment_method"]})
        held = market.read("objects", account)
        assert held["disputes"]
        modes = {o["livemode"] for kind in held.values() for o in kind if "livemode" in o}
        assert modes == {is_live}
        assert {event.livemode for event in owner.client.v1.events.list()} == {is_live}
        hook = market.hooks[SHOP if account == SHOP else PLATFORM]
        arrived = hook.wait_for_types("charge.dispute.created")
        assert {item.event["livemode"] for item in arrived} == {is_live}
    (endpoint,) = market.of(SHOP).client.v1.webhook_endpoints.list()
    assert endpoint.livemode


def test_an_unknown_key_is_no_accounts(market: Market) -> None:
    """Stripe's 401, also for one that names an account that exists."""
    for account in (None, SHOP):
        with refused(stripe.AuthenticationError) as found:
            market.simulator.of("sk_test_of_nobody", account).pay()
        assert found.value.http_status == 401


@pytest.mark.parametrize(
    ("key", "account"),
    [
        (API_KEY, BARROW),
        (STALL_KEY, BARROW),
        (STALL_KEY, PLATFORM),
        (PLATFORM_KEY, SHOP),
        (PLATFORM_KEY, "acct_of_nobody"),
        (PLATFORM_READ_KEY, SHOP),
    ],
)
def test_a_key_opens_no_account_that_is_not_connected_to_its_own(
    market: Market, key: str, account: str
) -> None:
    """Stripe's 403, which does not say whether the account exists, nor what the key is."""
    with refused(stripe.PermissionError) as found:
        market.simulator.of(key, account).client.v1.payment_intents.list()
    error = found.value
    assert error.http_status == 403
    assert error.json_body["error"]["code"] == "account_invalid"
    assert f"does not have access to account '{account}' (or that account does not exist)" in str(
        error
    )
    assert f"'{masked(key)}'" in str(error)
    assert key not in str(error)


def test_a_masked_key_shows_its_kind_and_its_end() -> None:
    """As in Stripe's errors."""
    assert masked("sk_test_51Habcdef") == "sk_test_*****cdef"
    assert masked("nothing") == "***hing"
    assert masked("") == ""


def test_a_key_may_name_its_own_account(market: Market) -> None:
    """That is the same as naming none."""
    paid = market.simulator.of(SHOP_KEY, SHOP).pay()
    assert market.of(SHOP).client.v1.payment_intents.retrieve(paid.id).id == paid.id


def test_each_account_says_which_it_is(market: Market) -> None:
    """To a platform it is the connected account that is asked for."""
    for account in ACCESS:
        assert market.of(account).client.v1.accounts.retrieve_current().id == account


def test_a_restricted_key_reads_in_the_accounts_that_its_key_would_open(market: Market) -> None:
    """And does nothing else there."""
    paid = market.of(BARROW).pay()
    reading = market.simulator.of(PLATFORM_READ_KEY, BARROW)
    assert reading.client.v1.payment_intents.retrieve(paid.id).id == paid.id
    with refused(stripe.PermissionError) as found:
        reading.pay()
    assert f"on account '{BARROW}'" in str(found.value)
    assert market.read("objects", BARROW)["payment_intents"][0]["id"] == paid.id
    with refused():
        market.simulator.of(SHOP_READ_KEY).client.v1.payment_intents.retrieve(paid.id)


def test_events_of_connected_accounts_come_to_the_platform_and_name_the_account(
    market: Market,
) -> None:
    """The platform's own name none, and no other endpoint gets any."""
    for account in (PLATFORM, BARROW, STALL):
        market.of(account).pay()
    arrived = market.hooks[PLATFORM].wait(lambda received: len(received) == 9)
    named = [item.event.get("account") for item in arrived]
    assert sorted(named, key=str) == sorted([None, BARROW, STALL] * 3, key=str)
    own = market.hooks[STALL].wait(lambda received: len(received) == 3)
    assert [item.event for item in own if "account" in item.event] == []
    for other in (SHOP, "acct_sandbox"):
        assert market.hooks[other].received == []


def test_a_connected_accounts_list_names_it_to_its_platform_only(market: Market) -> None:
    """With its own key the account sees its events without a name, as the platform does its own."""
    market.of(STALL).pay()
    market.of(PLATFORM).pay()
    of_platform = market.of(STALL).client.v1.events
    assert {each.account for each in of_platform.list()} == {STALL}
    assert of_platform.retrieve(of_platform.list().data[0].id).account == STALL
    for own in (market.simulator.of(STALL_KEY), market.of(PLATFORM)):
        listed = own.client.v1.events.list().data
        assert listed
        assert not any("account" in each for each in listed)


def test_an_old_version_names_the_account_as_user_id(market: Market) -> None:
    """As Stripe had it before 2017-05-25."""
    answer = market.simulator.http.post(
        f"/_control/account?account={BARROW}", json={"api_version": "2016-07-06"}
    )
    assert answer.is_success
    market.of(BARROW).pay()
    (event,) = market.of(BARROW).client.v1.events.list({"limit": 1}).data
    assert event["user_id"] == BARROW
    assert "account" not in event


def test_an_endpoint_for_connected_accounts_gets_nothing_of_the_platform(market: Market) -> None:
    """And one for the platform nothing of them."""
    api = market.of(PLATFORM).client.v1.webhook_endpoints
    for known in api.list():
        api.delete(known.id)
    with listening(receiver := Receiver()) as url:
        made = api.create({"url": url, "enabled_events": ["*"], "connect": True})
        assert made.application is not None
        receiver.secret = made.secret or ""
        market.of(PLATFORM).pay()
        market.of(BARROW).pay()
        arrived = receiver.wait(lambda received: len(received) == 3)
        market.simulator.eventually(lambda: market.read("stats", BARROW)["pending_deliveries"] == 0)
        assert {item.event["account"] for item in arrived} == {BARROW}
        assert all(item.genuine for item in arrived)
        assert len(receiver.received) == 3


def test_a_webhook_is_signed_with_every_secret(market: Market) -> None:
    """As while one replaces another."""
    market.of(BARROW).pay()
    (first, *_) = market.hooks[PLATFORM].wait(lambda received: len(received) == 3)
    assert first.is_signed_with("whsec_platform")
    assert first.is_signed_with("whsec_that_replaces")
    assert not first.is_signed_with("whsec_shop")


def test_faults_and_clock_are_all_accounts(market: Market) -> None:
    """And each account's timers fire in the order of their times."""
    market.simulator.set_faults(rate_limit_429=1.0)
    for account in ACCESS:
        with refused(stripe.RateLimitError):
            market.of(account).pay()
    market.simulator.set_faults()
    for account in ACCESS:
        market.of(account).pay(capture_method="manual")
    fired = market.simulator.control("clock", {"advance_seconds": 8 * 86_400})["fired"]
    assert fired == len(ACCESS)
    for account in ACCESS:
        (intent,) = market.read("objects", account)["payment_intents"]
        assert intent["status"] == "canceled"


def test_control_requests_name_the_account(market: Market) -> None:
    """Without a name they are about the default one, and reset is about all."""
    paid = market.of(BARROW).pay()
    path = f"/_control/payment_intents/{paid.id}/refund"
    http = market.simulator.http
    assert http.post(path).status_code == 404
    assert http.post(f"{path}?account={BARROW}&mode=live").status_code == 404
    assert http.post(f"{path}?account=acct_of_nobody").json()["error"]["code"] == "resource_missing"
    assert http.post(f"{path}?account={BARROW}&mode=test").is_success
    assert market.read("stats", BARROW)["objects"]["refund"] == 1
    assert "refund" not in market.simulator.read("stats")["objects"]
    listed = market.simulator.read("accounts")["accounts"]
    assert [(each["id"], each["mode"]) for each in listed] == [
        ("acct_sandbox", "test"),
        (SHOP, "live"),
        (PLATFORM, "test"),
        (BARROW, "test"),
        (STALL, "test"),
    ]
    market.simulator.control("reset")
    assert market.read("objects", BARROW)["payment_intents"] == []


def test_a_customer_acts_on_the_page_of_its_account(market: Market) -> None:
    """The redirect's address names the account."""
    back = "https://shop.example/back"
    intent = market.of(SHOP).pay("pm_card_authenticationRequired", return_url=back)
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    url = str(intent.next_action.redirect_to_url.url)
    with httpx.Client(timeout=10) as browser:
        assert intent.id in browser.get(url).text
        assert browser.post(url, data={"outcome": "succeed"}).status_code == 303
    assert market.of(SHOP).client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_an_account_in_both_modes_is_two(tmp_path: Path) -> None:
    """Keys distinguish them, also a platform's, and each keeps its own state through a restart."""
    both: Any = [
        {"id": "acct_both", "api_key": "sk_test_both"},
        {"id": "acct_both", "api_key": "sk_live_both", "mode": "live"},
        {"id": PLATFORM, "api_key": PLATFORM_KEY, "connected": ["acct_both"]}
        | {"webhook_url": "http://127.0.0.1:9/no-one-listens", "webhook_secrets": ["whsec_x"]},
    ]
    with running(accounts=both, state_dir=tmp_path) as simulator:
        tested = simulator.of("sk_test_both").pay()
        live = simulator.of("sk_live_both").pay()
        assert (tested.livemode, live.livemode) == (False, True)
        with refused():
            simulator.of("sk_live_both").client.v1.payment_intents.retrieve(tested.id)
        of_platform = simulator.of(PLATFORM_KEY, "acct_both").client.v1
        assert of_platform.payment_intents.retrieve(tested.id).id == tested.id
        assert {each.pending_webhooks for each in of_platform.events.list()} == {1}
        of_live = simulator.of("sk_live_both").client.v1
        assert {each.pending_webhooks for each in of_live.events.list()} == {0}
    with running(accounts=both, state_dir=tmp_path) as simulator:
        for mode, paid in (("test", tested), ("live", live)):
            path = f"objects?account=acct_both&mode={mode}"
            assert [each["id"] for each in simulator.read(path)["payment_intents"]] == [paid.id]
