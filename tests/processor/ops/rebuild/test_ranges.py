"""A rebuild goes by ranges of payment IDs. Together they have every row, and each row once."""

from bisect import bisect_right
from collections.abc import Awaitable, Callable
from typing import Any, Final

import psycopg
import pytest

from postgres.ops.rebuild import parts
from postgres.ops.rebuild.parts import PREFIXES, Connection
from processor.ops.rebuild import deciding, job
from tests.processor.ops.rebuild.stories import ONE, TWO, live, schemas
from tests.support import database
from tests.support.builders import Log, payment
from tests.support.programs.operating import ALL, Operating

pytestmark = pytest.mark.anyio

#: As many as fit between two ends: the ranges of a large store are as small as these.
MANY: Final = 64


def ranges_of(count: int) -> Callable[..., Awaitable[int]]:
    """Replaces the estimate of how many ranges are best."""

    async def count_parts(*_: Any) -> int:
        return count

    return count_parts


@pytest.mark.parametrize("count", [1, 2, 7, MANY, len(PREFIXES)])
async def test_the_ranges_have_every_id_once(own_database: str, count: int) -> None:
    """One begins where the one before ends; the first has no begin, and the last no end."""
    async with await psycopg.AsyncConnection.connect(own_database) as connection:
        found = await parts.ranges(connection, count)
    assert [part.number for part in found] == list(range(count))
    assert found[0].first == ""
    assert [part.until for part in found] == [*(part.first for part in found[1:]), None]
    assert len({part.first for part in found}) == count


async def _range_of(connection: Connection, found: list[parts.Part], id_: str) -> list[int]:
    """The ranges that have a row with this ID, as the database compares."""
    numbers = []
    for part in found:
        rows = await connection.execute(
            psycopg.sql.SQL("select from (select %s::text as payment_id) r where {}").format(
                part.has()
            ),
            [id_],
        )
        numbers += [part.number] * len(await rows.fetchall())
    return numbers


@pytest.mark.parametrize("count", [1, 5, MANY])
async def test_a_record_goes_where_its_payment_is(own_database: str, count: int) -> None:
    """The part of a record's key is the range of its payment; at the edges too."""
    async with await psycopg.AsyncConnection.connect(own_database) as connection:
        found = await parts.ranges(connection, count)
        route = await parts.route_to_ranges(connection, count)
        edges = [part.first for part in found if part.first]
        ids = [payment() for _ in range(30)]
        ids += [f"{edge}{'2' * 27}" for edge in edges] + [f"{edge}{'z' * 27}" for edge in edges]
        ids += [f"{PREFIXES[0]}{'2' * 27}", f"{PREFIXES[-1]}{'z' * 27}"]
        for id_ in ids:
            assert await _range_of(connection, found, id_) == [route(id_.encode())], id_
            assert route(id_.encode()) == bisect_right(edges, id_)


@pytest.mark.parametrize(
    "id_", ["", "a", "pay_", "pay_aa", "PAY_", "~", "pay_ß", "zzzz", "\U0010ffff"]
)
async def test_a_row_whose_id_is_none_is_in_one_range(own_database: str, id_: str) -> None:
    """It can't be decided again, but it is seen."""
    async with await psycopg.AsyncConnection.connect(own_database) as connection:
        found = await parts.ranges(connection, MANY)
        assert len(await _range_of(connection, found, id_)) == 1
        route = await parts.route_to_ranges(connection, MANY)
        assert id_.startswith("pay_a") or route(id_.encode()) is None


@pytest.mark.parametrize("count", [2, MANY])
async def test_differences_in_several_ranges_are_found(
    operating: Operating, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Nothing that was planted is lost between ranges, and their results are added."""
    monkeypatch.setattr(parts, "count_parts", ranges_of(count))
    log, others = Log(), [payment(f"ranged {n}") for n in range(12)]
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
        await operating.process(worker, *(log.create(other) for other in others))
    equal = await operating.rebuilt()
    assert equal.is_equal, equal.tables
    assert equal.inputs == 12 + len(others)
    assert {t.table: t.checked for t in equal.tables}["payments"] == 2 + len(others)
    altered = [ONE, *others[:7]]
    await database.rows(
        operating.group.pool,
        "update payments set tenant = 'other' where payment_id = any(%s) returning 1",
        altered,
    )
    found = await operating.rebuilt()
    assert {t.table: t.different for t in found.tables if t.different} == {"payments": len(altered)}
    examples = next(t.examples for t in found.tables if t.table == "payments")
    assert len(examples) == 5
    assert await schemas(operating.group.pool) == set()


async def test_a_part_leaves_no_row_for_the_next(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the tables of the last part would be as large as all payments'."""
    left = list[int]()

    async def looked_at(connection: Connection, *given: Any) -> None:
        await deciding.decide_part(connection, *given)
        rows = await connection.execute("select count(*) from inbox")
        left.extend(count for (count,) in await rows.fetchall())

    monkeypatch.setattr(job, "decide_part", looked_at)
    monkeypatch.setattr(parts, "count_parts", ranges_of(3))
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    assert (await operating.rebuilt()).is_equal
    assert left == [0, 0, 0]


async def test_an_object_of_a_payment_in_another_range_is_known(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook that names another payment's object is refused, wherever that payment is."""
    async with operating.group.worker(*ALL) as worker:
        await live(operating, worker)
    _, second = sorted([ONE, TWO])

    async def two_ranges(*_: Any) -> list[parts.Part]:
        return [parts.Part(0, "", second), parts.Part(1, second, None)]

    async def two_routes(*_: Any) -> parts.Route:
        return lambda key: int(key.decode() >= second)

    monkeypatch.setattr(parts, "ranges", two_ranges)
    monkeypatch.setattr(parts, "route_to_ranges", two_routes)
    found = await operating.rebuilt()
    assert found.is_equal, found.tables
    assert (found.inputs, found.not_checkable) == (12, 0)
    named = await operating.rebuilt(TWO)
    assert named.is_equal, named.tables
