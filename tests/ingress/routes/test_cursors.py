"""A page's cursor encodes exactly one position."""

import base64
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.errors import InvalidCursorError
from ingress.routes import cursors
from postgres.payment_list import PageCursor
from postgres.timeline import TimelineCursor
from schemas import identity
from tests.ingress.harness import assert_problem

PAYMENT = f"pay_{'a' * 30}"
pytestmark = pytest.mark.anyio

MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis requires a naive value


@given(MOMENTS, st.from_regex(r"\Apay_[a-z2-7]{30}\Z"))
def test_decoding_returns_the_encoded_position(moment: datetime, payment_id: str) -> None:
    """A cursor contains only characters that a URL doesn't escape."""
    position = PageCursor(moment, payment_id)
    cursor = cursors.encode(position)
    assert cursors.decode(cursor) == position
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(
    MOMENTS,
    MOMENTS,
    st.from_regex(r"\A[A-Za-z0-9._-]{1,249}\Z"),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
)
def test_decoding_returns_the_encoded_input(
    at: datetime, received_at: datetime, topic: str, partition: int, offset: int
) -> None:
    """Any input that can be recorded can end a page of a timeline."""
    position = TimelineCursor(
        at=at, received_at=received_at, topic=topic, partition=partition, offset=offset
    )
    assert cursors.decode_timeline(cursors.encode_timeline(position), PAYMENT) == position


@given(MOMENTS, st.sampled_from([":create", ":confirm:12.1", ":cancel:exhausted", ":refund:ref_x"]))
def test_decoding_returns_the_encoded_call(at: datetime, name: str) -> None:
    """Any call can end a page of a timeline."""
    position = TimelineCursor(at=at, call_key=f"{PAYMENT}{name}")
    assert cursors.decode_timeline(cursors.encode_timeline(position), PAYMENT) == position


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    """Text that is not a cursor raises InvalidCursorError and nothing else."""
    with pytest.raises(InvalidCursorError):
        cursors.decode(text)
    with pytest.raises(InvalidCursorError):
        cursors.decode_timeline(text, PAYMENT)


def test_a_time_in_another_zone_stays_the_same_time() -> None:
    """Decoding returns an equal time."""
    zoned = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    assert cursors.decode(cursors.encode(PageCursor(zoned, PAYMENT))).created_at == zoned


def forged(text: str) -> str:
    """Returns a cursor that decodes to this text."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        f"2026-03-01T12:00:00+00:00 {PAYMENT[:-1]}\0",
        "2026-03-01T12:00:00+00:00 \0",
        "2026-03-01T12:00:00+00:00 ",
        f"2026-03-01T12:00:00+00:00 {'a' * 9000}",
        f"2026-03-01T12:00:00+00:00:01 {PAYMENT}",
        f"2026-03-01T12:00:00+02:00 {PAYMENT}",
        f"9999-12-31T23:59:59-23:59 {PAYMENT}",
        f"0001-01-01T00:00:00+23:59 {PAYMENT}",
        f"2026-03-01T12:00:00 {PAYMENT}",
        f"2026-03-01T12:00:00Z {PAYMENT}",
        f"infinity {PAYMENT}",
        f"294277-01-01T00:00:00+00:00 {PAYMENT}",
        f"2026-03-01T12:00:00+00:00 {PAYMENT} {PAYMENT}",
        f"2026-03-01T12:00:00+00:00 {PAYMENT} ",
        f"2026-03-01T12:00:00+00:00 {PAYMENT} 0123456789abcdeF",
        f"2026-03-01T12:00:00+00:00 {PAYMENT} 0123456789abcdef 0123456789abcdef",
    ],
)
async def test_a_forged_cursor_never_reaches_the_store(acme: httpx.AsyncClient, text: str) -> None:
    """Text that Postgres can't store or that is no position is 400, not 503."""
    response = await acme.get("/v1/payments", params={"cursor": forged(text)})
    assert_problem(response, 400, "invalid-cursor")


TIME = "2026-03-01T12:00:00+00:00"


@pytest.mark.parametrize(
    "text",
    [
        f"{TIME} {TIME} provider-webhooks 0 {2**63}",
        f"{TIME} {TIME} provider-webhooks {2**31} 0",
        f"{TIME} {TIME} provider-webhooks 00 0",
        f"{TIME} {TIME} provider-webhooks 0 {'9' * 5000}",
        f"{TIME} {TIME} provider\0 0 0",
        f"{TIME} {TIME}  0 0",
        f"{TIME} 2026-03-01T12:00:00 provider-webhooks 0 0",
        f"9999-12-31T23:59:59-23:59 {TIME} provider-webhooks 0 0",
        f"{TIME} {{id}}",
        f"{TIME} {{id}}:\0",
        f"{TIME} {{id}}:{'a' * 300}",
        f"{TIME} {PAYMENT}:create",
        f"{TIME} :create",
        "9999-12-31T23:59:59-23:59 {id}:create",
        f"{TIME}",
        "",
    ],
)
async def test_a_forged_cursor_of_a_timeline_never_reaches_the_store(
    acme: httpx.AsyncClient, text: str
) -> None:
    """No time zone, number or text goes there that Postgres can't take."""
    payment_id = identity.payment_id("acme", "order-1")
    forgery = {"cursor": forged(text.replace("{id}", payment_id))}
    response = await acme.get(f"/v1/payments/{payment_id}/timeline", params=forgery)
    assert_problem(response, 400, "invalid-cursor")


@pytest.mark.parametrize("text", ["\0", "%00", "\ud800", "pay_\0", "\x7f", "e\u0301", "a" * 9000])
async def test_no_text_of_a_client_reaches_the_store_unchecked(
    acme: httpx.AsyncClient, text: str
) -> None:
    """NUL, lone surrogates and very long text in a path or query are refused before any query."""
    quoted = quote(text, errors="surrogatepass", safe="")
    for path in (
        f"/v1/payments?cursor={quoted}",
        f"/v1/payments?status={quoted}",
        f"/v1/payments?limit={quoted}",
        f"/v1/payments/{quoted}",
        f"/v1/payments/{PAYMENT}{quoted}",
        f"/v1/payments/{quoted}/timeline",
        f"/v1/payments/{identity.payment_id('acme', 'order-1')}/timeline?cursor={quoted}",
        f"/v1/payments/{identity.payment_id('acme', 'order-1')}/timeline?limit={quoted}",
        f"/webhooks/{quoted}",
        f"/problems/{quoted}",
    ):
        response = await acme.get(path)
        assert response.status_code in {400, 404, 405, 422}, (path, response.text)


async def test_the_first_and_last_times_are_valid(acme: httpx.AsyncClient) -> None:
    """The store is unavailable here, so a 503 shows that the cursor was accepted."""
    for moment in (datetime.min, datetime.max):  # noqa: DTZ901  # the zone comes with replace
        position = PageCursor(moment.replace(tzinfo=UTC), PAYMENT)
        response = await acme.get("/v1/payments", params={"cursor": cursors.encode(position)})
        assert_problem(response, 503, "database-unavailable")
