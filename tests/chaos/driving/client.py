"""A client that retries each request, through alternating ingresses, until it is accepted."""

import asyncio
import itertools
import random
from collections.abc import Mapping
from typing import Any, Final, Self

import httpx

from sandbox.client import Json
from tests.chaos.history import Accepted, History, Invoked, Read, Refused, Unknown

RESPONSE_TIMEOUT_S: Final = 5.0
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 2.0


class RefusedError(Exception):
    """The service refused a valid request."""


class Client:
    """Sends requests through links and records each one. An async context manager."""

    def __init__(
        self, urls: Mapping[str, str], api_key: str, history: History, chance: random.Random
    ) -> None:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
        self._clients = {
            link: httpx.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {api_key}"},
                timeout=RESPONSE_TIMEOUT_S,
                limits=limits,
            )
            for link, url in urls.items()
        }
        self._turns = itertools.cycle(self._clients)
        self._history = history
        self._chance = chance
        #: Payment and event ID of every accepted command.
        self.accepted: set[tuple[str, str]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))

    async def post(self, operation: str, path: str, body: Mapping[str, Any], key: str) -> Json:
        """Retries until a 202 and returns its body. Raises RefusedError."""
        longest = FIRST_WAIT_S
        while (accepted := await self._try(operation, path, body, key)) is None:
            await asyncio.sleep(self._chance.uniform(0, longest))
            longest = min(longest * 2, LONGEST_WAIT_S)
        return accepted

    async def _try(
        self, operation: str, path: str, body: Mapping[str, Any], key: str
    ) -> Json | None:
        """Sends one request; returns None if it must be retried."""
        link, number, record = next(self._turns), self._history.number(), self._history.record
        record(Invoked(number=number, operation=operation, key=f"{path} {key}", via=link))
        try:
            response = await self._clients[link].post(
                path, json=dict(body), headers={"Idempotency-Key": key}
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            record(Refused(number=number, why=repr(error)))
            return None
        except httpx.HTTPError as error:
            record(Unknown(number=number, why=repr(error)))
            return None
        if response.is_server_error:
            record(Unknown(number=number, why=str(response.status_code)))
            return None
        if response.status_code != httpx.codes.ACCEPTED:
            record(Refused(number=number, why=str(response.status_code)))
            raise RefusedError(f"POST {path}: {response.status_code} {response.text[:200]}")
        accepted: Json = response.json()
        payment_id = accepted.get("payment_id") or accepted["id"]
        record(Accepted(number=number, payment_id=payment_id, event_id=accepted["event_id"]))
        self.accepted.add((payment_id, accepted["event_id"]))
        return accepted

    async def read_payment(self, payment_id: str) -> None:
        """Reads a payment once through each ingress, and records each response."""
        for link, client in self._clients.items():
            requested_at = self._history.now
            try:
                response = await client.get(f"/v1/payments/{payment_id}")
            except httpx.HTTPError:
                continue  # a failed read proves nothing
            if response.is_success:
                payment = response.json()
                self._history.record(Read(
                    requested_at=requested_at, via=link, payment_id=payment_id,
                    version=payment["version"], status=payment["status"],
                ))  # fmt: skip
