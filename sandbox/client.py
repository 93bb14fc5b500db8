"""A small client of the service's HTTP API, and of the simulator's switches."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from sandbox.errors import SandboxError

Json = dict[str, Any]
POLL_S = 0.05


class UnexpectedResponseError(SandboxError):
    """An unexpected response, or a state that was not reached in time."""


class PaymentsClient:
    """One tenant's view of the service. Give each operation its own Idempotency-Key."""

    def __init__(self, url: str, api_key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=30.0
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def post(self, path: str, body: Mapping[str, Any], key: str | None = None) -> Json:
        """Send a command and return the body of the 202. Raises UnexpectedResponseError."""
        response = await self.try_post(path, body, key)
        if response.status_code != httpx.codes.ACCEPTED:
            raise UnexpectedResponseError(
                f"POST {path}: {response.status_code} {response.text[:500]}"
            )
        accepted: Json = response.json()
        return accepted

    async def try_post(
        self, path: str, body: Mapping[str, Any], key: str | None = None
    ) -> httpx.Response:
        """Send a command and return the response with any status."""
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        return await self._http.post(path, json=body, headers=headers)

    async def create(self, body: Mapping[str, Any], key: str | None = None) -> str:
        """Create a payment and return its ID."""
        accepted = await self.post("/v1/payments", body, key)
        return str(accepted["id"])

    async def get(self, path: str) -> Json:
        """Read a resource. Raises UnexpectedResponseError unless the status is 200."""
        response = await self._http.get(path)
        if response.status_code != httpx.codes.OK:
            raise UnexpectedResponseError(
                f"GET {path}: {response.status_code} {response.text[:500]}"
            )
        found: Json = response.json()
        return found

    async def timeline(self, payment_id: str) -> Json:
        """Read a payment's whole timeline, page by page."""
        path = f"/v1/payments/{payment_id}/timeline"
        whole = await self.get(path)
        while (cursor := whole["next_cursor"]) is not None:
            page = await self.get(f"{path}?cursor={cursor}")
            for name in ("entries", "calls"):
                page[name] = whole[name] + page[name]
            whole = page
        return whole

    async def wait_for(
        self, payment_id: str, condition: Callable[[Json], bool], within_s: float = 60.0
    ) -> Json:
        """Return the payment once the condition holds. Raises UnexpectedResponseError."""
        deadline = time.monotonic() + within_s
        last: Json | None = None
        while time.monotonic() < deadline:
            response = await self._http.get(f"/v1/payments/{payment_id}")
            if response.status_code == httpx.codes.OK:
                last = response.json()
                if last is not None and condition(last):
                    return last
            await asyncio.sleep(POLL_S)
        raise UnexpectedResponseError(
            f"{payment_id} did not reach the expected state within {within_s} s: {last}"
        )


class SimulatorControl:
    """The simulator's control API: acts as the customer, the bank or the network."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=f"{url}/_control", timeout=30.0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """Post to a path of the control API and return the body."""
        response = await self._http.post(path, json=dict(body or {}))
        response.raise_for_status()
        done: Json = response.json()
        return done

    async def get(self, path: str) -> Json:
        """Get a path of the control API and return the body."""
        response = await self._http.get(path)
        response.raise_for_status()
        found: Json = response.json()
        return found

    async def faults(self, **faults: Any) -> None:
        """Switch these faults on and all others off."""
        (await self._http.put("/faults", json=faults)).raise_for_status()

    async def authenticate(self, intent: str, account: str | None = None) -> None:
        """Act as the customer, who authenticates with the bank; perhaps of another account."""
        query = "" if account is None else f"?account={account}"
        await self.post(f"/payment_intents/{intent}/complete_action{query}", {"outcome": "succeed"})
