"""Sends webhooks, signed by the Standard Webhooks specification, and retries each delivery."""

import asyncio
import base64
import hmac
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

import httpx

from sandbox.examplepay_simulator.store import Json

TRIES: Final = 10
_LONGEST_WAIT_S: Final = 2.0
_REORDERED_WITHIN_S: Final = 0.3


@dataclass
class Faults:
    """The faults in force; each stays on until it is switched off."""

    #: Sends every webhook twice.
    duplicate: bool = False
    #: Delays each webhook by a random time, so they arrive in any order.
    reorder: bool = False
    #: A gateway returns an error for calls; they are not executed.
    unreachable: bool = False
    #: A gateway returns an error for calls, although they were executed.
    lose_responses: bool = False


def signature_headers(message_id: str, body: bytes, secret: str, timestamp: int) -> dict[str, str]:
    """The three signature headers; ``timestamp`` is in seconds since the Unix epoch."""
    key = base64.b64decode(secret.partition("_")[2])
    signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


class WebhookDelivery:
    """Delivers events to one URL, concurrently and in no particular order."""

    def __init__(
        self, url: str, secret: str, clock: Callable[[], datetime], faults: Faults
    ) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._faults = faults
        self._chance = random.Random()  # noqa: S311  # jitter, no secret
        self._due: asyncio.Queue[Json] = asyncio.Queue()
        self.undelivered = 0

    def send(self, event: Json) -> None:
        """Queues the event for delivery; it counts as undelivered until it is delivered."""
        for _ in range(2 if self._faults.duplicate else 1):
            self.undelivered += 1
            self._due.put_nowait(event)

    async def run(self) -> None:
        """Delivers queued events until cancelled."""
        async with httpx.AsyncClient(timeout=5.0) as http, asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._deliver(http, await self._due.get()))

    async def _deliver(self, http: httpx.AsyncClient, event: Json) -> None:
        body, tried = json.dumps(event).encode(), 0
        if self._faults.reorder:
            await asyncio.sleep(self._chance.uniform(0, _REORDERED_WITHIN_S))
        while not await self._is_accepted(http, event["id"], body) and tried < TRIES:
            tried += 1
            await asyncio.sleep(self._chance.uniform(0, min(_LONGEST_WAIT_S, 0.05 * 2**tried)))
        self.undelivered -= 1

    async def _is_accepted(self, http: httpx.AsyncClient, message_id: str, body: bytes) -> bool:
        at = int(self._clock().timestamp())
        headers = signature_headers(message_id, body, self._secret, at)
        headers["content-type"] = "application/json"
        try:
            response = await http.post(self._url, content=body, headers=headers)
        except httpx.HTTPError:
            return False  # not reachable: a later try may succeed
        return response.is_success
