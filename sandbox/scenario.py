"""A few payments through a rough world: every webhook late, out of order or more than once.

Each sample is a payment, what its client and its customer do, and how it must end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sandbox.client import Json, PaymentsClient, SimulatorControl, UnexpectedAnswerError

#: What the simulator does to webhooks meanwhile.
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
    """What a sample's steps act upon."""

    payments: PaymentsClient
    simulator: SimulatorControl


Step = Callable[[World, str], Awaitable[None]]


def at(condition: Callable[[Json], bool], step: Step) -> Step:
    """The step, once the condition holds."""

    async def run(world: World, payment_id: str) -> None:
        await world.payments.wait_for(payment_id, condition)
        await step(world, payment_id)

    return run


def ask(operation: str, **body: Any) -> Step:
    """The client asks for this operation."""

    async def run(world: World, payment_id: str) -> None:
        await world.payments.post(f"/v1/payments/{payment_id}/{operation}", body)

    return run


async def authenticate(world: World, payment_id: str) -> None:
    """The customer does what the bank asks for."""
    payment = await world.payments.get(f"/v1/payments/{payment_id}")
    intent = payment["provider_object_id"]
    await world.simulator.post(f"/payment_intents/{intent}/complete_action", {"outcome": "succeed"})


def status_is(status: str) -> Callable[[Json], bool]:
    """The payment has this status."""
    return lambda payment: bool(payment["status"] == status)


def refunded(amount: int) -> Callable[[Json], bool]:
    """This much has been given back."""
    return lambda payment: bool(payment["amounts"]["refunded"] == amount)


@dataclass(frozen=True, slots=True)
class SamplePayment:
    """A payment, what happens to it, and how it must end."""

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
        "the bank asks the customer first",
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

#: Columns of a terminal from which on everything fits into a row.
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
    """Plays all stories side by side and prints each payment's timeline; True if all ended well."""
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
    console.print(f"{good} of {len(SAMPLE_PAYMENTS)} payments ended as they should")
    return good == len(SAMPLE_PAYMENTS)


async def _run(world: World, sample: SamplePayment, console: Console) -> str | None:
    """One sample; the payment's ID, or None (and a line that says why) when it ended badly."""
    try:
        payment_id = await world.payments.create(sample.create)
        for step in sample.steps:
            await step(world, payment_id)
        await world.payments.wait_for(payment_id, sample.ends)
    except UnexpectedAnswerError as error:
        console.print(f"{sample.title}: {error}", style="red", markup=False)
        return None
    return payment_id


def _table(sample: SamplePayment, timeline: Json, width: int) -> Table:
    """The timeline of one payment; on a wide terminal with each record's position."""
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
