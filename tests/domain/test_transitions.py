"""The state machine's table, and that every edge in it can really happen."""

from itertools import product

import pytest
from msgspec.structs import replace

from domain.inputs import CallResult, PaymentFact
from domain.status import CancelCause, Outcome, ProviderStatus, Status
from domain.transitions import FINAL, TRANSITIONS, is_allowed, is_final
from tests.domain.histories.builders import (
    acknowledged,
    canceled,
    failed,
    key,
    payment_fact,
    received,
    refused,
)
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import SITUATIONS, replay_until
from tools.state_machine_page import PAGE, page

_EDGES = [(edge.source, edge.target) for edge in TRANSITIONS]
#: The key that proves the object of a payment that has none yet.
_OUR_CREATE = key("create")
_REPORTS: tuple[PaymentFact | CallResult, ...] = (
    *(
        payment_fact(status, 90, caused_by=_OUR_CREATE)
        for status in ProviderStatus
        if status not in {ProviderStatus.ATTEMPT_FAILED, ProviderStatus.CANCELED}
    ),
    *(
        canceled(90, cause, **changes)
        for cause in (*CancelCause, None)
        for changes in ({}, {"caused_by": _OUR_CREATE})
    ),
    failed("at_9", 90, caused_by=_OUR_CREATE),
    acknowledged(),
    refused("create"),
)


def test_final_states_are_the_three_and_nothing_leaves_them() -> None:
    """SUCCEEDED, FAILED and CANCELED have no outgoing edge."""
    assert frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED}) == FINAL
    assert {status for status in Status if is_final(status)} == FINAL
    assert FINAL.isdisjoint(edge.source for edge in TRANSITIONS)


def test_no_edge_enters_the_first_state_or_stays_where_it_is() -> None:
    """A payment is CREATED once; a transition changes the state."""
    assert all(edge.target not in {Status.CREATED, edge.source} for edge in TRANSITIONS)


def test_every_edge_is_listed_once_and_names_its_event() -> None:
    """The page and the database's constraint are generated from the table."""
    assert len(set(_EDGES)) == len(TRANSITIONS)
    assert all(edge.event for edge in TRANSITIONS)


def test_every_state_can_be_reached() -> None:
    """Each is reachable from CREATED along the edges."""
    reached = {Status.CREATED}
    while new := {target for source, target in _EDGES if source in reached} - reached:
        reached |= new
    assert reached == set(Status)


def test_every_unfinished_state_leads_to_each_end() -> None:
    """Webhooks arrive in any order, so the end can be reported in every state."""
    unfinished = set(Status) - FINAL
    assert set(product(unfinished, FINAL)) <= set(_EDGES)


@pytest.mark.parametrize(("source", "target"), list(product(Status, Status)))
def test_the_guard_is_the_table(source: Status, target: Status) -> None:
    """The guard allows exactly the table's pairs of states."""
    assert is_allowed(source, target) is ((source, target) in _EDGES)


def test_every_edge_really_happens() -> None:
    """Some report in some situation causes each edge of the table."""
    begun: list[tuple[str, tuple[PaymentFact, ...]]]
    begun = [(situation, ()) for situation in SITUATIONS]
    # our cancel after the last attempt is under way, and the provider has gone on
    begun += [("attempts used up", (payment_fact(status, 80),)) for status in ProviderStatus]
    met = set()
    for (situation, before), report in product(begun, _REPORTS):
        replay = replay_until(situation)
        for each in (*before, report):
            replay.deliver(received(each))
        met |= {move for move in replay.transitions if move[0] is not None}
    assert met == set(_EDGES)


@pytest.mark.parametrize("situation", ["succeeded", "failed", "canceled", "create refused"])
def test_a_final_payment_never_changes(situation: str) -> None:
    """No report after the end is rejected, and none changes the state."""
    for report in _REPORTS:
        replay = replay_until(situation)
        status = replay.existing.status
        later = replace(received(report), event_id="evt_later")
        assert replay.deliver(later).outcome is not Outcome.REJECTED
        assert replay.existing.status is status


def test_transitions_form_a_path_through_the_table() -> None:
    """Each transition starts in the state where the one before it ended."""
    for situation in SITUATIONS:
        replay: Replay = replay_until(situation)
        sources = [source for source, _ in replay.transitions]
        targets = [target for _, target in replay.transitions]
        assert sources == [None, *targets[:-1]]
        assert targets[-1] is replay.existing.status


def test_the_page_of_the_state_machine_is_up_to_date() -> None:
    """docs/state-machine.md is generated from the table by ``python -m tools.generate``."""
    assert page() == PAGE.read_text()
