"""An audit range by range finds what a look at everything finds, and can be interrupted."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from ports.records import ConsumedRecord
from processor.ops.audit import findings as kept
from processor.ops.audit.findings import Findings
from processor.ops.audit.ranges import CollationError, Ranges
from processor.ops.audit.run import Scope, audit
from processor.ops.invariants import check
from processor.ops.progress import ignore
from schemas import identity
from tests.support.builders import Log, payment
from tests.support.programs.gathering import gather
from tests.support.programs.operating import ALL, Operating

pytestmark = pytest.mark.anyio

PAYMENTS: Final = 20
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
        {"S4", "S5"}, "update payments set authorized = amount + 1 where payment_id = %s",
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
    "a parked event": (
        {"L1"},
        """update inbox set outcome = 'parked', value = '' where payment_id = %s
           and outcome = 'applied' and version = 3""",
    ),
}  # fmt: skip
#: Rows of payments that don't exist.
STRAYS: Final = (
    "insert into refunds values (%s, 'ref_1', 'FAILED', 1, false, now())",
    "insert into disputes values (%s, 'dis_1', 'LOST', 1, 0, 0, now())",
    "insert into quarantines values (%s, 'evt_none', 'a defect', now())",
    "insert into unpublished_versions values (0, %s, 9, now(), '{}')",
)
Violations = Mapping[str, set[str]]


@pytest.fixture(autouse=True)
def every_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """All violations are kept, to be compared."""
    monkeypatch.setattr(kept, "EXAMPLES_MAX", 10**6)


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

    async def audited(
        self, findings: Findings, report: Any = ignore, jobs: int = 1, **scope: Any
    ) -> Violations:
        """What an audit finds about these payments."""
        scope = {"range_payments": RANGE, **scope}
        await audit(
            self.operating.group.bootstrap, self.operating.database_url, Scope(**scope),
            lambda: datetime.now(UTC), findings, report, jobs,
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
async def stored(operating: Operating) -> Stored:
    """Twenty payments in ten ranges, whose calls are done."""
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


@pytest.mark.parametrize("settle_s", [0.0, 60.0])
async def test_the_ranges_find_what_a_look_at_everything_finds(
    stored: Stored, settle_s: float
) -> None:
    """Faults of every kind, at the edges of ranges, and rows of payments that don't exist."""
    assert not any((await stored.audited(Findings(), settle_s=settle_s)).values())
    broken = dict(zip(FAULTS, stored.payments, strict=False))
    faults = [(statement, broken[name]) for name, (_, statement) in FAULTS.items()]
    strays = [(statement, unknown) for statement in STRAYS for unknown in UNKNOWN]
    await stored.change(*faults, *strays)
    found = await stored.audited(Findings(), settle_s=settle_s)
    assert found == await stored.whole(settle_s)
    for name, (codes, _) in FAULTS.items():
        for code in codes - {"S1", "S2"}:
            about = broken[name][4:16]
            assert any(about in text for text in found[code]), (name, code)
    assert [text for text in found["S2"] if "created 2 versions" in text]
    assert sum("several outcomes" in text for text in found["S1"]) == 1
    # the group has acknowledged nothing, so on a live system every outcome may be in flight
    assert sum("no outcome" in text for text in found["S1"]) == (0 if settle_s else 1)
    for unknown in UNKNOWN:
        assert sum(unknown in text for text in found["S11"]) >= len(STRAYS), unknown


async def test_processes_that_share_the_ranges_find_the_same(stored: Stored) -> None:
    """Progress and findings come in the order of the ranges, whichever process is quicker."""
    faults = [FAULTS["another currency"], FAULTS["another outcome"], FAULTS["a lost outcome"]]
    await stored.change(*(
        (faults[number % 3][1], payment_id) for number, payment_id in enumerate(stored.payments)
    ))  # fmt: skip
    alone, shared, reached = Findings(), Findings(), list[str]()
    found = await stored.audited(alone)
    assert found == await stored.audited(
        shared, lambda *what: reached.append("".join(map(str, what[3:]))), jobs=3
    )
    for code, finding in alone.by_code.items():
        other = shared.by_code[code]
        assert (other.checked, other.violations) == (finding.checked, finding.violations), code
    payments = [first for first in reached if first in stored.payments]
    assert payments == sorted(payments) == stored.payments[RANGE::RANGE]


class StoppedError(Exception):
    """What ends an audit in its middle."""


async def test_an_interrupted_audit_goes_on_where_it_was(stored: Stored) -> None:
    """Its findings are there, and both parts find what one audit finds."""
    faults = [FAULTS["another currency"], FAULTS["another outcome"], FAULTS["a lost outcome"]]
    await stored.change(*(
        (faults[number % 3][1], payment_id) for number, payment_id in enumerate(stored.payments)
    ))  # fmt: skip
    whole = await stored.audited(Findings())

    def interrupt(what: str, done: int, *_: object) -> None:
        if what == "payments" and done >= PAYMENTS // 2:
            raise StoppedError

    first, second = Findings(), Findings()
    with pytest.raises(StoppedError):
        await stored.audited(first, interrupt)
    assert first.reached == stored.payments[PAYMENTS // 2]
    before = stored.mine(first)
    after = await stored.audited(second, start=first.reached)
    assert second.reached is None
    assert second.by_code["S5"].checked == PAYMENTS // 2
    assert before["S4"]
    assert not before["S1"]
    assert {code: before[code] | after[code] for code in whole} == whole


async def test_an_incremental_audit_checks_what_changed_and_what_waits(stored: Stored) -> None:
    """A wrong row of a payment with a new input is found, and no other payment is read."""
    new, waiting, old = stored.payments[0], stored.payments[5], stored.payments[9]
    since = datetime.now(UTC) - timedelta(hours=1)
    earlier = "update inbox set recorded_at = now() - interval '1 day' where payment_id <> %s"
    await stored.change(
        (earlier, new),
        ("update inbox set recorded_at = now() where payment_id = %s", new),
        ("update payment_versions set at = now() where payment_id = %s", new),
        *((FAULTS[name][1], each) for each in (new, old) for name in ("another snapshot", "a gap")),
        (FAULTS["a parked event"][1], waiting),
    )
    findings = Findings()
    found = await stored.audited(findings, since=since, settle_s=60.0)
    assert findings.by_code["S5"].checked == 2
    for code in ("S3", "S4", "S8"):
        assert [text for text in found[code] if new in text], code
        assert not [text for text in found[code] if old in text], code
    assert [text for text in found["L1"] if waiting in text]
    assert not [text for text in found["S8"] if waiting in text]


async def test_an_incremental_audit_looks_for_new_versions_on_the_new_part_of_the_topic(
    stored: Stored,
) -> None:
    """An old version was published before, and that part is not read."""
    since = datetime.now(UTC) + timedelta(hours=1)
    mine = stored.payments[7]
    later = "now() + interval '2 hours' where payment_id = %s"
    await stored.change((f"update inbox set recorded_at = {later}", mine))  # noqa: S608
    assert (await stored.audited(Findings(), since=since, settle_s=60.0))["S8"] == set()
    await stored.change((f"update payment_versions set at = {later}", mine))  # noqa: S608
    found = await stored.audited(Findings(), since=since, settle_s=60.0)
    assert [text for text in found["S8"] if f"{mine}: the last record is not" in text]


async def test_an_incremental_audit_finds_a_new_record_without_an_outcome(stored: Stored) -> None:
    """The log is read from then on. What is older is left out."""
    await stored.change(
        ("update inbox set recorded_at = now() where payment_id <> %s", ""),
        (FAULTS["a lost outcome"][1], stored.payments[3]),
    )
    since = datetime.now(UTC) - timedelta(hours=1)
    assert len((await stored.audited(Findings(), since=since))["S1"]) == 1
    later = datetime.now(UTC) + timedelta(hours=1)
    findings = Findings()
    await stored.audited(findings, since=later)
    assert findings.by_code["S1"].checked == 0


def test_ranges_are_in_the_order_of_bytes(tmp_path: Any) -> None:
    """A database with another collation would have payments of one range in another."""
    ranges = Ranges(tmp_path, [""])
    ranges.begin("pay_a")
    with pytest.raises(CollationError, match="collation C"):
        ranges.begin("pay_2")
