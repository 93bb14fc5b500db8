"""A part of a rebuild costs what its payments cost, however much is stored and was deleted."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
import pytest

from bench.year import database
from bench.year.fill import fill
from postgres.ops.rebuild import differences, parts, shadow, stored
from postgres.ops.rebuild.parts import Part
from postgres.ops.rebuild.work import Work
from processor.ops.rebuild.deciding import decide_part
from processor.ops.rebuild.results import PartResult, nothing, total
from sandbox.testing import Infrastructure
from tests.support.builders import DECODER, NOW
from tests.support.plans import ExplainingConnection, Plan

DATABASE: Final = "rebuild_plans_test"
PAYMENTS: Final = 10_000
PARTS: Final = 100
#: Inputs of a part, about. No statement reads more rows than this for each of them.
INPUTS: Final = 7 * PAYMENTS // PARTS
PER_INPUT: Final = 8
WORK: Final = Work("rebuild_plans")


async def _decided(url: str) -> tuple[list[Plan], PartResult]:
    """The plans of some parts' statements, when the inbox of most payments is gone."""
    async with await ExplainingConnection.to(url) as connection:
        await connection.set_autocommit(True)
        old = datetime.now(UTC) - timedelta(days=100)
        await connection.execute("delete from inbox where recorded_at < %s", [old])
        await connection.execute("vacuum (analyze)")
        ranges = await parts.ranges(connection, PARTS)
        await WORK.make(connection, ranges, NOW)
        owners = "select provider, object_id, payment_id from payments limit 50"
        some = await (await connection.execute(owners)).fetchall()
        await shadow.make(connection, "public")
        for part in (ranges[0], ranges[50], ranges[-1]):
            await decide_part(connection, WORK, "public", part, DECODER.decode, lambda: NOW)
        result = total(
            nothing([table.name for table in differences.TABLES]), await WORK.results(connection)
        )
        async with connection.transaction():
            objects = {(row[0], row[1]) for row in some}
            await stored.copy_owners(connection, "public", ranges[50], objects, ())
            ids = [row[2] for row in some]
            await stored.known(connection, "public", ids)
            await stored.positions(connection, "public", Part(0, payment_ids=ids))
            await stored.with_inputs_since(connection, "public", datetime.now(UTC))
            for table in differences.TABLES:
                listed = Part(0, payment_ids=ids)
                await differences.differences(connection, "public", table, listed, (), 1)
        return connection.plans, result


@pytest.fixture(scope="module")
def decided(infrastructure: Infrastructure) -> tuple[list[Plan], PartResult]:
    """What was decided of a filled store, and how."""
    url = database.create(infrastructure.database_url, DATABASE)
    fill(url, PAYMENTS)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("alter database rebuild_plans_test set jit = off")
    return asyncio.run(_decided(url))


def test_a_part_reads_its_own_rows(decided: tuple[list[Plan], PartResult]) -> None:
    """No statement reads a whole table, or one for each of its rows; no sort goes to disk."""
    plans, _ = decided
    assert len({plan.statement for plan in plans}) > 30
    for plan in plans:
        assert not plan.spills, plan.statement
        assert plan.read <= PER_INPUT * INPUTS, plan.statement


def test_payments_without_their_first_inputs_are_compared_with_their_facts(
    decided: tuple[list[Plan], PartResult],
) -> None:
    """All of them are counted and looked at, none is decided by what is left."""
    _, result = decided
    assert result.inputs == 0
    assert PAYMENTS * 0.02 < result.facts.checked < PAYMENTS * 0.04
    assert result.not_checkable >= result.facts.checked
    assert result.tables[0].checked == 0
