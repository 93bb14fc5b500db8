"""Random worlds: any order, any repeats, and always the state the oracle computes from the set."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.inputs import Create, Input
from domain.status import Outcome
from domain.view import Snapshot, snapshot
from tests.domain.histories.builders import PAYMENT, acknowledged, at, received
from tests.domain.histories.replay import Replay, published_meaning
from tests.domain.histories.worlds import asked_and_answered, creates, facts
from tests.oracle import meaning_of
from tests.support.properties import thorough

#: The same worlds in every run, enough of them.


def _seen(inputs: list[Input]) -> Snapshot:
    """What is published at the end, but for how many versions it took and when."""
    return replace(snapshot(Replay(inputs).existing), version=0, updated_at=at(0))


@thorough
@given(st.data(), creates(), facts(), asked_and_answered())
def test_the_end_is_what_the_oracle_says(
    data: st.DataObject, create: Create, reported: list[Input], asked: list[Input]
) -> None:
    """Facts, commands and results in any order, before or after the create, some of them again."""
    order = data.draw(st.permutations([received(create), *reported, *asked]))
    again = data.draw(st.lists(st.sampled_from(order), max_size=6))
    replay = Replay([*order, *again])
    assert published_meaning(replay.existing) == meaning_of(PAYMENT, replay.taken_in)


@thorough
@given(st.data(), creates(), facts())
def test_any_two_orders_of_the_same_facts_publish_the_same(
    data: st.DataObject, create: Create, reported: list[Input]
) -> None:
    """Not only the state: everything that is published depends on the set of facts alone."""
    inputs = [received(create), received(acknowledged()), *reported]
    one = data.draw(st.permutations(inputs))
    other = data.draw(st.permutations(inputs))
    again = data.draw(st.lists(st.sampled_from(inputs), max_size=6))
    assert _seen(list(one)) == _seen([*other, *again])


@thorough
@given(st.data(), creates(), facts())
def test_no_fact_of_a_consistent_provider_is_a_conflict(
    data: st.DataObject, create: Create, reported: list[Input]
) -> None:
    """A provider that keeps its word is believed, whatever the order: applied, or stale."""
    replay = Replay([received(create), received(acknowledged())])
    for fact in data.draw(st.permutations(reported)):
        assert replay.deliver(fact).outcome in {Outcome.APPLIED, Outcome.STALE}


@thorough
@given(st.data(), creates(), facts(), asked_and_answered())
def test_what_was_taken_in_changes_nothing_when_it_comes_again(
    data: st.DataObject, create: Create, reported: list[Input], asked: list[Input]
) -> None:
    """``decide`` itself is idempotent, even where the check of event IDs was passed by."""
    replay = Replay([received(create), *data.draw(st.permutations([*reported, *asked]))])
    for input_ in replay.taken_in:
        replay.deliver_again(input_)
