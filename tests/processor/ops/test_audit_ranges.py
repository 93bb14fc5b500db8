"""An audit range by range finds what a look at everything finds, and can be interrupted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from processor.ops.audit.findings import Findings
from processor.ops.audit.ranges import CollationError, Ranges
from tests.support.programs.auditing import FAULTS, PAYMENTS, RANGE, STRAYS, UNKNOWN, Stored

pytestmark = pytest.mark.anyio


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
        reported = [*found["S11"], *found["S13"]]
        assert sum(unknown in text for text in reported) >= len(STRAYS), unknown


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


def test_ranges_are_in_the_order_of_bytes(tmp_path: Any) -> None:
    """A database with another collation would have payments of one range in another."""
    ranges = Ranges(tmp_path, [""])
    ranges.begin("pay_a")
    with pytest.raises(CollationError, match="collation C"):
        ranges.begin("pay_2")


async def test_history_that_leaves_while_an_audit_reads_is_not_missing(stored: Stored) -> None:
    """It was young enough when the audit began, and a minute later it was deleted."""
    retention, mine = timedelta(days=10), stored.payments[3]
    ages = (datetime.now(UTC) - retention + timedelta(minutes=1)).isoformat()
    await stored.change(
        (f"update payment_versions set at = '{ages}' where payment_id = %s", mine),  # noqa: S608
        (
            f"""update provider_calls set done_at = timestamptz '{ages}' + interval '1 hour'
                where payment_id = %s""",  # noqa: S608
            mine,
        ),
        ("delete from inbox where payment_id = %s", mine),
    )
    found = await stored.audited(Findings(), retention_s=retention.total_seconds())
    assert [text for text in (*found["S6"], *found["S11"]) if mine in text] == []


async def test_an_outcome_may_leave_during_an_audit_that_takes_very_long(stored: Stored) -> None:
    """What is older than the retention at its end needs no outcome, and what is younger does."""
    await stored.change((FAULTS["a lost outcome"][1], stored.payments[3]))
    now, hour = datetime.now(UTC), timedelta(hours=1)
    for end, lost in ((now, 1), (now + 2 * hour, 0)):
        clock = iter([now, end]).__next__
        found = await stored.audited(Findings(), clock=clock, retention_s=hour.total_seconds())
        assert len(found["S1"]) == lost
