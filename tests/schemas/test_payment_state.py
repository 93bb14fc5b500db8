"""What is published of a payment is what its schema promises, to the model and to the file."""

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
from tests.domain.histories.after_final_histories import AFTER_FINAL_HISTORIES
from tests.domain.histories.builders import create, received
from tests.domain.histories.history import History, with_create_result
from tests.domain.histories.payment_histories import PAYMENT_HISTORIES
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import SITUATIONS, payment_that_is
from tests.domain.histories.worlds import commands_and_results, facts
from tests.schemas.examples import PAYMENT, published, published_schema, states_of
from tests.schemas.json_schema import problems

#: The machine may be busy: an example may take its time.
unhurried = settings(deadline=None)

HISTORIES = tuple(map(with_create_result, (*PAYMENT_HISTORIES, *AFTER_FINAL_HISTORIES)))
SCHEMA = published_schema("payment-state")


def assert_keeps_its_promise(value: bytes) -> PaymentState:
    """The value is what both schemas describe, and means the same read and written again."""
    assert problems(SCHEMA, json.loads(value)) == []
    state = PaymentState.model_validate_json(value)
    assert json.loads(state.model_dump_json()) == json.loads(value)
    return state


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_payment_in_any_situation(situation: str) -> None:
    """Each state a payment can stand in."""
    payment = payment_that_is(situation)
    state = assert_keeps_its_promise(published(payment))
    assert (state.id, state.version, state.status) == (PAYMENT, payment.version, payment.status)
    assert state.metadata == payment.metadata


@pytest.mark.parametrize("history", HISTORIES, ids=[h.name for h in HISTORIES])
def test_a_payment_at_every_step_of_its_history(history: History) -> None:
    """Every version that is published on the way."""
    for value in states_of(history):
        assert_keeps_its_promise(value)


def test_the_histories_meet_every_word() -> None:
    """The tests above are about all statuses of payments, refunds and disputes."""
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
@given(reported=facts(), asked=commands_and_results(), random=st.randoms(use_true_random=False))
def test_a_payment_after_any_inputs(reported: list[Input], asked: list[Input], random: Any) -> None:
    """In any order, possible or not."""
    records = [*reported, *asked]
    random.shuffle(records)
    assert_keeps_its_promise(published(Replay([received(create()), *records]).existing))


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
    "an unknown field": _set("surprise", to=1),
    "an unknown field inside": _set("amounts", "surprise", to=1),
    "a field that is missing": lambda document: document.pop("version"),
    "a field that is missing inside": lambda document: document["refunds"][0].pop("reversed"),
    "an unknown status": _set("status", to="THINKING"),
    "an unknown refund status": _set("refunds", 0, "status", to="THINKING"),
    "a status in lower case": _set("status", to="succeeded"),
    "an amount with a fraction": _set("amount", to=10.5),
    "an amount in words": _set("amount", to="1000"),
    "an amount that is true": _set("amount", to=True),
    "no amount": _set("amount", to=0),
    "a negative sum": _set("amounts", "captured", to=-1),
    "a sum with a fraction": _set("amounts", "captured", to=0.5),
    "version zero": _set("version", to=0),
    "a currency in lower case": _set("currency", to="eur"),
    "an ID that is none": _set("id", to="pay_1"),
    "a time without a zone": _set("created_at", to="2026-01-01T00:00:00"),
    "a time that is none": _set("created_at", to="yesterday"),
    "metadata that is no text": _set("metadata", to={"a": 1}),
    "metadata of 41 keys": _set("metadata", to={str(number): "" for number in range(41)}),
    "refunds that are no list": _set("refunds", to={}),
    "an unknown next action": _set("next_action", to={"type": "think", "url": None}),
}


def test_the_document_that_is_broken_below_is_whole() -> None:
    """What the next test refuses, it refuses for the one change."""
    assert_keeps_its_promise(json.dumps(_valid()).encode())


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_document_is_refused_by_both(case: str) -> None:
    """The model and the file say no to the same."""
    document = _valid()
    BROKEN[case](document)
    assert problems(SCHEMA, document) != []
    with pytest.raises(ValidationError):
        PaymentState.model_validate_json(json.dumps(document))
