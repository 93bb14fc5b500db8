"""Builds provider calls that any provider can carry out."""

from typing import Any, Final

from domain.call_key import Operation
from domain.calls import ProviderCall
from domain.status import CancelCause
from ports.provider import Acknowledged, ProviderClient
from schemas import identity
from tests.conformance.kit.adapter import Adapter

PAYMENT: Final = identity.payment_id("shop", "order-1")
REFUND: Final = identity.refund_id(PAYMENT, "refund-1")
AMOUNT: Final = 1234
OPERATIONS: Final = ("create", "confirm", "capture", "cancel", "refund")


def call(
    adapter: Adapter, operation: str, object_id: str | None = None, **changes: Any
) -> ProviderCall:
    """A call about a payment of 12.34 EUR, with everything its operation needs."""
    back = "https://shop.example/back"
    own: dict[str, dict[str, Any]] = {
        "create": {
            "amount": AMOUNT,
            "payment_method": adapter.tokens.good,
            "capture_method": "automatic",
            "return_url": back,
            "metadata": {"order": "7"},
        },
        "confirm": {"payment_method": adapter.tokens.good, "return_url": back},
        "capture": {"amount": 600},
        "cancel": {"cancel_cause": CancelCause.REQUESTED},
        "refund": {"amount": 400, "refund_id": REFUND},
    }
    name = {"create": "create", "refund": f"refund:{REFUND}", "confirm": "confirm:2"}
    whole: dict[str, Any] = {
        "key": f"{PAYMENT}:{name.get(operation, f'{operation}:1')}",
        "operation": Operation(operation),
        "payment_id": PAYMENT,
        "provider": adapter.name,
        "object_id": object_id,
        "currency": "EUR",
        **own[operation],
    }
    return ProviderCall(**{**whole, **changes})


async def make(client: ProviderClient, called: ProviderCall) -> str:
    """Makes a call, which must be acknowledged. Returns the object's ID."""
    outcome = await client.call(called, called.key)
    assert isinstance(outcome, Acknowledged), outcome
    return outcome.object_id


async def ready_for(adapter: Adapter, client: ProviderClient, operation: str) -> ProviderCall:
    """A call that can be carried out at once: its payment is in the state that it needs."""
    changes = {
        "create": None,
        "confirm": {"payment_method": adapter.tokens.declined},
        "capture": {"capture_method": "manual"},
        "cancel": {"capture_method": "manual"},
        "refund": {},
    }[operation]
    if changes is None:
        return call(adapter, "create")
    return call(adapter, operation, await make(client, call(adapter, "create", **changes)))
