"""Unforeseen errors before and during a response."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from ingress.http.middleware import RequestMiddleware
from ingress.metrics import Metrics

pytestmark = pytest.mark.anyio

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}


@pytest.mark.parametrize("has_begun", [False, True])
async def test_a_response_starts_once(metrics: Metrics, *, has_begun: bool) -> None:
    """An error before the response becomes a 500. An error during it is only logged."""
    sent: list[Message] = []

    async def failing(_scope: Scope, _receive: Receive, send: Send) -> None:
        if has_begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("a defect")

    async def receive() -> Any:
        raise AssertionError("the body must not be read")

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestMiddleware(failing, metrics)(SCOPE, receive, send)
    begun = [each["status"] for each in sent if each["type"] == "http.response.start"]
    assert begun == [200 if has_begun else 500]
