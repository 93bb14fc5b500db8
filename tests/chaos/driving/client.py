"""A client that retries each request through either ingress until it is answered."""

import asyncio
import itertools
import random
from collections.abc import Mapping
from typing import Any, Final, Self

import httpx

from sandbox.client import Json
from tests.chaos.history import Answered, History, Invoked, Read, Refused, Unknown

ANSWERED_WITHIN_S: Final = 5.0
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
        self._doors = {
            link: httpx.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {api_key}"},
                timeout=ANSWERED_WITHIN_S,
                limits=limits,
            )
            for link, url in urls.items()
        }
        self._turns = itertools.cycle(self._doors)
        self._history = history
        self._chance = chance

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.gather(*(door.aclose() for door in self._doors.values()))

    async def post(self, operation: str, path: str, body: Mapping[str, Any], key: str) -> Json:
        """Retries until a 202 and returns its body. Raises RefusedError."""
        longest = FIRST_WAIT_S
        while (answer := await self._try(operation, path, body, key)) is None:
            await asyncio.sleep(self._chance.uniform(0, longest))
            longest = min(longest * 2, LONGEST_WAIT_S)
        return answer

    async def _try(
        self, operation: str, path: str, body: Mapping[str, Any], key: str
    ) -> Json | None:
        """Sends one request; returns None if it must be retried."""
        link, number, note = next(self._turns), self._history.number(), self._history.note
        note(Invoked(number=number, operation=operation, key=f"{path} {key}", via=link))
        try:
            answer = await self._doors[link].post(
                path, json=dict(body), headers={"Idempotency-Key": key}
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            note(Refused(number=number, why=repr(error)))
            return None
        except httpx.HTTPError as error:
            note(Unknown(number=number, why=repr(error)))
            return None
        if answer.is_server_error:
            note(Unknown(number=number, why=str(answer.status_code)))
            return None
        if answer.status_code != httpx.codes.ACCEPTED:
            note(Refused(number=number, why=str(answer.status_code)))
            raise RefusedError(f"POST {path}: {answer.status_code} {answer.text[:200]}")
        said: Json = answer.json()
        payment_id = said.get("payment_id") or said["id"]
        note(Answered(number=number, payment_id=payment_id, event_id=said["event_id"]))
        return said

    async def look(self, payment_id: str) -> None:
        """Reads a payment once through each ingress, and records each response."""
        for link, door in self._doors.items():
            asked = self._history.now
            try:
                answer = await door.get(f"/v1/payments/{payment_id}")
            except httpx.HTTPError:
                continue  # a failed read proves nothing
            if answer.is_success:
                said = answer.json()
                self._history.note(Read(
                    asked=asked, via=link, payment_id=payment_id, version=said["version"],
                    status=said["status"],
                ))  # fmt: skip
