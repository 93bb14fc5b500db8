"""The HTTP client under Stripe's package: sends calls to the simulated provider."""

import asyncio
from collections.abc import Mapping
from typing import Any

import stripe

from tests.simulation.outside.accounts import Accounts
from tests.simulation.outside.owners import Owner
from tests.simulation.process import Process


class Transport(stripe.HTTPClient):
    """Executes each call in its own task, which goes on after the caller's time-out.

    ``owner`` is the account whose client uses it.
    """

    name = "simulation"

    def __init__(self, accounts: Accounts, owner: Owner, process: Process) -> None:
        super().__init__()
        self._accounts = accounts
        self._owner = owner
        self._process = process

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """See ``stripe.HTTPClient``."""
        await self._process.step("provider.send")
        exchange = self._accounts.exchange(self._owner, method.upper(), url, headers, post_data)
        response = await asyncio.shield(asyncio.create_task(exchange))
        await self._process.step("provider.responded")
        return response.body.encode(), response.status, response.headers

    async def close_async(self) -> None:
        """Does nothing."""
