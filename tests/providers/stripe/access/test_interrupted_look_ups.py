"""A look-up that was interrupted goes on with what it has read itself, and with nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from domain.calls import ProviderCall
from ports.provider import Acknowledged, CallOutcome, MissingError, Unknown
from providers.stripe.access import reading
from providers.stripe.access.look_ups import LookUps
from tests.providers.stripe.builders import PAYMENT, call

pytestmark = pytest.mark.anyio

_AT: Final = 1_767_225_600
FIRST: Final = datetime.fromtimestamp(_AT, UTC) - timedelta(hours=1)
LAST: Final = FIRST + timedelta(hours=20)


def _call(name: str) -> ProviderCall:
    return call("refund", "pi_1", refund_id=name, key=f"{PAYMENT}:refund:{name}")


class Stripe:
    """Lists two pages of refunds, and an event of each."""

    def __init__(self, *names: str) -> None:
        self.refunds: list[dict[str, Any]] = [
            {
                "id": f"re_{name}", "amount": 400, "charge": "ch_1", "created": _AT,
                "metadata": {"refund_id": name},
            }
            for name in names
        ]  # fmt: skip
        #: After what each page of refunds was asked for.
        self.after: list[str | None] = []
        self.is_cursor_known = True

    async def get(self, path: str, **asked: Any) -> tuple[dict[str, Any], None]:
        """One page."""
        if path == "/v1/events":
            return {"data": [_event(each) for each in self.refunds], "has_more": False}, None
        after = asked.get("starting_after")
        self.after.append(after)
        if after is None:
            return {"data": self.refunds, "has_more": True}, None
        if not self.is_cursor_known:
            raise MissingError("no such refund")
        return {"data": [], "has_more": False}, None


def _event(refund: dict[str, Any]) -> dict[str, Any]:
    key = f"{PAYMENT}:refund:{refund['metadata']['refund_id']}"
    return {
        "id": f"evt_{refund['id']}", "type": "refund.created", "created": _AT,
        "data": {"object": {"id": refund["id"]}},
        "request": {"id": "req_1", "idempotency_key": key},
    }  # fmt: skip


@pytest.fixture(autouse=True)
def one_request_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt reads one page."""
    monkeypatch.setattr(reading, "REQUESTS_MAX", 1)


async def _attempts(
    look_ups: LookUps, asked: ProviderCall, number: int, last: datetime | None = LAST
) -> list[CallOutcome | None]:
    return [await look_ups.outcome(asked, FIRST, last) for _ in range(number)]


async def test_two_calls_of_one_payment_read_for_themselves() -> None:
    """What one of them wants is not what the other wants: it would be made a second time."""
    look_ups = LookUps(Stripe("one", "two").get)
    await _attempts(look_ups, _call("one"), 1)
    assert (await _attempts(look_ups, _call("two"), 3))[-1] == Acknowledged("re_two")
    assert (await _attempts(look_ups, _call("one"), 2))[-1] == Acknowledged("re_one")


async def test_without_a_last_try_everything_is_read_again() -> None:
    """The call may have been tried since."""
    stripe = Stripe("one")
    outcomes = await _attempts(LookUps(stripe.get), _call("one"), 3, None)
    assert all(isinstance(each, Unknown) for each in outcomes)
    assert stripe.after == [None] * 3


async def test_when_the_place_is_gone_everything_is_read_again() -> None:
    """The object at which it would go on was deleted: it would fail for ever."""
    stripe = Stripe("one")
    look_ups = LookUps(stripe.get)
    await _attempts(look_ups, _call("one"), 1)
    stripe.is_cursor_known = False
    with pytest.raises(MissingError):
        await _attempts(look_ups, _call("one"), 1)
    stripe.is_cursor_known = True
    assert (await _attempts(look_ups, _call("one"), 3))[-1] == Acknowledged("re_one")
    assert stripe.after == [None, "re_one", None, "re_one"]
