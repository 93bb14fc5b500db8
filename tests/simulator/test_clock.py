"""The simulator's clock moves forward, and due changes happen."""

from email.utils import parsedate_to_datetime

from tests.simulator.harness import Simulator

DAY_S = 86_400


def test_the_date_header_is_the_simulators(simulator: Simulator) -> None:
    """A response has one Date, which moves with the clock."""
    before = simulator.http.get("/v1/events")
    simulator.control("clock", {"advance_seconds": DAY_S})
    after = simulator.http.get("/v1/events")
    assert len(after.headers.get_list("date")) == 1
    dates = [parsedate_to_datetime(item.headers["date"]) for item in (before, after)]
    assert DAY_S <= (dates[1] - dates[0]).total_seconds() < DAY_S + 10


def test_an_authorization_expires_after_seven_days(simulator: Simulator) -> None:
    """An uncaptured authorization is canceled and its charge expires, dated at its due time."""
    held = simulator.pay(capture_method="manual")
    simulator.control("clock", {"advance_seconds": 6.9 * DAY_S})
    assert simulator.client.v1.payment_intents.retrieve(held.id).status == "requires_capture"
    assert simulator.control("clock", {"advance_seconds": 10 * DAY_S})["fired"] == 1
    expired = simulator.client.v1.payment_intents.retrieve(held.id)
    assert (expired.status, expired.cancellation_reason) == ("canceled", "automatic")
    assert expired.canceled_at is not None
    assert abs(expired.canceled_at - held.created - 7 * DAY_S) <= 1
    simulator.receiver.wait_for_types("charge.expired", "payment_intent.canceled")


def test_a_captured_authorization_does_not_expire(simulator: Simulator) -> None:
    """An authorization that was captured in time is not canceled."""
    held = simulator.pay(capture_method="manual")
    simulator.client.v1.payment_intents.capture(held.id)
    simulator.control("clock", {"advance_seconds": 8 * DAY_S})
    assert simulator.client.v1.payment_intents.retrieve(held.id).status == "succeeded"


def test_the_clock_does_not_go_back(simulator: Simulator) -> None:
    """A negative advance is refused."""
    response = simulator.http.post("/_control/clock", json={"advance_seconds": -1})
    assert response.status_code == 422


def test_the_provider_cancels(simulator: Simulator) -> None:
    """The provider may cancel on its own; the event names no API call."""
    held = simulator.pay(capture_method="manual")
    simulator.control(f"payment_intents/{held.id}/cancel")
    (event,) = simulator.client.v1.events.list({"type": "payment_intent.canceled"}).data
    assert event.request is not None
    assert (event.request.id, event.request.idempotency_key) == (None, None)
