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
_LIKE: Final = "like {old} including all excluding constraints"
#: Rows leave soon: they are not compressed.
_PLAIN: Final = "toast_tuple_target = 8160"
#: Only keys are looked up in a few thousand rows.
_FURTHER_INDEXES: Final = """
    select relname from pg_index join pg_class on pg_class.oid = indexrelid
    where pg_table_is_visible(indrelid) and not indisunique
        and relnamespace not in ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)"""
_NAMES: Final = """
    select relname, relkind = 'S' from pg_class
    where relnamespace = %s::regnamespace and relkind in ('r', 'p', 'S') and not relispartition
        and relname <> 'schema_migrations'"""


async def stored_schema(connection: Connection) -> str:
    """Returns the name of the schema that the service writes to."""
    return str(await value(connection, "select current_schema()"))


async def connect(database_url: str, stored: str, *, keep: bool = False) -> OperatingConnection:
    """Returns a connection with empty tables like those of the schema ``stored``.

    ``keep``: they are made in the schema ``rebuild``, and stay. They have the columns, defaults and
    keys of the stored ones, but no triggers, checks and foreign keys: a row that breaks one differs
    from what is stored.
    """
    connection = await OperatingConnection.connect(database_url, autocommit=True)
    try:
        for statement in _SETTINGS:
            await connection.execute(statement)
        await make(connection, stored, keep=keep)
    except BaseException:
        await connection.close()
        raise
    return connection


async def make(connection: Connection, stored: str, *, keep: bool = False) -> None:
    """Makes the tables for this connection; see ``connect``."""
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
                template = f"create unlogged table {{new}} ({_LIKE}) with ({_PLAIN})"
            else:
                template = f"create table {{new}} ({_LIKE}) with ({_PLAIN}) on commit delete rows"
            await connection.execute(
                sql.SQL(template).format(
                    new=sql.Identifier(KEPT if keep else _TEMPORARY, name),
                    old=sql.Identifier(stored, name),
                )
            )
        await connection.execute(sql.SQL("set search_path = {}").format(schema))
        cursor = await connection.execute(_FURTHER_INDEXES)
        for (index,) in await cursor.fetchall():
            await connection.execute(sql.SQL("drop index {}").format(sql.Identifier(index)))


async def drop_kept(connection: Connection) -> None:
    """Drops the tables that were kept."""
    statement = sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(KEPT))
    await connection.execute(statement)
