"""Sends due webhooks over persistent connections, with retries and back-off."""

import asyncio
import heapq
from dataclasses import dataclass

import aiohttp

from sandbox.stripe_simulator.delivery_plan import Kind
from sandbox.stripe_simulator.events import Due
from sandbox.stripe_simulator.rendering import of_account
from sandbox.stripe_simulator.storage.endpoints import Receiver
from sandbox.stripe_simulator.storage.store import decode, encode
from sandbox.stripe_simulator.webhooks.signing import signed_with_all
from sandbox.stripe_simulator.world import World

_FORGED: tuple[Kind, ...] = ("wrong_signature", "altered_body")
_FLUSH_EVERY_S = 0.02  # outcomes are written in groups; losing one in a crash repeats a delivery
_HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    "Cache-Control": "no-cache",
}
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A due delivery."""

    delivery_id: int
    kind: Kind
    fault: str | None
    attempts: int
    created: float
    event_seq: int
    endpoint_id: str
    body: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one attempt: the delivery's new state, and its next due time."""

    delivery: Delivery
    state: str
    due: float
    counted: tuple[str, ...]


class WebhookSender:
    """Sends one account's due webhooks until it is stopped.

    It resumes the store's pending deliveries at the start, so a restart loses none.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._later: list[tuple[float, int]] = []
        self._ready: asyncio.Queue[int] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._outcomes: list[Outcome] = []
        self._unflushed = asyncio.Event()
        self._awaited: dict[int, asyncio.Event] = {}

    def release(self, due: list[Due]) -> None:
        """Send these when they are due."""
        now = self._world.clock.wall()
        for item in due:
            if item.at <= now:
                self._ready.put_nowait(item.delivery_id)
            else:
                heapq.heappush(self._later, (item.at, item.delivery_id))
                self._changed.set()

    async def attempted(self, due: list[Due]) -> None:
        """Return when each of these that is due now was attempted once."""
        now = self._world.clock.wall()
        tried = {item.delivery_id: asyncio.Event() for item in due if item.at <= now}
        self._awaited.update(tried)
        try:
            async with asyncio.timeout(self._world.settings.webhook_timeout_s):
                for event in tried.values():
                    await event.wait()
        except TimeoutError:
            pass  # a receiver that does not respond must not block the caller
        finally:
            for delivery_id in tried:
                self._awaited.pop(delivery_id, None)

    async def run(self) -> None:
        """Send due deliveries until cancelled."""
        self.resume()
        settings = self._world.settings
        connector = aiohttp.TCPConnector(limit=settings.webhook_concurrency, keepalive_timeout=60)
        timeout = aiohttp.ClientTimeout(total=settings.webhook_timeout_s)
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
        )
        try:
            async with session, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._move_due())
                tasks.create_task(self._flush_regularly())
                for _ in range(settings.webhook_concurrency):
                    tasks.create_task(self._work(session))
        finally:
            self.flush()

    def resume(self) -> None:
        """Schedule the store's pending deliveries."""
        rows = self._world.store.rows("select id, due from deliveries where state = 'pending'")
        self.release([Due(delivery_id, due) for delivery_id, due in rows])

    def clear(self) -> None:
        """Drop all scheduled deliveries."""
        self._later.clear()
        self._outcomes.clear()
        while not self._ready.empty():
            self._ready.get_nowait()

    def flush(self) -> None:
        """Write the outcomes of finished attempts."""
        outcomes, self._outcomes = self._outcomes, []
        if not outcomes:
            return
        store = self._world.store
        counts: dict[str, int] = {}
        with store.transaction():
            store.run_many(
                "update deliveries set state = ?, attempts = attempts + 1, due = ? where id = ?",
                [(item.state, item.due, item.delivery.delivery_id) for item in outcomes],
            )
            store.run_many(
                "update deliveries set state = 'delivered'"
                " where event_seq = ? and endpoint = ? and kind = 'first'",
                [
                    (item.delivery.event_seq, item.delivery.endpoint_id)
                    for item in outcomes
                    if item.state == "delivered" and item.delivery.kind != "first"
                ],
            )
            for item in outcomes:
                for name in item.counted:
                    counts[name] = counts.get(name, 0) + 1
            for name, count in counts.items():
                store.count(f"stat:{name}", count)

    async def _move_due(self) -> None:
        while True:
            self._changed.clear()
            now = self._world.clock.wall()
            while self._later and self._later[0][0] <= now:
                self._ready.put_nowait(heapq.heappop(self._later)[1])
            wait_s = self._later[0][0] - now if self._later else None
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _flush_regularly(self) -> None:
        while True:
            await self._unflushed.wait()
            self._unflushed.clear()
            await asyncio.sleep(_FLUSH_EVERY_S)
            self.flush()

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            delivery_id = await self._ready.get()
            delivery = self._load(delivery_id)
            if delivery is not None:
                await self._attempt(session, delivery)
            awaited = self._awaited.get(delivery_id)
            if awaited is not None:
                awaited.set()

    def _load(self, delivery_id: int) -> Delivery | None:
        row = self._world.store.row(
            "select deliveries.id, kind, fault, attempts, deliveries.created, event_seq, endpoint,"
            " body from deliveries join events on events.seq = event_seq"
            " where deliveries.id = ? and state = 'pending'",
            (delivery_id,),
        )
        return None if row is None else Delivery(*row)

    async def _attempt(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        world = self._world
        receiver = world.journal.endpoints.find(delivery.endpoint_id)
        if receiver is None or not receiver.is_enabled:
            self._record(Outcome(delivery, "abandoned", 0.0, ("deliveries.abandoned",)))
            return
        # The first attempt is made however far the clock has moved.
        too_old = world.clock.now() - delivery.created > world.settings.webhook_max_age_s
        if delivery.attempts and too_old:
            self._record(Outcome(delivery, "given_up", 0.0, ("deliveries.given_up",)))
            return
        status = await self._post(session, receiver, delivery)
        self._record(self._outcome(delivery, status))

    async def _post(
        self, session: aiohttp.ClientSession, receiver: Receiver, delivery: Delivery
    ) -> int | None:
        # Signed with wall time: the receiver compares it with its own clock, which an advance of
        # the simulator's clock does not change.
        timestamp = int(self._world.clock.wall())
        endpoint = receiver.endpoint
        text = self._world.store.rendering(delivery.event_seq, endpoint["api_version"])
        text = text or delivery.body
        if receiver.is_platforms:
            text = encode(of_account(decode(text), self._world.account.id))
        body = text.encode()
        secrets = receiver.secrets
        if delivery.kind == "wrong_signature":
            secrets = [f"{secret}-of-somebody-else" for secret in secrets]
        header = signed_with_all(body, secrets, timestamp)
        if delivery.kind == "altered_body":
            body = _altered(text)
        try:
            async with session.post(
                endpoint["url"],
                data=body,
                headers={"Stripe-Signature": header},
                allow_redirects=False,
            ) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    def _outcome(self, delivery: Delivery, status: int | None) -> Outcome:
        accepted = status in _SUCCESS
        counted = ["deliveries.attempts", f"deliveries.{delivery.kind}.attempts"]
        if delivery.attempts:
            counted.append("deliveries.retries")
        if delivery.kind in _FORGED and status is not None:
            # A forgery is sent once; the counters show whether the receiver accepted it.
            counted.append(f"forged.{'accepted' if accepted else 'refused'}")
            return Outcome(delivery, "responded", 0.0, tuple(counted))
        if accepted:
            counted.append("deliveries.delivered")
            if delivery.fault == "reorder" and self._was_overtaken(delivery):
                counted.append("fault.reorder.overtaken")
            return Outcome(delivery, "delivered", 0.0, tuple(counted))
        counted.append("deliveries.failed")
        due = self._world.clock.wall() + self._back_off_s(delivery)
        return Outcome(delivery, "pending", due, tuple(counted))

    def _back_off_s(self, delivery: Delivery) -> float:
        settings = self._world.settings
        doubled = settings.retry_base_delay_s * 2.0 ** min(delivery.attempts, 30)
        longest = min(doubled, settings.retry_max_delay_s)
        # Half fixed, half random: retries spread out, and none is immediate.
        drawn = self._world.chance.unit("back-off", delivery.delivery_id, delivery.attempts)
        return longest * (0.5 + drawn / 2)

    def _was_overtaken(self, delivery: Delivery) -> bool:
        self.flush()  # include deliveries that are not written yet
        row = self._world.store.row(
            "select 1 from events reordered"
            " join events later on later.payment_intent = reordered.payment_intent"
            " and later.seq > reordered.seq join deliveries on event_seq = later.seq"
            " where reordered.seq = ? and endpoint = ? and state = 'delivered' limit 1",
            (delivery.event_seq, delivery.endpoint_id),
        )
        return row is not None

    def _record(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._unflushed.set()
        if outcome.state == "pending":
            heapq.heappush(self._later, (outcome.due, outcome.delivery.delivery_id))
            self._changed.set()


def _altered(body: str) -> bytes:
    event = decode(body)
    changed = event["data"]["object"]
    changed["amount"] = changed.get("amount", 0) + 100
    return encode(event).encode()
