"""Stored payments for an audit, all their records in the log, and what can be wrong with them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pytest

from ports.records import ConsumedRecord
from processor.ops.audit import findings as kept
from processor.ops.audit.findings import Findings
from processor.ops.audit.run import Scope, audit
from processor.ops.invariants import check
from processor.ops.progress import ignore
from runtime.clock import utc_now
from schemas import identity
from tests.support.builders import Log, payment
from tests.support.programs.gathering import gather
from tests.support.programs.operating import ALL, Operating

PAYMENTS: Final = 24
#: Every second payment is the first of its range, every other the last.
RANGE: Final = 2
#: Sort before and after every payment ID, and between two of them.
UNKNOWN: Final = ("!first", "Pay_1", payment("unknown"), "pay_~", "~last")
#: The event of a payment's second version.
SECOND: Final = """event_id = (select event_id from payment_versions v
    where v.payment_id = inbox.payment_id and v.version = 2)"""
#: By fault: the invariants that report it, and what causes it in the payment's rows.
FAULTS: Final[Mapping[str, tuple[set[str], str]]] = {
    "a lost outcome": (
        {"S1", "S6"},
        f"delete from inbox where payment_id = %s and {SECOND}",  # noqa: S608
    ),
    "two outcomes": (
        {"S1"},
        f"""insert into duplicates select topic, partition, "offset", event_id, payment_id,
           received_at, recorded_at from inbox where payment_id = %s and {SECOND}""",  # noqa: S608
    ),
    "an event with two effects": (
        {"S2", "S6"},
        """update payment_versions v set event_id = of.event_id from payment_versions of
           where v.version = 2 and of.version = 2 and v.payment_id = %s
           and of.payment_id = (select max(payment_id) from payments)""",
    ),
    "a gap": ({"S3"}, "delete from payment_versions where payment_id = %s and version = 2"),
    "another amount": (
        {"S4"}, "update payments set authorized = amount + 1 where payment_id = %s",
    ),
    "another currency": ({"S4"}, "update payments set currency = 'USD' where payment_id = %s"),
    "an unreadable document": ({"S4"}, "update payments set document = '{}' where payment_id = %s"),
    "another outcome": (
        {"S6"}, "update inbox set outcome = 'stale' where payment_id = %s and version = 2",
    ),
    "another snapshot": (
        {"S4", "S8"}, "update payments set snapshot = '{}' where payment_id = %s",
    ),
    "a lost payment": ({"S8", "S11"}, "delete from payments where payment_id = %s"),
    "a lost refund": ({"S11"}, "delete from refunds where payment_id = %s"),
    "a call of another kind": (
        {"S11"},
        """update provider_calls set operation = 'capture'
           where payment_id = %s and operation = 'refund'""",
    ),
    "a lost call": ({"S11"}, "delete from provider_calls where payment_id = %s"),
    "a quarantine for no event": (
        {"S11"}, "insert into quarantines values (%s, 'evt_none', 'a defect', now())",
    ),
    "a quarantined event": (
        {"S11"},
        """update inbox set outcome = 'quarantined', value = '' where payment_id = %s
           and version = 3""",
    ),
    "a version that is not stored": (
        {"S11"}, "insert into unpublished_versions values (0, %s, 9, now(), '{}')",
    ),
    "an event of another account": (
        {"S12"},
        """update inbox set kind = 'other.event' where payment_id = %s
           and topic = 'provider-webhooks' and outcome = 'applied'""",
    ),
    "a lost answer": (
        {"S13"},
        """delete from operations where operation_id = (
           select max(operation_id) from operations where payment_id = %s)""",
    ),
    "an answer that was never given": (
        {"S13"}, "update operations set status = 'rejected' where payment_id = %s",
    ),
    "an answer that differs from what was published": (
        {"S13"}, "update operations set document = '{}' where payment_id = %s",
    ),
    "a parked event": (
        {"L1"},
        """update inbox set outcome = 'parked', value = '' where payment_id = %s
           and outcome = 'applied' and version = 3""",
    ),
}  # fmt: skip
#: Rows of payments that don't exist.
STRAYS: Final = (
    "insert into refunds values (%s, 'ref_1', 'FAILED', 1, false, now())",
    "insert into disputes values (%s, 'dis_1', 'LOST', 1, 'EUR', null, '[]', now())",
    "insert into quarantines values (%s, 'evt_none', 'a defect', now())",
    "insert into unpublished_versions values (0, %s, 9, now(), '{}')",
    """insert into operations select 'op_' || id, id, 'shop', 'done', '{}', 0, now()
       from (select %s::text as id) as stray""",
)
Violations = Mapping[str, set[str]]


class Stored:
    """Payments that were created, paid, and partly refunded, and all their records."""

    def __init__(self, operating: Operating, payments: Sequence[str], about: Iterable[str]) -> None:
        self.operating, self.payments, self._about = operating, payments, {*about, *payments}

    async def change(self, *statements: tuple[str, str]) -> None:
        """Executes statements about payments, without foreign keys and triggers."""
        async with self.operating.group.pool.connection() as connection:
            await connection.execute("set local session_replication_role = replica")
            for statement, payment_id in statements:
                await connection.execute(statement.encode(), [payment_id])

    async def process(self, record: ConsumedRecord) -> None:
        """Has a further record processed, which counts as one of these from now on."""
        async with self.operating.group.worker(*ALL) as worker:
            (placed,) = await self.operating.process(worker, record)
        self._about.add(str(placed.position))

    async def audited(
        self,
        findings: Findings,
        report: Any = ignore,
        jobs: int = 1,
        clock: Callable[[], datetime] = utc_now,
        **scope: Any,
    ) -> Violations:
        """What an audit finds about these payments."""
        scope = {"range_payments": RANGE, **scope}
        await audit(
            self.operating.group.bootstrap, self.operating.database_url, Scope(**scope), clock,
            findings, report, jobs,
        )  # fmt: skip
        return self.mine(findings)

    def mine(self, findings: Findings) -> Violations:
        """What was found about these payments. Other tests' records are in the log too."""
        return self._of({code: found.first for code, found in findings.by_code.items()})

    async def whole(self, settle_s: float) -> Violations:
        """What a look at everything finds."""
        here = self.operating
        return self._of(check(await gather(here.group.bootstrap, here.database_url, settle_s)))

    def _of(self, found: Mapping[str, Iterable[str]]) -> Violations:
        return {
            code: {text for text in texts if any(each in text for each in self._about)}
            for code, texts in found.items()
        }


@pytest.fixture
async def stored(operating: Operating, monkeypatch: pytest.MonkeyPatch) -> Stored:
    """Twenty payments in ten ranges, whose calls are done. An audit keeps all violations."""
    monkeypatch.setattr(kept, "EXAMPLES_MAX", 10**6)
    log = Log()

    def refunded(payment_id: str) -> ConsumedRecord:
        key = f"{payment_id}:refund:{identity.refund_id(payment_id, 'key')}"
        event_id = identity.result_event_id(key)
        return log.result(payment_id, "refund", call_key=key, event_id=event_id)

    payments = sorted(payment() for _ in range(PAYMENTS))
    about = list[str]()
    async with operating.group.worker(*ALL) as worker:
        for make in (
            log.create,
            log.result,
            lambda p: log.webhook(p, "processing"),
            lambda p: log.webhook(p, "succeeded"),
            lambda p: log.command(p, "refund", amount=400),
            refunded,
        ):
            placed = await operating.process(worker, *map(make, payments))
            about += [str(record.position) for record in placed]
    done = """update provider_calls set state = 'done', outcome = 'acknowledged',
              done_at = '2020-01-01' where payment_id <> %s"""
    async with operating.group.pool.connection() as connection:
        events = await (await connection.execute("select event_id from inbox")).fetchall()
    about += [event_id for (event_id,) in events]
    found = Stored(operating, payments, [*about, *(p[4:16] for p in payments), *UNKNOWN])
    await found.change((done, ""))
    return found
