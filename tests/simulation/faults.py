"""What may go wrong, as a table, and the one source of chance of a simulation.

Each seed has about half of the faults, each with a probability of its own: a run with few faults
goes deep where a run with all of them never gets to. And each has one fault, and one point to crash
at, that it favours: so many seeds in a row as there are of them meet them all.
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from tests.simulation.points import POINTS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Args:
        name: how the rest of the simulation asks for it.
        most: the highest probability per occasion that a seed can draw.
        meaning: what happens.
    """

    name: str
    most: float
    meaning: str


FAULTS: Final = (
    # a process, at any step of its I/O
    Fault("crash", 0.006, "the process ends there, as with kill -9"),
    Fault("pause", 0.004, "the process stands still for a moment"),
    Fault("sleep", 0.002, "it stands still for longer than its session, and wakes as a zombie"),
    Fault("delay", 0.3, "the answer takes its time"),
    Fault("lost_disk", 0.5, "a restarted worker finds nothing of its tables"),
    # Postgres
    Fault("store_unavailable", 0.02, "a statement fails, nothing is written"),
    Fault("store_answer_lost", 0.03, "the transaction is committed, and nobody is told"),
    Fault("store_outage", 0.25, "nothing can be asked for some seconds"),
    Fault("lingering_locks", 0.5, "the locks of a dead process are held for a while"),
    # the brokers
    Fault("send_failed", 0.05, "records are not taken"),
    Fault("send_unknown", 0.06, "some records are taken, and nobody is told"),
    Fault("fence_failed", 0.05, "a transactional producer can't be started"),
    Fault("publish_failed", 0.03, "a transaction of payment-state is aborted"),
    Fault("publish_answer_lost", 0.03, "it is committed, and nobody is told"),
    Fault("rebalance", 0.6, "the partitions are dealt anew"),
    Fault("ingress_unavailable", 0.05, "the ingress finds no broker"),
    # the provider, on a call
    Fault("refused_connection", 0.2, "the call never arrives"),
    Fault("rate_limited", 0.2, "429"),
    Fault("error_before", 0.2, "500, and nothing was done"),
    Fault("error_after", 0.2, "500, and it was done; the key gives the same answer from now on"),
    Fault("no_answer", 0.15, "it was done, and no answer ever comes"),
    Fault("reset_after", 0.15, "it was done, and the connection breaks"),
    Fault("slow", 0.3, "the call is carried out late, perhaps when nobody waits any more"),
    Fault("key_in_use", 0.0, "409: met, never drawn"),
    Fault("old_key", 0.0, "a call has to be looked up, its key may be forgotten: met, never drawn"),
    # the provider, on a webhook
    Fault("duplicated", 0.6, "delivered more than once"),
    Fault("delayed", 0.6, "delivered later than the ones after it"),
    Fault("dropped", 0.6, "never delivered; the list of events has it"),
    Fault("not_generated", 0.25, "there never was an event; only the object tells"),
    Fault("wrong_signature", 0.1, "a copy signed with another secret"),
    Fault("altered_body", 0.1, "a copy with another amount under the signature of the first"),
    Fault("stale_signature", 0.1, "an old copy of it is sent again by somebody else"),
    Fault("early", 0.0, "a webhook came before its call was answered: met, never drawn"),
    # time
    Fault("skewed_clock", 1.0, "every machine's clock is wrong by some seconds"),
    Fault("jumping_clock", 0.3, "a clock is set, forwards or backwards"),
    Fault("night", 0.7, "everything of ours is down for hours, past the life of a key"),
    # clients and strangers
    Fault("twins", 0.15, "a client sends the same request many times at once"),
    Fault("other_body", 0.15, "another body under the same key"),
    Fault("senseless", 0.2, "a command that the state forbids"),
    Fault("stranger", 0.15, "an event of somebody's, which names a payment that isn't here yet"),
    Fault("garbage", 0.2, "a record that nobody can decode"),
    Fault("poison", 0.06, "a payment whose rows Postgres refuses to take"),
)  # fmt: skip
#: Faults that nobody draws: they follow from others.
FOLLOWING: Final = frozenset(fault.name for fault in FAULTS if not fault.most)
#: A point is crashed at more readily when it was seldom passed, so that rare ones are met too.
RARE_PASSES: Final = 4
RARE_BOOST: Final = 8.0
#: What a seed has too, and with which probability, when it favours a point of this name, which is
#: hardly passed without.
LEADING_TO: Final[Mapping[str, Mapping[str, float]]] = {
    "dead_letters": {"garbage": 0.2},
    "park": {"no_answer": 0.15, "slow": 0.3},
    "forget": {"no_answer": 0.15, "slow": 0.3},
    "retry_with_new_key": {"refused_connection": 0.7, "night": 1.0},
}
#: How readily a seed crashes at the point it favours, so many times at most.
FAVOUR: Final = 0.3
FAVOURS: Final = 2


class Chance:
    """Every draw of one simulation, in the order in which things happen."""

    def __init__(self, seed: int) -> None:
        self.random: Final = random.Random(seed)  # noqa: S311  # seeded on purpose
        self.favoured: Final = POINTS[seed % len(POINTS)]
        drawn = [fault.name for fault in FAULTS if fault.most]
        leading = LEADING_TO.get(self.favoured.partition(".")[0], {})
        always = drawn[seed % len(drawn)]
        self.rates = {f.name: self._rate(f, has_it=f.name == always) for f in FAULTS}
        self.rates.update(leading)
        #: Whether a night is longer than a provider's key lives.
        self.is_night_long: Final = leading.get("night") == 1.0
        self.met: Final[Counter[str]] = Counter()
        self.crashed_at: Final[Counter[str]] = Counter()
        #: Seconds that an answer takes at most, when it takes its time.
        self.longest_delay_s: Final = self.random.choice((0.05, 0.3, 1.5))
        self._passed = dict.fromkeys(POINTS, 0)
        self.is_healed = False

    def _rate(self, fault: Fault, *, has_it: bool) -> float:
        """A rate of this seed's own, or the highest where it has to have the fault."""
        draws_it = self.random.random() < 0.5
        rate = fault.most * self.random.uniform(0.2, 1.0)
        if has_it:
            return fault.most
        return rate if draws_it else 0.0

    def happens(self, fault: str) -> bool:
        """Whether this fault happens now; if so it is met."""
        rate = self.rates[fault]
        if rate and self.random.random() < rate:
            self.met[fault] += 1
            return True
        return False

    def at(self, point: str, trouble: float = 1.0) -> str | None:
        """What a process meets at this step of its I/O: crash, pause, sleep, delay or nothing.

        ``trouble`` is how many times more readily than others this process stands still.
        """
        rates = self.rates
        self._passed[point] = passed = self._passed[point] + 1
        drawn = self.random.random()
        if self._favours(point):
            crash = FAVOUR
        else:
            crash = rates["crash"] * (RARE_BOOST if passed <= RARE_PASSES else 1.0)
        if drawn < crash:
            self.met["crash"] += 1
            self.crashed_at[point] += 1
            return "crash"
        drawn -= crash
        for fault, factor in (("pause", trouble), ("sleep", trouble), ("delay", 1.0)):
            rate = rates[fault] * factor
            if drawn < rate:
                self.met[fault] += 1
                return fault
            drawn -= rate
        return None

    def _favours(self, point: str) -> bool:
        favoured = point == self.favoured and not self.is_healed
        return favoured and self.crashed_at[point] < FAVOURS

    def heal(self) -> None:
        """From now on nothing goes wrong any more."""
        self.is_healed = True
        self.rates = dict.fromkeys(self.rates, 0.0)

    def between(self, low: float, high: float) -> float:
        """A number between the two."""
        return self.random.uniform(low, high)

    def one_in(self, number: int) -> bool:
        """True once in so many times. For what is no fault."""
        return self.random.random() * number < 1.0

    def choice(self, options: "list[T] | tuple[T, ...]") -> T:
        """One of them."""
        return self.random.choice(options)
