"""What a rebuild found is added up, and described without what a client wrote."""

from typing import Any

import pytest

from postgres.ops.rebuild import differences
from postgres.ops.rebuild.differences import TABLES
from postgres.ops.rebuild.parts import Part
from processor.ops.rebuild import compare
from processor.ops.rebuild.results import (
    PartResult,
    RebuildResult,
    TableComparison,
    encode,
    nothing,
    total,
)
from tests.processor.ops.rebuild.stories import ONE, TWO


@pytest.mark.anyio
@pytest.mark.parametrize("column", ["document", "snapshot", "request"])
async def test_a_clients_own_data_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    """The column is named. Amounts have their unit, other values are shown."""
    stored = {column: "private", "status": "CREATED", "captured": 5, "version": 1}
    rebuilt = {column: "PRIVATE", "status": "FAILED", "captured": 7, "version": 1}

    async def found_differences(*_: object) -> Any:
        return 3, 1, [("pay_1", stored, rebuilt)]

    monkeypatch.setattr(differences, "differences", found_differences)
    connection: Any = None
    found = await compare.compare(connection, "public", TABLES[0], Part(0), ())
    described = (
        f"pay_1: {column}, status (stored 'CREATED', rebuilt 'FAILED'), "
        "captured in minor units (stored 5, rebuilt 7)"
    )
    assert found == TableComparison(TABLES[0].name, 3, 1, (described,))


def test_what_was_found_in_the_parts_is_added() -> None:
    """Every count, and as many descriptions as are shown."""
    part = PartResult(
        records=1, inputs=2, not_checkable=3, not_checkable_first=(ONE, TWO), newer=4,
        quarantined=5, tables=(TableComparison("payments", 6, 7, ("wrong", "lost")),),
        facts=TableComparison("facts", 8, 9, ("contradicts",)),
    )  # fmt: skip
    found = total(nothing(["payments"]), [encode(part)] * 3)
    assert found == RebuildResult(
        records=3, inputs=6, not_checkable=9, not_checkable_first=(ONE, TWO, ONE, TWO, ONE),
        newer=12, quarantined=15,
        tables=(TableComparison("payments", 18, 21, ("wrong", "lost", "wrong", "lost", "wrong")),),
        facts=TableComparison("facts", 24, 27, ("contradicts",) * 3),
    )  # fmt: skip
