"""Waits for entries of a payment's timeline."""

import asyncio

from sandbox.client import Json, PaymentsClient

WITHIN_S = 30.0


async def entry_of(client: PaymentsClient, payment_id: str, kind: str) -> Json:
    """The timeline's entry of this kind, once there is one."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            timeline = await client.timeline(payment_id)
            for entry in timeline["entries"]:
                if entry["kind"] == kind:
                    return dict(entry)
            await asyncio.sleep(0.05)  # polling interval
