"""Delivers the provider's webhooks late, twice, out of order or not at all, and forged ones."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.simulation.clock import SkewedClock
from tests.simulation.faults import Chance
from tests.simulation.outside.provider import Happened
from tests.simulation.outside.second_endpoint import SecondEndpoint
from tests.simulation.outside.wrong_bindings import WrongBindings
from tests.simulation.process import surface
from tests.simulation.programs.ingress import NoResponseError
from tests.simulation.trace import Trace

_ANOTHER_SECRET: Final = "whsec_somebody_elses"  # noqa: S105  # made up
#: Seconds between the provider's tries, until it gives up; they soon grow long, like Stripe's.
RETRIES_S: Final = (1.0, 4.0, 15.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0)
#: A run waits for deliveries due within this; the reconciler finds later ones in the event list.
SOON_S: Final = 15.0
#: Replaces the event ID in a forged body, so that an accepted forgery can be found.
FORGED: Final = "evt_forged"
_TOO_OLD_S: Final = 1_000

#: Posts a body with its signature header and event ID to the endpoint of an account, by its name;
#: returns the status. Raises NoResponseError.
Post = Callable[[bytes, str, str, str], Awaitable[int]]


class WebhookDelivery:
    """Delivers events. ``in_flight`` counts the genuine deliveries that are due soon."""

    def __init__(
        self,
        chance: Chance,
        trace: Trace,
        clock: Callable[[], SkewedClock],
        post: Post,
        second: SecondEndpoint,
        wrong: WrongBindings,
    ) -> None:
        self._chance = chance
        self._trace = trace
        self._clock = clock
        self._post = post
        self._second = second
        self._wrong = wrong
        self._tasks: set[asyncio.Task[None]] = set()
        self._forgeries = 0
        self.in_flight = 0
        self.accepted_forgeries: Final[list[str]] = []

    def deliver(self, event: Happened, is_unanswered: Callable[[str], bool]) -> None:
        """Plans the deliveries of one event."""
        happens, between = self._chance.happens, self._chance.between
        if not happens("dropped"):
            copies = self._chance.random.randint(2, 4) if happens("duplicated") else 1
            for _ in range(copies):
                wait = between(0.5, 12.0) if happens("delayed") else between(0.005, 0.1)
                self._start(self._deliver(event, wait, is_unanswered))
            for copy, wait in self._second.copies(event):
                self._start(self._deliver(copy, wait, is_unanswered))
        for copy, wait in self._wrong.copies(event):
            self._start(self._deliver(copy, wait, lambda _: False))
        body = event.body.encode()
        if happens("wrong_signature"):
            forged = self._forged(event)
            signature = signature_header(forged, _ANOTHER_SECRET, self._now())
            self._start(self._forge(event, forged, signature))
        if happens("altered_body"):
            self._start(self._forge(event, self._forged(event), self._signed(event, body)))
        if happens("stale_signature"):
            forged = self._forged(event)
            then = self._now() - _TOO_OLD_S
            signature = signature_header(forged, event.owner.secret, then)
            self._start(self._forge(event, forged, signature))

    def send(self, event_id: str, body: bytes) -> None:
        """Delivers an arbitrary body with a valid signature."""
        event = Happened(event_id, "", body.decode(), None)
        self._start(self._deliver(event, 0.0, lambda _: False))

    def _start(self, delivery: Awaitable[None]) -> None:
        task = asyncio.ensure_future(delivery)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(surface)

    def _now(self) -> int:
        return int(self._clock().seconds())

    def _signed(self, event: Happened, body: bytes) -> str:
        return signature_header(body, event.owner.secret, self._now())

    def _forged(self, event: Happened) -> bytes:
        self._forgeries += 1
        return event.body.replace(event.event_id, f"{FORGED}_{self._forgeries}").encode()

    async def _deliver(
        self, event: Happened, wait: float, is_unanswered: Callable[[str], bool]
    ) -> None:
        body = event.body.encode()
        for pause in RETRIES_S:
            soon = wait <= SOON_S
            self.in_flight += soon
            await asyncio.sleep(wait)
            if event.call is not None and is_unanswered(event.call):
                self._chance.met["early"] += 1
            try:
                status = await self._post(
                    body, self._signed(event, body), event.known_as, event.owner.endpoint
                )
            except NoResponseError:
                wait = pause
            else:
                self._trace.note("delivered", event.event_id, f"{event.kind} {status}")
                return
            finally:
                self.in_flight -= soon

    async def _forge(self, event: Happened, body: bytes, signature: str) -> None:
        try:
            status = await self._post(body, signature, FORGED, event.owner.endpoint)
        except NoResponseError:
            return
        if status != 400:
            self.accepted_forgeries.append(
                f"a forged webhook got the status {status}: {body[:80]!r}"
            )
