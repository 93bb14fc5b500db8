"""Random facts in any order, with repeats: the state is the one the oracle computes."""

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.inputs import CallResult, Create, Input
from domain.status import Outcome, ProviderStatus
from domain.view import Snapshot, refundable, snapshot, withdrawn
from tests.domain.histories.builders import (
    PAYMENT,
    acknowledged,
    at,
    cancel,
    create,
    key,
    payment_fact,
    received,
    refused,
)
from tests.domain.histories.replay import Replay, published_meaning
from tests.domain.histories.worlds import commands_and_results, creates, facts
from tests.oracle import cancel_is_requested, left_to_refund, meaning_of
from tests.oracle_attempts import with_own_keys
from tests.oracle_disputes import held_by_disputes
from tests.support.properties import thorough


def _published(inputs: list[Input]) -> Snapshot:
    """What is published at the end, without the version's number and time."""
    return replace(snapshot(Replay(inputs).existing), version=0, updated_at=at(0))


def _possible(reported: list[Input], calls: Collection[str]) -> list[Input]:
    """The facts without a cancel under our own last key, where that cancel was not called.

    Whose it is depends on whether the failures that make us cancel were known before it.
    """
    last = key("cancel:exhausted")
    return [
        fact for fact in reported if getattr(fact.body, "caused_by", None) != last or last in calls
    ]


@thorough
@given(st.data(), creates(), facts(), commands_and_results())
def test_the_end_is_the_oracles(
    data: st.DataObject, create: Create, reported: list[Input], asked: list[Input]
) -> None:
    """Facts, commands and results come in any order, before or after the create, some twice."""
    order = data.draw(st.permutations([received(create), *reported, *asked]))
    again = data.draw(st.lists(st.sampled_from(order), max_size=6))
    replay = Replay([*order, *again])
    assert published_meaning(replay.existing) == meaning_of(PAYMENT, replay.accepted)
    published = snapshot(replay.existing)
    assert published.cancel_requested is cancel_is_requested(PAYMENT, replay.accepted)
    held = held_by_disputes(replay.accepted, published.amounts.captured)
    assert withdrawn(replay.existing) == held
    assert refundable(replay.existing) == left_to_refund(PAYMENT, replay.accepted)


@thorough
@given(st.data(), creates(), facts())
def test_any_two_orders_of_the_same_facts_publish_the_same(
    data: st.DataObject, create: Create, reported: list[Input]
) -> None:
    """Everything that is published, not only the state, depends on the set of facts alone."""
    inputs = [received(create), received(acknowledged()), *_possible(reported, ())]
    one = data.draw(st.permutations(inputs))
    other = data.draw(st.permutations(inputs))
    again = data.draw(st.lists(st.sampled_from(inputs), max_size=6))
    assert _published(list(one)) == _published([*other, *again])


@thorough
@given(st.data(), creates(), facts(), commands_and_results())
def test_any_two_orders_of_facts_and_results_publish_the_same(
    data: st.DataObject, create: Create, reported: list[Input], asked: list[Input]
) -> None:
    """What was requested is given; each result comes before or after every later fact."""
    known = data.draw(st.integers(0, len(reported)))
    commands = [input_ for input_ in asked if not isinstance(input_.body, CallResult)]
    begun = data.draw(st.permutations([*reported[:known], *commands]))
    begun = [received(create), received(acknowledged()), *begun]
    calls = Replay(begun).existing.calls
    results = [
        input_
        for input_ in asked
        if isinstance(input_.body, CallResult) and input_.body.call_key in calls
    ]
    rest = [*_possible(reported[known:], calls), *results]
    one, other = data.draw(st.permutations(rest)), data.draw(st.permutations(rest))
    assert _published([*begun, *one]) == _published([*begun, *other])


def test_a_refused_cancel_is_not_requested_whatever_came_first() -> None:
    """The refusal and the capture that caused it arrive in either order."""
    begun = [
        received(create(capture_method="manual")),
        received(acknowledged()),
        received(payment_fact(ProviderStatus.AUTHORIZED, 1)),
        received(cancel()),
    ]
    refusal = received(refused("cancel:1"))
    captured = received(payment_fact(ProviderStatus.SUCCEEDED, 3))
    one, other = _published([*begun, refusal, captured]), _published([*begun, captured, refusal])
    assert one == other
    assert not one.cancel_requested


@thorough
@given(st.data(), creates(), facts())
def test_no_fact_of_a_consistent_provider_is_a_conflict(
    data: st.DataObject, create: Create, reported: list[Input]
) -> None:
    """In any order, each fact is applied or stale, or waits for an answer that is not here."""
    replay = Replay([received(create), received(acknowledged())])
    for fact in data.draw(st.permutations(reported)):
        outcome = replay.deliver(fact).outcome
        assert outcome in {Outcome.APPLIED, Outcome.STALE, Outcome.PARKED}


@thorough
@given(st.data(), creates(), facts(), commands_and_results())
def test_an_accepted_input_changes_nothing_when_it_comes_again(
    data: st.DataObject, create: Create, reported: list[Input], asked: list[Input]
) -> None:
    """``decide`` itself is idempotent, also without the check of event IDs.

    A key that was made up is none: of a call that we made only later, it would be another report.
    """
    replay = Replay([received(create), *data.draw(st.permutations([*reported, *asked]))])
    bodies = with_own_keys(PAYMENT, [input_.body for input_ in replay.accepted])
    for input_, body in zip(replay.accepted, bodies, strict=True):
        replay.deliver_again(replace(input_, body=body))
