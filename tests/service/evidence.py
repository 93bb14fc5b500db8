"""Compares the service's final state with the invariants, the oracle and the provider."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from decisions.decode import Decoder
from domain.inputs import Input
from domain.status import Status
from messaging.log_reader import records
from ports.provider import Account
from ports.records import ConsumedRecord, DeadLetter, RecordOffset
from processor.ops import invariants
from processor.ops.invariants import Evidence
from providers.examplepay.webhooks import ExamplePayTranslator
from providers.stripe.webhooks import StripeTranslator
from sandbox.client import SimulatorControl
from schemas.headers import as_text
from schemas.topics import PROCESSOR_SOURCES
from tests import accounts
from tests.oracle import meaning_of
from tests.service.stack import Stack
from tests.support.programs.gathering import gather

QUIET_WITHIN_S = 60.0
OK = 200
SERVER_ERROR = 500
PROVIDER_STATUS = {"succeeded": Status.SUCCEEDED, "canceled": Status.CANCELED}


async def at_rest(stack: Stack) -> Evidence:
    """The evidence once nothing is waiting and nothing changes. Fails after a minute.

    It is read table by table, so it is one state only if a second reading finds the same.
    """
    deadline = time.monotonic() + QUIET_WITHIN_S
    before: Evidence | None = None
    while True:
        here = stack.infrastructure
        evidence = await gather(here.kafka_bootstrap, here.database_url)
        waiting = list(invariants.nothing_waits(evidence))
        if not waiting and evidence == before:
            return evidence
        before = evidence
        assert time.monotonic() < deadline, f"still waiting: {waiting[:5]} ({len(waiting)})"
        await asyncio.sleep(0.2)  # polling interval


def check(evidence: Evidence) -> None:
    """Asserts that every invariant holds."""
    found = {code: v for code, v in invariants.check(evidence).items() if v}
    shown = "\n".join(f"{code}: {len(v)}, such as {v[:5]}" for code, v in found.items())
    assert not found, f"violated invariants\n{shown}"


async def agrees_with_oracle(
    stack: Stack, evidence: Evidence, further: Mapping[str, Account] = MappingProxyType({})
) -> None:
    """Asserts that each payment equals the oracle's result for the accepted inputs.

    ``further`` are accounts beside the settings' own, by their names here.
    """
    taken_in = await _taken_in(stack, evidence, further)
    for payment_id, payment in evidence.payments.items():
        expected = meaning_of(payment_id, taken_in[payment_id])
        stored = json.loads(payment.snapshot)
        assert stored["status"] == expected.status, payment_id
        assert stored["amounts"] == {
            "authorized": expected.authorized,
            "captured": expected.captured,
            "refunded": expected.refunded,
        }, payment_id
        assert {r["id"]: (r["status"], r["reversed"]) for r in stored["refunds"]} == {
            key: (r.status, r.reversed) for key, r in expected.refunds.items()
        }, payment_id
        assert {d["id"]: (d["status"], _moved(d)) for d in stored["disputes"]} == {
            key: (d.status, d.moved) for key, d in expected.disputes.items()
        }, payment_id


def _moved(dispute: Any) -> dict[str, tuple[int, int, int]]:
    """What moved in a dispute by currency, as the oracle has it."""
    return {
        each["currency"]: (each["withdrawn"], each["reinstated"], each["adjusted"])
        for each in dispute["funds"]
    }


async def _taken_in(
    stack: Stack, evidence: Evidence, further: Mapping[str, Account]
) -> dict[str, list[Input]]:
    """The inputs with an effect by payment, decoded from the log, in the recorded order."""
    by_position: dict[RecordOffset, ConsumedRecord] = {}
    for topic in PROCESSOR_SOURCES:
        async for r in records(stack.infrastructure.kafka_bootstrap, topic):
            position = RecordOffset(r.topic, r.partition, r.offset)
            by_position[position] = ConsumedRecord(
                position=position,
                key=r.key,
                value=r.value,
                headers=as_text(r.headers),
                timestamp_ms=r.timestamp,
            )
    decoder = Decoder(
        {
            "stripe": StripeTranslator(accounts.STRIPE),
            "examplepay": ExamplePayTranslator(accounts.EXAMPLEPAY),
            **{name: StripeTranslator(account, name) for name, account in further.items()},
        }
    )
    found: dict[str, list[Input]] = {}
    rows = [row for row in evidence.inbox if row.outcome in {"applied", "stale"}]
    # what changed nothing has no version: another report of what is known
    for row in sorted(rows, key=lambda row: (row.version is None, row.version or 0)):
        received = decoder.decode(by_position[row.position])
        assert not isinstance(received, DeadLetter)
        found.setdefault(row.payment_id, []).append(received.input)
    return found


async def agrees_with_provider(
    stack: Stack, evidence: Evidence, account: str | None = None
) -> None:
    """Asserts one object per payment at the provider, with the same final state and amounts.

    In the account of the settings, or in another one, by the provider's name for it.
    """
    query = "" if account is None else f"?account={account}"
    async with SimulatorControl(stack.simulator_url) as simulator:
        objects = await simulator.get(f"/objects{query}")
        executions = (await simulator.get(f"/executions{query}"))["executions"]
    # a key's generation is after the dot
    # and an error of the simulator comes after the deed, as Stripe's may
    done = {
        str(e["idempotency_key"]).split(".")[0]
        for e in executions
        if e["status"] == OK or e["status"] >= SERVER_ERROR
    }
    intents = [i for i in objects["payment_intents"] if "payment_id" in i["metadata"]]
    per_payment = Counter(intent["metadata"]["payment_id"] for intent in intents)
    assert {p: n for p, n in per_payment.items() if n > 1} == {}, "two objects for one payment"
    refunds = Counter(r["metadata"].get("refund_id") for r in objects["refunds"])
    refunds.pop(None, None)
    assert {r: n for r, n in refunds.items() if n > 1} == {}, "two objects for one refund"
    for intent in intents:
        payment = evidence.payments[intent["metadata"]["payment_id"]]
        at_provider = PROVIDER_STATUS.get(intent["status"])
        last_cancel = f"{intent['metadata']['payment_id']}:cancel:exhausted"
        if at_provider is Status.CANCELED and last_cancel in done:
            at_provider = Status.FAILED
        assert payment.status is at_provider, payment
        assert payment.captured == intent["amount_received"], payment
