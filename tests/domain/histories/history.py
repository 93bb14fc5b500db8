"""A provider's history of one payment, and the orders in which it may reach us."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from random import Random

from domain.inputs import (
    CallResult,
    Command,
    Create,
    DisputeFact,
    Input,
    PaymentFact,
    RefundFact,
    Unmodelled,
)
from domain.status import Outcome
from tests.domain.histories.builders import acknowledged, key, received
from tests.domain.histories.replay import Replay
from tests.oracle import Meaning

#: Up to so many facts every permutation is tried, beyond that a sample; tests/checker has them all.
_ALL_PERMUTATIONS = 5
_SAMPLE = 200


@dataclass(frozen=True)
class Told:
    """A fact or a result, and the call of ours without which it could not have come about."""

    body: PaymentFact | RefundFact | DisputeFact | Unmodelled | CallResult
    needs: str = ""

    def is_possible(self, calls: Sequence[str]) -> bool:
        """Whether the provider can have said this, given the calls it was sent."""
        return not self.needs or key(self.needs) in calls


@dataclass(frozen=True)
class History:
    """What was asked of a payment and said of it, as it happened, and where that must end.

    Commands reach us in their order, each asked again until it is accepted or never can be; what
    was told reaches us in any order.
    """

    name: str
    create: Create
    story: tuple[Told | Command | Input, ...]
    expected: Meaning
    #: Other ends that are right, where the provider contradicts itself: what is told first holds.
    otherwise: tuple[Meaning, ...] = ()

    @property
    def ends(self) -> tuple[Meaning, ...]:
        """Every right end."""
        return (self.expected, *self.otherwise)

    @property
    def told(self) -> tuple[Told, ...]:
        """What the provider said."""
        return tuple(step for step in self.story if isinstance(step, Told))

    @property
    def asked(self) -> tuple[Input, ...]:
        """The records of the commands after the create."""
        return tuple(_record(step) for step in self.story if not isinstance(step, Told))

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Every record, in the order in which it happened."""
        return (received(self.create), *(_record(step) for step in self.story))

    def orders(self, random: Random) -> Iterator[tuple[Told, ...]]:
        """Every order of what was told, or a sample where there are too many."""
        if len(self.told) <= _ALL_PERMUTATIONS:
            yield from permutations(self.told)
            return
        for _ in range(_SAMPLE):
            yield tuple(random.sample(self.told, len(self.told)))


def answered(history: History) -> History:
    """The same history with its create acknowledged, where the story does not say how it ended."""
    told = [told.body for told in history.told]
    if any(isinstance(body, CallResult) and body.operation == "create" for body in told):
        return history
    if not history.story:
        return history  # nothing at all is heard
    return replace(history, story=(Told(acknowledged(), needs="create"), *history.story))


def seeded_random() -> Random:
    """Return the same choices in every run."""
    return Random(20_260_101)  # noqa: S311 - it picks test cases, no secrets


def _record(step: Told | Command | Input) -> Input:
    if isinstance(step, Input):
        return step
    return received(step.body if isinstance(step, Told) else step)


def live_through(history: History, order: Sequence[Told], random: Random) -> Replay:
    """Replay a history that could really happen: what was told arrives in this order.

    The create comes anywhere among it, each command anywhere in its turn; what only a call of
    ours can have brought about waits for that call. Some of what was taken in comes again.
    """
    replay = Replay()
    commands = [received(history.create), *history.asked]
    waiting: list[Told] = []
    for told in (*order, None):
        while commands and (told is None or random.random() < 1 / (len(order) + 1)):
            if not _accepted(replay, commands[0], waiting):
                break
            commands.pop(0)
        if told is not None:
            waiting.append(told)
        _deliver_possible(replay, waiting)
        if replay.payment is not None and replay.taken_in and random.random() < 0.3:
            replay.deliver_again(random.choice(replay.taken_in))
    while commands and _accepted(replay, commands[0], waiting):
        commands.pop(0)
    return replay


def _accepted(replay: Replay, command: Input, waiting: list[Told]) -> bool:
    accepted = replay.deliver(command).outcome is Outcome.APPLIED
    if accepted:
        _deliver_possible(replay, waiting)
    return accepted


def _deliver_possible(replay: Replay, waiting: list[Told]) -> None:
    """Deliver what can have been said by now, and what that makes possible in turn."""
    while possible := [told for told in waiting if told.is_possible(replay.calls)]:
        for told in possible:
            waiting.remove(told)
            replay.deliver(received(told.body))
