"""The list operations."""

from collections.abc import Sequence

from sandbox.stripe_simulator.api.listing import Filter, add_created, page
from sandbox.stripe_simulator.api.webhook_endpoints import without_secret
from sandbox.stripe_simulator.errors import ParameterError, ResourceMissingError
from sandbox.stripe_simulator.params import Params
from sandbox.stripe_simulator.rendering import of_account
from sandbox.stripe_simulator.storage.store import decode
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World

EVENT_TYPES_MAX = 20
#: The list shows each event in the version that the account had when it happened.
_AS_LISTED = (
    "coalesce((select r.body from renderings r where r.event_seq = events.seq"
    " and r.version = listed_in), body)"
)
_UNDELIVERED = "(select event_seq from deliveries where kind = 'first' and state <> 'delivered')"


def payment_intents(world: World, call: Call) -> JsonObject:
    """PaymentIntents."""
    return _objects(world, call, "payment_intent", "/v1/payment_intents")


def charges(world: World, call: Call) -> JsonObject:
    """Charges, all or one payment's."""
    return _objects(world, call, "charge", "/v1/charges")


def refunds(world: World, call: Call) -> JsonObject:
    """Refunds, all or one payment's or one charge's."""
    return _objects(world, call, "refund", "/v1/refunds")


def disputes(world: World, call: Call) -> JsonObject:
    """Disputes, all or one payment's or one charge's."""
    return _objects(world, call, "dispute", "/v1/disputes")


def early_fraud_warnings(world: World, call: Call) -> JsonObject:
    """Early fraud warnings, all or one payment's or one charge's."""
    return _objects(world, call, "radar.early_fraud_warning", "/v1/radar/early_fraud_warnings")


def account(world: World, _call: Call) -> JsonObject:
    """The account itself; of its many fields only those that every account has."""
    return {"id": world.account.id, "object": "account"}


def webhook_endpoints(world: World, call: Call) -> JsonObject:
    """Webhook endpoints, without their secrets."""
    filters = Filter(["kind = 'webhook_endpoint'"])
    return page(
        world.store,
        table="objects",
        noun="webhook_endpoint",
        url="/v1/webhook_endpoints",
        params=call.params,
        filters=filters,
        show=without_secret,
    )


def events(world: World, call: Call) -> JsonObject:
    """Events of the retention period, filtered by type, time and complete delivery."""
    params = call.params
    now = world.clock.now()
    oldest = now - world.settings.event_retention_s
    filters = Filter(
        ["created >= ?", "listed_in is not null", "listed_from <= ?"], [int(oldest), now]
    )
    event_type, types = params.text("type"), params.texts("types")
    if event_type is not None and types:
        raise ParameterError("You may pass either type or types, but not both.", param="types")
    if len(types) > EVENT_TYPES_MAX:
        raise ParameterError(f"You may pass at most {EVENT_TYPES_MAX} types.", param="types")
    if event_type is not None:
        # Only * is a wildcard; SQLite's other GLOB characters never occur in a type.
        filters.add("type glob ?", event_type.replace("[", "").replace("?", ""))
    if types:
        filters.add(f"type in ({', '.join('?' * len(types))})", *types)
        _add_foreign_cursor(world, filters, params, types)
    delivered = params.boolean("delivery_success")
    if delivered is not None:
        filters.add(f"seq {'not in' if delivered else 'in'} {_UNDELIVERED}")
    add_created(filters, params)
    return page(
        world.store,
        table="events",
        noun="event",
        url="/v1/events",
        params=params,
        filters=filters,
        show=lambda event: _shown(world, call, event),
        columns=_AS_LISTED,
    )


def _add_foreign_cursor(
    world: World, filters: Filter, params: Params, types: Sequence[str]
) -> None:
    """Applies the fault of a cursor whose type is not asked for."""
    cursor = params.text("ending_before") or params.text("starting_after")
    found = world.store.row("select type from events where id = ?", (cursor,))
    if found is None or found[0] in types:
        return
    match world.faults.current.foreign_cursor:
        case "refused":
            raise ParameterError(f"{cursor} is not in this list.", param="ending_before")
        case "ends the list":
            filters.add("false")


def event(world: World, call: Call) -> JsonObject:
    """One event."""
    row = world.store.row(f"select {_AS_LISTED} from events where id = ?", (call.object_id,))  # noqa: S608 - a constant
    if row is None:
        raise ResourceMissingError("event", call.object_id, param="id", in_path=True)
    return _shown(world, call, decode(row[0]))


def _shown(world: World, call: Call, event: JsonObject) -> JsonObject:
    event = with_pending(world, event)
    return of_account(event, world.account.id) if call.is_platforms else event


def with_pending(world: World, event: JsonObject) -> JsonObject:
    """An event with the number of endpoints that have not received it yet."""
    (pending,) = world.store.row(
        "select count(*) from deliveries join events on events.seq = event_seq"
        " where events.id = ? and kind = 'first' and state <> 'delivered'",
        (event["id"],),
    )
    return {**event, "pending_webhooks": pending}


def _objects(world: World, call: Call, kind: str, url: str) -> JsonObject:
    filters = Filter(["kind = ?"], [kind])
    for name in ("payment_intent", "charge"):
        owner = call.params.text(name)
        if owner is not None:
            filters.add(f"{name} = ?", owner)
    add_created(filters, call.params)
    return page(
        world.store, table="objects", noun=kind, url=url, params=call.params, filters=filters
    )
