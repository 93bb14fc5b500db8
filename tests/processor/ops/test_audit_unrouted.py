"""An audit finds a webhook that the router has acknowledged and put nowhere."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from msgspec.structs import replace

from messaging.log_reader import extent
from ports.records import ConsumedRecord
from postgres.deadlines import OperatingConnection
from processor.ops.audit import topics, unrouted
from processor.ops.audit.findings import Findings
from processor.ops.audit.unrouted import Unrouted
from processor.ops.progress import ignore
from schemas.headers import EVENT_ID, NOTICE
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED
from tests.providers.stripe.notices.test_reading import thin
from tests.support.builders import Log, payment
from tests.support.programs import routing as webhooks
from tests.support.programs.auditing import Stored
from tests.support.programs.operating import ALL, Operating
from tests.support.programs.routing import MAX_AGE_S, Routing

pytestmark = pytest.mark.anyio


class Routed:
    """A router with real topics, and what an audit says about its records."""

    def __init__(self, operating: Operating) -> None:
        self.operating = operating
        self.routing = Routing(operating.group.pool, operating.clock, sender=operating.sender)

    async def publish(self, record: ConsumedRecord) -> ConsumedRecord:
        """Publishes a record, which the router has not read."""
        (placed,) = await self.operating.publish(record)
        return placed

    async def route(self, record: ConsumedRecord) -> ConsumedRecord:
        """Publishes a record and routes it."""
        placed = await self.publish(record)
        await self.routing.router.route([placed])
        return placed

    async def execute(self, statement: str) -> None:
        """Changes a table."""
        async with self.operating.group.pool.connection() as connection:
            await connection.execute(statement.encode())

    async def is_lost(
        self, record: ConsumedRecord, since: datetime | None = None, acknowledged: int = 1
    ) -> bool:
        """Whether an audit says so, if the topic is acknowledged up to so far after the record."""
        return await self.reported(record, since, acknowledged) > 0

    async def reported(
        self, record: ConsumedRecord, since: datetime | None = None, acknowledged: int = 1
    ) -> int:
        """How often an audit says so."""
        here, position = self.operating, record.position
        ends = {(position.topic, position.partition): position.offset + acknowledged}
        async with await OperatingConnection.connect(
            here.database_url, autocommit=True
        ) as connection:
            looking = Unrouted(here.group.bootstrap, connection, ends, ignore)
            lost = [violation async for violation in looking.lost(since)]
        return lost.count(f"{position} has no outcome")


@pytest.fixture
def routed(operating: Operating) -> Routed:
    """A router with real topics."""
    return Routed(operating)


async def _known(routed: Routed) -> str:
    """A payment that has its object."""
    one, log = payment(), Log()
    async with routed.operating.group.worker(*ALL) as worker:
        await routed.operating.process(worker, log.create(one), log.result(one))
    return one


async def _waits(routed: Routed) -> ConsumedRecord:
    return await routed.route(_refund(payment()))


async def _waits_unread(routed: Routed) -> ConsumedRecord:
    record = _refund(payment())
    unread = json.loads(record.value) | {"api_version": "2014-01-31"}
    return await routed.route(replace(record, value=json.dumps(unread).encode()))


async def _is_ignored(routed: Routed) -> ConsumedRecord:
    return await routed.route(webhooks.payout(_new()))


async def _is_a_notice(routed: Routed) -> ConsumedRecord:
    return await routed.route(replace(_refund(payment(), **{NOTICE: "true"}), value=thin()))


async def _is_dead(routed: Routed) -> ConsumedRecord:
    return await routed.route(replace(_refund(payment()), value=b"no event"))


async def _is_dead_without_name(routed: Routed) -> ConsumedRecord:
    return await routed.route(_refund(payment(), **{EVENT_ID: ""}))


async def _is_on_its_way(routed: Routed) -> ConsumedRecord:
    return await routed.route(_refund(await _known(routed)))


async def _is_decided(routed: Routed) -> ConsumedRecord:
    placed = await _is_on_its_way(routed)
    async with routed.operating.group.worker(*ALL) as worker:
        await worker.process(*await routed.operating.new_records())
    return placed


async def _left_the_inbox(routed: Routed) -> ConsumedRecord:
    placed = await _is_decided(routed)
    await routed.execute("delete from inbox")
    return placed


async def _is_routed_later(routed: Routed) -> ConsumedRecord:
    one, log = payment(), Log()
    placed = await routed.route(_refund(one))
    async with routed.operating.group.worker(*ALL) as worker:
        await routed.operating.process(worker, log.create(one), log.result(one))
    await routed.routing.router.route_waiting()
    return placed


async def _waited_in_vain(routed: Routed) -> ConsumedRecord:
    placed = await routed.route(_refund(payment()))
    routed.operating.clock.forward(MAX_AGE_S + 1)
    await routed.routing.router.route_waiting()
    return placed


async def _came_twice(routed: Routed) -> ConsumedRecord:
    first = await routed.route(webhooks.payout(_new()))
    return await routed.route(first)


def _new() -> str:
    return f"evt_{payment()}"


def _refund(of: str, **named: str) -> ConsumedRecord:
    return webhooks.unrouted(of, _new(), **named)


ENDS: Final[Mapping[str, Callable[[Routed], Awaitable[ConsumedRecord]]]] = {
    "waits": _waits,
    "waits, in a form that is not read": _waits_unread,
    "ignored": _is_ignored,
    "kept as a notice": _is_a_notice,
    "dead letter": _is_dead,
    "dead letter without an event ID": _is_dead_without_name,
    "on its way to the stream": _is_on_its_way,
    "decided": _is_decided,
    "decided, and deleted for its age": _left_the_inbox,
    "waited, and was routed": _is_routed_later,
    "waited in vain": _waited_in_vain,
    "came twice": _came_twice,
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("sought_max", [1, unrouted.SOUGHT_MAX])
async def test_a_webhook_that_ended_or_waits_is_not_lost(
    routed: Routed, monkeypatch: pytest.MonkeyPatch, end: str, sought_max: int
) -> None:
    """Wherever it is, also between two places."""
    monkeypatch.setattr(unrouted, "SOUGHT_MAX", sought_max)
    placed = await ENDS[end](routed)
    assert not await routed.is_lost(placed)


@pytest.mark.parametrize("name", ["an event", ""])
@pytest.mark.parametrize("sought_max", [1, unrouted.SOUGHT_MAX])
async def test_a_webhook_that_is_nowhere_is_lost(
    routed: Routed, monkeypatch: pytest.MonkeyPatch, name: str, sought_max: int
) -> None:
    """Once it is acknowledged, and while it is not too old."""
    monkeypatch.setattr(unrouted, "SOUGHT_MAX", sought_max)
    record = _refund(payment(), **({} if name else {EVENT_ID: ""}))
    placed = await routed.publish(record)
    assert await routed.is_lost(placed)
    assert not await routed.is_lost(placed, acknowledged=0)
    assert not await routed.is_lost(placed, since=datetime.now(UTC) + timedelta(hours=1))


async def test_a_lost_webhook_is_reported_once(
    routed: Routed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many others are looked for after it."""
    monkeypatch.setattr(unrouted, "SOUGHT_MAX", 1)
    of = payment()
    lost = await routed.publish(_refund(of))
    for _ in range(3):
        await routed.publish(_refund(of))  # on the same partition
    assert await routed.reported(lost, acknowledged=4) == 1


@pytest.mark.parametrize(
    ("end", "statement"),
    [
        ("waits", "delete from unrouted"),
        ("waits, in a form that is not read", "delete from unrouted"),
        ("ignored", "delete from ignored_webhooks"),
        ("kept as a notice", "delete from notices"),
    ],
)
async def test_a_webhook_whose_row_is_lost_is_lost(
    routed: Routed, end: str, statement: str
) -> None:
    """Nothing else says what became of it."""
    placed = await ENDS[end](routed)
    assert not await routed.is_lost(placed)
    await routed.execute(statement)
    assert await routed.is_lost(placed)


@pytest.mark.parametrize("is_incremental", [True, False])
async def test_an_audit_reports_it(
    stored: Stored, monkeypatch: pytest.MonkeyPatch, *, is_incremental: bool
) -> None:
    """As a record without an outcome, also an incremental audit."""
    routed = Routed(stored.operating)
    lost, waiting = await routed.publish(_refund(payment())), await _waits(routed)

    async def all_are_acknowledged(bootstrap: str) -> dict[tuple[str, int], int]:
        present = await extent(bootstrap, PROVIDER_WEBHOOKS_UNROUTED)
        return {(p.topic, p.partition): end for p, (_, end) in present.items()}

    monkeypatch.setattr(topics, "routed", all_are_acknowledged)
    since = datetime.now(UTC) - timedelta(hours=1) if is_incremental else None
    findings = Findings()
    await stored.audited(findings, since=since)
    found = findings.by_code["S1"]
    assert f"{lost.position} has no outcome" in found.first
    assert f"{waiting.position} has no outcome" not in found.first
