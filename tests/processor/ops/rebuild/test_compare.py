"""A row that differs from the rebuilt one is described without what a client wrote."""

from typing import Any

import pytest

from postgres.ops.rebuild import differences
from postgres.ops.rebuild.differences import TABLES
from postgres.ops.rebuild.parts import Part
from processor.ops.rebuild import compare
from processor.ops.rebuild.results import TableComparison


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
