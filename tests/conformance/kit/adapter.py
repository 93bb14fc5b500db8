"""What the kit needs from a provider: one subclass per provider."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from domain.inputs import Fact
from ports.provider import ProviderClient, Translator, WebhookReader
from ports.rate_budget import UNLIMITED, RequestBudget
from tests.conformance.kit.receiver import Receiver
from tests.simulator.harness import DEADLINE_S

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Tokens:
    """Payment methods: one that succeeds, one that is declined, one whose customer must act."""

    good: str
    declined: str
    customer: str


@dataclass(frozen=True, slots=True)
class Objects:
    """The provider's IDs of all its payments and refunds."""

    payments: tuple[str, ...]
    refunds: tuple[str, ...]


class Adapter(ABC):
    """A provider's adapter; an instance has a running simulator."""

    name: ClassVar[str]
    tokens: ClassVar[Tokens]
    #: Two signing secrets; the simulator signs with the first.
    secrets: ClassVar[tuple[str, str]]
    #: The facts whose webhooks carry our payment ID, if one of our calls caused them.
    carries_our_id: ClassVar[frozenset[type[Fact]]]
    #: Every status of the provider that the adapter maps.
    statuses: ClassVar[frozenset[str]]
    receiver: Receiver
    address: str

    @classmethod
    @abstractmethod
    def reader(cls, *secrets: str) -> WebhookReader:
        """A webhook reader with these signing secrets and a tolerance of 300 s."""

    @classmethod
    @abstractmethod
    def translator(cls) -> Translator:
        """A translator of the events of the simulator's account."""

    @classmethod
    @abstractmethod
    def signed(cls, body: bytes, secret: str, age_s: int = 0) -> dict[str, str]:
        """The headers of a signed body; a negative age is in the future."""

    @classmethod
    @abstractmethod
    def payment_event(cls, event_id: str = "event-1", payment_id: str | None = None) -> bytes:
        """The event of a payment that succeeded, with our payment ID if one is given."""

    @classmethod
    @abstractmethod
    def foreign(cls, body: bytes) -> Mapping[str, bytes]:
        """The same event from another account, and from the other mode."""

    @classmethod
    @abstractmethod
    def with_status(cls, body: bytes, status: str) -> bytes:
        """The same event about an object in another status."""

    @classmethod
    @abstractmethod
    def with_amount(cls, body: bytes, amount: Any) -> bytes:
        """The same event about an object with this in place of its amount."""

    @classmethod
    @abstractmethod
    def of_another_kind(cls, body: bytes) -> bytes:
        """The same event, with the name of a kind that does not exist yet."""

    @classmethod
    @abstractmethod
    def running(cls) -> AbstractContextManager[Self]:
        """Runs the simulator, with a receiver for its webhooks."""

    @abstractmethod
    def client(
        self,
        address: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 20.0,
        budget: RequestBudget = UNLIMITED,
    ) -> ProviderClient:
        """A client of the simulator, or of another address or with another key."""

    @abstractmethod
    def objects(self) -> Objects:
        """The payments and refunds at the provider."""

    @abstractmethod
    def undelivered(self) -> int:
        """The number of webhooks that are not delivered yet."""

    @abstractmethod
    def reset(self) -> None:
        """Deletes everything at the provider, and its faults."""

    @abstractmethod
    def customer(self, object_id: str, *, passes: bool) -> None:
        """The customer passes or fails the requested action."""

    @abstractmethod
    def refund_elsewhere(self, object_id: str, amount: int) -> None:
        """Makes a refund at the provider that we did not request; ``amount`` is in cents."""

    @abstractmethod
    def capture_elsewhere(self, object_id: str, amount: int) -> None:
        """Captures an amount, in cents, that may be more than is authorized."""

    @abstractmethod
    def bounce(self, refund: str) -> None:
        """Makes a refund that succeeded fail. ``refund`` is the provider's ID."""

    @abstractmethod
    def dispute(self, object_id: str) -> str:
        """Opens a dispute. Returns the provider's ID of it."""

    @abstractmethod
    def decide(self, dispute: str, *, won: bool) -> None:
        """Closes a dispute."""

    @abstractmethod
    def become_unreachable(self) -> None:
        """From now on the provider receives no calls."""

    @abstractmethod
    def lose_responses(self) -> None:
        """From now on calls take effect, and their responses are lost."""

    @abstractmethod
    def clear_faults(self) -> None:
        """Ends all faults."""

    def start_fresh(self) -> None:
        """Resets the simulator and the receiver."""
        self.settle()
        self.reset()
        self.receiver.clear()

    def settle(self) -> None:
        """Waits until every webhook was delivered."""
        deadline = time.monotonic() + DEADLINE_S
        while self.undelivered():
            assert time.monotonic() < deadline, "webhooks are still undelivered"
            time.sleep(_POLL_S)  # between two polls

    def facts(self) -> list[Fact]:
        """The facts of all webhooks so far, in order of arrival, after checking signatures."""
        reader = self.reader(*self.secrets)
        facts = []
        for delivery in list(self.receiver.deliveries):
            webhook = reader.verify(delivery.body, delivery.headers)
            fact = self.translator().translate(delivery.body).fact
            assert fact.event_id == webhook.event_id
            facts.append(fact)
        return facts

    def wait_for_fact(self, condition: Callable[[Fact], bool]) -> Fact:
        """Waits for the first fact that meets the condition, and returns it."""
        found = self.receiver.wait(lambda _: any(map(condition, self.facts())))
        assert found, f"only {self.facts()}"
        return next(filter(condition, self.facts()))
