"""Which of the refunds with our ID a call has made, by what Stripe lists."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from ports.provider import Acknowledged, CallOutcome, Unknown
from providers.stripe.client import StripeApi
from tests.providers.stripe.builders import REFUND, call, over_http

pytestmark = [pytest.mark.anyio, over_http]

_AT: Final = 1_767_225_600
_KEY: Final = call("refund", "pi_1").key


def _refund(refund_id: str, made: int = _AT) -> dict[str, Any]:
    return {
        "id": refund_id, "amount": 400, "charge": "ch_1", "created": made,
        "metadata": {"refund_id": REFUND},
    }  # fmt: skip


def _event(type_: str, about: str, key: str = _KEY, at: int = _AT) -> dict[str, Any]:
    return {
        "id": f"evt_{about}_{key}", "type": type_, "created": at,
        "data": {"object": {"id": about}},
        "request": {"id": "req_1", "idempotency_key": key},
    }  # fmt: skip


@pytest.fixture
def lists(api: StripeApi, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What Stripe lists, by path: the newest first."""
    listed: dict[str, list[Any]] = {"/v1/refunds": [], "/v1/events": []}

    async def get(path: str, **asked: Any) -> Any:
        window = {"gte": 0, **asked.get("created", {})}
        asked_for = [
            each
            for each in listed[path]
            if window["gte"] <= each.get("created", _AT) <= window.get("lte", _AT + 86_400)
        ]
        return {"data": asked_for, "has_more": False}, None

    monkeypatch.setattr(api._look_ups._readings, "_get", get)
    return listed


async def _found(api: StripeApi) -> CallOutcome | None:
    since = datetime.fromtimestamp(_AT, UTC) - timedelta(hours=1)
    return await api.look_up(call("refund", "pi_1"), since)


@pytest.mark.parametrize(
    "event", [_event("refund.created", "re_1"), _event("charge.refunded", "ch_1")]
)
async def test_a_refund_is_found_by_either_of_its_events(
    api: StripeApi, lists: dict[str, list[Any]], event: dict[str, Any]
) -> None:
    """An account of a version before 2024-10-28 has no event of a refund, only its charge's."""
    lists["/v1/refunds"] = [_refund("re_1")]
    lists["/v1/events"] = [event]
    assert await _found(api) == Acknowledged("re_1")


UNPROVED: list[list[dict[str, Any]]] = [
    [],
    [_event("charge.refunded", "ch_1", key="somebody")],
    [_event("charge.refunded", "ch_of_another")],
]


@pytest.mark.parametrize("events", UNPROVED)
async def test_of_two_refunds_a_copied_id_and_the_same_amount_prove_nothing(
    api: StripeApi, lists: dict[str, list[Any]], events: list[dict[str, Any]]
) -> None:
    """Either may be ours, whose event is listed later: so it is not made again either."""
    lists["/v1/refunds"] = [_refund("re_2"), _refund("re_1")]
    lists["/v1/events"] = events
    outcome = await _found(api)
    assert isinstance(outcome, Unknown)
    assert outcome.is_available
    assert "re_1, re_2" in outcome.reason


@pytest.mark.parametrize("events", UNPROVED)
async def test_the_only_refund_with_our_id_and_amount_is_taken_where_its_event_was_lost(
    api: StripeApi, lists: dict[str, list[Any]], events: list[dict[str, Any]]
) -> None:
    """The event may never come. Nothing is given back twice, no matter who made it."""
    lists["/v1/refunds"] = [_refund("re_1")]
    lists["/v1/events"] = events
    assert await _found(api) == Acknowledged("re_1")


async def test_a_refund_that_another_call_made_is_not_taken(
    api: StripeApi, lists: dict[str, list[Any]]
) -> None:
    """Its event says so: ours is made."""
    lists["/v1/refunds"] = [_refund("re_1")]
    lists["/v1/events"] = [_event("refund.created", "re_1", key="somebody")]
    assert await _found(api) is None


@pytest.mark.parametrize(
    "event", [_event("refund.created", "re_1"), _event("charge.refunded", "ch_1")]
)
async def test_a_refund_that_is_listed_without_its_time_is_found(
    api: StripeApi, lists: dict[str, list[Any]], event: dict[str, Any]
) -> None:
    """Its event is looked for in the whole time of the tries."""
    untimed = _refund("re_1")
    del untimed["created"]
    lists["/v1/refunds"] = [_refund("re_2", _AT - 600), untimed]
    lists["/v1/events"] = [event]
    assert await _found(api) == Acknowledged("re_1")


async def test_an_event_of_another_time_tells_as_much_where_only_some_are_near(
    api: StripeApi, lists: dict[str, list[Any]]
) -> None:
    """What another call made is not taken, though its event is an hour late: ours is made."""
    lists["/v1/refunds"] = [_refund("re_2"), _refund("re_1")]
    lists["/v1/events"] = [
        _event("refund.created", "re_2", key="somebody", at=_AT + 3600),
        _event("refund.created", "re_1", key="somebody"),
    ]
    assert await _found(api) is None
    lists["/v1/events"][0] = _event("refund.created", "re_2", at=_AT + 3600)
    assert await _found(api) == Acknowledged("re_2")


@pytest.mark.parametrize(
    ("other_made", "is_found"), [(_AT - 600, True), (_AT + 600, True), (_AT, False)]
)
async def test_a_charges_event_proves_the_only_refund_that_it_can_be_about(
    api: StripeApi, lists: dict[str, list[Any]], other_made: int, *, is_found: bool
) -> None:
    """It names no refund: of two of one second, somebody may have copied our ID onto one."""
    lists["/v1/refunds"] = [_refund("re_1"), _refund("re_2", other_made)]
    lists["/v1/events"] = [_event("charge.refunded", "ch_1")]
    outcome = await _found(api)
    assert isinstance(outcome, Acknowledged if is_found else Unknown)
    assert not is_found or outcome == Acknowledged("re_1")


async def test_somebodys_refund_of_the_same_second_leaves_ours(
    api: StripeApi, lists: dict[str, list[Any]]
) -> None:
    """Its own event names another key, so the charge's event is about the other one of then."""
    lists["/v1/refunds"] = [_refund("re_2"), _refund("re_1"), _refund("re_0", _AT - 600)]
    lists["/v1/events"] = [
        _event("charge.refunded", "ch_1"),
        _event("refund.created", "re_1", key="somebody"),
    ]
    assert await _found(api) == Acknowledged("re_2")


async def test_of_a_refund_that_its_own_event_proves_the_charges_event_proves_no_other(
    api: StripeApi, lists: dict[str, list[Any]]
) -> None:
    """Both report the one refund. Its ID may stand on an older one of the same second."""
    lists["/v1/refunds"] = [_refund("re_1"), _refund("re_copy")]
    lists["/v1/events"] = [
        _event("charge.refunded", "ch_1"),
        _event("refund.created", "re_1"),
    ]
    assert await _found(api) == Acknowledged("re_1")
