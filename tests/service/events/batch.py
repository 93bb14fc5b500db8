"""Runs every row on a running service at the same time, and gathers all visible results.

Stripe is unreachable, so the rows' webhooks are the only source of facts.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import httpx
import psycopg

from processor.ops.invariants import Evidence
from sandbox.client import PaymentsClient, SimulatorControl
from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.service.events.rows import Row
from tests.service.events.table import PAYOUT, ROWS, UNMODELLED_ROWS
from tests.service.events.webhooks import AMOUNT, CURRENCY, Json, Report, Subject, event
from tests.service.stack import Stack
from tests.support.programs.gathering import gather

WITHIN_S: Final = 60.0
POLL_S: Final = 0.1  # polling interval
#: A sample of the stream's and one of the router's, without its value.
_INBOX: Final = """
    select split_part(event_id, '@', 1), kind, outcome, reason, version from inbox"""
STREAM_IGNORED: Final = 'payments_inputs_total{kind="stripe.%s",outcome="ignored"}'
ROUTER_IGNORED: Final = 'payments_ignored_webhooks_total{kind="%s",provider="stripe"}'
BODY: Final = {"amount": AMOUNT, "currency": CURRENCY.upper(), "payment_method": "pm_card_visa"}


@dataclass(frozen=True, slots=True)
class Played:
    """A payment before and after the row's event, as the client reads it."""

    payment_id: str
    object_id: str
    event_id: str
    #: The ID of the event before it, if any.
    event_before: str | None
    before: Json
    after: Json
    timeline: Json


@dataclass(frozen=True, slots=True)
class Batch:
    """The results of all rows.

    Args:
        played: by the row's name; an error if the row could not be completed.
        evidence: the log and Postgres after everything was published.
        inbox: kind, outcome, reason and version of the inbox's rows, by event ID.
        ignored: kind and reason of the ignored webhooks, by event ID.
        payout: the event ID of the webhook that concerns no payment.
        counted: the ignored events by type, from the metrics.
    """

    played: Mapping[str, Played | BaseException]
    evidence: Evidence
    inbox: Mapping[str, tuple[str, str, str, int | None]]
    ignored: Mapping[str, tuple[str, str]]
    payout: str
    counted: Mapping[str, float]

    def row(self, name: str) -> Played:
        """One row's result. Raises the error that stopped the row."""
        found = self.played[name]
        if isinstance(found, BaseException):
            raise found
        return found


async def play(stack: Stack) -> Batch:
    """Runs all rows concurrently, each on its own payment."""
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
    inbox = await _rows(stack, _INBOX)
    ignored = await _rows(stack, "select event_id, kind, reason from ignored_webhooks")
    by_name = dict(zip(ROWS, played, strict=True))
    return Batch(by_name, evidence, inbox, ignored, nobody.event_id(PAYOUT), counted)


@dataclass(frozen=True, slots=True)
class _Player:
    """Acts as the client and as Stripe."""

    stack: Stack
    client: PaymentsClient
    stripe: httpx.AsyncClient

    async def send(self, subject: Subject, report: Report) -> str:
        """Delivers one webhook as Stripe does, and returns its event ID."""
        body = json.dumps(event(subject, report)).encode()
        signed = signature_header(body, self.stack.webhook_secret, int(time.time()))
        response = await self.stripe.post(
            "/webhooks/stripe", content=body, headers={"stripe-signature": signed}
        )
        assert response.status_code == httpx.codes.OK, response.text
        return subject.event_id(report)

    async def play(self, name: str, began: int, row: Row) -> Played:
        """Runs one row on a new payment; each step waits until the previous one is recorded."""
        payment_id = await self.client.create({**BODY, **row.body})
        path = f"/v1/payments/{payment_id}"
        await self.client.wait_for(payment_id, lambda payment: bool(payment["version"]))
        subject = Subject(name, began, payment_id)
        event_before = None
        for report in row.first:
            event_before = await self.send(subject, report)
            entry, _ = await self._recorded(path, event_before)
            assert entry["outcome"] == "applied", entry
        if row.requests_refund:
            requested = await self.client.post(f"{path}/refunds", {"amount": 400})
            await self._recorded(path, requested["event_id"])
            subject = replace(subject, refund_id=requested["refund_id"])
        before = await self.client.get(path)
        event_id = await self.send(subject, row.report)
        _, timeline = await self._recorded(path, event_id)
        after = await self.client.get(path)
        return Played(
            payment_id, subject.object_id("payment_intent"), event_id, event_before, before, after,
            timeline,
        )  # fmt: skip

    async def _recorded(self, path: str, event_id: str) -> tuple[Json, Json]:
        """Waits for an event's entry; returns the timeline and the entry."""

        async def poll() -> tuple[Json, Json] | None:
            timeline = await self.client.get(f"{path}/timeline")
            found = [e for e in timeline["entries"] if event_of(e) == event_id]
            return (found[0], timeline) if found else None

        return await _eventually(f"{event_id} is recorded", poll)


def event_of(entry: Json) -> str:
    """The event of a timeline's entry; one that does not use up its ID has its position too."""
    event_id, _, _ = str(entry["event_id"]).partition("@")
    return event_id


_T = TypeVar("_T")


async def _eventually(what: str, poll: Callable[[], Awaitable[_T | None]]) -> _T:
    """Polls until there is a value, and returns it. Raises AssertionError at the timeout."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        found = await poll()
        if found is not None:
            return found
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"not within {WITHIN_S} s: {what}")


async def _published(stack: Stack) -> Evidence:
    """The evidence once every record is processed and every version is published."""

    async def poll() -> Evidence | None:
        here = stack.infrastructure
        evidence = await gather(here.kafka_bootstrap, here.database_url)
        return None if evidence.unpublished or evidence.lag else evidence

    return await _eventually("everything is published", poll)


async def _counted(stack: Stack) -> dict[str, float]:
    """The counts of ignored events by type, once all are counted or at the timeout."""
    samples = {
        row.report.type: ("stream", STREAM_IGNORED % row.report.type)
        for row in UNMODELLED_ROWS.values()
    } | {PAYOUT.type: ("worker", ROUTER_IGNORED % PAYOUT.type)}
    deadline = time.monotonic() + WITHIN_S
    while True:
        found = {kind: stack.metric(*sample) for kind, sample in samples.items()}
        if all(found.values()) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(POLL_S)


async def _rows(stack: Stack, statement: str) -> dict[str, Any]:
    """A query's rows by their first column."""
    url = stack.infrastructure.database_url
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await (await connection.execute(statement)).fetchall()
    return {first: tuple(others) for first, *others in found}
