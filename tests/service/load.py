"""A load of payments, and their client, which reads ``payment-state`` only.

The seed determines each payment's story.
"""

import asyncio
import json
import random

from aiokafka import AIOKafkaConsumer, TopicPartition

from sandbox.client import Json, PaymentsClient, SimulatorControl
from sandbox.stories import AUTHENTICATES, STORIES, Rule
from schemas.topics import PAYMENT_STATE
from tests.conftest import PARTITIONS
from tests.service.stack import Stack

ENDED_WITHIN_S = 240.0
CREATES_AT_A_TIME = 32


class Load:
    """Creates payments and acts on their records of ``payment-state`` until all have ended."""

    def __init__(self, stack: Stack, size: int, seed: int) -> None:
        self._stack = stack
        self._size = size
        self._seed = seed
        self.stories: dict[str, str] = {}
        self._fired: set[tuple[str, int]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.ended: set[str] = set()
        self._another_ended = asyncio.Condition()
        self._last: dict[str, Json] = {}

    async def run(self) -> None:
        """Waits until every payment has ended as its story says. Fails with the others' states."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._stack.infrastructure.kafka_bootstrap,
            isolation_level="read_committed",
        )
        async with (
            consumer,
            PaymentsClient(self._stack.url, self._stack.api_key) as client,
            SimulatorControl(self._stack.simulator_url) as simulator,
        ):
            consumer.assign([TopicPartition(PAYMENT_STATE, p) for p in range(PARTITIONS)])
            await consumer.seek_to_end()
            creating = asyncio.create_task(self._create_all(client))
            try:
                async with asyncio.timeout(ENDED_WITHIN_S):
                    while not creating.done() or len(self.ended) < self._size:
                        found = await consumer.getmany(timeout_ms=200)
                        for record in (r for part in found.values() for r in part):
                            self._on(json.loads(record.value), client, simulator)
                        async with self._another_ended:
                            self._another_ended.notify_all()
                        if creating.done():
                            creating.result()
            except TimeoutError:
                late = {p: self._last.get(p) for p in self.stories.keys() - self.ended}
                some = json.dumps(dict(list(late.items())[:3]), indent=1)
                raise AssertionError(f"{len(late)} payments did not end: {some}") from None
            await asyncio.gather(*self._tasks)

    async def until_ended(self, count: int) -> None:
        """Waits until this many payments have ended."""
        async with self._another_ended:
            await self._another_ended.wait_for(lambda: len(self.ended) >= count)

    async def _create_all(self, client: PaymentsClient) -> None:
        slots = asyncio.Semaphore(CREATES_AT_A_TIME)
        choose = random.Random(self._seed)  # noqa: S311  # a seeded choice, no secret
        names = [choose.choice(sorted(STORIES)) for _ in range(self._size)]

        async def create(number: int, name: str) -> None:
            async with slots:
                key = f"load-{self._seed}-{number}"
                payment_id = await client.create(STORIES[name].body, key)
                self.stories[payment_id] = name
                if payment_id in self._last:  # its first versions came before the response
                    self._act(self._last[payment_id], client, None)

        await asyncio.gather(*(create(number, name) for number, name in enumerate(names)))

    def _on(self, payment: Json, client: PaymentsClient, simulator: SimulatorControl) -> None:
        known = self._last.get(payment["id"])
        if known is not None and known["version"] >= payment["version"]:
            return  # consumers of payment-state ignore versions they have
        self._last[payment["id"]] = payment
        self._simulator = simulator
        self._act(payment, client, simulator)

    def _act(
        self, payment: Json, client: PaymentsClient, simulator: SimulatorControl | None
    ) -> None:
        name = self.stories.get(payment["id"])
        if name is None:
            return
        story = STORIES[name]
        for number, rule in enumerate(story.rules):
            if rule.when(payment) and (payment["id"], number) not in self._fired:
                self._fired.add((payment["id"], number))
                act = self._do(payment, rule, number, client, simulator or self._simulator)
                task = asyncio.create_task(act)
                self._tasks.add(task)
        if story.ends(payment):
            self.ended.add(payment["id"])

    async def _do(
        self,
        payment: Json,
        rule: Rule,
        number: int,
        client: PaymentsClient,
        simulator: SimulatorControl,
    ) -> None:
        if rule.operation == AUTHENTICATES:
            await simulator.authenticate(payment["provider_object_id"])
            return
        path = f"/v1/payments/{payment['id']}/{rule.operation}"
        await client.post(path, rule.body, f"{payment['id']}-{number}")
