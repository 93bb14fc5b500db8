"""A look-up in an account with thousands of others' payments asks narrow, bounded questions."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.calls import ProviderCall
from ports.provider import (
    Acknowledged,
    CallOutcome,
    ProviderUnavailableError,
    RateLimitedError,
    Refused,
    Unknown,
)
from providers.stripe.access import look_ups, reading
from providers.stripe.client import StripeApi
from tests.providers.stripe.builders import PAYMENT, call, over_http
from tests.simulator.harness import Simulator

pytestmark = [pytest.mark.anyio, over_http]

STRANGERS = 20_000
#: The requests for all payments of others, or for the events of one type about each.
WHOLE_LIST = STRANGERS // 100
DAY_S = 86_400
EXHAUSTED = f"{PAYMENT}:cancel:exhausted"


class Asked:
    """Counts the requests of a client, and can refuse them."""

    def __init__(self, api: StripeApi, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        #: Refuses those to this path.
        self.refused = ""
        self.error: Exception = ProviderUnavailableError("not available in your region")
        get = api._get

        async def counted(path: str, **params: Any) -> Any:
            self.requests.append((path, params))
            if path == self.refused:
                raise self.error
            return await get(path, **params)

        monkeypatch.setattr(api._look_ups._readings, "_get", counted)


@pytest.fixture
def asked(api: StripeApi, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Counts the requests of the look-ups."""
    return Asked(api, monkeypatch)


def now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


async def made(api: StripeApi, provider_call: ProviderCall) -> str:
    """Makes a call; returns the object's ID."""
    outcome = await api.call(provider_call, provider_call.key)
    assert isinstance(outcome, Acknowledged), outcome
    return outcome.object_id


def with_strangers(provider: Simulator, like: str, payments: int = STRANGERS) -> None:
    """Adds others' payments, like one of theirs, of this moment."""
    provider.control("strangers", {"like": like, "payments": payments})


async def to_the_end(
    api: StripeApi, provider_call: ProviderCall, since: datetime, until: datetime
) -> tuple[CallOutcome | None, int]:
    """Looks a call up until not only "not all was read" is known; returns the attempts, too."""
    for attempt in range(1, 20):
        found = await api.look_up(provider_call, since, until)
        if not (isinstance(found, Unknown) and "not all" in found.reason):
            return found, attempt
        assert found.is_available
    raise AssertionError("it does not come to the end")


async def test_a_create_among_many_payments_is_found_with_few_requests(
    api: StripeApi, provider: Simulator, asked: Asked
) -> None:
    """The search finds it by our ID, and the events of that moment name the call."""
    with_strangers(provider, provider.pay().id)
    provider.control("clock", {"advance_seconds": 3600})
    since, provider_call = now(), call("create")
    intent = await made(api, provider_call)
    provider.control("clock", {"advance_seconds": 3600})
    with_strangers(provider, provider.pay().id)
    assert await api.look_up(provider_call, since, now()) == Acknowledged(intent)
    assert len(asked.requests) == 2


async def test_a_create_that_never_happened_among_many_payments_is_proved_in_bounded_attempts(
    api: StripeApi, provider: Simulator, asked: Asked
) -> None:
    """The search proves no absence. Each attempt goes on where the one before has ended."""
    since = now()
    with_strangers(provider, provider.pay().id)
    until = now()
    counts, found = [], None
    for _ in range(10):
        before = len(asked.requests)
        found = await api.look_up(call("create"), since, until)
        counts.append(len(asked.requests) - before)
        if found is None:
            break
        assert isinstance(found, Unknown)
        assert found.is_available
    assert found is None
    searches = len(counts)
    assert max(counts) <= reading.REQUESTS_MAX + 1
    assert sum(counts) == 2 * (WHOLE_LIST + 1) + searches
    assert searches == 3


async def test_a_create_that_the_search_does_not_have_is_found_in_the_lists(
    api: StripeApi, provider: Simulator, asked: Asked
) -> None:
    """It is behind by a minute, or for hours, and not every account has it."""
    since, provider_call = now(), call("create")
    intent = await made(api, provider_call)
    with_strangers(provider, provider.pay().id, 1000)
    asked.refused = "/v1/payment_intents/search"
    assert await to_the_end(api, provider_call, since, now()) == (Acknowledged(intent), 1)
    asked.refused = ""
    provider.set_faults(searched_late_s=DAY_S)
    assert await to_the_end(api, provider_call, since, now()) == (Acknowledged(intent), 1)


async def test_what_the_search_finds_is_ours_only_if_an_event_says_so(
    api: StripeApi, provider: Simulator
) -> None:
    """Anyone with access can write our ID on another intent."""
    since = now()
    await made(api, call("create", key="somebody"))
    assert await api.look_up(call("create"), since, now()) is None
    provider.set_faults(generation_failure=1.0)
    await made(api, call("create", key="somebody-else"))
    assert isinstance(await api.look_up(call("create"), since, now()), Unknown)


async def test_a_rate_limit_of_the_search_is_one_of_the_look_up(
    api: StripeApi, asked: Asked
) -> None:
    """The lists would be asked for in vain."""
    asked.refused, asked.error = "/v1/payment_intents/search", RateLimitedError("blocked", 20.0)
    with pytest.raises(RateLimitedError):
        await api.look_up(call("create"), now(), now())
    assert len(asked.requests) == 1


async def test_what_was_made_before_the_first_or_after_the_last_try_is_not_asked_for(
    api: StripeApi, provider: Simulator, asked: Asked
) -> None:
    """A look-up that is repeated for days reads no more than at first."""
    with_strangers(provider, provider.pay().id, 1000)
    provider.control("clock", {"advance_seconds": DAY_S})
    at = now() + timedelta(seconds=DAY_S)
    provider.control("clock", {"advance_seconds": DAY_S})
    with_strangers(provider, provider.pay().id, 1000)
    assert await api.look_up(call("create"), at, at) is None
    assert len(asked.requests) == 3


async def test_an_attempt_that_is_cut_off_keeps_what_it_has_read(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider fails, or the deadline of the attempt passes: no page is read twice."""
    since = now()
    with_strangers(provider, provider.pay().id, 2000)
    until, asked, read = now(), 0, list[str]()
    get = api._get

    async def broken(path: str, **params: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked % 7 == 0:
            raise ProviderUnavailableError("down")
        if asked % 5 == 0:
            raise asyncio.CancelledError
        if "search" not in path:
            read.append(repr((path, sorted(params.items()))))
        return await get(path, **params)

    monkeypatch.setattr(api._look_ups._readings, "_get", broken)
    outcome: CallOutcome | None = Unknown("not begun")
    while outcome is not None:
        try:
            outcome = await api.look_up(call("create"), since, until)
        except (ProviderUnavailableError, asyncio.CancelledError):
            continue
    assert len(read) == len(set(read)) == 2 * 21


async def test_another_generation_of_tries_is_looked_up_from_the_beginning(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before the call was tried again says nothing about that try."""
    monkeypatch.setattr(reading, "REQUESTS_MAX", 35)  # of 42: the newest are read
    provider.set_faults(searched_late_s=DAY_S)
    since, provider_call = now(), call("create")
    with_strangers(provider, provider.pay().id, 2000)
    until = now().replace(microsecond=0)
    assert isinstance(await api.look_up(provider_call, since, until), Unknown)
    intent = await made(api, provider_call)
    later = until + timedelta(microseconds=1)
    found, _ = await to_the_end(api, provider_call, since, later)
    assert found == Acknowledged(intent)


async def test_without_the_last_try_nothing_is_remembered(
    api: StripeApi, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call may be tried between two look-ups."""
    monkeypatch.setattr(reading, "REQUESTS_MAX", 15)
    provider.set_faults(searched_late_s=DAY_S)
    since, provider_call = now(), call("create")
    with_strangers(provider, provider.pay().id, 2000)
    remembered = dict(api._look_ups._readings._known)
    assert isinstance(await api.look_up(provider_call, since), Unknown)
    assert api._look_ups._readings._known == remembered


async def test_a_refund_among_many_is_found_with_few_requests(
    api: StripeApi, provider: Simulator, asked: Asked
) -> None:
    """Only the events of the moment in which it was made are read."""
    paid = await made(api, call("create"))
    provider_call, since = call("refund", paid), now() - timedelta(hours=1)
    refund = await made(api, provider_call)
    provider.control("clock", {"advance_seconds": 3600})
    for _ in range(3):
        other = provider.pay().id
        provider.control(f"payment_intents/{other}/refund", {"amount": 1})
    assert await api.look_up(provider_call, since, now()) == Acknowledged(refund)
    assert [path for path, _ in asked.requests] == ["/v1/refunds", "/v1/events"]
    created = asked.requests[1][1]["created"]
    assert created["lte"] - created["gte"] <= look_ups.EVENT_WITHIN_S + 1


async def test_a_cancel_is_found_at_the_time_of_the_cancel(
    api: StripeApi, provider: Simulator, asked: Asked
) -> None:
    """Not in the cancels of the whole account since the first try."""
    held = await made(api, call("create", capture_method="manual"))
    await made(api, call("cancel", held, key=EXHAUSTED))
    stranger = provider.pay(capture_method="manual").id
    provider.client.v1.payment_intents.cancel(stranger)
    provider.control("clock", {"advance_seconds": DAY_S})
    other = provider.pay(capture_method="manual").id
    provider.client.v1.payment_intents.cancel(other)
    called = call("cancel", held, key=EXHAUSTED)
    assert await api.look_up(called, now() - timedelta(hours=1), now()) == Acknowledged(held)
    somebody = call("cancel", stranger, key=EXHAUSTED)
    assert isinstance(await api.look_up(somebody, now() - timedelta(hours=1), now()), Refused)
    (_, _), (path, params), *_ = asked.requests
    assert path == "/v1/events"
    assert params["created"]["lte"] - params["created"]["gte"] <= look_ups.EVENT_WITHIN_S + 1


def test_so_many_look_ups_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was longest not continued is forgotten."""
    monkeypatch.setattr(reading, "REMEMBERED_MAX", 2)
    known = reading.Readings(lambda *_, **__: asyncio.sleep(0))  # type: ignore[arg-type]  # never called
    first = known.begin((1,))
    known.begin((2,))
    assert known.begin((1,)) is first
    known.begin((3,))
    assert list(known._known) == [(1,), (3,)]
