"""Events: each contains the object at that time, and is planned for delivery at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from stripe import api_version

from sandbox.stripe_simulator.chance import Chance
from sandbox.stripe_simulator.clock import Clock
from sandbox.stripe_simulator.delivery_plan import PlannedDelivery, plan_delivery
from sandbox.stripe_simulator.faults import FaultSwitch
from sandbox.stripe_simulator.lost_events import LostEvents
from sandbox.stripe_simulator.rendering import NO_RELEASE_REFUNDS, is_sent, render
from sandbox.stripe_simulator.storage.endpoints import Endpoints
from sandbox.stripe_simulator.storage.store import Store, encode
from sandbox.stripe_simulator.storage.types import JsonObject

_ACCOUNT_VERSION = "account.api_version"


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of an event.

    Args:
        identity: unique per cause; IDs are derived from it.
        request_id: the API call's ID; None without a call.
        idempotency_key: the API call's key, if any.
        api_version: the version of the API call, or of the account where there was no call.
    """

    identity: str
    request_id: str | None = None
    idempotency_key: str | None = None
    api_version: str = api_version


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery and its due time, in seconds of wall time."""

    delivery_id: int
    at: float


class Journal:
    """Records events and plans their deliveries.

    Call ``take_due`` after the commit to get the deliveries to send.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        chance: Chance,
        faults: FaultSwitch,
        endpoints: Endpoints | None = None,
    ) -> None:
        #: The endpoints that get the events; by default those of the account itself.
        self.endpoints = endpoints or Endpoints(store)
        self._store = store
        self._clock = clock
        self._chance = chance
        self._faults = faults
        self._never_made = LostEvents(store)
        self._due: list[Due] = []

    @property
    def account_version(self) -> str:
        """The account's default API version, in which its list shows what happens now."""
        return self._store.read_note(_ACCOUNT_VERSION) or api_version

    def upgrade_account(self, version: str) -> None:
        """Change the account's default API version; older events keep their form."""
        self._store.write_note(_ACCOUNT_VERSION, version)

    def record(
        self,
        event_type: str,
        body: JsonObject,
        cause: Cause,
        before: JsonObject | None = None,
        version: str | None = None,
    ) -> None:
        """Record an event of an object.

        Args:
            event_type: such as ``payment_intent.succeeded``.
            body: the object as it is now.
            cause: its cause.
            before: the object before the change, for events that list the changes.
            version: of a release, the version of the request, because later ones don't have it.
        """
        object_id = str(body["id"])
        ordinal = self._store.count(f"event:{object_id}:{event_type}")
        identity = (object_id, event_type, ordinal)
        faults = self._faults.current
        if self._chance.happens(faults.generation_failure, "generation_failure", *identity):
            self._store.count("stat:fault.generation_failure")
            return
        if self._never_made.takes(event_type, body):
            return
        data: JsonObject = {"object": body}
        if before is not None:
            data["previous_attributes"] = changed(before, body)
        endpoints = self._receivers(event_type, version)
        event: JsonObject = {
            "id": self._chance.object_id("evt_1", *identity),
            "object": "event",
            "api_version": api_version,
            "created": self._clock.seconds(),
            "data": data,
            "livemode": self._store.is_live,
            "pending_webhooks": len(endpoints),
            "request": {"id": cause.request_id, "idempotency_key": cause.idempotency_key},
            "type": event_type,
        }
        listed_in = self._listed_in(event_type, version)
        listed_from = event["created"] + self._listed_after(identity)
        seq = self._insert_event(event, listed_in, listed_from, {*endpoints.values(), listed_in})
        self._store.count("stat:events")
        for ordinal_of_endpoint, endpoint_id in enumerate(endpoints):
            self._plan(event["id"], seq, endpoint_id, ordinal_of_endpoint)

    def _listed_after(self, identity: tuple[object, ...]) -> int:
        """Seconds after which the list has the event."""
        faults = self._faults.current
        if not self._chance.happens(faults.listed_late, "listed_late", *identity):
            return 0
        self._store.count("stat:fault.listed_late")
        return int(self._chance.between(faults.listed_late_s, "listed_late_s", *identity))

    def plan_resend(self, event_seq: int, endpoint_id: str) -> None:
        """Deliver an event again, without faults."""
        self._insert_delivery(event_seq, endpoint_id, PlannedDelivery("resend"))

    def take_due(self) -> list[Due]:
        """The deliveries planned since the last call."""
        due, self._due = self._due, []
        return due

    def _receivers(self, event_type: str, version: str | None) -> dict[str, str]:
        """The endpoints that an event is sent to, and the version in which each receives it."""
        form = version or api_version
        return {
            each["id"]: each["api_version"]
            for each in self.endpoints.enabled()
            if listens(each["enabled_events"], event_type)
            and is_sent(event_type, form, each["api_version"])
        }

    def _listed_in(self, event_type: str, version: str | None) -> str | None:
        """The version in which the account's list has an event; None if it does not have it."""
        account = self.account_version
        if version is not None and account >= NO_RELEASE_REFUNDS:
            account = version
        return account if is_sent(event_type, version or api_version, account) else None

    def _insert_event(
        self,
        event: JsonObject,
        listed_in: str | None,
        listed_from: int,
        versions: set[str | None],
    ) -> int:
        """Store an event and its renderings in these versions. Return its place in the order."""
        body = event["data"]["object"]
        object_id = str(body["id"])
        owner = object_id if body["object"] == "payment_intent" else body.get("payment_intent")
        seq = self._store.run(
            "insert into events (id, type, created, object_id, payment_intent, body, listed_in,"
            " listed_from) values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event["id"],
                event["type"],
                event["created"],
                object_id,
                owner,
                encode(event),
                listed_in,
                listed_from,
            ),
        )
        for each in versions - {api_version, None}:
            self._store.run(
                "insert into renderings values (?, ?, ?)",
                (seq, each, encode(render(event, str(each), self._store))),
            )
        return seq

    def _plan(self, event_id: str, event_seq: int, endpoint_id: str, ordinal: int) -> None:
        plan = plan_delivery(self._faults.current, self._chance, (event_id, ordinal))
        for item in plan:
            self._insert_delivery(event_seq, endpoint_id, item)
            if item.fault is not None:
                self._store.count(f"stat:fault.{item.fault}")

    def _insert_delivery(self, event_seq: int, endpoint_id: str, plan: PlannedDelivery) -> None:
        due = self._clock.wall() + plan.delay_s
        delivery_id = self._store.run(
            "insert into deliveries (event_seq, endpoint, kind, fault, state, due, created)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            (event_seq, endpoint_id, plan.kind, plan.fault, plan.state, due, self._clock.now()),
        )
        if plan.state == "pending":
            self._due.append(Due(delivery_id, due))


def listens(enabled_events: Iterable[str], event_type: str) -> bool:
    """Whether an endpoint with these enabled events receives an event; ``*`` stands for all."""
    return any(name in ("*", event_type) for name in enabled_events)


def changed(before: JsonObject, after: JsonObject) -> JsonObject:
    """The previous values of the fields that differ."""
    return {name: value for name, value in before.items() if after.get(name) != value}
