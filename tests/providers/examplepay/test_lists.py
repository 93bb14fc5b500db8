"""Reading ExamplePay's lists page by page, whatever is in them."""

import json
from typing import Any, Final

import msgspec
import pytest
from pydantic import SecretStr

from ports.provider import MissingError, NotPermittedError, ProviderUnavailableError
from providers.examplepay.client import REFUSALS, ExamplePayApi

pytestmark = pytest.mark.anyio

#: More requests than any of these lists has pages.
MANY: Final = 20


class Lists(ExamplePayApi):
    """A client of a provider whose every list has these items, two a page."""

    def __init__(self, *items: bytes) -> None:
        super().__init__("http://examplepay.invalid", SecretStr("key"), 1.0)
        self._items = items
        self.asked: list[str | None] = []

    async def _get(self, path: str, kind: Any, **params: Any) -> Any:
        after = params.get("after")
        self.asked.append(after)
        assert len(self.asked) < MANY, "the same pages come again and again"
        ids = [json.loads(item).get("id") for item in self._items]
        if after is not None and after not in ids:
            raise MissingError(f"GET {path}: HTTP 410")
        start = ids.index(after) + 1 if after is not None else 0
        page = [msgspec.Raw(item) for item in self._items[start : start + 2]]
        return kind(page, start + 2 < len(ids))


async def test_an_item_without_an_id_holds_no_list_up() -> None:
    """A list goes on after the last item that has one. What comes twice is a duplicate."""
    for read in (ExamplePayApi.parts_of, ExamplePayApi.events_after):
        lists = Lists(b'{"id":"a"}', b"{}", b'{"id":"c"}', b'{"id":"d"}')
        pages = [len(page) async for page in read(lists, None)]  # type: ignore[arg-type]  # no object is asked for
        assert pages[:3] == [2, 2, 1]
        assert lists.asked[:3] == [None, "a", "c"]


async def test_a_page_without_an_id_is_an_error_that_names_the_field() -> None:
    """Where there is more. Asked for what comes after none, the same page would come for ever."""
    lists = Lists(b"{}", b"{}", b'{"id":"c"}')
    with pytest.raises(ProviderUnavailableError, match=r"GET /events: .* events\[\]\.id"):
        [page async for page in lists.events_after(None)]
    with pytest.raises(ProviderUnavailableError, match=r"GET /refunds: .* items\[\]\.id"):
        [page async for page in lists.parts_of("payment-1")]


async def test_a_list_that_does_not_go_on_is_an_error() -> None:
    """A page that ends where the page before it ended would come for ever, too."""
    lists = Lists(*[b'{"id":"a"}'] * 4)
    with pytest.raises(ProviderUnavailableError, match=r"no item has a new events\[\]\.id"):
        [page async for page in lists.events_after(None)]


async def test_a_list_that_says_more_and_has_none_is_an_error() -> None:
    """Nobody knows after what it goes on."""
    lists = Lists()

    async def more(_: str, kind: Any, **__: Any) -> Any:
        return kind([], True)

    lists._get = more  # type: ignore[method-assign,assignment]  # another answer
    with pytest.raises(ProviderUnavailableError, match=r"items\[\]\.id"):
        [page async for page in lists.parts_of("payment-1")]


async def test_what_our_key_may_not_read_and_what_is_missing_have_errors_of_their_own() -> None:
    """Neither is an outage."""
    assert (REFUSALS[403], REFUSALS[404], REFUSALS[410]) == (
        NotPermittedError,
        MissingError,
        MissingError,
    )
