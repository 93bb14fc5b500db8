"""Every history ends in one state, in any order and with any repeats."""

from itertools import islice

import pytest

from domain.status import Outcome
from domain.transitions import is_final
from domain.view import refundable, withdrawn
from tests.domain.histories.after_final_histories import AFTER_FINAL_HISTORIES
from tests.domain.histories.attempt_histories import ATTEMPT_HISTORIES
from tests.domain.histories.binding_histories import BINDING_HISTORIES
from tests.domain.histories.builders import OBJECT, PAYMENT, acknowledged, received
from tests.domain.histories.claim_histories import CLAIM_HISTORIES
from tests.domain.histories.dispute_histories import DISPUTE_HISTORIES
from tests.domain.histories.history import (
    History,
    replay_in_order,
    seeded_random,
    with_create_result,
)
from tests.domain.histories.life_histories import LIFE_HISTORIES
from tests.domain.histories.money.amount_histories import AMOUNT_HISTORIES
from tests.domain.histories.payment_histories import PAYMENT_HISTORIES
from tests.domain.histories.race_histories import RACE_HISTORIES
from tests.domain.histories.replay import Replay, published_meaning
from tests.domain.histories.reports.cancel_histories import CANCEL_HISTORIES
from tests.domain.histories.reports.release_histories import RELEASE_HISTORIES
from tests.domain.histories.reports.retrieved_histories import RETRIEVED_HISTORIES
from tests.domain.histories.reports.total_histories import TOTAL_HISTORIES
from tests.domain.histories.unknown_histories import UNKNOWN_HISTORIES
from tests.oracle import left_to_refund, meaning_of
from tests.oracle_disputes import held_by_disputes
from tests.support.properties import ORDERS_MAX

HISTORIES = (
    tuple(
        with_create_result(history)
        for history in (
            *PAYMENT_HISTORIES,
            *AMOUNT_HISTORIES,
            *ATTEMPT_HISTORIES,
            *RACE_HISTORIES,
            *UNKNOWN_HISTORIES,
            *AFTER_FINAL_HISTORIES,
            *LIFE_HISTORIES,
            *CLAIM_HISTORIES,
            *DISPUTE_HISTORIES,
            *CANCEL_HISTORIES,
            *RELEASE_HISTORIES,
            *RETRIEVED_HISTORIES,
            *TOTAL_HISTORIES,
        )
    )
    + BINDING_HISTORIES
)

every_history = pytest.mark.parametrize("history", HISTORIES, ids=[h.name for h in HISTORIES])


@every_history
def test_the_oracle_agrees_with_the_history(history: History) -> None:
    """The oracle computes the end that the history declares."""
    assert meaning_of(PAYMENT, history.inputs) == history.expected


@every_history
def test_every_possible_order_ends_in_the_same_state(history: History) -> None:
    """Each order of the facts, with commands and repeats among them, has the history's end."""
    random = seeded_random()
    for order in history.orders(random):
        replay = replay_in_order(history, order, random)
        assert published_meaning(replay.existing) == history.expected, order
        assert meaning_of(PAYMENT, replay.accepted) == history.expected, order
        held = held_by_disputes(replay.accepted, history.expected.captured)
        assert withdrawn(replay.existing) == held, order
        assert refundable(replay.existing) == left_to_refund(PAYMENT, replay.accepted), order


@every_history
def test_webhooks_before_the_create_are_parked_and_lose_nothing(history: History) -> None:
    """A fact whose payment isn't here yet is parked, and applied once it is."""
    replay = Replay()
    facts = [reported for reported in history.reported if not reported.needs]
    for reported in facts:
        assert replay.deliver(received(reported.body)).outcome is Outcome.PARKED
    replay.deliver(received(history.create))
    replay.deliver(received(acknowledged()))
    later = Replay(
        received(body) for body in (history.create, acknowledged(), *(t.body for t in facts))
    )
    assert published_meaning(replay.existing) == published_meaning(later.existing)
    assert replay.parked == later.parked  # only what waits for a later answer
    foreign = [f for f in facts if getattr(f.body, "object_id", OBJECT) != OBJECT]
    assert len(replay.accepted) == len(facts) - len(foreign) - len(replay.parked) + 2


@every_history
def test_even_impossible_orders_end_where_the_oracle_says(history: History) -> None:
    """In an order that can't really happen, the accepted inputs determine the state."""
    random = seeded_random()
    for _ in range(ORDERS_MAX // 2):
        replay = Replay(random.sample(history.inputs, len(history.inputs)))
        if replay.payment is None:
            continue
        assert published_meaning(replay.existing) == meaning_of(PAYMENT, replay.accepted)
        assert refundable(replay.existing) == left_to_refund(PAYMENT, replay.accepted)


@every_history
def test_a_redelivery_of_everything_changes_nothing(history: History) -> None:
    """After all inputs were accepted, any of them again leaves the payment identical."""
    random = seeded_random()
    replay = replay_in_order(history, history.reported, random)
    for accepted in (*replay.accepted, *reversed(replay.accepted)):
        replay.deliver_again(accepted)


@every_history
def test_each_order_makes_calls_under_the_same_keys(history: History) -> None:
    """A call's key is made of the payment and the operation, so it does not depend on order."""
    random = seeded_random()
    needed = {f"{PAYMENT}:{reported.needs}" for reported in history.reported if reported.needs}
    for order in islice(history.orders(random), 50):
        calls = set(replay_in_order(history, order, random).calls)
        assert f"{PAYMENT}:create" in calls
        assert calls >= needed or is_final(history.expected.status)
        assert all(call.startswith(f"{PAYMENT}:") for call in calls)
