"""Receives the provider's webhooks, forwards each to an ingress, and records it."""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import msgspec
from aiohttp import web

from providers.stripe.webhooks import NAME, scoped
from sandbox.supervision.ports import HOST
from tests.chaos.history import Accepted, History, Invoked, Refused, Unknown
from tests.chaos.stack import second_account

PATH: Final = "/webhooks/stripe"
RESPONSE_TIMEOUT_S: Final = 5.0
_PASSED_ON: Final = ("Stripe-Signature", "Content-Type")


class _Event(msgspec.Struct):
    id: str


_EVENT_ID: Final = msgspec.json.Decoder(_Event).decode


class Gateway:
    """A load balancer over the links to the ingresses; the provider retries failed deliveries.

    Args:
        urls: each link's URL.
        history: records every delivery.
    """

    def __init__(
        self, session: aiohttp.ClientSession, urls: Mapping[str, str], history: History
    ) -> None:
        self._session = session
        self._turns = itertools.cycle(urls.items())
        self._history = history

    async def deliver(self, request: web.Request) -> web.Response:
        """Forwards one delivery."""
        body = await request.read()
        (link, url), number = next(self._turns), self._history.number()
        name = second_account.NAME if request.path == second_account.PATH else NAME
        key = scoped(name, _EVENT_ID(body).id)
        self._history.record(Invoked(number=number, operation="webhook", key=key, via=link))
        headers = {name: request.headers[name] for name in _PASSED_ON}
        try:
            async with self._session.post(
                url + request.path, data=body, headers=headers
            ) as response:
                await response.read()
        except aiohttp.ClientConnectorError as error:
            self._history.record(Refused(number=number, why=repr(error)))
            return web.Response(status=502)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._history.record(Unknown(number=number, why=repr(error)))
            return web.Response(status=504)
        self._record_response(number, key, response.status)
        return web.Response(status=response.status)

    def _record_response(self, number: int, event_id: str, status: int) -> None:
        if status == web.HTTPOk.status_code:
            self._history.record(Accepted(number=number, event_id=event_id))
        elif status < web.HTTPInternalServerError.status_code:
            self._history.record(Refused(number=number, why=str(status)))
        else:
            self._history.record(Unknown(number=number, why=str(status)))


@asynccontextmanager
async def serving(port: int, urls: Mapping[str, str], history: History) -> AsyncIterator[None]:
    """Serves the gateway."""
    timeout = aiohttp.ClientTimeout(total=RESPONSE_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        app = web.Application()
        gateway = Gateway(session, urls, history)
        for path in (PATH, second_account.PATH):
            app.router.add_post(path, gateway.deliver)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            yield
        finally:
            await runner.cleanup()
