"""The benchmarks of latency and scale do their work, with correct results."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from rocksdict import AccessType, Options, Rdict

from bench.benchmarks import BY_NAME
from bench.errors import WrongResultError
from bench.load import dedup_table, stored
from bench.load.samples import Sample, Turn
from bench.load.workload import generate
from bench.measured import old_payments
from bench.site import PARTITIONS, Site
from bench.year import database

PAYMENTS = 40
ATTEMPTS = 3
WARM_UP = 10
#: Payments in a full store.
STORED = 2_400
#: Rows that violate a foreign key, which loading does not check.
ORPHANS = """
    select count(*) from payment_versions v full join payments p using (payment_id)
    full join (select payment_id from inbox where version = 1) i using (payment_id)
    where v.payment_id is null or p.payment_id is null or i.payment_id is null"""


def _turn(name: str) -> Turn:
    events = STORED * dedup_table.EVENTS_PER_PAYMENT
    return Turn(generate(8, f"{name}-warm", WARM_UP), generate(9, name, PAYMENTS), stored=events)


def _measured(site: Site, name: str) -> tuple[Turn, Sample]:
    """Runs a benchmark of the ingress, again if a busy machine makes it refuse a request."""
    for attempt in range(ATTEMPTS):
        turn = _turn(f"{name}-{attempt}")
        try:
            return turn, asyncio.run(BY_NAME[name].run(site, turn))
        except WrongResultError as error:
            if "'503'" not in str(error):
                raise
    raise AssertionError(f"{name} had refusals {ATTEMPTS} times")


def test_the_latency_is_from_arrival_to_record(site: Site) -> None:
    """Each version's record was read. The response comes before the record."""
    sample = asyncio.run(BY_NAME["latency_50"].run(site, _turn("latency")))
    assert 0.0 < sample.others["p50_ms"] <= sample.others["p99_ms"] <= sample.others["max_ms"]
    assert 0.0 < sample.others["answer_p50_ms"] < sample.others["p50_ms"]
    assert sample.others["refused_share"] == 0.0
    assert sample.others["rss_mib"] > 50.0


def test_a_burst_is_accepted_before_it_is_published(site: Site) -> None:
    """The figure is the ingress's. The processor's work is checked too."""
    turn, sample = _measured(site, "burst")
    assert sample.count == len(turn.work.deliveries)
    assert sample.others["published_s"] > sample.seconds > 0


@pytest.mark.parametrize("name", ["two_workers", "two_ingress"])
def test_several_processes_share_the_work(site: Site, name: str) -> None:
    """Each event was processed once."""
    turn, sample = _measured(site, name)
    assert sample.count == len(turn.work.deliveries)
    assert sample.others["rss_mib"] > 100.0


def test_a_table_is_recovered(site: Site) -> None:
    """A worker recovers its table from the changelog, and then starts with it."""
    sample = asyncio.run(BY_NAME["recovery"].run(site, _turn("recovery")))
    assert sample.count >= STORED * dedup_table.EVENTS_PER_PAYMENT // 50
    assert sample.others["cold_s"] > 0
    assert sample.others["warm_s"] > 0


def test_a_full_store_is_consistent(site: Site) -> None:
    """Payments, versions and events agree. The dedup table has all payments."""
    turn = _turn("full")
    sample = asyncio.run(BY_NAME["full_store"].run(site, turn))
    assert sample.count == len(turn.work.deliveries)
    ids = {dedup_table.payment_id(number) for number in range(STORED)}
    with psycopg.connect(stored.separate_database(site).database_url) as connection:
        found = {row[0] for row in connection.execute("select payment_id from payments")}
        assert len(found) == STORED + WARM_UP + PAYMENTS
        assert ids < found
        assert connection.execute(ORPHANS).fetchone() == (0,)
        old = {
            row[0]
            for row in connection.execute(
                "select event_id from inbox where payment_id = any(%s)", [list(ids)]
            )
        }
    assert old == {f"{id_}:{n}" for id_ in ids for n in range(dedup_table.EVENTS_PER_PAYMENT)}
    assert ids < _keys(site.root / "full-store")


def test_webhooks_of_old_payments_have_their_effect(site: Site) -> None:
    """A turn fails unless each refund and dispute made a version, and no late fact did.

    The figures of each kind add up to those of all.
    """
    turn = _turn("old")
    sample = asyncio.run(BY_NAME["old_payments"].run(site, turn))
    each = len(turn.work.deliveries) // len(old_payments.KINDS)
    assert sample.count == each * len(old_payments.KINDS)
    assert sample.others["all_cpu_us"] > sample.others["cpu_us"] > 0
    assert sample.others["wal_bytes"] > sample.others["wal_page_bytes"] > 0
    assert 0 <= sample.others["hot_percent"] <= 100
    assert sample.others["stored"] == STORED
    assert sample.others["stored_bytes"] > 5_000
    seconds = sum(each / sample.others[f"{kind}_per_s"] for kind in old_payments.KINDS)
    assert seconds == pytest.approx(sample.seconds)
    bytes_ = [sample.others[f"{kind}_wal_bytes"] for kind in old_payments.KINDS]
    assert sum(bytes_) / len(bytes_) == pytest.approx(sample.others["wal_bytes"])


def test_a_webhook_without_its_effect_fails_the_turn(site: Site) -> None:
    """Such as a refund that was never processed."""
    year = site.with_database(database.NAME)
    (payment,) = old_payments.choose(year.database_url, "some", 1)
    work = old_payments._work("some", "refund", [payment])
    with pytest.raises(WrongResultError, match=f"the refund webhook of {payment.id} is None"):
        asyncio.run(old_payments._check(year, work))


def _keys(folder: Path) -> set[str]:
    """The dedup table's keys in all partitions."""
    found: set[str] = set()
    for number in range(PARTITIONS):
        (path,) = folder.rglob(f"dedup-{number}.db")
        table = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())
        found |= {str(key, "utf-8") for key in table.keys()}  # type: ignore[arg-type]  # noqa: SIM118  # raw: bytes
        table.close()
    return found
