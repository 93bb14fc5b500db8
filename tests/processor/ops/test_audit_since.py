"""An incremental audit checks what is new, and nothing that is still on its way is a violation."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from messaging.log_reader import extent
from processor.ops.audit import run, topics
from processor.ops.audit.findings import Findings
from processor.ops.audit.run import MARGIN
from schemas.topics import PROCESSOR_SOURCES
from tests.support.builders import Log, payment
from tests.support.programs.auditing import FAULTS, Stored

pytestmark = pytest.mark.anyio

#: What waits for a payment without a new input.
WAITING: Final[Mapping[str, str]] = {
    "a call that was never made": """update provider_calls
        set state = 'due', outcome = null, attempts = 0 where payment_id = %s""",
    "a call in back-off": """update provider_calls
        set state = 'due', outcome = null, attempts = 3 where payment_id = %s""",
    "a quarantine": "insert into quarantines values (%s, 'evt_none', 'a defect', now())",
    "a version": "insert into unpublished_versions values (0, %s, 9, now(), '{}')",
}
MARGIN_MINUTES: Final = MARGIN // timedelta(minutes=1)


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


@pytest.mark.parametrize("what", WAITING)
async def test_an_incremental_audit_checks_a_payment_for_which_something_waits(
    stored: Stored, what: str
) -> None:
    """Its last input is old, and it is the only one that is looked at."""
    mine = stored.payments[5]
    await stored.change(
        ("update inbox set recorded_at = now() - interval '1 day' where payment_id <> %s", ""),
        (WAITING[what], mine),
    )
    findings = Findings()
    since = datetime.now(UTC) - timedelta(hours=1)
    found = await stored.audited(findings, since=since, settle_s=1.0)
    assert findings.by_code["S5"].checked == 1
    assert [text for code in ("L1", "S11") for text in found[code] if mine in text]


async def test_what_is_acknowledged_while_payments_are_listed_is_in_flight(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its payment may be none of them. So the acknowledged offsets are read before."""

    async def all_are_acknowledged(bootstrap: str) -> dict[tuple[str, int], int]:
        return {
            (topic, partition.partition): end
            for topic in PROCESSOR_SOURCES
            for partition, (_, end) in (await extent(bootstrap, topic)).items()
        }

    plan = run.plan

    async def meanwhile(*given: Any) -> Any:
        planned = await plan(*given)
        await stored.process(Log().create(payment()))
        return planned

    monkeypatch.setattr(topics, "acknowledged", all_are_acknowledged)
    monkeypatch.setattr(run, "plan", meanwhile)
    await stored.change(("update inbox set recorded_at = now() where payment_id <> %s", ""))
    since = datetime.now(UTC) - timedelta(hours=1)
    assert (await stored.audited(Findings(), since=since, settle_s=60.0))["S1"] == set()


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


async def test_an_incremental_audit_waits_for_a_version_that_is_new_and_not_published(
    stored: Stored,
) -> None:
    """The one before it was published long ago, on a part of the topic that is not read."""
    since = datetime.now(UTC) + timedelta(hours=1)
    mine = stored.payments[7]
    await stored.change(
        ("update inbox set recorded_at = now() + interval '2 hours' where payment_id = %s", mine),
        (
            """update payment_versions v set at = now() + interval '2 hours' where payment_id = %s
               and version = (select version from payments p where p.payment_id = v.payment_id)""",
            mine,
        ),
        (
            """insert into unpublished_versions select publication_id, payment_id, version, now(),
               snapshot from payments where payment_id = %s""",
            mine,
        ),
    )
    found = await stored.audited(Findings(), since=since, settle_s=60.0)
    assert found["S8"] == set()


@pytest.mark.parametrize(
    ("since_minutes", "recorded_minutes"), [(-60, -65), (5, 5 - MARGIN_MINUTES - 5)]
)
async def test_the_clock_that_records_outcomes_may_be_behind(
    stored: Stored, since_minutes: int, recorded_minutes: int
) -> None:
    """An outcome bears an earlier time than its record, which was published just now.

    It is found: if the record is new, the outcome is looked for before that. If the outcome is too
    old even for that, the record is not asked for.
    """
    now = datetime.now(UTC)
    recorded_at = now + timedelta(minutes=recorded_minutes)
    earlier = f"update inbox set recorded_at = '{recorded_at.isoformat()}' where payment_id <> %s"  # noqa: S608
    await stored.change((earlier, ""))
    since = now + timedelta(minutes=since_minutes)
    assert (await stored.audited(Findings(), since=since))["S1"] == set()


async def test_an_incremental_audit_of_a_correct_store_finds_nothing(stored: Stored) -> None:
    """Some payments have new inputs. The others are not looked at, though they were published."""
    new = stored.payments[::3]
    await stored.change(
        *(("update inbox set recorded_at = now() where payment_id = %s", each) for each in new)
    )
    findings = Findings()
    since = datetime.now(UTC) - timedelta(hours=1)
    found = await stored.audited(findings, since=since, settle_s=60.0)
    assert findings.by_code["S5"].checked == len(new)
    assert {code: texts for code, texts in found.items() if texts} == {}
