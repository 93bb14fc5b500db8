"""``replay``: lists quarantined payments, or releases them after a fix."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from cli.terminal import PUBLISH_DEADLINE_S, bootstrap, database_url, payment_id, say, seconds
from messaging.sender import Sender
from postgres.deadlines import OperatingConnection
from postgres.ops import operator as store
from processor.ops import replay as ops
from runtime.clock import utc_now


def replay(
    payment: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", parser=payment_id, help="Release this payment. Repeatable."),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            metavar="S", callback=seconds, help="How long to wait for the stream, in seconds."
        ),
    ] = 30.0,
    *,
    listed: Annotated[bool, typer.Option("--list", help="List them: since when, and why.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Release every quarantined payment.")
    ] = False,
) -> int:
    """Lists quarantined payments, or releases them after a fix.

    A payment is quarantined when our own code fails on it; its inputs then wait. After a release
    they are processed in order. Exit code 1: a payment is still quarantined, or again.
    """
    if [listed, everything, bool(payment)].count(True) != 1:
        raise typer.BadParameter("one of --list, --payment and --all is needed")
    if listed:
        for text in ops.describe_quarantines(asyncio.run(_quarantines())):
            say(text)
        return 0
    result = asyncio.run(_replay(payment or None, wait))
    for text in ops.describe_replay(result):
        say(text)
    return 0 if result.is_done else 1


async def _quarantines() -> list[store.Quarantine]:
    async with await OperatingConnection.connect(database_url()) as connection:
        return await store.quarantines(connection)


async def _replay(payment_ids: Sequence[str] | None, wait_s: float) -> ops.ReplayResult:
    sender = Sender(bootstrap(), "payments-replay", PUBLISH_DEADLINE_S)
    try:
        return await ops.replay(database_url(), sender, payment_ids, utc_now, wait_s)
    finally:
        await sender.close()
