"""Empty tables beside the stored ones, in which inputs are decided again.

They are temporary tables of one connection, empty after each commit: nothing is left of them,
however the rebuild ends. To look into them afterwards, they can be made in the schema ``rebuild``
instead. The connection finds them by their bare names, and none of the stored ones.
"""

from typing import Any, Final

from psycopg import AsyncConnection, sql

from postgres.deadlines import OperatingConnection
from postgres.ops.rebuild.values import value

Connection = AsyncConnection[tuple[Any, ...]]

#: The schema of tables that are kept.
KEPT: Final = "rebuild"
_TEMPORARY: Final = "pg_temp"

#: The rows of a part are seen as of one moment.
ONE_MOMENT: Final = "set transaction isolation level repeatable read"
_SETTINGS: Final = (
    "set synchronous_commit = off",
    "set work_mem = '64MB'",
    "set temp_buffers = '128MB'",
    "set jit = off",
)
_NAMES: Final = """
    select relname, relkind = 'S' from pg_class
    where relnamespace = %s::regnamespace and relkind in ('r', 'p', 'S') and not relispartition
        and relname <> 'schema_migrations'"""


async def stored_schema(connection: Connection) -> str:
    """Returns the name of the schema that the service writes to."""
    return str(await value(connection, "select current_schema()"))


async def connect(database_url: str, stored: str, *, keep: bool = False) -> OperatingConnection:
    """Returns a connection with empty tables like those of the schema ``stored``.

    ``keep``: they are made in the schema ``rebuild``, and stay. They have the columns, defaults,
    checks and indexes of the stored ones, but no triggers and no foreign keys: those were obeyed
    when the stored rows were written.
    """
    connection = await OperatingConnection.connect(database_url, autocommit=True)
    try:
        for statement in _SETTINGS:
            await connection.execute(statement)
        await _make(connection, stored, keep=keep)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _make(connection: Connection, stored: str, *, keep: bool) -> None:
    cursor = await connection.execute(_NAMES, [stored])
    names = await cursor.fetchall()
    async with connection.transaction():
        if keep:
            await drop_kept(connection)
            await connection.execute(sql.SQL("create schema {}").format(sql.Identifier(KEPT)))
        schema = sql.Identifier(KEPT if keep else _TEMPORARY)
        for name, is_sequence in names:
            if is_sequence:
                template = "create sequence {new}"
            elif keep:
                template = "create unlogged table {new} (like {old} including all)"
            else:
                template = "create table {new} (like {old} including all) on commit delete rows"
            await connection.execute(
                sql.SQL(template).format(
                    new=sql.Identifier(KEPT if keep else _TEMPORARY, name),
                    old=sql.Identifier(stored, name),
                )
            )
        await connection.execute(sql.SQL("set search_path = {}").format(schema))


async def drop_kept(connection: Connection) -> None:
    """Drops the tables that were kept."""
    statement = sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(KEPT))
    await connection.execute(statement)
