"""What the search must find: defects that payment services had, planted one at a time."""

from collections.abc import Callable
from typing import Any

import pytest

from processor.domain import calls, decision, join, on_fact
from processor.domain.inputs import Movement, PaymentFact
from processor.fold import _Fold
from tests.checker.histories import ALL_HISTORIES
from tests.checker.report import counterexample
from tests.checker.search import DisagreementError, search

_HISTORIES = {history.name: history for history in ALL_HISTORIES}
_TOLD_THRICE = "one failure told by three events leaves the second attempt"
_LOST_AND_WON = "a dispute is lost, then won, its money out and back"
Plant = Callable[[pytest.MonkeyPatch], None]


def _last_told_wins(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(join, "_replaces", lambda _fact, _known: True)


def _movements_add_up(patch: pytest.MonkeyPatch) -> None:
    def add(known: tuple[Movement, ...], heard: tuple[Movement, ...]) -> tuple[Movement, ...]:
        return (*known, *heard)

    patch.setattr(join, "add_movements", add)


def _each_telling_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    def slot(fact: PaymentFact) -> tuple[str, str]:
        return fact.status, fact.event_id

    patch.setattr(join, "_slot", slot)


def _calls_are_asked_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decision, "new_calls", lambda payment: tuple(calls.wanted(payment)))


def _the_end_is_no_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decision, "is_allowed", lambda _source, _target: True)
    patch.setattr(on_fact, "_terminal_contradiction", lambda _payment, _fact: None)


def _known_events_are_new(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_Fold, "_is_new", lambda _self, _received: True)


def _early_facts_are_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_Fold, "_take_parked", lambda _self, _payment_id: None)


def _a_batch_is_decided_on_its_beginning(patch: pytest.MonkeyPatch) -> None:
    def decide(self: Any, row: Any) -> None:
        before = self._loaded.payments.get(row.received.payment_id)
        if before is not None:
            self._payments[before.id] = before
        take(self, row)

    take = _Fold._take
    patch.setattr(_Fold, "_take", decide)


def _redeliveries_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    def is_new(self: Any, received: Any) -> bool:
        new = known(self, received)
        self._plan.redelivered.clear()
        return new

    known = _Fold._is_new
    patch.setattr(_Fold, "_is_new", is_new)


@pytest.mark.parametrize(
    ("plant", "history", "inputs", "said"),
    [
        (_last_told_wins, "the customer acts, then it succeeds", 3, "the oracle"),
        (_movements_add_up, _LOST_AND_WON, 3, "the oracle"),
        (_each_telling_is_a_failure, _TOLD_THRICE, 3, "the oracle"),
        (_calls_are_asked_again, "it is acknowledged", 2, "asked for twice"),
        (_the_end_is_no_end, "both captured and cancelled", 3, "is_final"),
        (_known_events_are_new, "automatic success", 1, "decided again"),
        (_early_facts_are_lost, "automatic success", 2, "led elsewhere"),
        (_a_batch_is_decided_on_its_beginning, "automatic success", 3, "version"),
        (_redeliveries_are_not_looked_at, "automatic success", 1, "not looked at"),
    ],
)
def test_a_planted_defect_is_found_by_its_shortest_path(
    monkeypatch: pytest.MonkeyPatch, plant: Plant, history: str, inputs: int, said: str
) -> None:
    """It is found, with no input on the path that is not needed, and told in words."""
    plant(monkeypatch)
    with pytest.raises(DisagreementError) as caught:
        search(_HISTORIES[history])
    text = counterexample(caught.value)
    assert len(caught.value.path) == inputs, text
    assert said in text
    assert text.splitlines()[-1].startswith(f"  {inputs}. "), text
