"""Pages of a timeline have everything once, whatever comes while they are read."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from psycopg import Connection

from schemas.http import Timeline
from tests.ingress.harness import NOW, assert_problem
from tests.ingress.store import Store, StoredPayment

pytestmark = pytest.mark.anyio


async def pages_of(
    acme: httpx.AsyncClient, payment: StoredPayment, limit: int, between: Callable[[], None]
) -> list[Timeline]:
    """Returns the pages of a timeline; something happens between each two."""
    pages: list[Timeline] = []
    parameters: dict[str, str] = {"limit": str(limit)}
    while True:
        response = await acme.get(f"/v1/payments/{payment.id}/timeline", params=parameters)
        pages.append(Timeline.model_validate(response.json()))
        if (cursor := pages[-1].next_cursor) is None:
            return pages
        parameters["cursor"] = cursor
        between()


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
async def test_pages_of_a_timeline_have_everything_once(
    store: Store, acme: httpx.AsyncClient, run: str, limit: int
) -> None:
    """Inputs and calls together are at most the limit, oldest first, whatever ties."""
    payment = store("a")
    payment.version("CREATED", f"e0-{run}")
    for number in range(9):  # three in a second, as those of one batch
        payment.inbox(f"e{number}-{run}", number // 3, offset=number)
    for number in range(4):
        payment.duplicate(f"e0-{run}", 2 + number)
    for number in range(5):
        payment.call("refund", call_key=f"{payment.id}:refund:ref_{number}", created_at=NOW)
    pages = await pages_of(acme, payment, limit, lambda: None)
    sizes = [len(page.entries) + len(page.calls) for page in pages]
    assert sizes == [limit] * (18 // limit) + [18 % limit] * bool(18 % limit)
    found = [(e.event_id.split("-")[0], e.outcome) for page in pages for e in page.entries]
    assert found == [
        *((f"e{number}", "applied") for number in range(9)),
        *[("e0", "duplicate")] * 4,
    ]
    assert [c.key[-5:] for page in pages for c in page.calls] == [f"ref_{n}" for n in range(5)]


@pytest.mark.parametrize("limit", [1, 3])
async def test_inputs_of_one_time_are_in_the_order_of_the_log(
    store: Store, acme: httpx.AsyncClient, run: str, limit: int
) -> None:
    """However they are stored: no page leaves out one that another would have had to show."""
    payment = store("a")
    payment.version("CREATED", f"e0-{run}")
    for number in reversed(range(8)):
        payment.inbox(f"e{number}-{run}", 1, offset=number)
    for number in reversed(range(8)):
        payment.duplicate(f"e{number}-{run}", 2, offset=number)
    pages = await pages_of(acme, payment, limit, lambda: None)
    found = [(entry.offset, entry.outcome) for page in pages for entry in page.entries]
    assert found == [
        (number, outcome) for outcome in ("applied", "duplicate") for number in range(8)
    ]


async def test_a_call_is_on_the_page_of_its_time(
    store: Store, acme: httpx.AsyncClient, run: str
) -> None:
    """It stands after the inputs that were recorded with it, and before all later ones."""
    payment = store("a")
    payment.version("CREATED", f"e0-{run}")
    for number in range(3):
        payment.inbox(f"e{number}-{run}", number)
        payment.call(
            "refund",
            call_key=f"{payment.id}:refund:ref_{number}",
            created_at=NOW + timedelta(seconds=number),
        )
    pages = await pages_of(acme, payment, 2, lambda: None)
    assert [[e.event_id.split("-")[0] for e in page.entries] for page in pages] == [
        ["e0"], ["e1"], ["e2"]
    ]  # fmt: skip
    assert [[c.key[-1] for c in page.calls] for page in pages] == [["0"], ["1"], ["2"]]


async def test_what_comes_while_a_timeline_is_read_is_on_its_last_pages(
    store: Store, acme: httpx.AsyncClient, connection: Connection[Any], run: str
) -> None:
    """No page repeats or leaves out anything; an input that was parked keeps its place."""
    payment = store("a")
    payment.version("CREATED", f"e0-{run}")
    numbers = iter(range(4, 6))
    payment.inbox(f"e0-{run}", 0, offset=0)
    for number in (1, 2, 3):
        waits = {"outcome": "parked", "value": b"{}"} if number > 1 else {}
        payment.inbox(f"e{number}-{run}", 1, offset=number, **waits)

    def goes_on() -> None:
        for number in numbers:
            payment.inbox(f"e{number}-{run}", number)
            payment.call("confirm", call_key=f"{payment.id}:confirm:{number}", created_at=NOW)
            break
        connection.execute(
            "update inbox set outcome = 'applied', version = 1 where event_id = %s", [f"e3-{run}"]
        )

    pages = await pages_of(acme, payment, 2, goes_on)
    found = [e.event_id.split("-")[0] for page in pages for e in page.entries]
    assert found == [f"e{number}" for number in range(6)]


async def test_a_cursor_of_another_timeline_is_refused(
    store: Store, acme: httpx.AsyncClient, run: str
) -> None:
    """A position is a call of this payment, or a place in the log."""
    one, other = store("a"), store("b")
    for payment in (one, other):
        payment.version("CREATED", f"e-{run}")
        for number in range(2):
            payment.call("confirm", call_key=f"{payment.id}:confirm:{number}")
    (page, _) = await pages_of(acme, one, 1, lambda: None)
    foreign = {"cursor": str(page.next_cursor)}
    response = await acme.get(f"/v1/payments/{other.id}/timeline", params=foreign)
    assert_problem(response, 400, "invalid-cursor")
