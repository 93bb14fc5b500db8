"""Single values."""

from typing import Any, LiteralString

from psycopg import AsyncConnection, sql


async def value(
    connection: AsyncConnection[tuple[Any, ...]],
    statement: LiteralString | sql.Composed,
    parameters: list[Any] | None = None,
) -> Any:
    """Returns the first column of the first row, or None without a row."""
    row = await (await connection.execute(statement, parameters)).fetchone()
    return row[0] if row is not None else None
