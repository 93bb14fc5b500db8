"""Plays every row on a running service at once, and gathers what all who look at it can see.

Stripe itself can't be reached, so that nothing but the webhooks of the rows tells anything.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import httpx
import psycopg

from processor.ops.audit import gather
from processor.ops.invariants import Evidence
from sandbox.client import PaymentsClient, SimulatorControl
from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.service.events.rows import Row
from tests.service.events.table import PAYOUT, ROWS, UNMODELLED_ROWS
from tests.service.events.webhooks import AMOUNT, CURRENCY, Json, Report, Subject, event
from tests.service.stack import Stack

WITHIN_S: Final = 60.0
LOOK_EVERY_S: Final = 0.1  # between two looks at one condition
#: A sample of the stream's and one of the router's, without its value.
STREAM_IGNORED: Final = 'payments_inputs_total{kind="stripe.%s",outcome="ignored"}'
ROUTER_IGNORED: Final = 'payments_ignored_webhooks_total{kind="%s",provider="stripe"}'
BODY: Final = {"amount": AMOUNT, "currency": CURRENCY.upper(), "payment_method": "pm_card_visa"}


@dataclass(frozen=True, slots=True)
class Played:
    """A payment before and after the row's event, as the client reads it."""

    payment_id: str
    object_id: str
    event_id: str
    #: The event before it, if there was one.
    event_before: str | None
    before: Json
    after: Json
    timeline: Json


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of all rows.

    Args:
        played: by the row's name; an error where it could not be played to its end.
        evidence: what the log and Postgres hold, all of it published.
        inbox: rows of Postgres by event ID: kind, outcome, reason, version.
        nobodys: rows of the table of ignored webhooks by event ID: kind, reason.
        payout: the event ID of the webhook about no payment.
        counted: how often an event was counted as ignored, by type.
    """

    played: Mapping[str, Played | BaseException]
    evidence: Evidence
    inbox: Mapping[str, tuple[str, str, str, int | None]]
    nobodys: Mapping[str, tuple[str, str]]
    payout: str
    counted: Mapping[str, float]

    def row(self, name: str) -> Played:
        """What became of one row. Raises what kept it from being played."""
        found = self.played[name]
        if isinstance(found, BaseException):
            raise found
        return found


async def play(stack: Stack) -> Batch:
    """Plays all rows side by side, each on a payment of its own."""
    async with SimulatorControl(stack.simulator_url) as simulator:
        await simulator.faults(reset_before=1.0)
    began = int(time.time()) - 3600
    nobody = Subject("nobody", began, "")
    async with (
        PaymentsClient(stack.url, stack.api_key) as client,
        httpx.AsyncClient(base_url=stack.url, timeout=30.0) as stripe,
    ):
        player = _Player(stack, client, stripe)
        await player.send(nobody, PAYOUT)
        played = await asyncio.gather(
            *(player.play(f"row{n}", began, row) for n, row in enumerate(ROWS.values())),
            return_exceptions=True,
        )
    counted = await _counted(stack)
    evidence = await _published(stack)
    inbox = await _rows(stack, "select event_id, kind, outcome, reason, version from inbox")
    nobodys = await _rows(stack, "select event_id, kind, reason from ignored_webhooks")
    by_name = dict(zip(ROWS, played, strict=True))
    return Batch(by_name, evidence, inbox, nobodys, nobody.event_id(PAYOUT), counted)


@dataclass(frozen=True, slots=True)
class _Player:
    """A client and Stripe, side by side."""

    stack: Stack
    client: PaymentsClient
    stripe: httpx.AsyncClient

    async def send(self, subject: Subject, report: Report) -> str:
        """Delivers one webhook as Stripe does; its event ID."""
        body = json.dumps(event(subject, report)).encode()
        signed = signature_header(body, self.stack.webhook_secret, int(time.time()))
        answer = await self.stripe.post(
            "/webhooks/stripe", content=body, headers={"stripe-signature": signed}
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        return subject.event_id(report)

    async def play(self, name: str, began: int, row: Row) -> Played:
        """One row on a new payment, each step once the one before is recorded."""
        payment_id = await self.client.create({**BODY, **row.body})
        path = f"/v1/payments/{payment_id}"
        await self.client.wait_for(payment_id, lambda _: True)
        subject = Subject(name, began, payment_id)
        event_before = None
        for report in row.first:
            event_before = await self.send(subject, report)
            entry, _ = await self._recorded(path, event_before)
            assert entry["outcome"] == "applied", entry
        if row.asks_refund:
            asked = await self.client.post(f"{path}/refunds", {"amount": 400})
            await self._recorded(path, asked["event_id"])
            subject = replace(subject, refund_id=asked["refund_id"])
        before = await self.client.get(path)
        event_id = await self.send(subject, row.says)
        _, timeline = await self._recorded(path, event_id)
        after = await self.client.get(path)
        return Played(
            payment_id, subject.object_id("payment_intent"), event_id, event_before, before, after,
            timeline,
        )  # fmt: skip

    async def _recorded(self, path: str, event_id: str) -> tuple[Json, Json]:
        """The timeline once it has this event, and its entry."""

        async def look() -> tuple[Json, Json] | None:
            timeline = await self.client.get(f"{path}/timeline")
            found = [e for e in timeline["entries"] if e["event_id"] == event_id]
            return (found[0], timeline) if found else None

        return await _eventually(f"{event_id} is recorded", look)


_T = TypeVar("_T")


async def _eventually(what: str, look: Callable[[], Awaitable[_T | None]]) -> _T:
    """What is there once it is there. Raises AssertionError in the end."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        found = await look()
        if found is not None:
            return found
        await asyncio.sleep(LOOK_EVERY_S)
    raise AssertionError(f"not within {WITHIN_S} s: {what}")


async def _published(stack: Stack) -> Evidence:
    """The evidence once every record is processed and every version is published."""

    async def look() -> Evidence | None:
        here = stack.infrastructure
        evidence = await gather(here.kafka_bootstrap, here.database_url)
        return None if evidence.unpublished or evidence.lag else evidence

    return await _eventually("everything is published", look)


async def _counted(stack: Stack) -> dict[str, float]:
    """How often events were counted as ignored, by type, once each was or it took too long."""
    samples = {
        row.says.type: ("stream", STREAM_IGNORED % row.says.type)
        for row in UNMODELLED_ROWS.values()
    } | {PAYOUT.type: ("worker", ROUTER_IGNORED % PAYOUT.type)}
    deadline = time.monotonic() + WITHIN_S
    while True:
        found = {kind: stack.metric(*sample) for kind, sample in samples.items()}
        if all(found.values()) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(LOOK_EVERY_S)


async def _rows(stack: Stack, statement: str) -> dict[str, Any]:
    """A table by its first column."""
    url = stack.infrastructure.database_url
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await (await connection.execute(statement)).fetchall()
    return {first: tuple(others) for first, *others in found}
