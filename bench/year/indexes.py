"""Indexes: switched off while tables are filled, then built, as full as after long use."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import sql

from bench.year.staging import Column, Connection, Staged

#: How full a B-tree's pages are after many insertions anywhere, in percent.
RANDOM_FILL: Final = 70

#: The indexes of a table and its partitions, with the names of their columns in order.
INDEXES: Final = """
    select i.indexrelid::int, i.indexrelid::regclass::text, x.reloptions is not null,
        array(select coalesce(a.attname, '') from unnest(i.indkey) with ordinality as k(number, at)
              left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
              order by k.at)
    from pg_index i join pg_class x on x.oid = i.indexrelid and x.relkind = 'i'
    where i.indrelid in (
        select relid from pg_partition_tree(%(table)s::regclass) where isleaf
        union select %(table)s::regclass)"""
#: An index that isn't ready is not maintained. Building it again makes it ready and valid.
OFF: Final = "update pg_index set indisready = false, indisvalid = false where indexrelid = any(%s)"


@dataclass(frozen=True, slots=True)
class Index:
    """An index; ``is_random`` if its entries come anywhere among the others."""

    oid: int
    name: str
    is_random: bool


def switch_off(connection: Connection, staged: Staged) -> list[Index]:
    """Switches off a table's indexes, and returns them."""
    columns = {column.name: column for column in staged.columns}
    table = sql.Identifier("public", staged.table).as_string(connection)
    rows = connection.execute(INDEXES, {"table": table}).fetchall()
    indexes = [
        Index(oid, name, not has_options and _is_random([columns[k] for k in keys if k in columns]))
        for oid, name, has_options, keys in rows
    ]
    connection.execute(OFF, [[each.oid for each in indexes]])
    return indexes


def _is_random(keys: Sequence[Column]) -> bool:
    """Whether entries come anywhere: the first column that differs between copies decides."""
    differing = (k for k in keys if k.is_random or k.kind in {"time", "number", "offset"})
    first = next(differing, None)
    return first is not None and first.is_random


def build(connection: Connection, index: Index) -> None:
    """Builds an index, which checks its constraint."""
    name = sql.SQL(index.name)  # Postgres itself has quoted it
    if index.is_random:
        connection.execute(
            sql.SQL("alter index {} set (fillfactor = {})").format(name, RANDOM_FILL)
        )
    connection.execute(sql.SQL("reindex index {}").format(name))
    if index.is_random:
        connection.execute(sql.SQL("alter index {} reset (fillfactor)").format(name))
