"""Events: their content, and how they are listed."""

import pytest
import stripe
from stripe import api_version

from tests.simulator.harness import Receiver, Simulator, running

DAY_S = 86_400


def test_an_event_names_the_call_that_caused_it(simulator: Simulator) -> None:
    """It carries the call's request ID and idempotency key, and the object as it was then."""
    paid = simulator.pay(options={"idempotency_key": "key-1"})
    simulator.receiver.wait_for_types("payment_intent.succeeded", "payment_intent.created")
    succeeded, created = (
        simulator.client.v1.events.list({"type": f"payment_intent.{name}"}).data[0]
        for name in ("succeeded", "created")
    )
    assert succeeded.request is not None
    assert succeeded.request.idempotency_key == "key-1"
    assert paid.last_response is not None
    assert succeeded.request.id == paid.last_response.request_id
    assert (succeeded.api_version, succeeded.livemode) == (api_version, False)
    assert succeeded.data.object["status"] == "succeeded"
    assert created.data.object["status"] == "requires_confirmation"
    assert isinstance(succeeded.created, int)


def test_the_webhook_is_the_event(simulator: Simulator) -> None:
    """The webhook's body is signed, and equals the event that the API lists."""
    simulator.pay()
    for item in simulator.receiver.wait(lambda received: len(received) == 3):
        assert item.genuine
        listed = simulator.client.v1.events.retrieve(item.event["id"]).to_dict()
        assert {**item.event, "pending_webhooks": 0} == {**listed, "pending_webhooks": 0}


def test_events_are_filtered_by_type(simulator: Simulator) -> None:
    """The filter takes one type, a wildcard or up to twenty types, but not both parameters."""
    simulator.pay()
    events = simulator.client.v1.events
    assert [e.type for e in events.list({"type": "charge.*"}).data] == ["charge.succeeded"]
    wanted = ["payment_intent.succeeded", "payment_intent.created"]
    assert [e.type for e in events.list({"types": wanted}).data] == wanted
    with pytest.raises(stripe.InvalidRequestError):
        events.list({"type": "charge.*", "types": wanted})
    with pytest.raises(stripe.InvalidRequestError):
        events.list({"types": wanted * 11})


def test_ending_before_gives_the_nearest_newer_page(simulator: Simulator) -> None:
    """Paging with ending_before returns each newer event once, oldest page first."""
    for _ in range(3):
        simulator.pay()
    newest_first = [e.id for e in simulator.client.v1.events.list({"limit": 100}).data]
    oldest = newest_first[-1]
    page = simulator.client.v1.events.list({"limit": 3, "ending_before": oldest})
    assert [e.id for e in page.data] == newest_first[-4:-1]
    assert page.has_more
    walked = [e.id for e in page.auto_paging_iter()]
    assert walked == newest_first[:-1][::-1]
    assert not simulator.client.v1.events.list({"ending_before": newest_first[0]}).data


def test_limits_and_cursors_are_checked(simulator: Simulator) -> None:
    """A limit over 100, an unknown cursor, or two cursors are refused."""
    events = simulator.client.v1.events
    for params in ({"limit": 101}, {"limit": 0}, {"ending_before": "evt_none"}):
        with pytest.raises(stripe.InvalidRequestError):
            events.list(params)  # type: ignore[arg-type] # the union of the three is too wide
    simulator.pay()
    event_id = events.list().data[0].id
    with pytest.raises(stripe.InvalidRequestError):
        events.list({"ending_before": event_id, "starting_after": event_id})


def test_events_are_listed_for_thirty_days(simulator: Simulator) -> None:
    """After thirty days an event is no longer listed."""
    simulator.pay()
    simulator.control("clock", {"advance_seconds": 29 * DAY_S})
    assert simulator.client.v1.events.list().data
    simulator.control("clock", {"advance_seconds": 2 * DAY_S})
    assert not simulator.client.v1.events.list().data


def test_undelivered_events_can_be_listed() -> None:
    """delivery_success filters events by whether every endpoint has received them."""
    receiver = Receiver(status=500)
    with running(receiver, retry_max_delay_s=0.1) as simulator:
        simulator.pay()
        receiver.wait(lambda received: len(received) >= 3)
        events = simulator.client.v1.events
        missing = events.list({"delivery_success": False}).data
        assert [e.pending_webhooks for e in missing] == [1, 1, 1]
        assert not events.list({"delivery_success": True}).data
        receiver.status = 200
        simulator.settle()
        assert not events.list({"delivery_success": False}).data
        assert [e.pending_webhooks for e in events.list().data] == [0, 0, 0]


def test_an_event_is_listed_in_the_accounts_version_of_its_time(simulator: Simulator) -> None:
    """Upgrading the account does not change what is listed, and webhooks have the endpoint's."""
    simulator.control("account", {"api_version": "2018-11-08"})
    held = simulator.pay(capture_method="manual")
    (held_charge,) = simulator.client.v1.charges.list({"payment_intent": held.id}).data
    simulator.control("account", {"api_version": api_version})
    simulator.client.v1.payment_intents.capture(held.id)
    events = simulator.client.v1.events
    (created,) = events.list({"type": "payment_intent.created"}).data
    (old,) = events.list({"type": "payment_intent.amount_capturable_updated"}).data
    (new,) = events.list({"type": "payment_intent.succeeded"}).data
    assert [e.api_version for e in (created, old, new)] == ["2018-11-08", "2018-11-08", api_version]
    assert created.data.object["status"] == "requires_confirmation"
    (charge,) = old.data.object["charges"]["data"]
    assert (charge["id"], charge["captured"]) == (held_charge.id, False)
    assert "charges" not in new.data.object
    assert events.retrieve(old.id).to_dict() == {**old.to_dict(), "pending_webhooks": 0}
    received = simulator.receiver.wait_for_types("payment_intent.succeeded")
    assert {item.event["api_version"] for item in received} == {api_version}


def test_an_old_account_does_not_list_the_events_of_refunds(simulator: Simulator) -> None:
    """Before 2024-10-28 it lists the charge's, with the refunds of that time."""
    simulator.control("account", {"api_version": "2020-08-27"})
    paid = simulator.pay()
    for amount in (300, 200):
        simulator.client.v1.refunds.create({"payment_intent": paid.id, "amount": amount})
    events = simulator.client.v1.events
    assert events.list({"type": "refund.created"}).data == []
    listed = [e.data.object["refunds"] for e in events.list({"type": "charge.refunded"}).data]
    assert [[r["amount"] for r in each["data"]] for each in listed] == [[300, 200], [300]]
    assert len(simulator.receiver.wait_for_types("refund.created", "refund.created")) >= 2


def test_an_old_accounts_dashboard_releases_by_a_refund(simulator: Simulator) -> None:
    """Without a request the account's version decides."""
    simulator.control("account", {"api_version": "2023-10-16"})
    held = simulator.pay(capture_method="manual")
    simulator.control(f"payment_intents/{held.id}/capture", {"amount": 700})
    (release,) = simulator.client.v1.refunds.list({"payment_intent": held.id}).data
    assert release.amount == 300
    listed = simulator.client.v1.events.list({"type": "charge.*"}).data
    assert {"charge.refunded", "charge.refund.updated"} <= {e.type for e in listed}
    assert {e.api_version for e in listed} == {"2023-10-16"}
