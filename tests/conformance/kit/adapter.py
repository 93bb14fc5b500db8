"""What the kit needs to know of a provider, and to be able to do there. One subclass each."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Self

from domain.inputs import Fact
from ports.provider import ProviderClient, Translator, WebhookReader
from tests.conformance.kit.receiver import Receiver
from tests.simulator.harness import DEADLINE_S

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Tokens:
    """Payment methods: one that pays, one that is declined, one whose customer is asked first."""

    good: str
    declined: str
    customer: str


@dataclass(frozen=True, slots=True)
class Objects:
    """The provider's own IDs of all payments and refunds there are."""

    payments: tuple[str, ...]
    refunds: tuple[str, ...]


class Adapter(ABC):
    """A provider's adapter; as an instance, with its simulator running."""

    name: ClassVar[str]
    tokens: ClassVar[Tokens]
    #: Two signing secrets; the simulator signs with the first.
    secrets: ClassVar[tuple[str, str]]
    #: The facts whose webhooks carry our payment ID, where we asked for what they tell.
    carries_our_id: ClassVar[frozenset[type[Fact]]]
    #: Every status of the provider's that has a meaning here.
    statuses: ClassVar[frozenset[str]]
    receiver: Receiver
    address: str

    @classmethod
    @abstractmethod
    def reader(cls, *secrets: str) -> WebhookReader:
        """A webhook reader with these signing secrets, tolerating 300 s."""

    @classmethod
    @abstractmethod
    def translator(cls) -> Translator:
        """A translator of the events of the simulator's account."""

    @classmethod
    @abstractmethod
    def signed(cls, body: bytes, secret: str, age_s: int = 0) -> dict[str, str]:
        """The headers that come with a body; a negative age is in the future."""

    @classmethod
    @abstractmethod
    def payment_event(cls, event_id: str = "event-1", payment_id: str | None = None) -> bytes:
        """The event of a payment that succeeded, with our payment ID where one is given."""

    @classmethod
    @abstractmethod
    def foreign(cls, body: bytes) -> Mapping[str, bytes]:
        """The same event, of another account and of the other mode."""

    @classmethod
    @abstractmethod
    def with_status(cls, body: bytes, status: str) -> bytes:
        """The same event about an object in another status."""

    @classmethod
    @abstractmethod
    def of_another_kind(cls, body: bytes) -> bytes:
        """The same event under the name of a kind that the provider has not yet."""

    @classmethod
    @abstractmethod
    def running(cls) -> AbstractContextManager[Self]:
        """The simulator, with a receiver for its webhooks."""

    @abstractmethod
    def client(
        self, address: str | None = None, api_key: str | None = None, timeout_s: float = 20.0
    ) -> ProviderClient:
        """A client of the simulator, or of another address, or with another key."""

    @abstractmethod
    def objects(self) -> Objects:
        """What there is at the provider."""

    @abstractmethod
    def undelivered(self) -> int:
        """Webhooks under way."""

    @abstractmethod
    def reset(self) -> None:
        """The provider forgets everything, and has no faults."""

    @abstractmethod
    def customer(self, object_id: str, *, passes: bool) -> None:
        """The customer does what was asked, or fails to."""

    @abstractmethod
    def refund_elsewhere(self, object_id: str, amount: int) -> None:
        """Somebody gives money back without us; ``amount`` in cents."""

    @abstractmethod
    def bounce(self, refund: str) -> None:
        """A refund that succeeded comes back. ``refund`` is the provider's ID."""

    @abstractmethod
    def dispute(self, object_id: str) -> str:
        """The card's owner wants the money back; the provider's ID of the dispute."""

    @abstractmethod
    def decide(self, dispute: str, *, won: bool) -> None:
        """The bank decides."""

    @abstractmethod
    def be_unreachable(self) -> None:
        """From now on calls are lost on their way there."""

    @abstractmethod
    def lose_answers(self) -> None:
        """From now on calls are carried out, and their answers lost."""

    @abstractmethod
    def mend(self) -> None:
        """No faults any more."""

    def begin_anew(self) -> None:
        """Nothing is left of another test."""
        self.settle()
        self.reset()
        self.receiver.forget()

    def settle(self) -> None:
        """Returns once every webhook was delivered."""
        deadline = time.monotonic() + DEADLINE_S
        while self.undelivered():
            assert time.monotonic() < deadline, "webhooks are still under way"
            time.sleep(_POLL_S)  # between two looks at one condition

    def facts(self) -> list[Fact]:
        """The facts of all webhooks so far, in order of arrival; each had a valid signature."""
        reader = self.reader(*self.secrets)
        facts = []
        for delivery in list(self.receiver.deliveries):
            webhook = reader.verify(delivery.body, delivery.headers)
            fact = self.translator().translate(delivery.body).fact
            assert fact.event_id == webhook.event_id
            facts.append(fact)
        return facts

    def wait_for_fact(self, condition: Callable[[Fact], bool]) -> Fact:
        """The first fact for which the condition holds; waits for it."""
        came = self.receiver.wait(lambda _: any(map(condition, self.facts())))
        assert came, f"only {self.facts()}"
        return next(filter(condition, self.facts()))
