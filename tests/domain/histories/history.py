"""A provider's history of one payment, and the orders in which it may reach us."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from math import factorial
from random import Random

from domain.inputs import (
    CallResult,
    Command,
    Create,
    DisputeFact,
    FraudWarningFact,
    Input,
    PaymentFact,
    RefundFact,
    Unmodelled,
)
from domain.status import Outcome
from tests.domain.histories.builders import acknowledged, key, received
from tests.domain.histories.replay import Replay
from tests.oracle import Meaning
from tests.support.properties import ORDERS_MAX


@dataclass(frozen=True)
class Reported:
    """A fact or a result, and the call without which it can't exist."""

    body: PaymentFact | RefundFact | DisputeFact | FraudWarningFact | Unmodelled | CallResult
    needs: str = ""

    def is_possible(self, calls: Sequence[str]) -> bool:
        """Whether the provider can have reported this, given the calls it received."""
        return not self.needs or key(self.needs) in calls


@dataclass(frozen=True)
class History:
    """The commands and reports of one payment in the order they happened, and the expected end.

    Commands arrive in this order. Each is repeated until it is accepted or never can be. Reports
    arrive in any order.
    """

    name: str
    create: Create
    story: tuple[Reported | Command | Input, ...]
    expected: Meaning
    #: Other correct ends, for histories whose end depends on the order.
    otherwise: tuple[Meaning, ...] = ()

    @property
    def ends(self) -> tuple[Meaning, ...]:
        """Every correct end."""
        return (self.expected, *self.otherwise)

    @property
    def reported(self) -> tuple[Reported, ...]:
        """What the provider reported."""
        return tuple(step for step in self.story if isinstance(step, Reported))

    @property
    def commands(self) -> tuple[Input, ...]:
        """The commands after the create."""
        return tuple(_record(step) for step in self.story if not isinstance(step, Reported))

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Every input, in the order in which it happened."""
        return (received(self.create), *(_record(step) for step in self.story))

    def orders(self, random: Random) -> Iterator[tuple[Reported, ...]]:
        """Every order of the reports, or a sample of many. The model checker tries all."""
        if factorial(len(self.reported)) <= ORDERS_MAX:
            yield from permutations(self.reported)
            return
        for _ in range(ORDERS_MAX):
            yield tuple(random.sample(self.reported, len(self.reported)))


def with_create_result(history: History) -> History:
    """The same history with its create acknowledged, unless the story has the create's result."""
    reported = [reported.body for reported in history.reported]
    if any(isinstance(body, CallResult) and body.operation == "create" for body in reported):
        return history
    if not history.story:
        return history  # nothing is reported
    return replace(history, story=(Reported(acknowledged(), needs="create"), *history.story))


def seeded_random() -> Random:
    """Return a generator that makes the same choices in every run."""
    return Random(20_260_101)  # noqa: S311 - it picks test cases, no secrets


def _record(step: Reported | Command | Input) -> Input:
    if isinstance(step, Input):
        return step
    return received(step.body if isinstance(step, Reported) else step)


def replay_in_order(history: History, order: Sequence[Reported], random: Random) -> Replay:
    """Replay a history as it can really happen, with the reports in this order.

    The create arrives at a random place among them, and so do the commands, in their own order. A
    report that needs a call waits for that call. Some accepted inputs arrive again.
    """
    replay = Replay()
    commands = [received(history.create), *history.commands]
    waiting: list[Reported] = []
    for reported in (*order, None):
        while commands and (reported is None or random.random() < 1 / (len(order) + 1)):
            if not _accepted(replay, commands[0], waiting):
                break
            commands.pop(0)
        if reported is not None:
            waiting.append(reported)
        _deliver_possible(replay, waiting)
        if replay.payment is not None and replay.accepted and random.random() < 0.3:
            replay.deliver_again(random.choice(replay.accepted))
    while commands and _accepted(replay, commands[0], waiting):
        commands.pop(0)
    return replay


def _accepted(replay: Replay, command: Input, waiting: list[Reported]) -> bool:
    accepted = replay.deliver(command).outcome is Outcome.APPLIED
    if accepted:
        _deliver_possible(replay, waiting)
    return accepted


def _deliver_possible(replay: Replay, waiting: list[Reported]) -> None:
    """Deliver the reports that are possible now, then those that these make possible."""
    while possible := [reported for reported in waiting if reported.is_possible(replay.calls)]:
        for reported in possible:
            waiting.remove(reported)
            replay.deliver(received(reported.body))
