"""The state machine's table: what it says, and that it says no more than what really happens."""

from itertools import product

import pytest
from msgspec.structs import replace

from domain.inputs import CallResult, PaymentFact
from domain.status import CancelCause, Outcome, ProviderStatus, Status
from domain.transitions import FINAL, TRANSITIONS, is_allowed, is_final
from tests.domain.histories.builders import acknowledged, failed, key, received, refused, said
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import SITUATIONS, replay_until
from tools.state_machine_page import PAGE, page

_EDGES = [(edge.source, edge.target) for edge in TRANSITIONS]
#: What names the object of a payment that has none yet.
_OURS = key("create")
_WORDS: tuple[PaymentFact | CallResult, ...] = (
    *(
        said(status, 90, caused_by=_OURS)
        for status in ProviderStatus
        if status not in {ProviderStatus.ATTEMPT_FAILED, ProviderStatus.CANCELED}
    ),
    *(
        said(ProviderStatus.CANCELED, 90, cancel_cause=cause, caused_by=_OURS)
        for cause in CancelCause
    ),
    failed("at_9", 90, caused_by=_OURS),
    acknowledged(),
    refused("create"),
)


def test_final_states_are_the_three_and_nothing_leaves_them() -> None:
    """SUCCEEDED, FAILED and CANCELED never change."""
    assert frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED}) == FINAL
    assert {status for status in Status if is_final(status)} == FINAL
    assert FINAL.isdisjoint(edge.source for edge in TRANSITIONS)


def test_no_edge_enters_the_first_state_or_stays_where_it_is() -> None:
    """A payment is CREATED once; staying is no transition."""
    assert all(edge.target not in {Status.CREATED, edge.source} for edge in TRANSITIONS)


def test_every_edge_stands_there_once_and_says_what_brings_it() -> None:
    """The table is what docs and constraint are made from."""
    assert len(set(_EDGES)) == len(TRANSITIONS)
    assert all(edge.event for edge in TRANSITIONS)


def test_every_state_can_be_reached() -> None:
    """From CREATED along the edges."""
    reached = {Status.CREATED}
    while new := {target for source, target in _EDGES if source in reached} - reached:
        reached |= new
    assert reached == set(Status)


def test_every_unfinished_state_leads_to_each_end() -> None:
    """Webhooks arrive in any order: the end can be reported in every state."""
    unfinished = set(Status) - FINAL
    assert set(product(unfinished, FINAL)) <= set(_EDGES)


@pytest.mark.parametrize(("source", "target"), list(product(Status, Status)))
def test_the_guard_is_the_table(source: Status, target: Status) -> None:
    """What is allowed is what the table says, for every pair of states."""
    assert is_allowed(source, target) is ((source, target) in _EDGES)


def test_every_edge_really_happens() -> None:
    """Each edge of the table is met by some word of the provider in some situation."""
    met = set()
    for situation, word in product(SITUATIONS, _WORDS):
        replay = replay_until(situation)
        replay.deliver(received(word))
        met |= {move for move in replay.transitions if move[0] is not None}
    assert met == set(_EDGES)


@pytest.mark.parametrize("situation", ["succeeded", "failed", "canceled", "create refused"])
def test_a_final_payment_stays_as_it_is_whatever_comes(situation: str) -> None:
    """Every word of the provider after the end is stale or a conflict, not a change of state."""
    for word in _WORDS:
        replay = replay_until(situation)
        status = replay.existing.status
        later = replace(received(word), event_id="evt_later")
        assert replay.deliver(later).outcome is not Outcome.REJECTED
        assert replay.existing.status is status


def test_a_life_is_a_path_through_the_table() -> None:
    """Transitions chain: each begins where the one before it ended, the first from nowhere."""
    for situation in SITUATIONS:
        replay: Replay = replay_until(situation)
        sources = [source for source, _ in replay.transitions]
        targets = [target for _, target in replay.transitions]
        assert sources == [None, *targets[:-1]]
        assert targets[-1] is replay.existing.status


def test_the_drawn_state_machine_is_the_table() -> None:
    """docs/state-machine.md is made from the table; `python -m tools.generate` writes it."""
    assert page() == PAGE.read_text()
