"""Creates payments of every story at a rate, and acts on records of ``payment-state``."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import httpx

from sandbox.client import Json, SimulatorControl
from sandbox.stories import AUTHENTICATES, STORIES
from tests.chaos.driving.client import Client, RefusedError
from tests.chaos.stack import second_account

#: No payment is started while this many are unfinished.
UNFINISHED_MAX: Final = 250
#: The share of operations that are followed by a read of the payment.
READ_SHARE: Final = 0.3
CUSTOMER_TRIES_AGAIN_S: Final = 0.5
#: What a payment forbids that has ended so; its operation is named ``forbidden``.
FORBIDDEN: Final[Mapping[str, tuple[str, Json]]] = {
    "SUCCEEDED": ("capture", {"amount": "all"}),
    "FAILED": ("refunds", {"amount": "all"}),
    "CANCELED": ("cancel", {}),
}


class Load:
    """Starts payments, acts on them, and tracks which have ended as expected."""

    def __init__(self, client: Client, provider: SimulatorControl, seed: int) -> None:
        self._client = client
        self._provider = provider
        self._seed = seed
        self._choose = random.Random(seed)  # noqa: S311  # a seeded choice, no secret
        self._tasks: set[asyncio.Task[None]] = set()
        self._fired: set[tuple[str, int]] = set()
        self._last: dict[str, Json] = {}
        self.stories: dict[str, str] = {}
        self.ended: set[str] = set()
        self.begun = 0
        self.problems: list[str] = []

    async def begin(self, rate: float, seconds: float) -> None:
        """Starts payments at random times, ``rate`` per second, for ``seconds``."""
        loop = asyncio.get_running_loop()
        due, end = loop.time(), loop.time() + seconds
        while (due := due + self._choose.expovariate(rate)) < end:
            await asyncio.sleep(max(0.0, due - loop.time()))
            if self.begun - len(self.ended) < UNFINISHED_MAX:
                self.begun += 1
                name = self._choose.choice(sorted(STORIES))
                self._spawn(self._create(self.begun, name))

    async def until_ended(self, within_s: float) -> bool:
        """Returns True once every payment has ended, False after ``within_s`` seconds."""
        try:
            async with asyncio.timeout(within_s):
                while self._tasks or self.begun > len(self.ended):  # noqa: ASYNC110  # two conditions
                    await asyncio.sleep(0.1)  # polling interval
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Cancels everything in progress."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def late(self) -> list[str]:
        """Payments that have not ended, with their last known state."""
        late = self.stories.keys() - self.ended
        shown = [f"{p} ({self.stories[p]}): {_short(self._last.get(p))}" for p in sorted(late)]
        missing = self.begun - len(self.stories)
        return shown + ([f"{missing} creates without a response"] if missing else [])

    def counts(self) -> Counter[str]:
        """Payments by story."""
        return Counter(self.stories.values())

    def observe(self, payment: Json) -> None:
        """Acts on a payment's newest record of ``payment-state``."""
        self._last[payment["id"]] = payment
        self._act(payment)

    async def _create(self, number: int, name: str) -> None:
        body = dict(STORIES[name].body)
        if number % second_account.ONE_IN == 0:
            body["provider"] = second_account.NAME
        accepted = await self._client.post(
            "create", "/v1/payments", body, f"chaos-{self._seed}-{number}"
        )
        self.stories[accepted["id"]] = name
        if accepted["id"] in self._last:  # its first versions came before the response
            self._act(self._last[accepted["id"]])

    def _act(self, payment: Json) -> None:
        payment_id = payment["id"]
        story = STORIES[self.stories[payment_id]] if payment_id in self.stories else None
        if story is None:
            return
        for number, rule in enumerate(story.rules):
            if rule.when(payment) and (payment_id, number) not in self._fired:
                self._fired.add((payment_id, number))
                if rule.operation == AUTHENTICATES:
                    self._spawn(self._customer_acts(payment))
                    continue
                path = f"/v1/payments/{payment_id}/{rule.operation}"
                self._spawn(self._operate(rule.operation, path, dict(rule.body), str(number)))
        if story.ends(payment) and payment_id not in self.ended:
            self.ended.add(payment_id)
            name, body = FORBIDDEN[payment["status"]]
            path = f"/v1/payments/{payment_id}/{name}"
            self._spawn(self._operate("forbidden", path, body, "forbidden"))

    async def _operate(self, operation: str, path: str, body: Json, key: str) -> None:
        accepted = await self._client.post(operation, path, body, key)
        if self._choose.random() < READ_SHARE:
            await self._client.read_payment(accepted["payment_id"])

    async def _customer_acts(self, payment: Json) -> None:
        """Completes the customer's authentication, with retries."""
        is_seconds = payment["provider"] == second_account.NAME
        account = second_account.ACCOUNT.name if is_seconds else None
        while True:
            try:
                await self._provider.authenticate(payment["provider_object_id"], account)
            except httpx.HTTPStatusError:
                return  # an earlier try succeeded, but its response was lost
            except httpx.HTTPError:
                await asyncio.sleep(CUSTOMER_TRIES_AGAIN_S)
            else:
                return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._record_refusal(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _record_refusal(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except RefusedError as error:
            self.problems.append(str(error))


def _short(payment: Json | None) -> str:
    if payment is None:
        return "never published"
    return f"{payment['status']} v{payment['version']} {payment['amounts']}"
