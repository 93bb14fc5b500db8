"""The table of faults, and a simulation's only source of randomness.

Each seed draws about half of the faults, each with its own probability: runs with few faults reach
states that runs with all faults never reach. Each seed also favours one fault and one crash point,
in turn, so consecutive seeds cover them all.
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
        name: names it in the simulation.
        most: the highest probability per occasion that a seed can draw.
        meaning: its effect.
    """

    name: str
    most: float
    meaning: str


FAULTS: Final = (
    # a process, at any step of its I/O
    Fault("crash", 0.006, "the process ends there, as with kill -9"),
    Fault("pause", 0.004, "the process is paused briefly"),
    Fault("sleep", 0.002, "it is paused for longer than its session, and wakes as a zombie"),
    Fault("delay", 0.3, "the response is slow"),
    Fault("lost_disk", 0.5, "a restarted worker has lost its tables"),
    # Postgres
    Fault("store_unavailable", 0.02, "a statement fails, nothing is written"),
    Fault("store_answer_lost", 0.03, "the transaction is committed, but the response is lost"),
    Fault("store_outage", 0.25, "Postgres is unreachable for some seconds"),
    Fault("lingering_locks", 0.5, "a dead process' locks stay for a while"),
    # the brokers
    Fault("send_failed", 0.05, "no record is appended"),
    Fault("send_unknown", 0.06, "some records are appended, but the response is lost"),
    Fault("fence_failed", 0.05, "a transactional producer can't be started"),
    Fault("publish_failed", 0.03, "a transaction of payment-state is aborted"),
    Fault("publish_answer_lost", 0.03, "it is committed, but the response is lost"),
    Fault("rebalance", 0.6, "the partitions are reassigned"),
    Fault("ingress_unavailable", 0.05, "the ingress finds no broker"),
    # the provider, on a call
    Fault("refused_connection", 0.2, "the call never arrives"),
    Fault("rate_limited", 0.2, "429"),
    Fault("error_before", 0.2, "500 before execution"),
    Fault("error_after", 0.2, "500 after execution; the key replays it from now on"),
    Fault("no_answer", 0.15, "executed, but there is no response"),
    Fault("reset_after", 0.15, "executed, but the connection breaks"),
    Fault("slow", 0.3, "executed late, perhaps after the caller's time-out"),
    Fault("key_in_use", 0.0, "409: follows, never drawn"),
    Fault("old_key", 0.0, "a call's key may have expired, look it up: follows, never drawn"),
    # the provider, on a webhook
    Fault("duplicated", 0.6, "delivered more than once"),
    Fault("delayed", 0.6, "delivered later than the ones after it"),
    Fault("dropped", 0.6, "never delivered; the list of events has it"),
    Fault("listed_late", 0.0, "the list has it only after later ones: from draws of its own"),
    Fault("not_generated", 0.25, "no event is generated; only the object shows the change"),
    Fault("part_not_generated", 0.0, "a refund's or dispute's is not: from draws of its own"),
    Fault("wrong_signature", 0.1, "a copy signed with another secret"),
    Fault("altered_body", 0.1, "a copy with another amount under the signature of the first"),
    Fault("stale_signature", 0.1, "an old copy is replayed by an attacker"),
    Fault("early", 0.0, "a webhook precedes its call's response: follows, never drawn"),
    # time
    Fault("skewed_clock", 1.0, "every machine's clock is wrong by some seconds"),
    Fault("jumping_clock", 0.3, "a clock is set, forwards or backwards"),
    Fault("outage", 0.7, "all our machines are down for hours, past the lifetime of a key"),
    # clients and third parties
    Fault("twins", 0.15, "a client sends the same request many times at once"),
    Fault("other_body", 0.15, "another body under the same key"),
    Fault("senseless", 0.2, "a command that the state forbids"),
    Fault("stranger", 0.15, "a third party's event names a payment that does not exist yet"),
    Fault("garbage", 0.2, "an undecodable record"),
    Fault("poison", 0.06, "a payment whose rows Postgres rejects"),
)  # fmt: skip
#: Faults of some seeds only, from draws of their own. Other seeds' draws stay as they were.
FAULTS_OF_SOME: Final = (
    Fault("misnamed", 0.0, "an object has another payment's ID, in the events of one change"),
    Fault("wrong_binding", 0.0, "a copy of an event comes as another account's or mode's"),
    Fault("unread_copy", 0.0, "a second endpoint sends the event in a form that is not read"),
)
#: Faults that are not drawn but follow from others.
FOLLOWING: Final = frozenset(fault.name for fault in FAULTS if not fault.most)
#: Up to this many passes, a crash at a point is more likely, so that rare points are covered.
RARE_PASSES: Final = 4
RARE_BOOST: Final = 8.0
#: Faults and probabilities that lead to points which are rarely passed otherwise, by the first
#: part of the point's name; a seed that favours such a point gets them.
LEADING_TO: Final[Mapping[str, Mapping[str, float]]] = {
    "dead_letters": {"garbage": 0.2},
    "park": {"no_answer": 0.15, "slow": 0.3},
    "delete_unrouted": {"no_answer": 0.15, "slow": 0.3},
    "retry_with_new_key": {"refused_connection": 0.7, "outage": 1.0},
    # the first reading of the event list makes many requests, and all must succeed
    "write_cursor": dict.fromkeys(
        ("delay", "refused_connection", "rate_limited", "error_before", "no_answer", "slow"), 0.0
    ),
}
#: The probability of a crash at the favoured point, and the most such crashes.
FAVOUR: Final = 0.3
FAVOURS: Final = 2


class Chance:
    """All random draws of one simulation."""

    def __init__(self, seed: int) -> None:
        self.random: Final = random.Random(seed)  # noqa: S311  # seeded on purpose
        self.favoured: Final = POINTS[seed % len(POINTS)]
        drawn = [fault.name for fault in FAULTS if fault.most]
        leading = LEADING_TO.get(self.favoured.partition(".")[0], {})
        always = drawn[seed % len(drawn)]
        self.rates = {f.name: self._rate(f, has_it=f.name == always) for f in FAULTS}
        self.rates.update(leading)
        #: Whether an outage is longer than an idempotency key's lifetime.
        self.is_outage_long: Final = leading.get("outage") == 1.0
        self.met: Final[Counter[str]] = Counter()
        self.crashed_at: Final[Counter[str]] = Counter()
        #: The longest delay of a slow response, in seconds.
        self.longest_delay_s: Final = self.random.choice((0.05, 0.3, 1.5))
        self._passed = dict.fromkeys(POINTS, 0)
        self.is_healed = False

    def _rate(self, fault: Fault, *, has_it: bool) -> float:
        """Draws the seed's probability of a fault; the highest if the seed favours it."""
        draws_it = self.random.random() < 0.5
        rate = fault.most * self.random.uniform(0.2, 1.0)
        if has_it:
            return fault.most
        return rate if draws_it else 0.0

    def happens(self, fault: str) -> bool:
        """Draws whether this fault happens now, and counts it."""
        rate = self.rates[fault]
        if rate and self.random.random() < rate:
            self.met[fault] += 1
            return True
        return False

    def at(self, point: str, trouble: float = 1.0) -> str | None:
        """Draws a process's fault at a step of I/O: crash, pause, sleep, delay or None.

        ``trouble`` multiplies the probability of pauses and sleeps.
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
        """Switches all faults off."""
        self.is_healed = True
        self.rates = dict.fromkeys(self.rates, 0.0)

    def between(self, low: float, high: float) -> float:
        """A number from low to high."""
        return self.random.uniform(low, high)

    def one_in(self, number: int) -> bool:
        """True with probability 1/``number``; for choices that are not faults."""
        return self.random.random() * number < 1.0

    def choice(self, options: "list[T] | tuple[T, ...]") -> T:
        """One of the options."""
        return self.random.choice(options)
