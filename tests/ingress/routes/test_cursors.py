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
from postgres.reads import PageCursor
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


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    """Text that is not a cursor raises InvalidCursorError and nothing else."""
    with pytest.raises(InvalidCursorError):
        cursors.decode(text)


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
    ],
)
async def test_a_forged_cursor_never_reaches_the_store(acme: httpx.AsyncClient, text: str) -> None:
    """Text that Postgres can't store or that is no position is 400, not 503."""
    response = await acme.get("/v1/payments", params={"cursor": forged(text)})
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
