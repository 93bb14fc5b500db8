"""What the simulator answers and sends is what Stripe's description says, to the last property."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from starlette.routing import compile_path

from providers.stripe.translate import TRANSLATORS
from sandbox.stripe_simulator.api.operations import OPERATIONS, Operation
from tests.contracts.conftest import Played
from tests.contracts.description import Description
from tests.contracts.recording import Exchange

KINDS: Final = ("payment_intent", "charge", "refund", "dispute")
#: Words that Stripe knows and the simulator never says, and why.
NEVER_SAID: Final[Mapping[str, dict[str, str]]] = {
    "payment_intent": {"processing": "the outcome of a card is known at once"},
    "charge": {"pending": "the outcome of a card is known at once"},
}
NEVER_SENT: Final[Mapping[str, str]] = {
    "payment_intent.processing": "see NEVER_SAID",
    "payment_intent.retrieved": "our own type for the result of a look-up",
}
#: The HTTP status and type of every error that a client can tell from the others.
ERRORS: Final = {
    (400, "invalid_request_error"),
    (400, "idempotency_error"),
    (401, "invalid_request_error"),
    (402, "card_error"),
    (404, "invalid_request_error"),
    (429, "invalid_request_error"),
    (500, "api_error"),
}


def problems(description: Description, exchange: Exchange) -> list[str]:
    """Everything in an answer that the description forbids."""
    template = description.template(exchange.method, exchange.path)
    found = description.answer_problems(
        template, exchange.method, exchange.status, exchange.body, expanded=exchange.expanded
    )
    return [f"{exchange.method} {template}: {each}" for each in found]


def is_of(exchange: Exchange, operation: Operation) -> bool:
    """Whether this operation was asked for."""
    pattern, _, _ = compile_path(operation.path)
    return exchange.method == operation.method and pattern.match(exchange.path) is not None


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: str(each.name))
def test_every_operation_answers_as_described(
    description: Description, played: Played, operation: Operation
) -> None:
    """Required properties, types, enums, nulls, IDs in place of objects; and nothing else."""
    answers = [e for e in played.exchanges if is_of(e, operation) and e.status == 200]
    assert answers, f"no story asks for {operation.name}"
    assert [each for answer in answers for each in problems(description, answer)] == []


def test_every_error_is_as_described(description: Description, played: Played) -> None:
    """Each kind of error at least once, with the objects it carries."""
    errors = [exchange for exchange in played.exchanges if exchange.status != 200]
    assert {(error.status, error.body["error"]["type"]) for error in errors} == ERRORS
    assert [each for error in errors for each in problems(description, error)] == []


def test_an_object_was_asked_for_in_place_of_its_id(played: Played) -> None:
    """Else the looser reading of the description was for nothing."""
    assert any(exchange.expanded for exchange in played.exchanges)


@pytest.mark.parametrize("kind", KINDS)
def test_every_webhook_is_as_described(description: Description, played: Played, kind: str) -> None:
    """The event, the object in it, and the object as it was before."""
    events = [event for event in played.events if event["data"]["object"]["object"] == kind]
    assert events, f"no story ends in an event about a {kind}"
    for event in events:
        assert description.object_problems("event", event) == []
        now = event["data"]["object"]
        before = {**now, **event["data"].get("previous_attributes", {})}
        for each in (now, before):
            assert description.object_problems(kind, each) == [], event["type"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_status_was_checked(description: Description, played: Played, kind: str) -> None:
    """Each that Stripe knows is in an event or an answer, but for those that are never said."""
    never = NEVER_SAID.get(kind, {}).keys()
    assert {each["status"] for each in objects(played, kind)} | never == description.words(
        kind, "status"
    )
    assert {each["status"] for each in objects(played, kind)}.isdisjoint(never)


def objects(played: Played, kind: str) -> list[dict[str, Any]]:
    """Every object of this kind in events and answers, lists included."""
    bodies = [event["data"]["object"] for event in played.events]
    for exchange in played.exchanges:
        listed = exchange.body.get("object") == "list"
        bodies += exchange.body["data"] if listed else [exchange.body]
    return [body for body in bodies if body.get("object") == kind]


def test_every_type_of_event_was_checked(played: Played) -> None:
    """Each that means something to a payment was sent, but for those that are never sent."""
    sent = {event["type"] for event in played.events}
    assert TRANSLATORS.keys() - sent == NEVER_SENT.keys()


def test_every_type_of_event_is_one_of_stripes(description: Description, played: Played) -> None:
    """Also of those that mean nothing to a payment."""
    assert {event["type"] for event in played.events} - description.event_types() == set()
