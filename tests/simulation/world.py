"""The world of one seed: builds the parts, runs them, ends the faults and checks the result."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec
from pydantic import SecretStr

from domain.transitions import is_final
from postgres.ops.operator import Quarantine
from processor.ops.release import release_record
from providers.stripe.access.fetched import PARTS
from schemas.headers import EVENT_ID, as_text
from schemas.topics import PROCESSOR_SOURCES, PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED
from tests.simulation.driving.client import Client, Market
from tests.simulation.driving.fault_injector import FaultInjector
from tests.simulation.driving.webhook_delivery import WebhookDelivery
from tests.simulation.faults import Chance
from tests.simulation.judging import checks
from tests.simulation.judging.refold import refolded
from tests.simulation.judging.violation import Violation
from tests.simulation.judging.watch import Watch
from tests.simulation.kafka.group import Group
from tests.simulation.kafka.log import Log
from tests.simulation.kafka.publishing import StateRecord, StateTopic
from tests.simulation.kafka.table import Changelog, Disk
from tests.simulation.outside.accounts import Accounts
from tests.simulation.outside.journal import lateness_of
from tests.simulation.outside.kinds import KINDS, LEADING_TO
from tests.simulation.outside.owners import STRIPE
from tests.simulation.outside.provider import Happened
from tests.simulation.outside.second_endpoint import SecondEndpoint
from tests.simulation.outside.strangers import Strangers, third_partys_event, waits_in_vain
from tests.simulation.outside.wrong_bindings import WrongBindings, waits_for_nothing
from tests.simulation.postgres.database import Database
from tests.simulation.process import Process, surface
from tests.simulation.programs.ingress import Ingress, NoResponseError
from tests.simulation.programs.machine import Counters, Machine, Surroundings
from tests.simulation.programs.parts import Parts
from tests.simulation.programs.settings import settings_of
from tests.simulation.programs.stream import StreamWorker
from tests.simulation.programs.worker import WorkerProcess
from tests.simulation.trace import Trace

#: L1: everything is at rest within this many seconds after the faults have ended.
REST_WITHIN_S: Final = 60.0
#: Seconds in which clients arrive, and in which faults go on after the last of them.
ARRIVALS_S: Final = 18.0
AFTER_FAULTS_S: Final = 12.0
#: Pauses are more likely at stream workers, which do little I/O and matter most.
STREAM_TROUBLE: Final = 6.0
#: Seconds between two rounds of the operator, who releases each quarantine twice.
OPERATOR_S: Final = 5.0
RELEASES: Final = 2
#: Older than any webhook may wait.
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SETTLED: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})
_TIMERS: Final = "select count(*) from timers where kind <> 'authorization_expiry'"


class _IngressProgram:
    """One ingress process; a ``Program``."""

    def __init__(self, around: Surroundings, process: Process) -> None:
        self.process = process
        owners = around.accounts.owners
        connected = {o.account.name: o.name for o in owners if o.is_connected}
        readers = {
            owner.name: around.parts.webhook_reader(
                [SecretStr(owner.secret)], 300, process.clock, owner.name,
                connected if owner is STRIPE else {},
            )
            for owner in owners
            if not owner.is_connected
        }  # fmt: skip
        self.ingress = Ingress(
            around.log, around.database, process, readers, around.counters.ingress, around.accepted
        )

    def start(self) -> None:
        """Waits for requests."""

    def on_paused(self) -> None:
        """Does nothing: an ingress has no session."""


class World:
    """Everything of one seed. Create it inside its loop."""

    def __init__(self, seed: int, parts: Parts, counters: Counters) -> None:
        self.chance = chance = Chance(seed)
        self.trace = trace = Trace()
        self._database = database = Database()
        self._watch = watch = Watch(database, chance, trace)
        self._log = log = Log(chance.random.randint(1, 3), trace)
        self._state: StateTopic = parts.state_topic(self._published)
        self._healed = asyncio.Event()
        #: Started with the first payment that may be quarantined; other seeds are not affected.
        self._operating: asyncio.Task[None] | None = None
        astray = partial(watch.found, "S12")
        self._accounts = Accounts(seed, chance, trace, self._happened, astray)
        self._webhook_delivery = WebhookDelivery(
            chance, trace, lambda: self._accounts.clock, self._webhook,
            SecondEndpoint(seed, chance), WrongBindings(seed, self._accounts.owners, chance),
        )  # fmt: skip
        stream_group = Group("stream", PROCESSOR_SOURCES, log, chance, trace, watch.offsets)
        router_group = Group("router", (PROVIDER_WEBHOOKS_UNROUTED,), log, chance, trace)
        settings = settings_of(chance, is_list_late=lateness_of(seed) is not None)
        self._around = around = Surroundings(
            parts, settings, counters, chance, trace, log, database, self._state,
            self._accounts, Changelog(), stream_group, router_group, watch.commit,
            partial(watch.found, "STOP", ""), [],
        )  # fmt: skip
        self._ingresses = [
            Machine(f"ingress{n}", around, partial(_IngressProgram, around)) for n in range(2)
        ]
        self._machines = [*self._ingresses, *self._workers()]
        self._fault_injector = FaultInjector(around, self._machines)
        self._clients = self._clients_of(seed)
        self._strangers = Strangers(seed)
        self._by_payment = {client.payment_id: client for client in self._clients}
        for provider in self._accounts:
            provider.know_payments(list(self._by_payment))

    def _workers(self) -> Iterator[Machine]:
        around = self._around
        for number in range(self.chance.random.randint(2, 3)):
            disk = Disk()
            yield Machine(f"stream{number}", around, partial(_stream, around, disk), STREAM_TROUBLE)
        for number in range(2):
            yield Machine(f"worker{number}", around, partial(WorkerProcess, around))

    def _clients_of(self, seed: int) -> list[Client]:
        def market(number: int) -> Market:
            provider = self._accounts.of(number)
            self.chance.met[f"payment in {provider.owner.name}"] += 1
            return Market(seed, self.chance, self.trace, provider, self._an_ingress, self._healed)

        names = tuple(KINDS)
        some = LEADING_TO.get(self.chance.favoured.partition(".")[0], names)
        size = self.chance.random.randint(3, 8)
        kinds = [names[seed % len(names)], *(self.chance.choice(some) for _ in range(size - 1))]
        return [Client(number, kind, market(number)) for number, kind in enumerate(kinds)]

    async def run(self) -> None:
        """Runs from the first create to rest, then checks everything."""
        self._fault_injector.set_clocks()
        for machine in self._machines:
            machine.start()
        arriving = self._spawn(self._arrivals())
        await self._run_with_faults()
        await arriving
        self._heal()
        if await self._rests_in_time() and await self._gives_strangers_up():
            self._check_at_rest()
        if self._operating is not None:
            self._operating.cancel()
        for provider in self._accounts:
            provider.close()

    async def _operate(self) -> None:
        """Runs ``replay --all`` until cancelled; it fails until the poison is removed."""
        releases: Counter[Quarantine] = Counter()
        while True:
            await asyncio.sleep(OPERATOR_S)
            for payment_id, row in self._database.quarantines.items():
                found = Quarantine(
                    payment_id=payment_id,
                    event_id=row.event_id,
                    error=row.error,
                    quarantined_at=row.quarantined_at,
                )
                releases[found] += 1
                if releases[found] <= RELEASES:
                    record = release_record(found, self._accounts.clock())
                    self._log.append(record.topic, record.key, record.value, record.headers)

    async def _run_with_faults(self) -> None:
        """Runs clients under faults, perhaps interrupted by an outage of all machines."""
        whole = ARRIVALS_S + AFTER_FAULTS_S
        first = self.chance.between(3.0, whole) if self.chance.happens("outage") else whole
        await self._run_clients(first)
        if first < whole:
            await self._fault_injector.outage()
            await self._run_clients(whole - first)

    async def _run_clients(self, seconds: float) -> None:
        acting = self._spawn(self._fault_injector.run())
        await asyncio.sleep(seconds)
        acting.cancel()

    @staticmethod
    def _spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(surface)
        return task

    async def _arrivals(self) -> None:
        for client in self._clients:
            self.trace.note("client", client.payment_id, client.kind)
            if self.chance.happens("poison"):
                self._database.poisoned[client.payment_id] = self.chance.random.randint(1, 4)
                self._operating = self._operating or self._spawn(self._operate())
            if KINDS[client.kind].suppressed:
                client.provider.suppress_creation_events(client.payment_id)
            if self.chance.happens("stranger"):
                self._webhook_delivery.send(*third_partys_event(client.payment_id, client.amount))
                await asyncio.sleep(self.chance.between(0.0, 2.0))
            client.create()
            for kind, event_id, body in self._strangers.events():
                self.chance.met[f"stranger's {kind}"] += 1
                self._webhook_delivery.send(event_id, body)
            await asyncio.sleep(self.chance.between(0.0, ARRIVALS_S / len(self._clients)))

    def _heal(self) -> None:
        self.trace.note("healed", "")
        self.chance.heal()
        for provider in self._accounts:
            provider.list_late_events()
        self._database.out_until = 0.0
        #: One reading may be under way; the next one has everything that happened before.
        readings = self._database.part_readings
        self._parts_listed_at = {name: readings[name] + 2 for name in self._part_lists()}
        self._database.is_mended = True
        for machine in self._machines:
            machine.heal()
        self._healed.set()

    async def _rests_in_time(self) -> bool:
        """L1: whether all is at rest in time, including clients that retry."""
        loop = asyncio.get_running_loop()
        healed_at = loop.time()
        while loop.time() < max(healed_at, *(c.acted_at for c in self._clients)) + REST_WITHIN_S:
            await asyncio.sleep(1.0)
            if self._watch.violations:
                return False
            if not any(self._waiting()):
                return True
        for what, payment_id in self._waiting():
            self._watch.found("L1", payment_id, f"{what}, {REST_WITHIN_S} s after the faults ended")
        return False

    async def _gives_strangers_up(self) -> bool:
        """L1: whether all that waits in vain ends once it is old enough."""
        database = self._database
        for _ in range(int(REST_WITHIN_S)):
            if not database.unrouted and not any(self._waiting()):
                return True
            for event_id, (at, webhook) in database.unrouted.items():
                database.unrouted[event_id] = (min(at, LONG_AGO), webhook)
            await asyncio.sleep(1.0)
        self._watch.found("L1", "", f"{len(database.unrouted)} webhooks wait for ever")
        return False

    def _waiting(self) -> Iterator[tuple[str, str]]:  # noqa: C901, PLR0912  # a list of checks
        """Yields what is not at rest, with the payment's ID if it concerns one."""
        database, around = self._database, self._around
        for group, name in ((around.stream_group, "stream"), (around.router_group, "router")):
            if group.lag():
                yield f"{name}: {group.lag()} records unprocessed", ""
        if database.unpublished:
            yield f"{len(database.unpublished)} publications unpublished", ""
        unrouted = [
            event_id
            for event_id, (_, webhook) in database.unrouted.items()
            if not waits_in_vain(event_id) and not waits_for_nothing(webhook)
        ]
        if unrouted:
            yield f"{len(unrouted)} webhooks unrouted", ""
        if self._webhook_delivery.in_flight:
            yield f"{self._webhook_delivery.in_flight} webhooks in flight", ""
        logged = self._logged_events()
        for provider in self._accounts:
            if unread := provider.listed_events() - logged:
                yield f"{len(unread)} of the provider's events are not read: {min(unread)}", ""
            if provider.world.store.row(_TIMERS)[0]:
                yield "a timer is pending at the provider", ""
        has_lost_parts = self.chance.met["part_not_generated"]
        for name, wanted in self._parts_listed_at.items() if has_lost_parts else ():
            if database.part_readings[name] < wanted:
                yield f"{name} is not read again", ""
        for key, call in database.calls.items():
            payment_id = key.partition(":")[0]
            if call.outcome is None:
                yield f"call {key} is due", payment_id
        for client in self._clients:
            yield from self._unfinished(client)

    def _part_lists(self) -> list[str]:
        """The lists of parts, as their cursors are named."""
        return [f"{owner.name}/parts/{kind}" for owner in self._accounts.owners for kind in PARTS]

    def _logged_events(self) -> set[str]:
        """The events in the log, in the form that the list has them in."""
        account = f'"api_version":"{self._accounts.default.versions.account}"'.encode()
        return {
            as_text(record.headers).get(EVENT_ID, "")
            for record in self._log.all((PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED))
            if account in record.value
        }

    def _unfinished(self, client: Client) -> Iterator[tuple[str, str]]:
        if client.busy:
            yield "its client is busy", client.payment_id
        if client.payment_id in self._database.quarantines:
            yield "it is quarantined", client.payment_id
        payment = self._database.payments.get(client.payment_id)
        last = self._state.last.get(client.payment_id)
        if payment is None or last is None:
            yield "it does not exist", client.payment_id
            return
        if not is_final(payment.status):
            yield f"it is {payment.status}", client.payment_id
        for refund in msgspec.json.decode(last.value)["refunds"]:
            if refund["status"] not in _SETTLED:
                yield f"its refund is {refund['status']}", client.payment_id

    def _check_at_rest(self) -> None:
        """Checks all invariants at rest."""
        database, accounts = self._database, self._accounts
        group = self._around.stream_group
        for found in (
            checks.invariants(self._log, database, self._state, group),
            checks.accepted_is_logged(self._around.accepted, database),
            checks.nothing_is_quarantined(database),
            checks.calls_are_written_with_their_payment(database),
            checks.dead_letters_are_sent(self._log, database),
            checks.strangers_end_as_ignored(self._log, database),
            checks.forgeries_have_no_effect(self._log, self._webhook_delivery.accepted_forgeries),
            checks.same_key_same_payment(self._clients),
            checks.one_object_per_operation(accounts),
            *(checks.agrees_with_provider(provider, database) for provider in accounts),
            refolded(database),
        ):
            self._watch.violations.extend(found)

    @property
    def violations(self) -> list[Violation]:
        """The violations so far."""
        return self._watch.violations

    def _published(self, records: list[StateRecord]) -> None:
        self._watch.publish(records)
        for record in records:
            client = self._by_payment.get(record.payment_id)
            if client is not None:
                client.observe(record.version, record.value)

    def _happened(self, event: Happened) -> None:
        unanswered = [provider.unanswered for provider in self._accounts]
        self._webhook_delivery.deliver(event, lambda call: any(call in each for each in unanswered))

    def _an_ingress(self) -> Ingress | None:
        program = self.chance.choice(self._ingresses).program
        alive = isinstance(program, _IngressProgram) and not program.process.dead
        return program.ingress if alive and isinstance(program, _IngressProgram) else None

    async def _webhook(self, body: bytes, signature: str, event_id: str, at: str) -> int:
        ingress = self._an_ingress()
        if ingress is None:
            raise NoResponseError("connection refused")
        return await ingress.webhook(body, signature, event_id, at)


def _stream(around: Surroundings, disk: Disk, process: Process) -> StreamWorker:
    """A stream worker with its machine's disk."""
    if around.chance.happens("lost_disk"):
        disk.entries.clear()
        disk.replayed.clear()
    return StreamWorker(around, process, disk)
