"""Ends what tests leave open: others on the same service look at the ends of all payments."""

from typing import Final

import httpx

from tests.service.stack import Stack
from tests.support.waiting import until

WITHIN_S: Final = 60.0
UNFINISHED: Final = ("CREATED", "PROCESSING", "REQUIRES_ACTION", "AUTHORIZED")
#: What waits for somebody.
OPEN: Final = frozenset({"REQUIRES_ACTION", "AUTHORIZED"})


async def end_all(stack: Stack) -> None:
    """Cancels every payment that waits for somebody, until all have ended."""
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=WITHIN_S) as client:

        async def none_is_left() -> bool:
            listed = await client.get(
                "/v1/payments", params={"status": list(UNFINISHED), "limit": 100}
            )
            left = listed.raise_for_status().json()["data"]
            for payment in left:
                if payment["status"] in OPEN:
                    path, key = f"/v1/payments/{payment['id']}/cancel", f"end {payment['version']}"
                    await client.post(path, json={}, headers={"Idempotency-Key": key})
            return not left

        await until(none_is_left, WITHIN_S)
