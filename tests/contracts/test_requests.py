"""Stripe's description allows every request we send, and stripe-mock refuses wrong ones.

The description may be older than the API version that the `stripe` package requests. So the
package must publish each parameter, too.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import fields, replace

from domain.call_key import Operation
from domain.calls import ProviderCall
from domain.status import CancelCause
from ports.provider import Acknowledged, ProviderUnavailableError, Refused, Unknown
from providers.stripe import client
from providers.stripe.access import fetched, look_ups
from providers.stripe.client import StripeApi
from providers.stripe.requests import Request, request_for
from providers.stripe.translate import CANCELLATION_REASON, LISTED_TYPES
from sandbox.stripe_simulator.api.operations import OPERATIONS as PUBLISHED
from schemas.http import CreateRequest, RefundRequest
from tests.conformance.kit.calls import OPERATIONS
from tests.contracts.recording import Exchange, PagingClient
from tests.providers.stripe.builders import INTENT, PAYMENT, REFUND, call, over_http

pytestmark = [pytest.mark.anyio, over_http]

TRIED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
CAPTURE_METHODS: Final = CreateRequest.model_json_schema()["properties"]["capture_method"]["enum"]
REASONS: Final = RefundRequest.model_json_schema()["properties"]["reason"]["anyOf"][0]["enum"]

#: A call with every field set; each operation uses the fields it needs.
FULL: Final = ProviderCall(
    key=f"{PAYMENT}:full",
    operation=Operation.CREATE,
    payment_id=PAYMENT,
    provider="stripe",
    object_id=INTENT,
    amount=1000,
    currency="EUR",
    payment_method="pm_card_visa",
    capture_method="automatic",
    return_url="https://shop.example/back",
    description="Order 1",
    metadata={"order": "1", "shop": "Mainz"},
    refund_id=REFUND,
    reason="duplicate",
    cancel_cause=CancelCause.REQUESTED,
)
#: The optional fields of each operation.
UNSET: Final[Mapping[str, dict[str, Any]]] = {
    "create": {"return_url": None},
    "confirm": {"return_url": None},
    "capture": {},
    "cancel": {"cancel_cause": None},
    "refund": {"reason": None},
}
ROWS: Final[Mapping[str, ProviderCall]] = {
    **{f"{name}, full": replace(FULL, operation=Operation(name)) for name in OPERATIONS},
    **{f"{name}, minimal": call(name, **UNSET[name]) for name in OPERATIONS},
    **{f"create, {name}": call("create", capture_method=name) for name in CAPTURE_METHODS},
    **{f"cancel, {cause}": call("cancel", cancel_cause=cause) for cause in CANCELLATION_REASON},
    **{f"refund, {reason}": call("refund", reason=reason) for reason in REASONS},
}


def test_the_full_call_sets_every_field() -> None:
    """A new field of ``ProviderCall`` must be added here."""
    assert [field.name for field in fields(FULL) if not getattr(FULL, field.name)] == []


def unpublished(exchange: Exchange) -> set[str]:
    """Returns the parameters that the package doesn't publish for this operation."""
    known = next(
        each.known
        for each in PUBLISHED
        if each.method == exchange.method
        and re.fullmatch(each.path.replace("{id}", "[^/]+"), exchange.path)
    )
    return {name.split("[")[0] for name in exchange.names} - known


@pytest.mark.parametrize("row", ROWS)
async def test_every_call_is_accepted(api: StripeApi, transport: PagingClient, row: str) -> None:
    """The path and the parameters' names, types and values are valid; none required is missing."""
    assert isinstance(await api.call(ROWS[row], ROWS[row].key), Acknowledged)
    (exchange,) = transport.exchanges
    assert unpublished(exchange) == set()


Query = Callable[[StripeApi], Awaitable[Any]]


def look_up(operation: str) -> Query:
    """Looks up a call whose response was lost."""
    return lambda api: api.look_up(call(operation), TRIED_AT, TRIED_AT)


def events_after(cursor: str | None) -> Query:
    """Fetches every event after the cursor."""

    async def all_pages(api: StripeApi) -> None:
        assert [event async for page in api.events_after(cursor) for event in page]

    return all_pages


def events(pages: Callable[[StripeApi], AsyncIterator[Any]]) -> Query:
    """Fetches every event of these pages."""

    async def all_pages(api: StripeApi) -> None:
        assert [event async for page in pages(api) for event in page]

    return all_pages


async def all_parts(api: StripeApi) -> None:
    """Fetches the parts of every kind."""
    for kind in api.part_kinds:
        assert [part async for page in api.parts_since(kind, TRIED_AT) for part in page.parts]


LISTS_OF_PARTS: Final = ("/v1/refunds", "/v1/disputes", "/v1/radar/early_fraud_warnings")
#: The parameter with the types of events that are asked for.
TYPES: Final = " ".join(sorted(f"types[{n}]" for n in range(len(LISTED_TYPES))))

ONE: Final = f"/v1/payment_intents/{INTENT}"
#: Each query, and the paths and parameter names of the requests it sends.
QUERIES: Final[Mapping[str, tuple[Query, set[tuple[str, str]]]]] = {
    "look up a create": (
        look_up("create"),
        {
            ("/v1/payment_intents/search", "limit query"),
            ("/v1/payment_intents", "created[gte] created[lte] limit"),
            ("/v1/payment_intents", "created[gte] created[lte] limit starting_after"),
            ("/v1/events", "created[gte] created[lte] limit types[0]"),
            ("/v1/events", "created[gte] created[lte] limit starting_after types[0]"),
        },
    ),
    "look up a refund": (
        look_up("refund"),
        {
            ("/v1/refunds", "limit payment_intent"),
            ("/v1/refunds", "limit payment_intent starting_after"),
        },
    ),
    "look up a confirm": (
        look_up("confirm"),
        {
            (ONE, ""),
            ("/v1/events", "created[gte] created[lte] limit types[0] types[1]"),
            ("/v1/events", "created[gte] created[lte] limit starting_after types[0] types[1]"),
        },
    ),
    "look up a capture": (look_up("capture"), {(ONE, "")}),
    "look up a cancel": (look_up("cancel"), {(ONE, "")}),
    "retrieve": (lambda api: api.retrieve(INTENT), {(ONE, "")}),
    "the parts of a payment": (
        events(lambda api: api.parts_of(INTENT)),
        {
            (path, names)
            for path in LISTS_OF_PARTS
            for names in ("limit payment_intent", "limit payment_intent starting_after")
        },
    ),
    "all parts since a time": (
        all_parts,
        {
            (path, names)
            for path in LISTS_OF_PARTS
            for names in ("created[gte] limit", "created[gte] limit starting_after")
        },
    ),
    "all events": (
        events_after(None),
        {
            ("/v1/events", f"limit {TYPES}"),
            ("/v1/events", f"created[lte] limit {TYPES}"),
            ("/v1/events", f"ending_before limit {TYPES}"),
        },
    ),
    "events since": (events_after("evt_1"), {("/v1/events", f"ending_before limit {TYPES}")}),
}


def test_every_path_our_client_queries_is_in_the_table() -> None:
    """A new path in our client must be added here."""
    text = "".join(Path(str(module.__file__)).read_text() for module in (client, fetched, look_ups))
    found = re.findall(r'"(/v1/[^"]+)"', text)
    paths = {re.sub(r"\{[a-z_.]+\}", INTENT, path) for path in found}
    assert paths == {path for _, expected in QUERIES.values() for path, _ in expected}


@pytest.mark.parametrize("query", QUERIES)
async def test_every_query_is_accepted(api: StripeApi, transport: PagingClient, query: str) -> None:
    """Every request of a query is accepted with all its parameters, including the next page's."""
    send, expected = QUERIES[query]
    await send(api)
    sent = {(each.path, " ".join(sorted(each.names))) for each in transport.exchanges}
    assert sent == expected
    assert {(each.method, each.status) for each in transport.exchanges} == {("GET", 200)}
    assert [name for each in transport.exchanges for name in unpublished(each)] == []


#: Wrong parameters; None removes one.
WRONG: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    *((operation, {"amuont": 1000}) for operation in OPERATIONS),
    ("create", {"amount": "ten"}),
    ("create", {"amount": None}),
    ("create", {"currency": None}),
    ("create", {"capture_method": "sometimes"}),
    ("create", {"allowed_payment_method_types": ["cash"]}),
    ("create", {"allowed_payment_method_types": "card"}),
    ("create", {"confirm": "perhaps"}),
    ("create", {"metadata": "order 1"}),
    ("capture", {"amount_to_capture": "all"}),
    ("cancel", {"cancellation_reason": "boredom"}),
    ("refund", {"reason": "boredom"}),
)


@pytest.mark.parametrize(("operation", "wrong"), WRONG)
async def test_a_wrong_parameter_is_refused(
    api: StripeApi, monkeypatch: pytest.MonkeyPatch, operation: str, wrong: dict[str, Any]
) -> None:
    """stripe-mock refuses a call whose request has one wrong parameter."""

    def planted(planned: ProviderCall) -> Request:
        right = request_for(planned)
        params = {**right.params, **wrong}
        return Request(right.path, {k: v for k, v in params.items() if v is not None})

    monkeypatch.setattr("providers.stripe.client.request_for", planted)
    planned = replace(FULL, operation=Operation(operation))
    assert isinstance(await api.call(planned, planned.key), Refused)


async def test_a_wrong_path_is_refused(api: StripeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that the description doesn't have leaves the call's outcome unknown."""
    monkeypatch.setattr(
        "providers.stripe.client.request_for", lambda _: Request(f"{ONE}/caputre", {})
    )
    assert isinstance(await api.call(FULL, FULL.key), Unknown)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/v1/payment_intents", {"craeted": {"gte": 1}}),
        ("/v1/refunds", {"payment": INTENT}),
        ("/v1/events", {"types": "refund.created"}),
        ("/v1/event", {}),
    ],
)
async def test_a_wrong_query_is_refused(api: StripeApi, path: str, wrong: dict[str, Any]) -> None:
    """A query with a wrong path or parameter raises an error."""
    with pytest.raises(ProviderUnavailableError):
        await api._get(path, **wrong)
