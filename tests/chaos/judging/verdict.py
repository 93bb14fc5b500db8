"""Waits until the service is at rest, and records its state and all violations."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

import httpx
import psycopg

from processor.ops import invariants
from processor.ops.invariants import Evidence
from schemas.identity import public_operation_id
from tests.chaos.history import AnswerRead, History, Outcome, Stored, Violation
from tests.chaos.stack import second_account
from tests.chaos.stack.world import World
from tests.service import evidence
from tests.support.programs.gathering import gather

QUIET_WITHIN_S: Final = 60.0
#: Seconds between two rounds, each of which reads the whole log.
ROUND_S: Final = 0.5
READS_AT_ONCE: Final = 16
READ_WITHIN_S: Final = 10.0
_IGNORED: Final = "select event_id from ignored_webhooks"
_KINDS: Final = "select event_id, payment_id, kind, outcome, version from inbox"


async def at_rest(world: World, deadline: float) -> tuple[Evidence, list[str]]:
    """The evidence at rest, or at the loop's time ``deadline``, and what is still waiting."""
    here = world.plan.infrastructure
    while True:
        found = await gather(here.kafka_bootstrap, here.database_url)
        waiting = list(invariants.nothing_waits(found))
        if not waiting or asyncio.get_running_loop().time() > deadline:
            return found, waiting
        await asyncio.sleep(ROUND_S)  # polling interval


async def judge(world: World, found: Evidence) -> None:
    """Records the stored state and every violation."""
    history = world.history
    for code, violations in invariants.check(found).items():
        for what in violations:
            history.record(Violation(code=code, what=what))
    if not any(row.kind.startswith(f"{second_account.NAME}.") for row in found.inbox):
        history.record(Violation(code="C1", what="nothing happened in the second account"))
    further = {second_account.NAME: second_account.ACCOUNT}
    await _compare(
        history, "oracle", lambda: evidence.agrees_with_oracle(world.stack, found, further)
    )
    for account in (None, second_account.ACCOUNT.name):
        compare = partial(evidence.agrees_with_provider, world.stack, found, account)
        await _compare(history, "provider", compare)
    for payment in found.payments.values():
        history.record(Stored(
            payment_id=payment.payment_id, version=payment.version, status=payment.status
        ))  # fmt: skip
    url = world.plan.infrastructure.database_url
    async with await psycopg.AsyncConnection.connect(url) as connection:
        for row in await (await connection.execute(_KINDS)).fetchall():
            event_id, payment_id, kind, outcome, version = row
            history.record(Outcome(
                event_id=event_id, payment_id=payment_id, kind=kind, outcome=outcome,
                version=version,
            ))  # fmt: skip
        for (event_id,) in await (await connection.execute(_IGNORED)).fetchall():
            history.record(Outcome(
                event_id=event_id, payment_id=None, kind="webhook", outcome="ignored"
            ))  # fmt: skip


async def read_answers(world: World, event_ids: Iterable[tuple[str, str]]) -> None:
    """Records what the API says became of these commands: payment and event ID of each."""
    places = asyncio.Semaphore(READS_AT_ONCE)
    (url, *_) = world.urls("client").values()
    headers = {"Authorization": f"Bearer {world.stack.api_key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=READ_WITHIN_S) as client:

        async def read(payment_id: str, event_id: str) -> None:
            async with places:
                id_ = public_operation_id(payment_id, event_id)
                response = await client.get(f"/v1/operations/{id_}")
            operation = response.json()
            world.history.record(AnswerRead(
                operation_id=id_, status=operation["status"], code=operation.get("code")
            ))  # fmt: skip

        await asyncio.gather(*(read(*each) for each in event_ids))


async def _compare(history: History, code: str, compare: Callable[[], Awaitable[None]]) -> None:
    try:
        await compare()
    except (AssertionError, KeyError) as error:
        history.record(Violation(code=code, what=f"{type(error).__name__}: {error}"[:2000]))
