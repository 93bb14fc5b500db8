"""The operator's commands on the running service: their output and their effect."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from processor.ops.audit.findings import Findings
from processor.ops.audit.run import Scope, audit
from processor.ops.invariants import check
from processor.ops.progress import ignore
from runtime.clock import utc_now
from sandbox.client import PaymentsClient
from schemas.topics import PAYMENT_COMMANDS
from tests.service import evidence, operator
from tests.service.load import Load
from tests.service.stack import Stack
from tests.support.programs.gathering import gather

pytestmark = pytest.mark.anyio

POISON: Final = 1313
SEED: Final = 20_260_301
SIZE: Final = 60
#: So few that an audit reads many ranges, one after the other.
RANGE_PAYMENTS: Final = 4
#: The default of ``audit --settle``.
SETTLE_S: Final = 60.0


def _body(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR", "payment_method": "pm_card_visa"}


def _has_succeeded(payment: dict[str, Any]) -> bool:
    return bool(payment["status"] == "SUCCEEDED")


@asynccontextmanager
async def _refusing(stack: Stack) -> AsyncIterator[None]:
    """During the block Postgres rejects every payment of the amount POISON."""
    async with await psycopg.AsyncConnection.connect(
        stack.infrastructure.database_url, autocommit=True
    ) as connection:
        await connection.execute(
            "alter table payments add constraint refused check (amount <> 1313) not valid"
        )
        try:
            yield
        finally:
            await connection.execute("alter table payments drop constraint refused")


async def _until_gauge_is(stack: Stack, quarantined: float) -> None:
    deadline = time.monotonic() + operator.WITHIN_S
    while (
        value := stack.metric("worker", 'payments_backlog_rows{kind="quarantined_payment"}')
    ) != quarantined:
        assert time.monotonic() < deadline, f"the gauge of quarantined payments is {value}"
        await asyncio.sleep(0.2)  # polling interval


async def test_an_audit_under_load_finds_nothing(stack: Stack) -> None:
    """Ranges of different moments: repeated audits report no violation for records in flight."""
    here = stack.infrastructure
    load = Load(stack, SIZE, SEED)
    living = asyncio.create_task(load.run())
    sizes = []
    while not living.done():
        found_now = Findings()
        scope = Scope(settle_s=SETTLE_S, range_payments=RANGE_PAYMENTS)
        await audit(here.kafka_bootstrap, here.database_url, scope, utc_now, found_now, ignore)
        assert {code: v.first for code, v in found_now.by_code.items() if v.violations} == {}
        sizes.append(found_now.by_code["S1"].checked)
    await living
    completed = await operator.run(stack, "audit", "--json")
    assert completed.code == 0, completed
    found = json.loads(completed.stdout)
    assert [code for code, line in found.items() if line["violations"]] == []
    assert found["S1"]["checked"] > sizes[0]


async def test_a_record_in_flight_is_no_violation(stack: Stack) -> None:
    """Only an audit without a settle time reports a record that is not processed yet."""
    here, stream = stack.infrastructure, stack.programs["stream"]
    await evidence.at_rest(stack)
    async with PaymentsClient(stack.url, stack.api_key) as client:
        await asyncio.to_thread(stream.kill)
        try:
            payment_id = await client.create(_body(700))
            live = await gather(here.kafka_bootstrap, here.database_url, SETTLE_S)
            at_rest = await gather(here.kafka_bootstrap, here.database_url)
        finally:
            stream.start()
            await asyncio.to_thread(stream.wait_until_ready)
        assert {code: v for code, v in check(live).items() if v} == {}
        assert {code for code, v in check(at_rest).items() if v} == {"S1", "L1"}
        await client.wait_for(payment_id, _has_succeeded)


async def test_an_audit_reports_a_missing_outcome(stack: Stack) -> None:
    """It prints a line per violated invariant, names the record, and exits with 1."""
    await evidence.at_rest(stack)
    async with (
        PaymentsClient(stack.url, stack.api_key) as client,
        await psycopg.AsyncConnection.connect(
            stack.infrastructure.database_url, autocommit=True
        ) as connection,
    ):
        payment_id = await client.create(_body(700))
        await client.wait_for(payment_id, _has_succeeded)
        await evidence.at_rest(stack)
        lost = "from inbox where kind = 'command.create' and payment_id = %s"
        await connection.execute(f"create table lost as select * {lost}".encode(), [payment_id])
        await connection.execute(f"delete {lost}".encode(), [payment_id])
        try:
            completed = await operator.run(stack, "audit")
        finally:
            await connection.execute("insert into inbox select * from lost")
            await connection.execute("drop table lost")
    assert completed.code == 1, completed
    lines = completed.stdout.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == [
        "S1", "S2", "S3", "S4", "S5", "S6", "S8", "S11", "S12", "S13", "L1",
    ]  # fmt: skip
    assert "has no outcome" in completed.stdout
    assert f"{payment_id} version 1: its event" in completed.stdout


async def test_an_audit_ignores_history_older_than_the_retention(stack: Stack) -> None:
    """An outcome is required only of records and versions within the retention."""
    here = stack.infrastructure
    found = await evidence.at_rest(stack)
    assert found.log
    nothing = await gather(here.kafka_bootstrap, here.database_url, SETTLE_S, retention_s=1e-6)
    assert nothing.log == frozenset()
    assert all(v.is_old for versions in nothing.versions.values() for v in versions)
    everything = await gather(
        here.kafka_bootstrap, here.database_url, SETTLE_S, retention_s=86_400.0
    )
    assert everything.log >= found.log  # a repeated webhook may have arrived meanwhile
    assert not any(v.is_old for versions in everything.versions.values() for v in versions)


async def test_a_quarantined_payment_is_released_after_the_fix(stack: Stack) -> None:
    """Gauge and list show it, other payments go on, and after the replay every invariant holds."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        async with _refusing(stack):
            poison = await client.create(_body(POISON))
            other = await client.create(_body(700))
            await client.wait_for(other, _has_succeeded)
            listed = await operator.until_printed(stack, poison, "replay", "--list")
            assert listed.code == 0
            assert "1 payments quarantined" in listed.stdout
            assert "refused" in listed.stdout
            await _until_gauge_is(stack, 1.0)
            too_early = await operator.run(stack, "replay", "--all")
            assert too_early.code == 1, too_early
            assert "1 releases published, 1 quarantined again or still" in too_early.stdout
        done = await operator.run(stack, "replay", "--payment", poison)
        assert done.code == 0, done
        assert f"{poison}  applied: the payment was released" in done.stdout
        await client.wait_for(poison, _has_succeeded)
        again = await operator.run(stack, "replay", "--payment", poison)
        assert again.code == 1
        assert f"{poison}  is not quarantined" in again.stdout
    await _until_gauge_is(stack, 0.0)
    evidence.check(await evidence.at_rest(stack))
    audited = await operator.run(stack, "audit", "--settle", "0", "--rebuild")
    assert audited.code == 0, audited
    assert "S7    ok" in audited.stdout


async def test_a_dead_letter_is_listed_and_replayed(stack: Stack) -> None:
    """If it is still undecodable after the replay, it becomes a new dead letter."""
    key = uuid.uuid4().hex
    garbage = f"garbage {key}"
    async with AIOKafkaProducer(
        bootstrap_servers=stack.infrastructure.kafka_bootstrap, acks="all"
    ) as producer:
        at = await producer.send_and_wait(
            PAYMENT_COMMANDS, key=key.encode(), value=garbage.encode()
        )
    origin = f"from {PAYMENT_COMMANDS} {at.partition}:{at.offset}, {len(garbage)} bytes"
    listed = await operator.until_printed(stack, origin, "dead-letters")
    assert garbage not in listed.stdout
    (line,) = [line for line in listed.stdout.splitlines() if origin in line]
    position = line.partition(" ")[0]
    shown = await operator.run(stack, "dead-letters", "--show", position)
    assert garbage in shown.stdout
    before = listed.stdout.count(f" from {PAYMENT_COMMANDS}")
    sent = await operator.run(stack, "dead-letters", "--replay", "--position", position)
    assert (sent.code, sent.stdout) == (0, "1 dead letters sent to their topics again\n")
    more = f"{len(listed.stdout.splitlines()) // 2 + 1} dead letters"
    listed = await operator.until_printed(stack, more, "dead-letters")
    assert listed.stdout.count(f" from {PAYMENT_COMMANDS}") == before + 1
    assert "sent again" in listed.stdout
    again = await operator.run(stack, "dead-letters", "--replay", "--position", position)
    assert "1 left out: they were sent before" in again.stdout
    evidence.check(await evidence.at_rest(stack))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("replay",), "one of --list, --payment and --all is needed"),
        (("dead-letters", "--replay"), "--replay goes with either --position or --all"),
        (("dead-letters", "--all"), "--replay goes with either --position or --all"),
        (("dead-letters", "--show", "here"), "'here' is not PARTITION:OFFSET"),
        (("migrate", "--twice"), "No such option: --twice"),
    ],
)
async def test_wrong_arguments_are_refused(
    stack: Stack, arguments: tuple[str, ...], complaint: str
) -> None:
    """The error states the reason, and the exit code is 2."""
    completed = await operator.run(stack, *arguments)
    assert completed.code == 2
    assert complaint in completed.stderr
