"""Every property of the simulator's responses and webhooks matches Stripe's description."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from starlette.routing import compile_path

from providers.stripe.translate import OWN_TYPES, TRANSLATORS
from sandbox.stripe_simulator.api.operations import OPERATIONS, Operation
from tests.contracts.conftest import Recorded
from tests.contracts.description import Description
from tests.contracts.later import ADDED_LATER, as_described
from tests.contracts.recording import Exchange

#: The description has only the first version of the API.
DESCRIBED: Final = [each for each in OPERATIONS if each.path.startswith("/v1/")]
KINDS: Final = ("payment_intent", "charge", "refund", "dispute")
#: Statuses of Stripe's that the simulator never reports, and why.
NEVER_REPORTED: Final[Mapping[str, dict[str, str]]] = {
    "payment_intent": {"processing": "the outcome of a card is known at once"},
    "charge": {"pending": "the outcome of a card is known at once"},
}
NEVER_SENT: Final[Mapping[str, str]] = {
    "payment_intent.processing": "see NEVER_REPORTED",
    **dict.fromkeys(OWN_TYPES, "our own types for what is fetched"),
}
#: The HTTP status and type of every error that a client can distinguish.
ERRORS: Final = {
    (400, "invalid_request_error"),
    (400, "idempotency_error"),
    (401, "invalid_request_error"),
    (402, "card_error"),
    (403, "invalid_request_error"),
    (404, "invalid_request_error"),
    (429, "invalid_request_error"),
    (500, "api_error"),
}


def problems(description: Description, exchange: Exchange) -> list[str]:
    """Returns every violation of the description in a response."""
    template = description.template(exchange.method, exchange.path)
    body = as_described(exchange.body)
    found = description.response_problems(
        template, exchange.method, exchange.status, body, expanded=exchange.expanded
    )
    return [f"{exchange.method} {template}: {each}" for each in found]


def is_of(exchange: Exchange, operation: Operation) -> bool:
    """Returns whether the exchange is a request for this operation."""
    pattern, _, _ = compile_path(operation.path)
    return exchange.method == operation.method and pattern.match(exchange.path) is not None


@pytest.mark.parametrize("operation", DESCRIBED, ids=lambda each: str(each.name))
def test_every_response_is_as_described(
    description: Description, recorded: Recorded, operation: Operation
) -> None:
    """Required properties, types, enums, nulls and unexpanded IDs match; nothing is added."""
    responses = [e for e in recorded.exchanges if is_of(e, operation) and e.status == 200]
    assert responses, f"no scenario requests {operation.name}"
    assert [each for response in responses for each in problems(description, response)] == []


def test_every_error_is_as_described(description: Description, recorded: Recorded) -> None:
    """Each kind of error occurs at least once; errors and the objects in them match."""
    errors = [exchange for exchange in recorded.exchanges if exchange.status != 200]
    assert {(error.status, error.body["error"]["type"]) for error in errors} == ERRORS
    assert [each for error in errors for each in problems(description, error)] == []


def test_a_scenario_expands_an_id(recorded: Recorded) -> None:
    """Otherwise the description's schemas for expanded objects would go untested."""
    assert any(exchange.expanded for exchange in recorded.exchanges)


@pytest.mark.parametrize("kind", [*KINDS, "radar.early_fraud_warning"])
def test_every_webhook_is_as_described(
    description: Description, recorded: Recorded, kind: str
) -> None:
    """The event, its object, and the object before the change all match."""
    events = [event for event in recorded.events if event["data"]["object"]["object"] == kind]
    assert events, f"no scenario causes an event about a {kind}"
    for event in events:
        assert description.object_problems("event", event) == []
        now = as_described(event["data"]["object"])
        before = as_described(
            {**event["data"]["object"], **event["data"].get("previous_attributes", {})}
        )
        for each in (now, before):
            assert description.object_problems(kind, each) == [], event["type"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_status_was_checked(description: Description, recorded: Recorded, kind: str) -> None:
    """Each of Stripe's statuses occurs in an event or a response, except those never reported."""
    never = NEVER_REPORTED.get(kind, {}).keys()
    published = description.values(kind, "status") | ADDED_LATER.get(kind, {}).keys()
    assert {each["status"] for each in objects(recorded, kind)} | never == published
    assert {each["status"] for each in objects(recorded, kind)}.isdisjoint(never)


def objects(recorded: Recorded, kind: str) -> list[dict[str, Any]]:
    """Returns every object of this kind in events and responses, including lists."""
    bodies = [event["data"]["object"] for event in recorded.events]
    for exchange in recorded.exchanges:
        listed = exchange.body.get("object") == "list"
        bodies += exchange.body["data"] if listed else [exchange.body]
    return [body for body in bodies if body.get("object") == kind]


def test_every_type_of_event_was_checked(recorded: Recorded) -> None:
    """Every event type that is translated was sent, except those never sent."""
    sent = {event["type"] for event in recorded.events}
    assert TRANSLATORS.keys() - sent == NEVER_SENT.keys()


def test_every_type_of_event_is_one_of_stripes(
    description: Description, recorded: Recorded
) -> None:
    """This includes types that the service doesn't translate."""
    assert {event["type"] for event in recorded.events} - description.event_types() == set()
