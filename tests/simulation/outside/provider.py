"""The Stripe simulator's objects without HTTP, with every failure of a call."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import stripe
from pydantic import SecretStr

from providers.stripe.translate import LISTED_TYPES
from providers.stripe.webhooks import scoped
from sandbox.stripe_simulator.api.expand import expand
from sandbox.stripe_simulator.api.forms import decode_form
from sandbox.stripe_simulator.api.idempotency import IdempotencyKeys, StoredResponse, Use
from sandbox.stripe_simulator.api.operations import OPERATIONS, Operation
from sandbox.stripe_simulator.chance import Chance as Derived
from sandbox.stripe_simulator.clock import Clock
from sandbox.stripe_simulator.errors import ApiError, RateLimitError, ServerError
from sandbox.stripe_simulator.events import Cause
from sandbox.stripe_simulator.faults import Faults, FaultSwitch
from sandbox.stripe_simulator.params import Params
from sandbox.stripe_simulator.rendering import of_account
from sandbox.stripe_simulator.settings import SimulatorSettings
from sandbox.stripe_simulator.storage.store import Store, decode, encode
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.timers import Timers
from sandbox.stripe_simulator.world import Call, World
from tests.simulation.clock import SkewedClock
from tests.simulation.faults import Chance
from tests.simulation.outside.journal import (
    RenderingJournal,
    lateness_of,
    lost_parts_of,
    misnaming_of,
    versions_of,
)
from tests.simulation.outside.owners import STRIPE, Owner
from tests.simulation.trace import Trace

_SETTINGS: Final = SimulatorSettings(api_key=SecretStr(STRIPE.api_key))
_BROKEN: Final = "An unknown error occurred."
_ROUTES: Final = {(o.method, tuple(o.path.split("/"))): o for o in OPERATIONS}


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """The response to a call."""

    status: int
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Execution:
    """An executed write: its idempotency key, and how often it was executed as a new key."""

    operation: str
    key: str
    generation: int
    status: int


@dataclass(frozen=True, slots=True)
class Happened:
    """A provider's event, ready for delivery; ``call`` is the idempotency key it echoes."""

    event_id: str
    kind: str
    body: str
    call: str | None
    #: The account whose event it is, or claims to be.
    owner: Owner = STRIPE

    @property
    def known_as(self) -> str:
        """Its ID at the service."""
        return scoped(self.owner.name, self.event_id)


class Provider:
    """One Stripe account. ``deliver`` is called with every event after its cause is committed."""

    def __init__(
        self,
        seed: int,
        chance: Chance,
        trace: Trace,
        deliver: Callable[[Happened], None],
        clock: SkewedClock,
        owner: Owner = STRIPE,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.clock: Final = clock
        self.owner: Final = owner
        self._chance = chance
        self._trace = trace
        self._deliver = deliver
        store = Store(None, is_live=owner.account.is_live)
        derived = Derived(str(seed) if owner is STRIPE else f"{seed} {owner.name}")
        time = Clock(wall=self.clock.seconds)
        settings = _SETTINGS.model_copy(update={"settlement_delay_s": chance.between(0.5, 8.0)})
        self.versions: Final = versions_of(seed)
        self._journal = journal = RenderingJournal(
            store, time, derived, chance, self.versions, lateness_of(seed), lost_parts_of(seed),
            misnaming_of(seed),
        )  # fmt: skip
        self.world: Final = World(
            settings, owner.configured, store, time, derived, FaultSwitch(Faults()), journal
        )
        self._keys = IdempotencyKeys(store, time, settings.idempotency_key_age_s)
        self._timers = Timers([self.world], lambda *_: None)
        self._delivered_seq = 0
        self._acts = 0
        self.executions: Final[list[Execution]] = []
        #: Keys of unanswered calls.
        self.unanswered: Final[set[str]] = set()

    def close(self) -> None:
        """Closes the store."""
        self.world.store.close()

    def know_payments(self, payment_ids: Sequence[str]) -> None:
        """Lets others who use the account know the IDs of our payments."""
        self._journal.payment_ids = payment_ids

    def suppress_creation_events(self, payment_id: str) -> None:
        """Suppresses the events of this payment's creation."""
        self._journal.suppressed.add(payment_id)

    def list_late_events(self) -> None:
        """Lists the events that were not listed yet."""
        with self.world.store.transaction():
            self._journal.list_late()

    def listed_events(self) -> set[str]:
        """The IDs of the events that the list has in time, of the types that are asked for.

        What it has only after the faults is nowhere else, and is found by looking its call up.
        """
        rows = self.world.store.rows(
            "select id, type from events where listed_from > 0 and listed_in is not null"
        )
        return {scoped(self.owner.name, e) for e, event_type in rows if event_type in LISTED_TYPES}

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: str | None
    ) -> ApiResponse:
        """Executes one call in its own task. Raises stripe.APIConnectionError."""
        happens = self._chance.happens
        parts = urlsplit(url)
        operation, object_id = _route(method, parts.path)
        key = headers.get("Idempotency-Key", "") if method == "POST" else ""
        self.unanswered.add(key)
        try:
            if happens("refused_connection"):
                raise stripe.APIConnectionError("connection refused")  # type: ignore[no-untyped-call]  # has no annotations
            await asyncio.sleep(self._chance.between(0.005, 0.1))
            if happens("rate_limited"):
                return self.refusal(RateLimitError())
            if happens("error_before"):
                return self.refusal(ServerError(_BROKEN))
            form = body or "" if method == "POST" else parts.query
            response = await self._once(operation, parts.path, object_id, key, form)
            if happens("no_answer"):
                await asyncio.sleep(3600)
            if happens("reset_after"):
                raise stripe.APIConnectionError("connection reset by peer")  # type: ignore[no-untyped-call]  # as above
            await asyncio.sleep(self._chance.between(0.0, 0.2))
            return response
        finally:
            self.unanswered.discard(key)

    async def _once(
        self, operation: Operation, path: str, object_id: str, key: str, form: str
    ) -> ApiResponse:
        slow = self._chance.between(0.5, 40.0) if self._chance.happens("slow") else 0.0
        on_its_way = self._chance.one_in(2)
        await asyncio.sleep(slow if on_its_way else 0.0)
        try:
            values = decode_form(form)
            if operation.method == "GET":
                call = self._call(operation, object_id, values, Cause("read"))
                return self._respond(200, encode(operation.run(self.world, call)))
            found = self._keys.look_up(key, path, values)
            if isinstance(found, StoredResponse):
                return self._respond(found.status, found.body, {"Idempotent-Replayed": "true"})
            with self._keys.in_use(found):
                await asyncio.sleep(self._chance.between(0.0, 0.1) if on_its_way else slow)
                return self._execute(operation, object_id, values, found)
        except ApiError as error:
            if error.status == 409:
                self._chance.met["key_in_use"] += 1
            return self.refusal(error)
        finally:
            self._after_change()

    def _execute(
        self, operation: Operation, object_id: str, values: JsonObject, use: Use
    ) -> ApiResponse:
        request_id = self.world.chance.object_id("req_", use.key, use.generation, length=14)
        cause = Cause(f"POST {use.key}#{use.generation}", request_id, use.key)
        call = self._call(operation, object_id, values, cause)
        status = 200
        with self.world.store.transaction():
            try:
                body = encode(expand(self.world.store, operation.run(self.world, call), ()))
            except ApiError as error:
                if not error.stored:
                    raise
                status, body = error.status, encode(error.body())
            self.executions.append(Execution(operation.name, use.key, use.generation, status))
            self._trace.note("executed", use.key, f"{operation.name} {status}")
            if self._chance.happens("error_after"):
                status, body = 500, encode(ServerError(_BROKEN).body())
            self._keys.keep(use, status, body, request_id)
        return self._respond(status, body)

    def _call(self, operation: Operation, object_id: str, values: JsonObject, cause: Cause) -> Call:
        params, path = Params(values, operation.known), {"id": object_id}
        return Call(params, path, cause, self.owner.is_connected)

    def act(self, what: Callable[[World, Cause], object]) -> None:
        """Applies a change without a call, such as a customer's or a bank's."""
        self._acts += 1
        try:
            with self.world.store.transaction():
                what(self.world, Cause(f"act {self._acts}", api_version=self.versions.account))
        finally:
            self._after_change()

    def _after_change(self) -> None:
        """Delivers new events, and sets a timer for the next scheduled change."""
        rows = self.world.store.rows(
            "select seq, id, type, body, idempotency_key from webhooks where seq > ? order by seq",
            (self._delivered_seq,),
        )
        for seq, event_id, kind, body, call in rows:
            self._delivered_seq = seq
            self._deliver(Happened(event_id, kind, self._as_sent(body), call, self.owner))
        due = self.world.store.row("select min(due) from timers")[0]
        if due is not None:
            wait = max(0.0, due - self.clock.seconds()) + 0.001
            self._loop.call_later(wait, self._fire)

    def _as_sent(self, body: str) -> str:
        """An event as the endpoint gets it: a platform's names the connected account."""
        named = self.owner.connected
        return body if named is None else encode(of_account(decode(body), named))

    def _fire(self) -> None:
        if self._timers.advance(0.0):
            self._after_change()

    def _respond(
        self, status: int, body: str, more: Mapping[str, str] | None = None
    ) -> ApiResponse:
        return ApiResponse(status, body, {"Date": self.world.clock.http_date(), **(more or {})})

    def refusal(self, error: ApiError) -> ApiResponse:
        """The response with an error."""
        return self._respond(error.status, encode(error.body()), error.headers)


def _route(method: str, path: str) -> tuple[Operation, str]:
    parts = path.split("/")
    exact = _ROUTES.get((method, tuple(parts)))
    if exact is not None:
        return exact, ""
    object_id, parts[3] = parts[3], "{id}"
    return _ROUTES[method, tuple(parts)], object_id
