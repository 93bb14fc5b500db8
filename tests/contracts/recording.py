"""Transports of the `stripe` package that record their requests and responses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import stripe


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, with the names of its parameters, and its response."""

    method: str
    path: str
    names: frozenset[str]
    status: int
    body: Any

    @property
    def expanded(self) -> bool:
        """Whether the request expanded IDs into objects."""
        return any(name.startswith("expand[") for name in self.names)


def recording(session: requests.Session) -> list[Exchange]:
    """Returns a list that collects every exchange of a session from now on."""
    exchanges: list[Exchange] = []

    def record(response: requests.Response, *_: Any, **__: Any) -> None:
        sent = response.request
        exchanges.append(
            _exchange(
                str(sent.method), str(sent.url), sent.body, response.content, response.status_code
            )
        )

    session.hooks["response"].append(record)
    return exchanges


class PagingClient(stripe.HTTPXClient):
    """A transport for our client that sets `has_more` in the first page of each list.

    stripe-mock's lists have one page each, so the client would never request the next one.
    """

    def __init__(self) -> None:
        super().__init__(timeout=10)
        self.exchanges: list[Exchange] = []

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """See ``stripe.HTTPClient.request_async``."""
        content, status, received = await super().request_async(method, url, headers, post_data)
        exchange = _exchange(method, url, post_data, content, status)
        requested = {(each.path, each.names) for each in self.exchanges}
        self.exchanges.append(exchange)
        if "has_more" in exchange.body and (exchange.path, exchange.names) not in requested:
            content = json.dumps({**exchange.body, "has_more": True}).encode()
        return content, status, received


def _exchange(method: str, url: str, post_data: Any, content: bytes, status: int) -> Exchange:
    parts = urlsplit(url)
    sent = parse_qsl(parts.query) + parse_qsl(post_data or "")
    names = frozenset(name for name, _ in sent)
    return Exchange(method.upper(), parts.path, names, status, json.loads(content))
