"""The join that keeps facts, and the guard that checks every change."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.decision import changed
from domain.facts import disputes, join
from domain.inputs import Input, PaymentFact
from domain.status import CancelCause, Outcome, ProviderStatus
from tests.domain.histories.builders import at, canceled, payment_fact, reinstated, withdrawn
from tests.domain.histories.situations import payment_that_is
from tests.domain.histories.worlds import facts
from tests.support.properties import thorough


def _joined(reported: list[PaymentFact]) -> tuple[PaymentFact, ...]:
    known: tuple[PaymentFact, ...] = ()
    for fact in reported:
        known = join.add(known, fact)
    return known


@thorough
@given(st.data(), facts())
def test_adding_facts_is_commutative_and_idempotent(
    data: st.DataObject, inputs: list[Input]
) -> None:
    """The same facts are kept in any order and with any repeats."""
    facts = [body for body in (input_.body for input_ in inputs) if isinstance(body, PaymentFact)]
    once = _joined(facts)
    assert _joined([*data.draw(st.permutations(facts)), *facts]) == once
    assert _joined([*once, *facts]) == once


def test_what_is_kept_does_not_grow_with_the_number_of_facts() -> None:
    """A thousand facts about one attempt are kept as one."""
    reported = [payment_fact(ProviderStatus.PENDING, second) for second in range(1000)]
    assert _joined(reported) == (reported[-1],)


def test_a_later_report_of_a_cancel_does_not_replace_the_one_that_names_its_cause() -> None:
    """A look-up, for example, does not say who cancelled; an earlier event did."""
    named = canceled(50, CancelCause.ATTEMPTS_EXHAUSTED)
    unnamed = canceled(60, None)
    assert _joined([named, unnamed]) == _joined([unnamed, named]) == (named, unnamed)


def test_a_later_report_of_a_capture_does_not_replace_the_one_that_names_its_cause() -> None:
    """Whether what was let go is reported as a refund depends on who captured."""
    named = payment_fact(ProviderStatus.SUCCEEDED, 50, names_cause=True)
    unnamed = payment_fact(ProviderStatus.SUCCEEDED, 60)
    assert _joined([named, unnamed]) == _joined([unnamed, named]) == (named, unnamed)


def test_a_movement_reported_twice_counts_once() -> None:
    """Movements are a set, keyed by the provider's reference."""
    out, back = withdrawn("mv_1", 400), reinstated("mv_2", 400)
    assert disputes.add_movements((out,), (back, out)) == (out, back)


@pytest.mark.parametrize(
    ("situation", "derived", "reason"),
    [
        ("succeeded", {"facts": (payment_fact(ProviderStatus.CANCELED, 9),)}, "SUCCEEDED is final"),
        ("processing", {"object_id": None}, "PROCESSING does not allow that"),
        (
            "succeeded",
            {"facts": (payment_fact(ProviderStatus.SUCCEEDED, 9, captured=-1),)},
            "would be captured",
        ),
    ],
)
def test_no_forbidden_change_gets_through(
    situation: str, derived: dict[str, Any], reason: str
) -> None:
    """The last guard: a defect in the rules becomes a conflict, never a forbidden transition."""
    before = payment_that_is(situation)
    decision = changed(before, replace(before, **derived), at(99), "a test")
    assert decision.outcome is Outcome.CONFLICT
    assert decision.payment is before
    assert reason in decision.reason
