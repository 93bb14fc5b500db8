"""When the event of a cancel may have happened, by the time at which Stripe cancelled."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from ports.provider import Acknowledged, Unknown
from providers.stripe.access.look_ups import EVENT_WITHIN_S
from providers.stripe.client import StripeApi
from tests.providers.stripe.builders import PAYMENT, call, over_http

pytestmark = [pytest.mark.anyio, over_http]

_AT: Final = 1_767_225_600
_CALL: Final = call("cancel", "pi_1", key=f"{PAYMENT}:cancel:exhausted")


async def _look_up(api: StripeApi, monkeypatch: pytest.MonkeyPatch, event_at: int) -> Any:
    """Looks the cancel up, of which Stripe lists an event of that second, where it is asked for."""
    intent = {"id": "pi_1", "status": "canceled", "canceled_at": _AT}
    event = {
        "id": "evt_1", "type": "payment_intent.canceled", "created": event_at,
        "data": {"object": {"id": "pi_1"}},
        "request": {"id": "req_1", "idempotency_key": _CALL.key},
    }  # fmt: skip

    async def get(path: str, **asked: Any) -> Any:
        if path != "/v1/events":
            return intent, None
        window = asked["created"]
        is_listed = window["gte"] <= event_at <= window["lte"]
        return {"data": [event] if is_listed else [], "has_more": False}, None

    monkeypatch.setattr(api._look_ups._readings, "_get", get)
    return await api.look_up(_CALL, datetime.fromtimestamp(_AT, UTC) - timedelta(hours=1))


@pytest.mark.parametrize("later_s", [-1, 0, 1, EVENT_WITHIN_S])
async def test_the_event_of_a_cancel_is_found_somewhat_before_and_after_it(
    api: StripeApi, monkeypatch: pytest.MonkeyPatch, later_s: int
) -> None:
    """An event that is not found leaves it unknown for ever whether our own cancel did it."""
    assert await _look_up(api, monkeypatch, _AT + later_s) == Acknowledged("pi_1")


@pytest.mark.parametrize("later_s", [-60, EVENT_WITHIN_S + 60])
async def test_an_event_of_another_time_is_not_asked_for(
    api: StripeApi, monkeypatch: pytest.MonkeyPatch, later_s: int
) -> None:
    """A look-up of a busy account reads one minute of its list."""
    assert isinstance(await _look_up(api, monkeypatch, _AT + later_s), Unknown)
