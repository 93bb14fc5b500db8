"""Every published payment state is valid by the model and by the JSON Schema file."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.inputs import Input
from domain.status import DisputeStatus, RefundStatus, Status
from schemas.state import PaymentState
from tests.compatibility.json_schema import problems
from tests.domain.histories.after_final_histories import AFTER_FINAL_HISTORIES
from tests.domain.histories.builders import create, received
from tests.domain.histories.history import History, with_create_result
from tests.domain.histories.money.amount_histories import AMOUNT_HISTORIES
from tests.domain.histories.payment_histories import PAYMENT_HISTORIES
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import SITUATIONS, payment_that_is
from tests.domain.histories.worlds import commands_and_results, facts
from tests.schemas.examples import PAYMENT, published, published_schema, states_of

#: Hypothesis's deadline would fail on a busy machine.
unhurried = settings(deadline=None)

HISTORIES = tuple(
    map(with_create_result, (*PAYMENT_HISTORIES, *AMOUNT_HISTORIES, *AFTER_FINAL_HISTORIES))
)
SCHEMA = published_schema("payment-state")


def assert_is_valid(value: bytes) -> PaymentState:
    """Checks the value against both schemas; decoding and encoding must not change it."""
    assert problems(SCHEMA, json.loads(value)) == []
    state = PaymentState.model_validate_json(value)
    # a term of a later release is left out where there is none
    assert json.loads(state.model_dump_json(exclude_unset=True)) == json.loads(value)
    return state


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_payment_in_any_situation(situation: str) -> None:
    """The published state of a payment in each situation is valid."""
    payment = payment_that_is(situation)
    state = assert_is_valid(published(payment))
    assert (state.id, state.version, state.status) == (PAYMENT, payment.version, payment.status)
    assert state.metadata == payment.metadata


@pytest.mark.parametrize("history", HISTORIES, ids=[h.name for h in HISTORIES])
def test_a_payment_at_every_step_of_its_history(history: History) -> None:
    """Every version published during the history is valid."""
    for value in states_of(history):
        assert_is_valid(value)


def test_the_histories_cover_every_status() -> None:
    """They cover the statuses of payments and refunds and the main ones of disputes."""
    states = [PaymentState.model_validate_json(v) for h in HISTORIES for v in states_of(h)]
    assert {state.status for state in states} == set(Status)
    assert {r.status for state in states for r in state.refunds} == set(RefundStatus)
    assert {d.status for state in states for d in state.disputes} >= {
        DisputeStatus.NEEDS_RESPONSE,
        DisputeStatus.LOST,
        DisputeStatus.WON,
    }
    assert any(r.reversed for state in states for r in state.refunds)
    assert any(state.next_action is not None for state in states)
    assert any(state.failure is not None for state in states)


@unhurried
@given(reported=facts(), commands=commands_and_results(), random=st.randoms(use_true_random=False))
def test_a_payment_after_any_inputs(
    reported: list[Input], commands: list[Input], random: Any
) -> None:
    """Inputs in any order, even an impossible one, give a valid state."""
    records = [*reported, *commands]
    random.shuffle(records)
    assert_is_valid(published(Replay([received(create()), *records]).existing))


def _valid() -> Any:
    return json.loads(published(payment_that_is("refund of 700 pending")))


def _set(*path: str | int, to: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        *inner, last = path
        for part in inner:
            document = document[part]
        document[last] = to

    return change


BROKEN: dict[str, Callable[[Any], None]] = {
    "a missing field": lambda document: document.pop("version"),
    "a missing nested field": lambda document: document["refunds"][0].pop("reversed"),
    "an unknown status": _set("status", to="THINKING"),
    "an unknown refund status": _set("refunds", 0, "status", to="THINKING"),
    "a status in lower case": _set("status", to="succeeded"),
    "an amount with a fraction": _set("amount", to=10.5),
    "an amount as text": _set("amount", to="1000"),
    "an amount that is true": _set("amount", to=True),
    "no amount": _set("amount", to=0),
    "a negative sum": _set("amounts", "captured", to=-1),
    "a sum with a fraction": _set("amounts", "captured", to=0.5),
    "version zero": _set("version", to=0),
    "a currency in lower case": _set("currency", to="eur"),
    "an invalid ID": _set("id", to="pay_1"),
    "a time without a zone": _set("created_at", to="2026-01-01T00:00:00"),
    "an invalid time": _set("created_at", to="yesterday"),
    "metadata that is no text": _set("metadata", to={"a": 1}),
    "metadata of 41 keys": _set("metadata", to={str(number): "" for number in range(41)}),
    "refunds that are no list": _set("refunds", to={}),
    "an unknown next action": _set("next_action", to={"type": "think", "url": None}),
}


def test_the_unchanged_document_is_valid() -> None:
    """So the next test's documents are refused only because of their change."""
    assert_is_valid(json.dumps(_valid()).encode())


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_document_is_refused_by_both(case: str) -> None:
    """The model and the JSON Schema file both refuse it."""
    document = _valid()
    BROKEN[case](document)
    assert problems(SCHEMA, document) != []
    with pytest.raises(ValidationError):
        PaymentState.model_validate_json(json.dumps(document))


NEW_FIELDS: dict[str, Callable[[Any], None]] = {
    "of the payment": _set("surprise", to=1),
    "of its amounts": _set("amounts", "surprise", to=1),
    "of a refund": _set("refunds", 0, "surprise", to=None),
}


@pytest.mark.parametrize("case", NEW_FIELDS)
def test_a_consumer_that_checks_the_schema_reads_a_field_of_a_later_release(case: str) -> None:
    """The file forbids no field that it does not name. The model, which writes, knows them all."""
    document = _valid()
    NEW_FIELDS[case](document)
    assert problems(SCHEMA, document) == []
    with pytest.raises(ValidationError):
        PaymentState.model_validate_json(json.dumps(document))
