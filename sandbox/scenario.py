"""Plays every payment story against a fault-injecting simulator, and prints the timelines."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sandbox.client import Json, PaymentsClient, SimulatorControl, UnexpectedResponseError
from sandbox.stories import AUTHENTICATES, STORIES, Rule, Story

#: The simulator's webhook faults during the samples.
ROUGH: Final[Mapping[str, Any]] = {
    "duplicate": 0.5,
    "duplicate_max": 2,
    "duplicate_spread_s": (0.0, 0.4),
    "reorder": 0.4,
    "reorder_hold_s": (0.1, 0.4),
    "early": 0.5,
    "early_hold_s": (0.05, 0.2),
    "wrong_signature": 0.1,
    "error_500_after": 0.1,
}
#: From this terminal width on, in columns, a row has room for the record's position.
WIDE: Final = 120
COLOURS: Final = {
    "applied": "green",
    "duplicate": "dim",
    "stale": "yellow",
    "parked": "blue",
    "rejected": "red",
    "conflict": "red",
    "ignored": "dim",
    "quarantined": "bold red",
}


async def play(environment: Mapping[str, str], console: Console) -> bool:
    """Plays all stories at once and prints the timelines; returns whether all ended well."""
    payments = PaymentsClient(
        environment["PAYMENTS_INGRESS_URL"], environment["PAYMENTS_SANDBOX_API_KEY"]
    )
    simulator = SimulatorControl(environment["PAYMENTS_STRIPE_API_BASE"])
    async with payments, simulator:
        await simulator.faults(**ROUGH)
        try:
            ended = await asyncio.gather(
                *(_play(story, payments, simulator, console) for story in STORIES.values())
            )
        finally:
            await simulator.faults()
        for story, payment_id in zip(STORIES.values(), ended, strict=True):
            if payment_id is not None:
                timeline = await payments.timeline(payment_id)
                console.print(_table(story, timeline, console.width))
    good = sum(payment_id is not None for payment_id in ended)
    console.print(f"{good} of {len(STORIES)} payments ended as expected")
    return good == len(STORIES)


async def _play(
    story: Story, payments: PaymentsClient, simulator: SimulatorControl, console: Console
) -> str | None:
    """Plays one story; returns the payment's ID. On failure prints the reason and returns None."""
    try:
        payment_id = await payments.create(story.body)
        for rule in story.rules:
            payment = await payments.wait_for(payment_id, rule.when)
            await _act(rule, payment, payments, simulator)
        await payments.wait_for(payment_id, story.ends)
    except UnexpectedResponseError as error:
        console.print(f"{story.title}: {error}", style="red", markup=False)
        return None
    return payment_id


async def _act(
    rule: Rule, payment: Json, payments: PaymentsClient, simulator: SimulatorControl
) -> None:
    if rule.operation == AUTHENTICATES:
        await simulator.authenticate(payment["provider_object_id"])
    else:
        await payments.post(f"/v1/payments/{payment['id']}/{rule.operation}", rule.body)


def _table(story: Story, timeline: Json, width: int) -> Table:
    """One payment's timeline; a wide terminal also shows each record's position."""
    title = f"{story.title}: {timeline['payment_id']} is {timeline['status']}"
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("received", no_wrap=True)
    table.add_column("what", max_width=40 if width >= WIDE else 24, overflow="fold")
    table.add_column("outcome", no_wrap=True)
    table.add_column("why", overflow="fold")
    if width >= WIDE:
        table.add_column("where", no_wrap=True)
    for entry in timeline["entries"]:
        outcome = entry["outcome"]
        cells = [
            entry["received_at"][11:23],
            entry["kind"],
            f"[{COLOURS[outcome]}]{outcome}[/]",
            escape(entry["reason"]),
        ]
        if width >= WIDE:
            cells.append(f"{entry['topic']}/{entry['partition']}@{entry['offset']}")
        table.add_row(*cells)
    return table
