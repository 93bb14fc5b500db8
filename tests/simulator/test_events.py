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
