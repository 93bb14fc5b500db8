"""A client finds its payments by any combination of filters, each payment once, newest first."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from psycopg import Connection

from ingress.routes import payment_list as route
from postgres import payment_list
from tests.ingress.harness import NOW, assert_problem
from tests.ingress.store import Store

pytestmark = pytest.mark.anyio

URL: Final = "/v1/payments"
SECOND: Final = timedelta(seconds=1)
MANY: Final = 48


@dataclass(frozen=True, slots=True)
class Known:
    """A payment in store, and what it can be found by."""

    id: str
    created_at: datetime
    status: str
    currency: str
    provider: str
    reference: str | None
    color: str
    is_urgent: bool


def _stored(store: Store, number: int, owner: str = "acme") -> Known:
    """A payment whose terms go round, each at a pace of its own; some are of the same second."""
    status = ("SUCCEEDED", "FAILED", "AUTHORIZED")[number % 3]
    currency, provider = ("EUR", "JPY")[number % 2], ("stripe", "eu")[number // 2 % 2]
    reference = None if number % 4 == 0 else f"order {number % 7}"
    color = ("red", "a=b&c", "")[number // 3 % 3]
    terms = {"metadata": {"color": color, "number": str(number)}}
    payment = store(
        f"p{number}",
        owner,
        created_at=NOW + SECOND * (number // 2),
        currency=currency,
        provider=provider,
        document=terms if reference is None else {**terms, "order_reference": reference},
    )
    payment.version(status, f"evt_{number}")
    if number % 5 == 0:
        payment.open_matter()
    if number % 11 == 0:
        payment.quarantine(f"evt_{number}", "KeyError")
    return Known(
        payment.id, payment.created_at, status, currency, provider, reference, color,
        is_urgent=number % 5 == 0 or number % 11 == 0,
    )  # fmt: skip


#: A filter's parameters, and the payments that it is for.
FILTERS: Final[Mapping[str, tuple[dict[str, Any], Callable[[Known], bool]]]] = {
    "status": ({"status": "FAILED"}, lambda p: p.status == "FAILED"),
    "statuses": (
        {"status": ["AUTHORIZED", "SUCCEEDED"]},
        lambda p: p.status in {"AUTHORIZED", "SUCCEEDED"},
    ),
    "from": (
        {"created_from": (NOW + 4 * SECOND).isoformat()},
        lambda p: p.created_at >= NOW + 4 * SECOND,
    ),
    "to": (
        {"created_to": (NOW + 20 * SECOND).isoformat()},
        lambda p: p.created_at < NOW + 20 * SECOND,
    ),
    "currency": ({"currency": "jpy"}, lambda p: p.currency == "JPY"),
    "account": ({"provider": "eu"}, lambda p: p.provider == "eu"),
    "reference": ({"order_reference": "order 3"}, lambda p: p.reference == "order 3"),
    "metadata": ({"metadata[color]": "a=b&c"}, lambda p: p.color == "a=b&c"),
    "empty metadata": ({"metadata[color]": ""}, lambda p: p.color == ""),
    "attention": ({"needs_attention": "true"}, lambda p: p.is_urgent),
    "no attention": ({"needs_attention": "false"}, lambda p: not p.is_urgent),
}


def _newest_first(payments: list[Known]) -> list[str]:
    return [p.id for p in sorted(payments, key=lambda p: (p.created_at, p.id), reverse=True)]


async def _all_pages(
    acme: httpx.AsyncClient, parameters: Mapping[str, Any], limit: int
) -> tuple[list[str], list[int]]:
    """The IDs on all pages, and the pages' sizes."""
    listed: list[str] = []
    sizes: list[int] = []
    cursor: str | None = None
    while not sizes or cursor is not None:
        more = {} if cursor is None else {"cursor": cursor}
        answer = await acme.get(URL, params={**parameters, "limit": limit, **more})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        listed += [payment["id"] for payment in page["data"]]
        sizes.append(len(page["data"]))
        assert sizes[-1] <= limit
        assert len(sizes) <= MANY, "the pages begin again"
        cursor = page["next_cursor"]
    return listed, sizes


@pytest.mark.parametrize("examined", [12, 500])
async def test_any_filters_together_have_exactly_the_payments_that_match_all(
    store: Store, acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, examined: int
) -> None:
    """On pages of five, whether a page has seen enough or had to stop before it was full."""
    monkeypatch.setattr(payment_list, "EXAMINED_MAX", examined)
    stored = [_stored(store, number) for number in range(MANY)]
    for number in range(3):
        _stored(store, number, "globex")
    chosen = [
        names
        for size, every in ((1, 1), (2, 1), (3, 4))
        for names in itertools.islice(itertools.combinations(FILTERS, size), 0, None, every)
        if not {"status", "statuses"} <= {*names}
        and not {"metadata", "empty metadata"} <= {*names}
        and not {"attention", "no attention"} <= {*names}
    ]
    for names in (*chosen, ("statuses", "from", "to", "currency", "account", "metadata")):
        parameters = {k: v for name in names for k, v in FILTERS[name][0].items()}
        matching = [p for p in stored if all(FILTERS[name][1](p) for name in names)]
        listed, _ = await _all_pages(acme, parameters, 5)
        assert listed == _newest_first(matching), names


async def test_a_page_ends_where_enough_was_looked_at(
    store: Store, acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many payments in a currency one has failed: its page is short, and so are those before."""
    monkeypatch.setattr(payment_list, "EXAMINED_MAX", 8)
    for number in range(40):
        status = "FAILED" if number in {3, 20} else "SUCCEEDED"
        currency = "JPY" if number in {3, *range(24, 36)} else "EUR"
        payment = store(f"p{number}", created_at=NOW + number * SECOND, currency=currency)
        payment.version(status, f"evt_{number}")
    wanted = {"status": ["FAILED", "SUCCEEDED"], "currency": "JPY", "created_to": NOW + 30 * SECOND}
    parameters = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in wanted.items()}
    listed, _ = await _all_pages(acme, parameters, 3)
    assert len(listed) == 7
    # the smaller of the two sources is read, so the only match is on the first page
    listed, sizes = await _all_pages(acme, {"status": "FAILED", "currency": "JPY"}, 3)
    assert (len(listed), sizes) == (1, [1])


async def test_a_count_is_of_all_pages_and_no_higher_than_its_cap(
    store: Store, acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filters count, the cursor does not; what was not asked for is not there."""
    for number in range(5):
        status = "FAILED" if number == 2 else "SUCCEEDED"
        store(f"p{number}").version(status, f"evt_{number}")
    page = (await acme.get(URL, params={"limit": "2", "count": "true"})).json()
    assert (page["total"], page["total_is_capped"]) == (5, False)
    second = {"limit": "2", "count": "true", "cursor": page["next_cursor"]}
    assert (await acme.get(URL, params=second)).json()["total"] == 5
    failed = (await acme.get(URL, params={"status": "FAILED", "count": "true"})).json()
    assert (failed["total"], failed["total_is_capped"]) == (1, False)
    assert (await acme.get(URL)).json().keys() == {"data", "next_cursor"}
    for cap, expected in ((5, (5, False)), (4, (4, True))):
        monkeypatch.setattr(route, "COUNTED_MAX", cap)
        page = (await acme.get(URL, params={"count": "true"})).json()
        assert (page["total"], page["total_is_capped"]) == expected


async def test_a_count_that_had_to_stop_says_so(
    store: Store, acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only match is further back, so there may be more."""
    monkeypatch.setattr(route, "COUNTED_MAX", 3)
    monkeypatch.setattr(payment_list, "COUNT_EXAMINED_MAX", 8)
    for number in range(20):
        currency = "JPY" if number % 2 or number == 18 else "EUR"
        payment = store(f"p{number}", created_at=NOW - number * SECOND, currency=currency)
        payment.version("SUCCEEDED" if number % 2 else "FAILED", f"evt_{number}")
    few = {"status": "FAILED", "currency": "JPY", "count": "true"}
    found = (await acme.get(URL, params=few)).json()
    assert (found["total"], found["total_is_capped"]) == (0, True)


async def test_a_cursor_belongs_to_its_filters(store: Store, acme: httpx.AsyncClient) -> None:
    """With others it is 422, because the page after it would be of another list."""
    for number in range(3):
        store(f"p{number}").version("SUCCEEDED", f"evt_{number}")
    filters: dict[str, Any] = {"status": ["FAILED", "SUCCEEDED"], "currency": "EUR", "limit": 1}
    cursor = (await acme.get(URL, params=filters)).json()["next_cursor"]
    same = {"currency": "eur", "status": ["SUCCEEDED", "FAILED"], "limit": 2, "cursor": cursor}
    assert len((await acme.get(URL, params=same)).json()["data"]) == 2
    for others in ({}, {"status": "SUCCEEDED"}, {**filters, "currency": "USD"}):
        answer = await acme.get(URL, params={**others, "cursor": cursor})
        (error,) = assert_problem(answer, 422, "invalid-fields")["errors"]
        assert error["field"] == "cursor"
    unfiltered = (await acme.get(URL, params={"limit": 1})).json()["next_cursor"]
    answer = await acme.get(URL, params={**filters, "cursor": unfiltered})
    assert_problem(answer, 422, "invalid-fields")


async def test_a_reference_is_one_tenants(store: Store, acme: httpx.AsyncClient) -> None:
    """Others use the same words."""
    document = {"order_reference": "A-1", "metadata": {"order": "1"}}
    store("theirs", "globex", document=document).version("CREATED", "evt_1")
    mine = store("mine", document=document)
    mine.version("CREATED", "evt_2")
    for parameters in ({"order_reference": "A-1"}, {"metadata[order]": "1"}):
        found = (await acme.get(URL, params=parameters)).json()["data"]
        assert [payment["id"] for payment in found] == [mine.id]


async def test_a_payment_keeps_its_labels(
    store: Store, acme: httpx.AsyncClient, connection: Connection[Any]
) -> None:
    """Later versions write none: its terms never change."""
    payment = store("p", document={"order_reference": "A-1", "metadata": {"order": "1"}})
    payment.version("CREATED", "evt_1")
    rows = "select xmin::text, label from payment_labels where payment_id = %s order by 2"
    before = connection.execute(rows, [payment.id]).fetchall()
    payment.version("SUCCEEDED", "evt_2")
    assert connection.execute(rows, [payment.id]).fetchall() == before
    assert len(before) == 4
    found = (await acme.get(URL, params={"order_reference": "A-1"})).json()["data"]
    assert [each["version"] for each in found] == [2]
