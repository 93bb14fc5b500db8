"""A client: creates one payment, follows ``payment-state`` and applies the rules of its kind.

It retries each request under the same key until it gets a response. Sometimes it sends duplicate or
invalid requests.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

import msgspec

from ingress import command_builders
from ingress.command_builders import BuildCommand, ClientOperation
from ingress.errors import IdempotencyKeyReusedError
from sandbox.stories import Json, Rule
from schemas import identity
from schemas.http import (
    CancelRequest,
    CaptureRequest,
    ConfirmRequest,
    CreateRequest,
    RefundRequest,
)
from tests.simulation.faults import Chance
from tests.simulation.outside import bank
from tests.simulation.outside.kinds import KINDS
from tests.simulation.outside.provider import Provider
from tests.simulation.process import surface
from tests.simulation.programs.ingress import Ingress, NoResponseError
from tests.simulation.trace import Trace

TENANT: Final = "shop"
#: The first and the longest delay between two tries of a request, in seconds.
RETRY_S: Final = (0.2, 3600.0)
_INVALID_COMMANDS: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("confirm", {"payment_method": "pm_card_visa"}),
    ("capture", {"amount": "all"}),
    ("capture", {"amount": 99_999_999}),
    ("refunds", {"amount": 99_999_999}),
)


@dataclass(frozen=True, slots=True)
class Market:
    """A client's surroundings. ``ingress`` returns a running ingress, or None if all are down."""

    seed: int
    chance: Chance
    trace: Trace
    provider: Provider
    ingress: Callable[[], Ingress | None]
    healed: asyncio.Event


class Client:
    """The client of one payment; ``busy`` counts its unfinished actions."""

    def __init__(self, number: int, kind: str, market: Market) -> None:
        self.kind: Final = kind
        self._key = f"order-{market.seed}-{number}"
        self.payment_id: Final = identity.payment_id(TENANT, self._key)
        self.returned_ids: Final[set[str]] = set()
        self.busy = 0
        #: When it last finished an action, in the loop's time.
        self.acted_at = 0.0
        self._market = market
        #: The name of the account that its payment is in.
        self.account: Final = market.provider.owner.name
        self.provider: Final = market.provider
        self._chance = market.chance
        self.amount = market.chance.random.randint(100, 9_999)
        self._version = 0
        self._done: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def create(self) -> None:
        """Sends the create, sometimes several times."""
        kind = KINDS[self.kind]
        body = {"amount": self.amount, "currency": "EUR", **kind.create}
        expiry = timedelta(seconds=self._chance.between(*kind.expires_s))
        times = self._chance.random.randint(5, 20) if self._chance.happens("twins") else 1
        for _ in range(times):
            self._begin(self._create(body, expiry))
        if self._chance.happens("other_body"):
            self._begin(self._create({**body, "amount": self.amount + 1}, expiry, later=1.0))

    async def _create(self, body: Json, expiry: timedelta, later: float = 0.0) -> None:
        await asyncio.sleep(later)
        request = CreateRequest.model_validate(body)
        operation = command_builders.identify_create(TENANT, self._key, request)
        build = partial(
            command_builders.create, operation, request, provider=self.account, expiry=expiry
        )
        await self._post(operation, build)

    def observe(self, version: int, value: bytes) -> None:
        """Acts on a record of ``payment-state`` about its payment."""
        if version <= self._version:
            return  # consumers ignore versions they have
        self._version = version
        payment: Json = msgspec.json.decode(value)
        for number, rule in enumerate(KINDS[self.kind].rules):
            done = self._done.get(number, 0)
            if done < rule.times and rule.when(payment):
                self._done[number] = done + 1
                self._begin(self._follow(rule, f"{number}-{version}"))
        if self._chance.happens("senseless"):
            operation, body = self._chance.choice(_INVALID_COMMANDS)
            self._begin(self._operate(operation, body, f"senseless-{version}"))

    async def _follow(self, rule: Rule, key: str) -> None:
        await asyncio.sleep(rule.after_s + self._chance.between(0.0, 0.5))
        if rule.after_s:
            await asyncio.sleep(1.001 - self._market.provider.clock.seconds() % 1.0)
        if rule.operation in bank.ACTS:
            await self._act(rule.operation)
            return
        body = dict(rule.body)
        if rule.share is not None:
            body["amount"] = max(1, int(self.amount * rule.share))
        await self._operate(rule.operation, body, key)

    async def _act(self, name: str) -> None:
        for _ in range(20):
            if bank.act(self._market.provider, self.payment_id, name):
                self._market.trace.note("act", self.payment_id, name)
                return
            await asyncio.sleep(0.3)

    async def _operate(self, name: str, body: Mapping[str, Any], key: str) -> None:
        operation, build = _operation(self.payment_id, name, body, key)
        await self._post(operation, build)
        if self._chance.one_in(10):
            await self._post(operation, build)  # as if the client had lost the response

    async def _post(self, operation: ClientOperation, build: BuildCommand) -> None:
        """Posts until there is a response."""
        wait, longest = RETRY_S
        while True:
            ingress = self._market.ingress()
            try:
                if ingress is None:
                    raise NoResponseError("connection refused")  # noqa: TRY301  # as the called code raises it
                command = await ingress.command(operation, build)
            except NoResponseError:
                await self._sleep(self._chance.between(wait / 2, wait))
                wait = min(longest, wait * 2)
            except IdempotencyKeyReusedError:
                return
            else:
                self.returned_ids.add(command.payment_id)
                return

    async def _sleep(self, seconds: float) -> None:
        """Sleeps, or until the faults have ended."""
        if self._market.healed.is_set():
            await asyncio.sleep(min(seconds, 0.5))
            return
        try:
            async with asyncio.timeout(seconds):
                await self._market.healed.wait()
        except TimeoutError:
            return

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self.busy += 1
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        task.add_done_callback(surface)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.busy -= 1
        self.acted_at = asyncio.get_running_loop().time()
        self._tasks.discard(task)


def _operation(
    payment_id: str, name: str, body: Mapping[str, Any], key: str
) -> tuple[ClientOperation, BuildCommand]:
    """An operation's identity at the ingress, and the function that builds its command."""
    match name:
        case "confirm":
            confirm = ConfirmRequest.model_validate(body)
            operation = command_builders.identify(TENANT, payment_id, "confirm", key, confirm)
            return operation, partial(command_builders.confirm, operation, confirm)
        case "capture":
            capture = CaptureRequest.model_validate(body)
            operation = command_builders.identify(TENANT, payment_id, "capture", key, capture)
            return operation, partial(command_builders.capture, operation, capture)
        case "cancel":
            cancel = CancelRequest.model_validate(body)
            operation = command_builders.identify(TENANT, payment_id, "cancel", key, cancel)
            return operation, partial(command_builders.cancel, operation, cancel)
        case "refunds":
            refund = RefundRequest.model_validate(body)
            operation = command_builders.identify(TENANT, payment_id, "refund", key, refund)
            refund_id = identity.refund_id(payment_id, key)
            return operation, partial(
                command_builders.refund, operation, refund, refund_id=refund_id
            )
    raise ValueError(f"the API has no operation {name!r}")
