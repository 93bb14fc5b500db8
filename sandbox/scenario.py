"""Sample payments against a fault-injecting simulator: webhooks late, reordered or repeated.

Each sample defines a payment, what its client and its customer do, and its expected end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sandbox.client import Json, PaymentsClient, SimulatorControl, UnexpectedResponseError

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
CARD: Final = {"currency": "EUR", "payment_method": "pm_card_visa"}


@dataclass(frozen=True, slots=True)
class World:
    """The clients that a sample's steps use."""

    payments: PaymentsClient
    simulator: SimulatorControl


Step = Callable[[World, str], Awaitable[None]]


def at(condition: Callable[[Json], bool], step: Step) -> Step:
    """Run the step once the condition holds."""

    async def run(world: World, payment_id: str) -> None:
        await world.payments.wait_for(payment_id, condition)
        await step(world, payment_id)

    return run


def ask(operation: str, **body: Any) -> Step:
    """The client requests this operation."""

    async def run(world: World, payment_id: str) -> None:
        await world.payments.post(f"/v1/payments/{payment_id}/{operation}", body)

    return run


async def authenticate(world: World, payment_id: str) -> None:
    """The customer authenticates with the bank."""
    payment = await world.payments.get(f"/v1/payments/{payment_id}")
    intent = payment["provider_object_id"]
    await world.simulator.post(f"/payment_intents/{intent}/complete_action", {"outcome": "succeed"})


def status_is(status: str) -> Callable[[Json], bool]:
    """The payment has this status."""
    return lambda payment: bool(payment["status"] == status)


def refunded(amount: int) -> Callable[[Json], bool]:
    """This amount was refunded, in minor units."""
    return lambda payment: bool(payment["amounts"]["refunded"] == amount)


@dataclass(frozen=True, slots=True)
class SamplePayment:
    """A payment, its steps, and its expected end."""

    title: str
    create: Mapping[str, Any]
    ends: Callable[[Json], bool]
    steps: tuple[Step, ...] = field(default=())


SAMPLE_PAYMENTS: Final = (
    SamplePayment("paid at once", {"amount": 1999, **CARD}, status_is("SUCCEEDED")),
    SamplePayment(
        "declined, then paid with another card",
        {
            "amount": 4500,
            "currency": "EUR",
            "payment_method": "pm_card_chargeDeclined",
            "max_attempts": 2,
        },
        status_is("SUCCEEDED"),
        (at(status_is("REQUIRES_ACTION"), ask("confirm", payment_method="pm_card_visa")),),
    ),
    SamplePayment(
        "the customer has to authenticate",
        {
            "amount": 12000,
            "currency": "EUR",
            "payment_method": "pm_card_authenticationRequired",
            "return_url": "https://shop.example/back",
        },
        status_is("SUCCEEDED"),
        (at(status_is("REQUIRES_ACTION"), authenticate),),
    ),
    SamplePayment(
        "authorized, then part of it captured",
        {"amount": 9000, "capture_method": "manual", **CARD},
        lambda payment: bool(payment["amounts"]["captured"] == 6000),  # noqa: PLR2004  # as below
        (at(status_is("AUTHORIZED"), ask("capture", amount=6000)),),
    ),
    SamplePayment(
        "authorized, then cancelled",
        {"amount": 2500, "capture_method": "manual", **CARD},
        status_is("CANCELED"),
        (at(status_is("AUTHORIZED"), ask("cancel")),),
    ),
    SamplePayment(
        "paid, then refunded in two parts",
        {"amount": 3000, **CARD},
        refunded(3000),
        (
            at(status_is("SUCCEEDED"), ask("refunds", amount=1000)),
            at(refunded(1000), ask("refunds")),
        ),
    ),
    SamplePayment(
        "declined for good",
        {"amount": 700, "currency": "EUR", "payment_method": "pm_card_chargeDeclined"},
        status_is("FAILED"),
    ),
)

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
    """Run all samples at the same time and print their timelines; return whether all ended well."""
    payments = PaymentsClient(
        environment["PAYMENTS_INGRESS_URL"], environment["PAYMENTS_SANDBOX_API_KEY"]
    )
    simulator = SimulatorControl(environment["PAYMENTS_STRIPE_API_BASE"])
    async with payments, simulator:
        world = World(payments, simulator)
        await simulator.faults(**ROUGH)
        try:
            ended = await asyncio.gather(
                *(_run(world, sample, console) for sample in SAMPLE_PAYMENTS)
            )
        finally:
            await simulator.faults()
        for sample, payment_id in zip(SAMPLE_PAYMENTS, ended, strict=True):
            if payment_id is not None:
                timeline = await payments.get(f"/v1/payments/{payment_id}/timeline")
                console.print(_table(sample, timeline, console.width))
    good = sum(payment_id is not None for payment_id in ended)
    console.print(f"{good} of {len(SAMPLE_PAYMENTS)} payments ended as expected")
    return good == len(SAMPLE_PAYMENTS)


async def _run(world: World, sample: SamplePayment, console: Console) -> str | None:
    """Run one sample and return the payment's ID; on failure print the reason and return None."""
    try:
        payment_id = await world.payments.create(sample.create)
        for step in sample.steps:
            await step(world, payment_id)
        await world.payments.wait_for(payment_id, sample.ends)
    except UnexpectedResponseError as error:
        console.print(f"{sample.title}: {error}", style="red", markup=False)
        return None
    return payment_id


def _table(sample: SamplePayment, timeline: Json, width: int) -> Table:
    """One payment's timeline; a wide terminal also shows each record's position."""
    title = f"{sample.title}: {timeline['payment_id']} is {timeline['status']}"
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
